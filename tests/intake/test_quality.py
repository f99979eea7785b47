"""Quality: each measure answers to its own defect."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rig.intake.features import Reference
from rig.intake.quality import clipping, focus, glare
from rig.intake.verify import verify


@pytest.fixture
def xray(sample):
    return Reference(sample.pixels[0]).grey


def everywhere(image):
    return np.ones(image.shape, bool)


def test_focus_falls_with_blur_and_not_with_noise(xray):
    """A sharp photo is about 1, a blurred one less, and noise does not pass for sharpness."""
    inside = everywhere(xray)
    soft = cv2.GaussianBlur(xray, (0, 0), 3)
    noisy = np.clip(soft + np.random.default_rng(0).normal(0, 8, soft.shape), 0, 255)
    assert focus(xray, xray, inside) == pytest.approx(1)
    assert focus(soft, xray, inside) < 0.35
    assert focus(noisy.astype(np.uint8), xray, inside) < 0.4


def test_focus_does_not_depend_on_exposure(xray):
    """Half the light is not half the sharpness."""
    assert focus(xray // 2, xray, everywhere(xray)) == pytest.approx(1, abs=0.1)


def test_clipping_counts_what_the_camera_lost(xray):
    """White in the source is no loss; grey in the source turned white is."""
    over = np.clip(xray.astype(np.int32) * 2, 0, 255).astype(np.uint8)
    assert clipping(xray, xray, everywhere(xray)) < 0.001
    assert clipping(over, xray, everywhere(xray)) > 0.1


def test_glare_measures_its_area(xray):
    """A bright disc of 10 % is found as about 10 %."""
    shiny = xray.astype(np.float32)
    height, width = xray.shape
    radius = int(np.sqrt(0.1 * height * width / np.pi))
    cv2.circle(shiny, (width // 2, height // 2), radius, 255.0, -1)
    bright = np.maximum(shiny, xray).clip(0, 255).astype(np.uint8)
    assert glare(xray, xray, everywhere(xray)) < 0.005
    assert 0.04 < glare(bright, xray, everywhere(xray)) < 0.16


def test_a_blurred_photo_is_identified_but_rejected_for_quality(sample, frame_of):
    """Identity and quality are two questions."""
    soft = cv2.GaussianBlur(frame_of(sample.pixels[0]), (0, 0), 3.5)
    found = verify(soft, sample.pixels[0])
    assert found.verified
    assert found.quality is not None
    assert any("focus" in reason for reason in found.quality.rejects)


def test_framing_is_a_warning_not_a_rejection(sample, frame_of):
    """A frame filled to its edges has no margin; that alone is no reason to shoot again."""
    found = verify(frame_of(sample.pixels[0]), sample.pixels[0])
    assert found.quality is not None
    assert found.quality.margin < 0.02
    assert found.quality.rejects == ()
    assert any("edge" in warning for warning in found.quality.warnings)
