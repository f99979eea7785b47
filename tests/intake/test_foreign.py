"""Something else in the picture is found, noise and a weak gain are not taken for it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rig.intake.correlate import seen, textured
from rig.intake.features import Reference
from rig.intake.foreign import foreign, largest, unproven


@pytest.fixture
def xray(sample):
    return Reference(sample.pixels[0]).grey


def judged(photo, xray, visible=None):
    inside = np.ones(xray.shape, bool)
    reference = textured(xray)
    deviation = seen(photo, reference, inside)[1]
    return foreign(reference.deviation, deviation, inside if visible is None else visible)


def strange(photo, xray, visible=None):
    return judged(photo, xray, visible)[0]


def test_a_camera_adds_nothing_foreign(xray):
    """Tone, vignetting, blur and noise are the camera's own."""
    rng = np.random.default_rng(0)
    dim = cv2.GaussianBlur(xray, (0, 0), 1.2) * np.linspace(0.5, 0.9, xray.shape[1])
    noisy = np.clip(dim + rng.normal(0, 12, xray.shape), 0, 255).astype(np.uint8)
    assert largest(strange(noisy, xray)) < 0.01


@pytest.mark.parametrize("level", [20, 90, 140, 250])
@pytest.mark.parametrize("at", [(40, 60), (200, 250), (300, 400)])
def test_a_rectangle_of_three_percent_is_found_anywhere(xray, level, at):
    """Dark, light or in between, over structure or over none."""
    photo = xray.copy()
    top, left = at
    side = round(float(np.sqrt(0.03 * xray.size)))
    cv2.rectangle(photo, (left, top), (left + side, top + side), level, -1)
    cv2.putText(photo, "OK", (left + 20, top + 40), 0, 0.8, 255 - level, 2)
    found = strange(photo, xray)
    assert largest(found) > 0.028
    assert found[top : top + side, left : left + side].mean() > 0.7


def test_what_is_not_visible_neither_accuses_nor_excuses(xray):
    """Glare over one place leaves the rectangle at another."""
    photo = xray.copy()
    photo[50:150, 50:150] = 255
    photo[250:340, 300:420] = 30
    visible = np.ones(xray.shape, bool)
    visible[40:160, 40:160] = False
    found = strange(photo, xray, visible)
    assert not found[60:140, 60:140].any()
    assert found[260:330, 310:410].mean() > 0.7
    even = np.ones((64, 64), np.float32)
    for mask in foreign(even, even, np.zeros((64, 64), bool)):
        assert not mask.any()


def test_a_visible_pixel_among_hidden_ones_is_not_judged(xray):
    """A slit through glare says nothing about what stands there; an open field does."""
    visible = np.ones(xray.shape, bool)
    visible[100:300, 100:300] = False
    visible[198:202] = True
    seen_at = judged(xray, xray, visible)[1]
    assert not seen_at[200, 130:270].any()
    assert not seen_at[150:190, 110:290].any()
    assert seen_at[:60].all()
    assert seen_at[350:].all()


def test_what_stands_half_in_glare_is_unproven_as_a_whole():
    """Neither half reaches the limit, both together do, also across a gap; not far apart."""
    found, seen_at = np.zeros((400, 400), bool), np.ones((400, 400), bool)
    found[100:160, 100:150] = True
    for gap, least, most in ((0, 0.037, 0.038), (6, 0.037, 0.041), (150, 0.018, 0.020)):
        glare = seen_at.copy()
        glare[100:160, 150 + gap : 200 + gap] = False
        assert largest(found) < 0.02 > largest(~glare)
        assert least < unproven(found, glare) < most
        assert unproven(found, seen_at) == largest(found)


def test_what_glare_surrounds_is_unproven_too():
    """An island in the middle of a ring of glare is as good as hidden."""
    seen_at = np.ones((400, 400), bool)
    seen_at[100:200, 100:200] = False
    seen_at[120:180, 120:180] = True
    assert unproven(~np.ones((400, 400), bool), seen_at) == 100 * 100 / 400**2


def test_all_is_unproven_when_nothing_is_judged():
    """And nothing when all is judged and nothing found."""
    none = np.zeros((50, 40), bool)
    assert unproven(none, none) == 1
    assert unproven(none, ~none) == 0
