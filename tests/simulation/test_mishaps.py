"""Staged mishaps cover what they say."""

from __future__ import annotations

import numpy as np
import pytest

from rig.simulation import mishaps

BOX = (420, 0, 1080, 1080)


@pytest.fixture
def frame():
    """Two values that nothing else draws."""
    picture = np.full((1080, 1920), 3, np.uint8)
    picture[:, 420:1500] = 177
    return picture


def changed(a, b):
    x, y, width, height = BOX
    inside = (a != b)[y : y + height, x : x + width]
    return inside.mean(), (a != b).sum() - inside.sum()


@pytest.mark.parametrize("share", [0.03, 0.05, 0.2])
@pytest.mark.parametrize("seed", range(6))
def test_a_dialog_covers_its_share_and_nothing_beside_the_xray(frame, share, seed):
    """Wholly on the x-ray, at every draw."""
    covered, outside = changed(
        mishaps.dialog(frame, BOX, share, np.random.default_rng(seed)), frame
    )
    assert covered == pytest.approx(share, rel=0.1)
    assert outside == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_hand_covers_at_least_its_share(frame, seed):
    """And not twice of it."""
    covered, _ = changed(mishaps.hand(frame, BOX, 0.10, np.random.default_rng(seed)), frame)
    assert 0.10 <= covered < 0.16


@pytest.mark.parametrize("top", [False, True])
def test_a_tear_keeps_whole_rows(frame, top):
    """At one end; the rest is new."""
    before = np.full_like(frame, 99)
    torn = mishaps.tear(frame, before, BOX, 0.25, top=top)
    rows = (torn == 99).all(axis=1)
    assert rows.sum() == 270
    assert rows[0] == top
    assert rows[-1] == (not top)


def test_blend_mirror_black_and_desktop(frame):
    """What they are called."""
    before = np.full_like(frame, 77)
    assert mishaps.blend(frame, before, 0.3)[5, 700] == pytest.approx(147, abs=1)
    lopsided = frame.copy()
    lopsided[:, :10] = 9
    assert (mishaps.mirror(lopsided)[:, -10:] == 9).all()
    assert not mishaps.black((640, 480)).any()
    desktop = mishaps.desktop((1920, 1080), np.random.default_rng(0))
    assert desktop.shape == (1080, 1920)
    assert desktop.std() > 10
