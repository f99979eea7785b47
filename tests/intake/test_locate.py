"""Where the x-ray is: no refinement is believed that makes it worse, and none of two ways."""

from __future__ import annotations

import numpy as np
import pytest

from rig.intake import geometry, locate
from rig.intake.refine import refine
from rig.intake.verify import verify


def corner_error(found, truth, xray) -> float:
    height, width = xray.shape
    a = geometry.corners(np.array(found.homography), width, height)
    return float(np.linalg.norm(a - geometry.corners(truth, width, height), axis=1).max())


@pytest.fixture
def stretched(monkeypatch):
    """A refinement as of blocks at the top alone: right there, far off at the bottom."""

    def guess(work, reference, matrix):
        better, residual, blocks = refine(work, reference, matrix)
        stretch = np.eye(3)
        stretch[2, 1] = 3e-5
        return better @ stretch, residual, blocks

    monkeypatch.setattr(locate, "refine", guess)


def test_a_refinement_that_makes_it_worse_is_not_taken(sample, photo_of, stretched):
    xray = sample.pixels[9]
    photo, truth = photo_of(xray, seed=2)
    found = verify(photo, xray, sample.pixels[8])
    assert found.verified, found.reason
    assert found.quality is not None
    assert found.quality.residual is None
    assert corner_error(found, truth, xray) < 4


def test_points_that_lead_a_bit_off_are_not_the_last_word(sample, photo_of, monkeypatch):
    """ORB's place, not refinable and 2 % off, does not convince: SIFT is asked as well."""
    features = locate._features

    def off(photo, reference, kind):
        matrix, inliers = features(photo, reference, kind)
        if kind == "orb" and matrix is not None:
            matrix = matrix @ np.diag([1.0, 1.012, 1.0])
        return matrix, inliers

    monkeypatch.setattr(locate, "_features", off)
    monkeypatch.setattr(locate, "refine", lambda work, reference, matrix: (matrix, None, 0))
    xray = sample.pixels[9]
    photo, truth = photo_of(xray, seed=2)
    found = verify(photo, xray, sample.pixels[8])
    assert found.located_by == "sift"
    assert found.verified, found.reason
    assert corner_error(found, truth, xray) < 6


def test_what_does_not_show_the_x_ray_is_looked_at_once_a_way(sample, photo_of, monkeypatch):
    """A stranger's photo costs no second look: its score is far from the limit."""
    looks = []
    look = locate._look

    def counted(*args):
        looks.append(args[3])
        return look(*args)

    monkeypatch.setattr(locate, "_look", counted)
    photo, _ = photo_of(sample.pixels[9], seed=2)
    assert not verify(photo, sample.pixels[20]).verified
    assert len(looks) == len(set(looks))
