"""Local-contrast-normalised correlation."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rig.intake.correlate import agreement, correlation, normalise, partial, textured


def compare(image, xray, least=0.4):
    reference = textured(xray)
    inside = np.ones(xray.shape, bool)
    return agreement(reference, normalise(image, reference, inside), least)


def test_brightness_contrast_and_vignetting_do_not_matter(sample):
    """What a camera does to tone leaves the score near 1."""
    xray = sample.pixels[0]
    dim = xray * np.linspace(0.4, 0.7, xray.shape[1]) + 30
    assert compare(dim.astype(np.uint8), xray).score > 0.97


def test_two_patients_do_not_agree(sample):
    """Lungs alike in the large are not alike in detail."""
    found = compare(cv2.resize(sample.pixels[1], sample.pixels[0].shape[::-1]), sample.pixels[0])
    assert found.score < 0.5
    assert found.block_agreement < 0.9


def test_a_covered_quarter_does_not_agree(sample):
    """The share of blocks that agree falls, and flat blocks have no say."""
    xray = sample.pixels[0]
    covered = xray.copy()
    height, width = xray.shape
    covered[: height // 2, : width // 2] = 90
    found = compare(covered, xray)
    assert 0.6 < found.block_agreement < 0.9
    assert np.isnan(found.blocks).sum() == (~textured(xray).blocks).sum()


def test_photo_outside_the_frame_counts_as_disagreement(sample):
    """Where the photo has no pixels nothing is proved."""
    reference = textured(sample.pixels[0])
    nowhere = np.zeros(sample.pixels[0].shape, bool)
    found = agreement(reference, normalise(sample.pixels[0], reference, nowhere), 0.4)
    assert found.score == 0
    assert found.block_agreement == 0


def test_the_previous_xray_in_a_flat_block_disagrees(sample):
    """A tear over an empty part of the x-ray leaves nothing of its own to disagree with."""
    xray = sample.pixels[0].copy()
    half = xray.shape[0] // 2
    xray[half:] = 0
    before = textured(cv2.resize(sample.pixels[1], xray.shape[::-1])).pixels
    reference = textured(xray)
    photo = reference.pixels.copy()
    photo[half:] = before[half:]
    assert agreement(reference, photo, 0.4).ghosts == 0
    assert agreement(reference, photo, 0.4, before).ghosts > 0.1


def test_hidden_pixels_neither_agree_nor_disagree(sample):
    """What glare hides does not lower the score, and blocks under it are not counted."""
    xray = sample.pixels[0]
    reference = textured(xray)
    photo = normalise(xray, reference, np.ones(xray.shape, bool))
    hidden = np.zeros(xray.shape, bool)
    hidden[: xray.shape[0] // 4, : xray.shape[1] // 2] = True
    photo[hidden] = np.random.default_rng(0).normal(size=int(hidden.sum()))
    blind = agreement(reference, photo, 0.4)
    masked = agreement(reference, photo, 0.4, hidden=hidden)
    assert blind.score < 0.95
    assert blind.block_agreement < 0.95
    assert masked.score == pytest.approx(1, abs=1e-3)
    assert masked.block_agreement == 1
    assert np.isnan(masked.blocks[:2, :4]).all()


def test_partial_correlation_sees_a_blend():
    """What the expected x-ray does not explain and the previous one does."""
    rng = np.random.default_rng(0)
    expected, previous = rng.normal(size=(2, 64, 64)).astype(np.float32)
    everywhere = np.ones((64, 64), bool)
    assert partial(
        0.7 * expected + 0.3 * previous, expected, previous, everywhere
    ) == pytest.approx(0.9, abs=0.2)
    assert abs(partial(expected, expected, previous, everywhere) or 0) < 0.1
    assert partial(expected, expected, expected, everywhere) is None
    assert partial(expected, expected, previous, ~everywhere) is None


def test_correlation_of_a_constant_is_zero():
    """No division by nothing."""
    assert correlation(np.ones((4, 4), np.float32), np.eye(4, dtype=np.float32)) == 0
