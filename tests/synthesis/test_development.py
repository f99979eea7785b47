import io

import cv2
import numpy as np
import pytest
from PIL import Image

from rig.synthesis import development
from rig.synthesis.development import Recompression, WhiteBalance
from rig.synthesis.rng import step_generator
from rig.synthesis.transform import SynthesisError


def test_white_balance_is_a_gain_per_channel(colour, xray):
    out = development.apply_white_balance(colour, WhiteBalance(1.2, 1.0, 0.8))
    for channel, gain in enumerate((1.2, 1.0, 0.8)):
        expected = np.minimum(np.rint(colour[..., channel] * gain), 255)
        assert np.array_equal(out[..., channel], expected)
    luma = 0.299 * 1.2 + 0.587 * 1.0 + 0.114 * 0.8
    grey = development.apply_white_balance(xray, WhiteBalance(1.2, 1.0, 0.8))
    assert np.array_equal(grey, np.minimum(np.rint(xray * luma), 255))


def test_casts_are_warm_or_cold():
    drawn = [
        development.sample_white_balance(step_generator(n, "k", 0, "w"), 3, (9, 9))
        for n in range(40)
    ]
    warm = [p.red > 1 > p.blue for p in drawn]
    assert 8 < sum(warm) < 32
    for p in drawn:
        assert p.red * p.blue == pytest.approx(1)
        assert 0.16 <= abs(np.log(p.red)) <= 0.24
        assert abs(np.log(p.green)) <= 0.06


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (3, 5), (7, 7)])
def test_recompression_is_a_trip_through_a_jpeg_file(xray, dx, dy):
    """On a grid that is moved: inside each block few frequencies are left."""
    out = development.apply_recompression(xray, Recompression(20, dx, dy)).astype(float)
    assert 0.5 < abs(out - xray).mean() < 6

    def high_frequencies(first_x, first_y):
        rows = out[first_y : first_y + 96, first_x : first_x + 112]
        blocks = rows.reshape(12, 8, 14, 8).swapaxes(1, 2).reshape(-1, 8, 8)
        return np.mean([abs(cv2.dct(block)[4:, 4:]).mean() for block in blocks])

    # Decoding rounds to whole numbers, which leaves a little in every frequency.
    aligned = high_frequencies(-dx % 8, -dy % 8)
    assert aligned < 0.5
    assert high_frequencies((4 - dx) % 8, (4 - dy) % 8) > 1.2 * aligned


def test_recompression_of_colour_is_that_of_pillow_but_for_the_tables(colour):
    buffer = io.BytesIO()
    Image.fromarray(colour).save(buffer, "JPEG", quality=50)
    ours = development.apply_recompression(colour, Recompression(50, 0, 0)).astype(int)
    theirs = np.asarray(Image.open(buffer)).astype(int)
    change = abs(theirs - colour).mean()
    assert abs(ours - theirs).mean() < change
    assert abs(ours - colour).mean() == pytest.approx(change, rel=0.3)


def test_all_places_of_the_grid_are_drawn():
    drawn = [
        development.sample_recompression(step_generator(n, "k", 0, "j"), 2, (9, 9))
        for n in range(300)
    ]
    assert {p.quality for p in drawn} == {35}
    assert len({(p.dx, p.dy) for p in drawn}) > 55


def test_impossible_parameters_are_refused():
    with pytest.raises(SynthesisError, match="quality is 0"):
        Recompression(0, 0, 0)
    with pytest.raises(SynthesisError, match="green is -1"):
        WhiteBalance(1.0, -1.0, 1.0)
