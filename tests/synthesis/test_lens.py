import numpy as np
import pytest

from rig.synthesis import lens
from rig.synthesis.lens import Barrel, Vignetting
from rig.synthesis.recipes import Recipe, Step, apply_recipe
from rig.synthesis.rng import step_generator


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.55])
def test_the_corners_lose_what_is_said_and_the_centre_nothing(strength):
    out = lens.apply_vignetting(np.full((301, 401), 200, np.uint8), Vignetting(strength))
    assert out[150, 200] == 200
    for corner in (out[0, 0], out[0, -1], out[-1, 0], out[-1, -1]):
        assert corner == pytest.approx(200 * (1 - strength), abs=1.5)


def test_falloff_is_cos_to_the_fourth(colour):
    """Pixel by pixel: the angle whose cosine's fourth power is the corner's light."""
    height, width = colour.shape[:2]
    half = np.hypot(width, height) / 2
    tan = np.sqrt(1 / 0.6**0.5 - 1)
    expected = np.zeros(colour.shape)
    for y in range(height):
        for x in range(width):
            r = np.hypot(x + 0.5 - width / 2, y + 0.5 - height / 2) / half
            expected[y, x] = colour[y, x] * np.cos(np.arctan(tan * r)) ** 4
    assert abs(lens.apply_vignetting(colour, Vignetting(0.4)) - expected).max() <= 0.51


@pytest.mark.parametrize("k", [0.03, 0.15])
def test_barrel_bends_lines_outwards_and_points_go_where_bend_says(k):
    image = np.zeros((300, 400), np.uint8)
    spots = [(20, 20), (200, 30), (380, 280), (60, 150), (200, 150)]
    for x, y in spots:
        image[y - 4 : y + 4, x - 4 : x + 4] = 250
    out = lens.apply_barrel(image, Barrel(k)).astype(float)
    goes = lens.bend(np.array(spots, float), Barrel(k), (400, 300))
    centre = np.array([200, 150])
    for spot, (u, v) in zip(spots, goes, strict=True):
        part = (slice(int(v) - 9, int(v) + 10), slice(int(u) - 9, int(u) + 10))
        y, x = np.mgrid[part] + 0.5
        weight = out[part]
        found = ((weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum())
        assert found == pytest.approx((u, v), abs=0.15)
        assert np.hypot(*((u, v) - centre)) <= np.hypot(*(np.array(spot) - centre)) + 1e-9
    # A line along the top edge is higher in its middle than at its ends.
    line = lens.bend(np.column_stack([np.linspace(0, 400, 9), np.zeros(9)]), Barrel(k), (400, 300))
    assert line[4, 1] < line[0, 1] - 1


def test_bending_is_undone_by_the_models_formula():
    points = np.array([[3.0, 8.0], [390.0, 11.0], [200.0, 150.0]])
    out = (lens.bend(points, Barrel(0.1), (400, 300)) - (200, 150)) / 250
    back = out / (1 - 0.1 * (out**2).sum(axis=1, keepdims=True)) * 250 + (200, 150)
    assert np.allclose(back, points)


def test_a_chain_with_barrel_has_no_homography(xray):
    steps = (Step("tilt"), Step("barrel"), Step("rotation"))
    assert apply_recipe(xray, Recipe("r", steps), seed=0, key="a").homography is None


@pytest.mark.parametrize(("level", "dark", "k"), [(1, 0.12, 0.03), (4, 0.55, 0.15)])
def test_the_level_sets_the_strength(level, dark, k):
    generator = step_generator(0, "k", 0, "x")
    assert abs(lens.sample_vignetting(generator, level, (9, 9)).strength - dark) <= 0.02
    assert abs(lens.sample_barrel(generator, level, (9, 9)).k / k - 1) <= 0.1
