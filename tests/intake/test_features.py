"""Features and the homography they agree on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from rig.intake.features import Reference, Snapshot, homography, orb, pairs, shrink, sift
from rig.intake.verify import verify


def test_shrink_never_enlarges(sample):
    """Small x-rays keep their pixels, large ones their shape."""
    xray = sample.pixels[0]
    assert shrink(xray, 5000) is xray
    assert max(shrink(xray, 300).shape) == 300


@pytest.mark.parametrize("detect", [orb, sift])
def test_features_of_an_even_image_are_none(detect):
    """No texture, no features, no error."""
    found = detect(np.full((200, 200), 9, np.uint8), 200, 50)
    assert found.points.shape == (0, 2)
    assert pairs(found, found, 0.8)[0].shape == (0, 2)


def test_homography_is_found_among_outliers():
    """A third of wrong pairs does not move it, and the answer repeats exactly."""
    rng = np.random.default_rng(0)
    source = rng.uniform(0, 500, (120, 2))
    target = source * 2 + [30, 7]
    target[:40] = rng.uniform(0, 1000, (40, 2))
    matrix, inliers = homography(source, target, 2.0)
    assert matrix is not None
    assert inliers >= 78
    assert_allclose(matrix / matrix[2, 2], [[2, 0, 30], [0, 2, 7], [0, 0, 1]], atol=1e-3)
    assert_allclose(homography(source, target, 2.0)[0], matrix, rtol=0)


def test_too_few_pairs_give_no_homography():
    """Three points determine nothing."""
    assert homography(np.zeros((3, 2)), np.zeros((3, 2)), 2.0) == (None, 0)


def test_reference_computes_once(sample):
    """Kept by the caller, the x-ray's features cost nothing the second time."""
    reference = Reference(sample.pixels[0])
    assert reference.orb is reference.orb
    assert reference.texture is reference.texture
    assert reference.orb.points.max() <= max(reference.width, reference.height)


def test_a_snapshot_is_worth_as_much_as_the_photo(sample, frame_of):
    """Held against many x-rays, its features are computed once and the answers stay the same."""
    photo = frame_of(sample.pixels[4])
    snapshot = Snapshot(photo)
    assert snapshot.orb is snapshot.orb
    assert snapshot.size == photo.shape[::-1]
    for place in (4, 5):
        alone, again = (verify(one, sample.pixels[place]) for one in (photo, snapshot))
        assert replace(alone, ms=0) == replace(again, ms=0)
