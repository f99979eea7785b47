"""Homographies: conventions and sanity."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from rig.intake import geometry
from rig.intake.limits import Limits

SIZE, PHOTO = (400, 500), (1600, 1200)
PLAIN = np.array([[2.0, 0, 300], [0, 2.0, 100], [0, 0, 1]])


def test_corners_are_clockwise_from_top_left():
    """Pixel-edge: the image spans 0..width."""
    quad = geometry.corners(PLAIN, *SIZE)
    assert_allclose(quad, [[300, 100], [1100, 100], [1100, 1100], [300, 1100]])


def test_pixel_centres_are_half_a_pixel_off():
    """Enlarging twice maps the first pixel's centre (0 in OpenCV) to 0.5."""
    centre = geometry.to_centre(geometry.scaling(2, 2))
    assert_allclose(geometry.transform(centre, np.zeros((1, 2))), [[0.5, 0.5]])


def test_a_plain_photo_is_plausible():
    """Nothing to say about a straight photo."""
    assert geometry.problem(PLAIN, SIZE, PHOTO, Limits()) is None


@pytest.mark.parametrize(
    ("matrix", "word"),
    [
        (np.diag([0.0, 0, 1]), "plane"),
        (np.array([[-2.0, 0, 1200], [0, 2, 100], [0, 0, 1]]), "mirrored"),
        (np.array([[2.0, 0, 300], [0, 2, 100], [-0.004, 0, 1]]), "horizon"),
        (np.diag([0.1, 0.1, 1]), "covers"),
        (np.array([[2.0, 0, 300], [0, 2, 0], [0, 0.004, 1]]), "tilted"),
        (np.array([[3.0, 0, 100], [0, 1, 100], [0, 0, 1]]), "shape"),
        (PLAIN + np.array([[0, 0, 1500], [0, 0, 0], [0, 0, 0]]), "outside"),
    ],
)
def test_implausible_homographies_say_why(matrix, word):
    """Each way of being wrong has its own words."""
    told = geometry.problem(matrix, SIZE, PHOTO, Limits())
    assert told is not None
    assert word in told


def test_a_non_finite_homography_is_refused():
    """NaN never passes a comparison unnoticed."""
    assert geometry.problem(np.full((3, 3), np.nan), SIZE, PHOTO, Limits()) is not None
