import math

import numpy as np
import pytest
from PIL import Image

from rig.synthesis import shift
from rig.synthesis.recipes import Recipe, Step, apply_recipe, named_recipe
from rig.synthesis.rng import step_generator
from rig.synthesis.shift import Rotation, Translation
from rig.synthesis.transform import SynthesisError
from rig.synthesis.warp import map_points


def test_a_plain_shift_moves_whole_pixels(xray, colour):
    for image in (xray, colour):
        for dx, dy in ((20, -20), (-7, 3), (0, 40), (129, 0), (500, 1)):
            out = shift.apply_translation(image, Translation(dx, dy))
            expected = np.zeros_like(image)
            for y in range(image.shape[0]):
                for x in range(image.shape[1]):
                    if 0 <= y - dy < image.shape[0] and 0 <= x - dx < image.shape[1]:
                        expected[y, x] = image[y - dy, x - dx]
            assert np.array_equal(out, expected)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_with_its_inset_it_is_pillows_perspective(small_chexpert, ssim, level):
    """Shrunk into a border and shifted: its coefficients map output to input."""
    for n in range(3):
        recipe = named_recipe("chexphoto_translation", level)
        twin = apply_recipe(small_chexpert, recipe, seed=n, key="k")
        p = twin.steps[0].params
        assert (abs(p.dx), abs(p.dy), p.inset) == (20 * level, 20 * level, 100)
        grow_x, grow_y = 390 / (390 - 200), 320 / (320 - 200)
        data = (grow_x, 0, -grow_x * (p.dx + 100), 0, grow_y, -grow_y * (p.dy + 100), 0, 0)
        kind, bicubic = Image.Transform.PERSPECTIVE, Image.Resampling.BICUBIC
        expected = Image.fromarray(small_chexpert).transform((390, 320), kind, data, bicubic)
        assert abs(twin.image.astype(float) - np.asarray(expected)).mean() <= 0.3
        assert ssim(twin.image, np.asarray(expected)) >= 0.99


def test_translation_draws_four_directions():
    drawn = [
        shift.sample_translation(step_generator(n, "k", 0, "t"), 2, (99, 99)) for n in range(60)
    ]
    assert {(p.dx, p.dy) for p in drawn} == {(a, b) for a in (-40, 40) for b in (-40, 40)}
    assert {p.inset for p in drawn} == {0}


def test_an_inset_that_leaves_nothing_is_refused():
    with pytest.raises(SynthesisError, match="leaves nothing of an image of 150x120"):
        shift.apply_translation(np.zeros((120, 150), np.uint8), Translation(0, 0, 60))


def turned(image, degrees):
    """Bilinear, pixel by pixel from the output: about the middle pixel, on a grown canvas."""
    height, width = image.shape
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    out_w = int(height * abs(s) + width * abs(c))
    out_h = int(height * abs(c) + width * abs(s))
    y, x = np.mgrid[0:out_h, 0:out_w].astype(float)
    u, v = x - out_w / 2, y - out_h / 2
    sx, sy = c * u - s * v + width // 2, s * u + c * v + height // 2
    # OpenCV counts places in 32nds of a pixel.
    sx, sy = np.rint(sx * 32) / 32, np.rint(sy * 32) / 32
    padded = np.pad(image.astype(float), 2)
    x0, y0 = np.floor(sx), np.floor(sy)
    fx, fy = sx - x0, sy - y0
    x0 = np.clip(x0, -2, width).astype(int) + 2
    y0 = np.clip(y0, -2, height).astype(int) + 2
    top = padded[y0, x0] * (1 - fx) + padded[y0, x0 + 1] * fx
    low = padded[y0 + 1, x0] * (1 - fx) + padded[y0 + 1, x0 + 1] * fx
    inside = (sx > -1) & (sx < width) & (sy > -1) & (sy < height)
    return np.where(inside, top * (1 - fy) + low * fy, 0)


@pytest.mark.parametrize("degrees", [-20.0, -5.0, 5.0, 10.0, 15.0])
def test_rotation_follows_the_definition(small_chexpert, degrees):
    out = shift.apply_rotation(small_chexpert, Rotation(degrees)).astype(float)
    expected = turned(small_chexpert, degrees)
    assert out.shape == expected.shape
    # A place half way between two 32nds may fall to either side.
    assert (abs(out - expected) > 1).mean() < 5e-4
    assert abs(out - expected).max() < 8
    assert abs(out - expected).mean() <= 0.3


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_rotation_draws_two_signs(level):
    drawn = {
        shift.sample_rotation(step_generator(n, "k", 0, "r"), level, (9, 9)).degrees
        for n in range(30)
    }
    assert drawn == {-5.0 * level, 5.0 * level}


def test_colour_is_turned_as_grey_is(xray):
    out = shift.apply_rotation(np.dstack([xray, xray // 2, xray // 3]), Rotation(10.0))
    for channel, image in enumerate((xray, xray // 2, xray // 3)):
        assert np.array_equal(out[..., channel], shift.apply_rotation(image, Rotation(10.0)))


@pytest.mark.parametrize(
    "step",
    [
        Step("rotation", 3),
        Step("translation", 2),
        Step("translation", 1, {"inset": 30, "dx": 3.5, "dy": -6.25}),
        Step("tilt", 4),
    ],
)
def test_the_homography_says_where_a_mark_goes(step):
    """The centre of mass of a bright blot lies where the matrix puts it, to 0.1 px."""
    y, x = np.mgrid[0:200, 0:240] + 0.5
    image = (250 * np.exp(-((x - 105) ** 2 + (y - 95) ** 2) / 50)).astype(np.uint8)
    twin = apply_recipe(image, Recipe("r", (step,)), seed=1, key="k")
    out = twin.image.astype(float)
    y, x = np.mgrid[0 : out.shape[0], 0 : out.shape[1]] + 0.5
    measured = ((out * x).sum() / out.sum(), (out * y).sum() / out.sum())
    assert measured == pytest.approx(map_points(twin.homography, [(105, 95)])[0], abs=0.1)
