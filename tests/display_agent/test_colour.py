"""White of another temperature by gains on the encoded channels."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from display_agent.colour import (
    NEUTRAL,
    chromaticity,
    daylight,
    gains_of,
    planckian,
    relative,
    tinted,
)
from rig.errors import UserError


def _srgb(gain: float) -> float:
    """A gain encoded with 1/2.2, encoded with the curve of IEC 61966-2-1 instead."""
    linear = gain**2.2
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


@pytest.mark.parametrize(
    ("kelvin", "expected"),
    [
        (2700, (1, 0.696, 0.350)),
        (4000, (1, 0.850, 0.650)),
        (5000, (1, 0.926, 0.818)),
        (7500, (0.917, 0.948, 1)),
        (9300, (0.825, 0.888, 1)),
    ],
)
def test_the_planckian_recipe_gives_the_published_values(kelvin, expected):
    """Worked out by others with Planck alone and the sRGB curve; here against both."""
    gains = relative(planckian(kelvin), planckian(6500))
    assert [_srgb(gain) for gain in gains] == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(
    ("xy", "expected"),
    [
        (daylight(5003), (0.3457, 0.3585)),  # D50
        (daylight(6504), (0.3127, 0.3290)),  # D65
        (daylight(7504), (0.2990, 0.3149)),  # D75
        (planckian(2856), (0.4476, 0.4074)),  # illuminant A
    ],
)
def test_the_loci_pass_through_the_standard_illuminants(xy, expected):
    """CIE 15:2004, table T.3, to a thousandth."""
    assert xy == pytest.approx(expected, abs=1e-3)


def test_below_5000_kelvin_planck_and_from_there_daylight():
    """The change of locus is a small step, not a jump."""
    assert chromaticity(4999) == planckian(4999)
    assert chromaticity(5000) == daylight(5000)
    below, above = gains_of(4999), gains_of(5000)
    assert max(abs(a - b) for a, b in zip(below, above, strict=True)) < 0.02


def test_6500_kelvin_changes_nothing():
    """It is the reference."""
    assert gains_of(6500) == NEUTRAL


def test_gains_stay_within_0_and_1_and_turn_from_red_to_blue():
    """The largest is always 1, also where blue leaves the gamut."""
    warm, cold = gains_of(1667), gains_of(25000)
    assert warm[0] == 1
    assert cold[2] == 1
    for kelvin in range(1667, 25001, 333):
        gains = gains_of(kelvin)
        assert max(gains) == 1
        assert min(gains) >= 0
    ratios = [gains_of(k)[2] / gains_of(k)[0] for k in (2000, 2700, 4000, 5000, 6500, 9300, 20000)]
    assert ratios == sorted(ratios)


@pytest.mark.parametrize("kelvin", [0, 1666, 25001])
def test_beyond_the_formulas_is_a_sentence_with_the_range(kelvin):
    """1667 to 25000 K."""
    with pytest.raises(UserError, match="1667 to 25000 K"):
        gains_of(kelvin)


def test_a_grey_frame_becomes_rgb_with_rounded_products():
    """Every value times its channel's gain."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    made = tinted(ramp, (1.0, 0.5, 0.25))
    assert made.mode == "RGB"
    pixels = np.asarray(made).reshape(256, 3)
    expected = [[round(v * g) for g in (1.0, 0.5, 0.25)] for v in range(256)]
    assert (pixels == expected).all()


def test_an_rgb_frame_keeps_its_channels_apart():
    """No grey on the way."""
    made = tinted(Image.new("RGB", (2, 2), (200, 100, 40)), (0.5, 1.0, 0.5))
    assert made.getpixel((0, 0)) == (100, 100, 20)


def test_neutral_gains_give_the_very_same_frame():
    """Not even a copy."""
    frame = Image.new("L", (3, 3), 7)
    assert tinted(frame, NEUTRAL) is frame


def test_a_gain_beyond_1_is_a_mistake_of_the_caller():
    """It would clip."""
    with pytest.raises(ValueError, match=r"0\.\.1"):
        tinted(Image.new("L", (1, 1)), (1.1, 1.0, 1.0))
