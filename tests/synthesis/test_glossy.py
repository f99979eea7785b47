import numpy as np
import pytest
from PIL import Image

from rig.synthesis import glossy
from rig.synthesis.glossy import Glossy
from rig.synthesis.rng import step_generator
from rig.synthesis.transform import SynthesisError


def reference(image, params):
    """A white layer with an opaque box, composited by Pillow."""
    layer = np.full((*image.shape[:2], 4), 255, np.uint8)
    layer[..., 3] = 0
    x0, y0, x1, y1 = params.box
    layer[y0:y1, x0:x1, 3] = int(params.opacity)
    picture = Image.fromarray(image).convert("RGBA")
    picture.alpha_composite(Image.fromarray(layer))
    out = np.asarray(picture.convert("RGB"))
    return out if image.ndim == 3 else out[..., 0]


def draw(level, n, size=(400, 300)):
    return glossy.sample(step_generator(n, "k", 0, "glare_glossy"), level, size)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_parity_with_the_definition(xray, colour, level):
    for image in (xray, colour):
        for n in range(9):
            params = draw(level, n, image.shape[1::-1])
            assert np.array_equal(glossy.apply(image, params), reference(image, params))


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_the_level_sets_size_and_opacity(level):
    for n in range(60):
        params = draw(level, n)
        x0, y0, x1, y1 = params.box
        assert 0 <= x0 <= x1 <= 400
        assert 0 <= y0 <= y1 <= 300
        assert 40 * level - 2 <= x1 - x0 <= 40 * level + 21
        assert 30 * level - 2 <= y1 - y0 <= 30 * level + 16
        assert 150 + 20 * level <= params.opacity <= 170 + 20 * level


def test_all_nine_places_come_about_equally_often():
    def place(box):
        x0, y0, x1, y1 = box
        return (x0 == 0, x1 == 400, y0 == 0, y1 == 300)

    places = [place(draw(1, n).box) for n in range(540)]
    counts = [places.count(p) for p in set(places)]
    assert len(counts) == 9
    assert min(counts) > 35
    assert max(counts) < 90


def test_the_middle_lies_between_three_and_seven_tenths():
    centres = [
        (x0 + x1) / 800 for x0, _, x1, _ in (draw(1, n).box for n in range(300)) if x0 and x1 != 400
    ]
    assert 0.295 <= min(centres) < 0.35
    assert 0.65 < max(centres) <= 0.7


def test_a_box_that_leaves_the_image_or_an_impossible_one():
    image = np.full((20, 20), 100, np.uint8)
    out = glossy.apply(image, Glossy((10, 10, 90, 90), 255.0))
    assert out[10:, 10:].min() == 255
    assert np.array_equal(glossy.apply(image, Glossy((5, 5, 5, 9), 255.0)), image)
    with pytest.raises(SynthesisError, match="opacity is 256"):
        Glossy((0, 0, 1, 1), 256.0)
    with pytest.raises(SynthesisError, match="box is -1"):
        Glossy((-1, 0, 1, 1), 200.0)
