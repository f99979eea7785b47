"""A homography by a net of points, beside the map computed for every pixel."""

import cv2
import numpy as np
import pytest

from rig.synthesis import net
from rig.synthesis.net import net_step, warp_by_net
from rig.synthesis.warp import corners_of, quad_to_quad, warp

SIZE = (390, 320)


def back(corners):
    matrix = np.linalg.inv(quad_to_quad(corners_of(SIZE), corners))
    return matrix / matrix[2, 2]


def exact(image, matrix, size):
    """Bilinear, in float64, the place of every pixel by division."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(float)
    u, v, w = (a * x + b * y + c for a, b, c in matrix)
    u, v = (u / w).clip(0, image.shape[1] - 1.001), (v / w).clip(0, image.shape[0] - 1.001)
    left, top = u.astype(int), v.astype(int)
    a, b, z = u - left, v - top, image.astype(float)
    upper = (1 - a) * z[top, left] + a * z[top, left + 1]
    return (1 - b) * upper + b * ((1 - a) * z[top + 1, left] + a * z[top + 1, left + 1])


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_places_between_the_points_are_near_enough(small_chexpert, level):
    part = np.array([(1, 1), (-1, 0.2), (-0.1, -1), (0.6, -0.4)]) * 0.05 * level * SIZE
    matrix = back([tuple(c) for c in np.array(corners_of(SIZE)) + part])
    step = net_step(matrix, SIZE)
    assert step is not None
    out = warp_by_net(small_chexpert, matrix, SIZE, step)
    difference = abs(out - exact(small_chexpert, matrix, SIZE))
    # OpenCV rounds a place to 1/32 of a pixel, and the result to a whole number.
    assert difference.mean() < 0.5
    assert difference.max() < 6


def test_the_interpolation_keeps_to_the_tolerance():
    """A ramp tells where each pixel came from, to a hundredth of one."""
    matrix = back([(30.0, 12.0), (371.0, 33.0), (360.0, 300.0), (9.0, 281.0)])
    step = net_step(matrix, SIZE)
    across, down = net._points(matrix, SIZE, step)
    y, x = (np.mgrid[0 : len(across), 0 : across.shape[1]] - 0.5) * step - 0.5
    u, v, w = (a * x + b * y + c for a, b, c in matrix)
    assert np.allclose(across, u / w, atol=1e-3)
    assert np.allclose(down, v / w, atol=1e-3)
    fine = cv2.resize(across, (across.shape[1] * step, across.shape[0] * step))
    y, x = np.mgrid[0:320, 0:390].astype(float)
    u, _, w = (a * x + b * y + c for a, b, c in matrix)
    found = fine[step : step + 320, step : step + 390]
    assert abs(found - u / w).max() <= net._TOLERANCE


def test_strips_do_not_show(small_chexpert, monkeypatch):
    matrix = back([(30.0, 12.0), (371.0, 33.0), (360.0, 300.0), (9.0, 281.0)])
    whole = warp_by_net(small_chexpert, matrix, SIZE, 8)
    monkeypatch.setattr(net, "_AT_ONCE", 390 * 24)
    assert np.array_equal(warp_by_net(small_chexpert, matrix, SIZE, 8), whole)


def test_a_horizon_within_the_image_has_no_net():
    matrix = np.array([[1, 0, 0], [0, 1, 0], [-1 / 200, 0, 1.0]])
    assert net_step(matrix, SIZE) is None


def test_a_fold_that_is_nearly_flat_is_computed_pixel_by_pixel(small_chexpert):
    """Too bent for a net: the result is that of the slow way."""
    matrix = quad_to_quad(corners_of(SIZE), [(190, 0), (200, 0), (389, 319), (1, 319)])
    inverse = np.linalg.inv(matrix)
    assert net_step(inverse / inverse[2, 2], SIZE) is None
    assert warp(small_chexpert, matrix, SIZE).shape == (320, 390)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (3, 5)])
def test_small_images_and_colour(size):
    image = np.arange(size[0] * size[1] * 3, dtype=np.uint8).reshape(size[1], size[0], 3)
    out = warp_by_net(image, np.eye(3), size, 8)
    assert np.array_equal(out, image)
