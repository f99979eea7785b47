import math

import numpy as np
import pytest
from PIL import Image, ImageFilter

from rig.synthesis import blur
from rig.synthesis.blur import Blur, Defocus, Motion
from rig.synthesis.rng import step_generator
from rig.synthesis.transform import SynthesisError


def gaussian(image, radius):
    """Sum over a window of weights, one pass a side, the border's value beyond it."""
    reach = math.ceil(4 * radius)
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * radius**2))
    weights /= weights.sum()
    out = image.astype(float)
    for axis in (0, 1):
        width = [(0, 0)] * image.ndim
        width[axis] = (reach, reach)
        padded = np.pad(out, width, mode="edge")
        out = sum(
            weight * np.take(padded, range(k, k + image.shape[axis]), axis)
            for k, weight in enumerate(weights)
        )
    return out


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_blur_is_the_gaussian_as_pillow_approximates_it(xray, colour, small_chexpert, level):
    params = blur.sample_blur(step_generator(0, "k", 0, "blur"), level, (9, 9))
    assert params.radius == (1.5, 3, 6, 10)[level - 1]
    out = blur.apply_blur(small_chexpert, params).astype(float)
    assert abs(out - gaussian(small_chexpert, params.radius)).mean() <= 0.5
    for image in (xray, colour):
        out = blur.apply_blur(image, params).astype(float)
        assert abs(out - gaussian(image, params.radius)).mean() <= 0.8
        pillow = Image.fromarray(image).filter(ImageFilter.GaussianBlur(params.radius))
        assert np.array_equal(out, np.asarray(pillow))


@pytest.mark.parametrize(("level", "length"), [(1, 2), (2, 10), (3, 25), (4, 45)])
def test_motion_is_the_mean_of_a_row(xray, colour, level, length):
    """Of `length` pixels about each, mirrored at the border; rows do not mix."""
    params = blur.sample_motion(step_generator(0, "k", 0, "motion"), level, (9, 9))
    assert params == Motion(length)
    for image in (xray, colour):
        pad = [(0, 0), (length, length), (0, 0)][: image.ndim]
        padded = np.pad(image.astype(float), pad, mode="reflect")
        first = length - length // 2
        expected = sum(padded[:, first + k :][:, : image.shape[1]] for k in range(length)) / length
        assert abs(blur.apply_motion(image, params) - expected).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("radius", [0.0, 0.02, 1.0, 4.0, 7.3])
def test_defocus_spreads_a_point_over_a_disc(radius):
    image = np.zeros((41, 41), np.uint8)
    image[20, 20] = 255
    out = blur.apply_defocus(image, Defocus(radius)).astype(float)
    y, x = np.mgrid[:41, :41] - 20
    distance = np.hypot(x, y)
    assert out[distance > radius + 1].max() == 0
    even = 255 / max(math.pi * radius**2, 1)
    inner = out[distance < radius - 1]
    assert inner.size == 0 or abs(inner - even).max() <= 0.03 * even + 1
    assert out.sum() == pytest.approx(255, abs=max(0.5 * (out > 0).sum(), 1))


def test_a_disc_covers_its_area():
    for radius in (1.0, 2.5, 7.0):
        share = blur.disc(radius)
        assert share.sum() == pytest.approx(1, abs=1e-5)
        assert 1 / share.max() == pytest.approx(math.pi * radius**2, rel=0.03)


def test_defocus_grows_with_the_level():
    radii = [
        blur.sample_defocus(step_generator(1, "k", 0, "d"), level, (9, 9)).radius
        for level in (1, 2, 3, 4)
    ]
    assert all(abs(r / want - 1) <= 0.05 for r, want in zip(radii, (1, 2, 4, 7), strict=True))


def test_impossible_parameters_are_refused():
    for make in (lambda: Blur(-1.0), lambda: Motion(0), lambda: Defocus(float("nan"))):
        with pytest.raises(SynthesisError, match="has to be in"):
            make()


def test_no_blur_is_no_change(xray):
    assert np.array_equal(blur.apply_blur(xray, Blur(0.0)), xray)
    assert np.array_equal(blur.apply_motion(xray, Motion(1)), xray)
