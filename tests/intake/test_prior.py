"""The place of the screen is carried from photo to photo."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from rig.intake.geometry import corners
from rig.intake.prior import next_prior, prior_of
from rig.intake.verify import Verification

TURNED = np.array([[1.4, 0.05, 300], [-0.04, 1.5, 200], [1e-5, 2e-5, 1]])
"""Frame of 1920 x 1080 -> photo."""
PHOTO = (4000, 3000)


def onto(width: int, height: int) -> np.ndarray:
    """An x-ray on a frame of 1920 x 1080, as the display agent composes it."""
    scale = min(1920 / width, 1080 / height)
    left, top = (1920 - width * scale) / 2, (1080 - height * scale) / 2
    return np.array([[scale, 0, left], [0, scale, top], [0, 0, 1]])


def seen(size: tuple[int, int], *, verified: bool = True) -> Verification:
    rows = tuple(tuple(float(v) for v in row) for row in TURNED @ onto(*size))
    return Verification(verified, "", homography=rows, xray_size=size, photo_size=PHOTO)


@pytest.mark.parametrize("size", [(1024, 1024), (2000, 900), (700, 1400), (390, 320)])
def test_an_xray_of_another_shape_is_expected_where_it_is(size):
    """What one x-ray taught holds for the next, whatever its shape."""
    prior = prior_of(seen((1000, 830)).homography, (1000, 830), PHOTO, 16 / 9)
    told = corners(prior.expected(size), *size)
    assert_allclose(told, corners(TURNED @ onto(*size), *size), atol=1e-6)


def test_only_verified_photos_teach():
    """A photo that was refused may have been located anywhere: the last good place stays."""
    good = next_prior(seen((800, 800)), None, 16 / 9)
    assert good is not None
    assert next_prior(seen((800, 800), verified=False), good, 16 / 9) is good
    assert next_prior(Verification(False, ""), None, 16 / 9) is None
