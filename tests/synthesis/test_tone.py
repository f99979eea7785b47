import numpy as np
import pytest
from PIL import Image, ImageEnhance

from rig.synthesis import tone
from rig.synthesis.rng import step_generator
from rig.synthesis.tone import Digital, Factor
from rig.synthesis.transform import SynthesisError

FACTORS = [0.0, 0.377, 0.62, 0.8333333, 0.99, 1.0, 1.01, 1.0973, 1.4, 1.81]


def pillow(image, enhance, factor):
    return np.asarray(enhance(Image.fromarray(image)).enhance(factor))


@pytest.mark.parametrize("factor", FACTORS)
def test_contrast_is_pillows_bit_for_bit(xray, colour, factor):
    for image in (xray, colour):
        expected = pillow(image, ImageEnhance.Contrast, factor)
        assert np.array_equal(tone.apply_contrast(image, Factor(factor)), expected)


@pytest.mark.parametrize("factor", FACTORS)
def test_brightness_is_pillows_bit_for_bit(xray, colour, factor):
    for image in (xray, colour):
        expected = pillow(image, ImageEnhance.Brightness, factor)
        assert np.array_equal(tone.apply_brightness(image, Factor(factor)), expected)


def test_one_table_does_what_pillow_does_in_two_steps(xray, colour):
    for contrast in FACTORS:
        for brightness in FACTORS:
            for image in (xray, colour):
                twice = pillow(image, ImageEnhance.Contrast, contrast)
                twice = pillow(twice, ImageEnhance.Brightness, brightness)
                once = tone.apply_digital(image, Digital(contrast, brightness))
                assert np.array_equal(once, twice)


@pytest.mark.parametrize(("level", "k"), [(1, 0.5), (2, 2), (3, 3), (4, 4)])
def test_factors_follow_the_level(level, k):
    """Level 1 counts half, the others their number; noise is at most 0.01."""
    for n in range(50):
        up = tone.sample_factor(step_generator(n, "k", 0, "up"), level, up=True)
        down = tone.sample_factor(step_generator(n, "k", 0, "down"), level, up=False)
        assert abs(up - (1 + 0.2 * k)) <= 0.01
        assert abs(1 / down - (1 + 0.4 * k)) <= 0.01 + 1e-12


def test_factors_vary():
    drawn = {tone.sample_factor(step_generator(n, "k", 0, "up"), 1, up=True) for n in range(20)}
    assert len(drawn) == 20


def test_digital_tosses_a_coin_for_each_direction():
    sides = set()
    for n in range(60):
        params = tone.sample_digital(step_generator(n, "k", 0, "random_digital"), 1, (9, 9))
        sides.add((params.contrast > 1, params.brightness > 1))
    assert len(sides) == 4


def test_up_is_up_and_down_is_down(xray):
    generator = step_generator(0, "k", 0, "x")
    for kind, brighter in ((tone.BRIGHTNESS_UP, True), (tone.BRIGHTNESS_DOWN, False)):
        out = kind.apply(xray, kind.sample(generator, 2, (130, 107)))
        assert bool(out.mean() > xray.mean()) is brighter
    for kind, stronger in ((tone.CONTRAST_UP, True), (tone.CONTRAST_DOWN, False)):
        out = kind.apply(xray, kind.sample(generator, 2, (130, 107)))
        assert bool(out.std() > xray.std()) is stronger


def test_tone_moves_nothing():
    assert tone.RANDOM_DIGITAL.homography(Digital(1.1, 1.1), (10, 10)) is None


@pytest.mark.parametrize("level", [0, 5])
def test_other_levels_are_refused(level):
    with pytest.raises(SynthesisError, match=f"Level {level}"):
        tone.sample_factor(step_generator(0, "k", 0, "x"), level, up=True)
