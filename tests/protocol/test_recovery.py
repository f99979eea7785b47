"""A crash at any boundary of either journal: the subset still completes, one photo an index."""

from __future__ import annotations

from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.journal import encode_record

COUNT = 4


def _boundaries(rig_type: Any, who: str, **faults: float) -> int:
    """How many journal writes *who* does in an undisturbed run."""
    rig, writes = rig_type(COUNT, **faults), []
    rig.on_durable = lambda by, o: writes.append(o) if by == who else None
    rig.boot()
    rig.finish()
    return len(writes)


def _crash_at(rig: Any, who: str, nth: int, when: str) -> None:
    """Let *who* crash around its n-th write: *when* says how much of it reaches the disk."""
    original, writes = rig._journal, iter(range(1, 10_000))

    def journal(by: str, life: int, o: act.AppendJournal) -> None:
        if by != who or rig._life[by] != life or next(writes) != nth:
            original(by, life, o)
        elif when == "later":
            original(by, life, o)
            rig.schedule(0.004, lambda: rig.crash_and_boot(who))
        else:
            lines = b"".join(encode_record(r) for r in o.records)
            kept = {"before": 0, "after": len(lines), "torn": nth * 37 % len(lines)}[when]
            disk = rig.display_disk if who == "display" else rig.phone_disk
            disk.extend(lines[:kept])
            rig.crash_and_boot(who)

    rig._journal = journal


def _finish(rig: Any) -> None:
    """To the end, and past the crash if that comes last."""
    rig.boot()
    rig.finish(3000.0)
    up = lambda: rig.audit.crashes > 0 and rig.phone is not None  # noqa: E731 - a condition
    assert rig.run_until(up, limit=5.0)
    rig.finish()
    rig.audit_all()


@pytest.mark.parametrize("who", ["display", "phone"])
@pytest.mark.parametrize("when", ["before", "after", "later", "torn"])
def test_a_crash_at_any_boundary_is_survived(observed: Any, who: str, when: str):
    """The record lost, torn, written but not told, or what it led to cut off."""
    for nth in range(1, _boundaries(observed, who) + 1):
        rig = observed(COUNT, seed=nth)
        _crash_at(rig, who, nth, when)
        _finish(rig)
        assert rig.audit.crashes == 1


@pytest.mark.parametrize("who", ["display", "phone"])
def test_a_crash_at_any_boundary_of_a_bad_run_is_survived(observed: Any, who: str):
    """Loss, duplicates, reordering, camera faults and disturbances besides."""
    faults = {"loss": 0.2, "duplicate": 0.2, "reorder": 0.2, "camera": 0.2, "disturb": 0.2}
    for nth in range(1, _boundaries(observed, who) + 1):
        for when in ("before", "after", "later", "torn"):
            rig = observed(COUNT, seed=100 + nth, **faults)
            _crash_at(rig, who, nth, when)
            _finish(rig)


def test_both_sides_crashing_together_again_and_again_is_survived(observed: Any):
    for seed in range(8):
        rig = observed(COUNT, seed=seed)
        rig.boot()
        for n in range(6):
            rig.schedule(0.4 + 1.3 * n, lambda rig=rig: rig.crash_and_boot("display", 0.2))
            rig.schedule(0.4 + 1.3 * n + 0.07 * seed, lambda rig=rig: rig.crash_and_boot("phone"))
        rig.finish()
        rig.audit_all()


def test_a_photo_taken_of_a_blank_screen_is_never_kept(observed: Any):
    """The display dies between CAPTURE and the shutter: the phone stores, the display decides."""
    rig = observed(COUNT, camera_seconds=1.0)
    rig.boot()
    assert rig.run_until(lambda: len(rig.said(act.TriggerCamera)) == 2, limit=30.0)
    rig.crash("display")
    assert rig.run_until(lambda: rig.audit.shutters == 2, limit=30.0)
    rig.run_until(lambda: False, limit=1.0)
    assert -1 in rig.files.values()
    rig.boot_display()
    rig.finish()
    rig.audit_all()
    assert len(rig.quarantine) == 1
