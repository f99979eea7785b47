"""The Wi-Fi is gone for a minute, and for longer, and the phone comes back with another address."""

from __future__ import annotations

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import Code
from rig.simulation.faults import Faults
from rig.simulation.virtual import VirtualRig
from rig.simulation.xrays import subset_of

MOMENTS = [round(0.05 * n, 2) for n in range(1, 25)]
"""When it goes, in seconds after a decision: while painting, exposing, storing, deciding."""


def _gone(at: float, seconds: float) -> VirtualRig:
    """Shot half of eight x-rays, then cut off for *seconds*; then at another address."""
    rig = VirtualRig(subset_of(8), seed=5, faults=Faults(delay=0.01))
    rig.boot()
    assert rig.run_until(
        lambda: rig.display is not None and len(rig.display.ledger.done) == 4, limit=60
    )
    rig.schedule(at, lambda: rig.roam(seconds))
    return rig


def _right(rig: VirtualRig) -> bool:
    """Eight decisions, in order, and in the phone's folder a photo of each x-ray."""
    assert rig.display is not None
    assert rig.phone is not None
    assert [one.index for one in rig.display.ledger.done] == list(range(1, 9))
    run = rig.phone.ledger.run(rig.subset.campaign, rig.subset.subset)
    shots = run.committed_shots() if run else []
    return [rig.files[shot.name] for shot in shots] == list(range(1, 9))


def _told(rig: VirtualRig, kind: type[act.Event]) -> list[act.Event]:
    return [event for event in rig.audit.events if isinstance(event, kind)]


@pytest.mark.parametrize("at", MOMENTS)
def test_a_minute_is_waited_out_and_nobody_is_asked_to_come(at: float) -> None:
    """Told as a lost link at once, found again at the new address, each x-ray once."""
    rig = _gone(at, 60.0)
    before = rig.phone_addr
    assert rig.run_until(rig.completed, limit=300)
    assert rig.now > 60
    assert rig.phone_addr != before
    assert _told(rig, act.PeerLost)
    assert not _told(rig, act.Paused)
    assert not _told(rig, act.Aborted)
    assert _right(rig)


def test_three_minutes_pause_with_what_to_look_at() -> None:
    """After two minutes a person is asked to look; *Resume* goes on at the same x-ray."""
    rig = _gone(0.3, 180.0)
    assert rig.run_until(lambda: bool(_told(rig, act.Paused)), limit=200)
    paused = _told(rig, act.Paused)[0]
    assert isinstance(paused, act.Paused)
    assert paused.code == Code.LINK_LOST
    for words in ("has not been heard for 120 s", "in this Wi-Fi", "then resume"):
        assert words in paused.why
    end = rig.now + 100
    assert not rig.run_until(rig.completed, limit=70)
    assert rig.run_until(lambda: rig.now > end - 1 or rig.completed(), limit=100)
    rig.tell("display", lambda now: rig.display.operator("resume", now) if rig.display else [])
    assert rig.run_until(rig.completed, limit=300)
    assert _right(rig)
