import math

import numpy as np
import pytest
from PIL import Image

from rig.synthesis import glare
from rig.synthesis.glare import Matte
from rig.synthesis.rng import step_generator


def reference(image, params):
    """Pixel by pixel from the definition, composited by Pillow."""
    height, width = image.shape[:2]
    layer = np.full((height, width, 4), 255, np.uint8)
    for y in range(height):
        for x in range(width):
            squared = (x - params.x) ** 2 + (y - params.y) ** 2
            dense = params.peak * math.exp(-squared / (2 * params.sigma**2))
            layer[y, x, 3] = int(min(params.cap, dense))
    picture = Image.fromarray(image).convert("RGBA")
    picture.alpha_composite(Image.fromarray(layer))
    out = np.asarray(picture.convert("RGB"))
    return out if image.ndim == 3 else out[..., 0]


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_parity_with_the_definition(xray, level):
    params = glare.sample(step_generator(level, "k", 0, "glare_matte"), level, (130, 107))
    assert np.array_equal(glare.apply(xray, params), reference(xray, params))


def test_a_small_blot_is_limited_to_its_reach(colour):
    """Sides of the region that is worked on are where opacity falls below 1."""
    params = Matte(x=40.3, y=11.8, sigma=7.0, peak=100.0, cap=60.0)
    assert np.array_equal(glare.apply(colour, params), reference(colour, params))


def test_a_blot_outside_the_image_changes_nothing(xray):
    for x, y in ((-900.0, 10.0), (10.0, 900.0)):
        assert np.array_equal(glare.apply(xray, Matte(x, y, 50.0, 100.0, 170.0)), xray)
    assert np.array_equal(glare.apply(xray, Matte(5.0, 5.0, 50.0, 0.5, 170.0)), xray)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_the_level_sets_width_and_opacity(level):
    params = glare.sample(step_generator(0, "k", 0, "glare_matte"), level, (400, 300))
    assert (params.sigma, params.peak, params.cap) == (50 * level, 100 * level, 150 + 20 * level)


def test_the_centre_is_spread_evenly_over_the_image():
    drawn = [
        glare.sample(step_generator(n, "k", 0, "glare_matte"), 1, (400, 300)) for n in range(200)
    ]
    xs, ys = [p.x for p in drawn], [p.y for p in drawn]
    assert 0 <= min(xs) < 20
    assert 380 < max(xs) < 400
    assert 0 <= min(ys) < 15
    assert 285 < max(ys) < 300
    assert 170 < np.mean(xs) < 230
    assert abs(np.corrcoef(xs, ys)[0, 1]) < 0.2


def test_the_input_is_left_alone(xray):
    before = xray.copy()
    glare.apply(xray, Matte(60.0, 50.0, 50.0, 100.0, 170.0))
    assert np.array_equal(xray, before)
