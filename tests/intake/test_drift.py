"""A bump is told once; noise and another x-ray are not a bump; creeping is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rig.intake.drift import Watch
from rig.intake.limits import Limits
from rig.intake.verify import Verification

LIMITS = Limits()


def shot(dx: float = 0.0, size: tuple[int, int] = (1000, 1000), **changes) -> Verification:
    """An x-ray on a screen 2160 photo pixels high, moved right by *dx* photo pixels."""
    scale = min(3840 / size[0], 2160 / size[1])
    left, top = 80 + (3840 - size[0] * scale) / 2 + dx, 400 + (2160 - size[1] * scale) / 2
    rows = ((scale, 0.0, left), (0.0, scale, top), (0.0, 0.0, 1.0))
    found = Verification(True, "", homography=rows, xray_size=size, photo_size=(4000, 3000))
    return replace(found, **changes)


def run(*shots: Verification) -> list:
    watch, drifts = Watch(), []
    for one in shots:
        watch, drift = watch.after(one, LIMITS)
        drifts.append(drift)
    return drifts


def test_a_rig_that_stands_still_is_silent():
    """A pixel or two of noise, and x-rays of another shape, are no drift."""
    drifts = run(shot(), shot(2), shot(-1, (700, 1200)), shot(1, (2000, 800)))
    assert [d.sentence for d in drifts] == [None] * 4
    assert drifts[0].px is None
    assert drifts[1].px == pytest.approx(2)
    assert drifts[2].px == pytest.approx(3)


def test_a_bump_is_told_once_and_the_new_place_counts():
    """More than 10 pixels: one sentence that says what to do, then silence."""
    drifts = run(shot(), shot(14), shot(14), shot(15))
    assert "moved 14 pixels" in drifts[1].sentence
    assert "alignment shot" in drifts[1].sentence
    assert [d.sentence for d in drifts[2:]] == [None, None]
    assert drifts[3].since_start_px == pytest.approx(1)


def test_a_mount_that_gives_way_is_told():
    """Each step is small, the way is not."""
    drifts = run(*(shot(7.0 * at) for at in range(6)))
    told = [at for at, d in enumerate(drifts) if d.sentence]
    assert told == [5]
    assert "bit by bit" in drifts[5].sentence


def test_a_turned_phone_is_told():
    """Another size of photo cannot be compared, and is itself the news."""
    drifts = run(shot(), shot(photo_size=(3000, 4000)))
    assert drifts[1].px is None
    assert "3000 x 4000" in drifts[1].sentence


def test_a_photo_that_is_not_verified_says_nothing():
    """Neither drift nor a new place to compare with."""
    drifts = run(shot(), shot(500, verified=False), Verification(False, ""), shot(1))
    assert [d.sentence for d in drifts] == [None] * 4
    assert drifts[3].px == pytest.approx(1)
    assert np.isfinite(drifts[3].px)
