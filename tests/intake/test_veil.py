"""Glare excuses itself; a window or a sheet of paper as bright as glare does not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rig.intake.features import Reference
from rig.intake.veil import usual, washed_out


@pytest.fixture
def xray(sample):
    return Reference(sample.pixels[0]).grey


def lit(xray, centre, radii, power=2.2):
    """*xray* with a lamp's reflection added in light, as a sensor clips it."""
    height, width = xray.shape
    y, x = np.mgrid[0:height, 0:width]
    lamp = power * np.exp(-(((x - centre[0]) / radii[0]) ** 2) - ((y - centre[1]) / radii[1]) ** 2)
    light = (xray / 255.0) ** 2.2 + lamp
    return np.rint(np.clip(light, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


def everywhere(xray):
    return np.ones(xray.shape, bool)


def test_a_lamp_is_hidden(xray):
    """All that is clipped, and the steep flank beside it."""
    photo = lit(xray, (220, 200), (60, 40))
    hidden = washed_out(photo, xray, everywhere(xray))
    clipped = (photo >= 250) & (xray < 230)
    assert clipped.sum() > 2000
    assert hidden[clipped].all()
    assert 0.02 < hidden.mean() < 0.2


@pytest.mark.parametrize("level", [250, 255])
@pytest.mark.parametrize("soft", [0.0, 2.0])
def test_a_white_window_is_never_hidden(xray, level, soft):
    """However bright: it ends at an edge, also when the lens softens it."""
    photo = xray.copy()
    photo[150:260, 180:330] = level
    if soft:
        photo = cv2.GaussianBlur(photo, (0, 0), soft)
    assert not washed_out(photo, xray, everywhere(xray)).any()


def test_a_window_beside_a_lamp_is_not_hidden_with_it(xray):
    """The lamp's own area at most; the window's far end is there to be found."""
    photo = lit(xray, (220, 200), (50, 40))
    photo[170:260, 260:420] = 255
    hidden = washed_out(photo, xray, everywhere(xray))
    assert hidden[170:260, 320:420].mean() < 0.1


def test_without_glare_nothing_is_hidden(xray):
    """A photo as it should be, dim or bright."""
    for gain in (0.4, 1.0):
        photo = np.rint(xray * gain).astype(np.uint8)
        assert not washed_out(photo, xray, everywhere(xray)).any()


def test_the_usual_brightness_follows_the_tone_curve(xray):
    """Whatever curve the camera has."""
    photo = np.rint(255 * (xray / 255.0) ** 0.7).astype(np.uint8)
    assert np.abs(usual(photo, xray, everywhere(xray)) - photo).mean() < 6
    nowhere = ~everywhere(xray)
    assert np.isfinite(usual(photo, xray, nowhere)).all()
