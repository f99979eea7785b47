"""The tables of states: what the cores do is in them, and what they lack is refused."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from rig.protocol.actions import LocalProtocolError
from rig.protocol.display_base import DisplayBase
from rig.protocol.journal import JournalCorrupt
from rig.protocol.ledger import PhoneLedger
from rig.protocol.phone_camera import PhoneCamera
from rig.protocol.transitions import (
    CAMERA,
    DISPLAY,
    SHOT,
    CameraState,
    CameraTrigger,
    Phase,
    ShotState,
    Trigger,
    document,
)

ROOT = Path(__file__).resolve().parents[2]
ENDS = {Phase.COMPLETE}


def test_the_document_is_the_one_that_the_tables_give():
    """Write it anew: python -m rig.protocol.transitions > docs/states.md."""
    assert (ROOT / "docs" / "states.md").read_text("utf-8") == document()


def test_the_module_writes_the_document():
    words = [sys.executable, "-m", "rig.protocol.transitions"]
    told = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout == document()


def test_the_document_draws_every_state_and_every_transition():
    text = document()
    for state in (*Phase, *ShotState, *CameraState):
        assert f"[{state.name}]" in text
    assert text.count("--> [") == len(DISPLAY) + len(SHOT) + len(CAMERA)


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_can_be_reached_and_all_but_the_end_be_left(phase: Phase):
    reached, front = {Phase.IDLE}, [Phase.IDLE]
    while front:
        here = front.pop()
        new = {after for (before, _), after in DISPLAY.items() if before is here} - reached
        reached |= new
        front += new
    assert phase in reached
    assert bool([p for p, _ in DISPLAY if p is phase]) != (phase in ENDS)


def test_what_ends_an_exposure_ends_it_for_good():
    ends = {ShotState.COMMITTED, ShotState.VOID, ShotState.FAILED}
    assert {before for before, _ in SHOT} == {None, ShotState.INTENT, ShotState.STORED}
    assert set(SHOT.values()) == ends | {ShotState.INTENT, ShotState.STORED}


def test_a_photo_is_committed_only_from_stored_and_stored_only_from_intent():
    """Section 0: INTENT -> STORED -> COMMITTED, no other way."""
    ways = {(before, after) for (before, _), after in SHOT.items()}
    assert [b for b, a in ways if a is ShotState.COMMITTED] == [ShotState.STORED]
    assert [b for b, a in ways if a is ShotState.STORED] == [ShotState.INTENT]


def test_the_camera_always_comes_back_and_only_a_free_one_is_asked():
    """From every state there is a way to FREE, and only from FREE one to EXPOSING."""
    free = {CameraState.FREE}
    while new := {b for (b, _), after in CAMERA.items() if after in free} - free:
        free |= new
    assert free == set(CameraState)
    asked = [(b, t) for (b, t), after in CAMERA.items() if after is CameraState.EXPOSING]
    assert asked == [(CameraState.FREE, CameraTrigger.SHUTTER)]


def test_a_photo_of_an_exposure_that_was_given_up_is_never_stored():
    """What is LATE or DROPPED leads to no WRITING."""
    given_up, front = set(), [CameraState.LATE, CameraState.DROPPED]
    while front:
        here = front.pop()
        given_up.add(here)
        if here is not CameraState.FREE:
            front += {after for (b, _), after in CAMERA.items() if b is here} - given_up
    assert given_up == {
        CameraState.LATE, CameraState.DROPPED, CameraState.RESTING, CameraState.FREE,
    }  # fmt: skip


def test_a_capture_is_asked_for_only_after_paint_and_settling():
    """Rule 5.1; and a photo is checked only after it was asked for."""
    ways = {(before, after) for (before, _), after in DISPLAY.items()}
    assert [b for b, a in ways if a is Phase.SETTLE] == [Phase.PAINT]
    assert [b for b, a in ways if a is Phase.CAPTURE] == [Phase.SETTLE]
    assert [b for b, a in ways if a is Phase.CHECK] == [Phase.CAPTURE]
    assert [b for b, a in ways if a is Phase.PAINT] == [Phase.HOLD]


# -- the cores keep to them ------------------------------------------------------------------------


@pytest.mark.parametrize(("phase", "trigger"), list(product(Phase, Trigger)))
def test_the_display_moves_by_the_table_or_not_at_all(display_bench: Any, phase, trigger):
    core = display_bench().core
    core.phase = phase
    if (phase, trigger) in DISPLAY:
        core._enter(trigger)
        assert core.phase is DISPLAY[phase, trigger]
    else:
        with pytest.raises(LocalProtocolError, match="leads nowhere"):
            core._enter(trigger)
        assert core.phase is phase


@pytest.mark.parametrize(("state", "trigger"), list(product(CameraState, CameraTrigger)))
def test_the_camera_moves_by_the_table_or_not_at_all(phone_bench: Any, state, trigger):
    core = phone_bench().core
    core._camera_state = state
    if (state, trigger) in CAMERA:
        core._move(trigger)
        assert core._camera_state is CAMERA[state, trigger]
    else:
        with pytest.raises(LocalProtocolError, match="nowhere from"):
            core._move(trigger)
        assert core._camera_state is state


def test_the_camera_s_state_is_changed_in_one_place_only():
    """`_move`, besides the constructor that begins at FREE."""
    found = [
        line.strip()
        for path in sorted((ROOT / "rig" / "protocol").glob("phone*.py"))
        for line in path.read_text("utf-8").splitlines()
        if re.search(r"\._camera_state\s*(:[^=]*)?=[^=]", line)
    ]
    assert found == ["self._camera_state = CameraState.FREE", "self._camera_state = after"]


def test_the_phase_is_changed_in_one_place_only():
    """`_enter`, besides the constructor that begins at IDLE."""
    found = [
        line.strip()
        for path in sorted((ROOT / "rig" / "protocol").glob("display*.py"))
        for line in path.read_text("utf-8").splitlines()
        if re.search(r"\.phase\s*(:[^=]*)?=[^=]", line)
    ]
    assert found == ["self.phase = Phase.IDLE", "self.phase = after"]


def _records(state: ShotState | None) -> list[dict[str, Any]]:
    """A journal whose exposure (1, 1) is in *state*."""
    key: dict[str, Any] = {"i": 1, "a": 1}
    begun = {**key, "tok": "01" * 8, "meta": "02" * 32}
    run = {
        "k": "RUN", "camp": "00" * 8, "sub": 1, "first": 1, "last": 9, "man": "03" * 32,
        "env": "e", "ses": "s",
    }  # fmt: skip
    every = {
        "INTENT": {"k": "INTENT", **begun},
        "STORED": {
            "k": "STORED", **key, "sha": "04" * 32, "size": 1, "name": "n", "w": 1, "h": 1,
            "t0": 1, "t1": 2,
        },
        "COMMIT": {"k": "COMMIT", **key},
        "VOID": {"k": "VOID", **begun, "code": 5, "why": ""},
        "FAIL": {"k": "FAIL", **begun, "code": 16},
    }  # fmt: skip
    path = {
        None: (), ShotState.INTENT: ("INTENT",), ShotState.STORED: ("INTENT", "STORED"),
        ShotState.COMMITTED: ("INTENT", "STORED", "COMMIT"), ShotState.VOID: ("INTENT", "VOID"),
        ShotState.FAILED: ("INTENT", "FAIL"),
    }  # fmt: skip
    before = [run, {"k": "ARM", "camp": "00" * 8, "sub": 1}, *(every[w] for w in path[state])]
    return [*before, *every.values()]


@pytest.mark.parametrize("state", [None, *ShotState])
@pytest.mark.parametrize("kind", ["INTENT", "STORED", "COMMIT", "VOID", "FAIL"])
def test_an_exposure_moves_by_the_table_or_the_journal_is_corrupt(state, kind: str):
    *before, intent, stored, commit, void, fail = _records(state)
    record = {"INTENT": intent, "STORED": stored, "COMMIT": commit, "VOID": void, "FAIL": fail}
    ledger = PhoneLedger(before)
    if (state, kind) in SHOT:
        ledger.apply(record[kind])
        assert ledger.current.shots[1, 1].state is SHOT[state, kind]
    else:
        with pytest.raises(JournalCorrupt):
            ledger.apply(record[kind])


def test_bad_worlds_use_every_trigger_and_nothing_beside_the_table(observed: Any, monkeypatch: Any):
    """Loss, crashes, disturbances, pauses, aborts: every step is looked up, and all are taken."""
    used: set[tuple[Phase, Trigger]] = set()
    moved: set[tuple[CameraState, CameraTrigger]] = set()
    enter, move = DisplayBase._enter, PhoneCamera._move

    def note(self: DisplayBase, trigger: Trigger) -> None:
        used.add((self.phase, trigger))
        enter(self, trigger)

    def note_camera(self: PhoneCamera, trigger: CameraTrigger) -> None:
        moved.add((self._camera_state, trigger))
        move(self, trigger)

    monkeypatch.setattr(DisplayBase, "_enter", note)
    monkeypatch.setattr(PhoneCamera, "_move", note_camera)
    for seed in range(140):
        rng = random.Random(seed)
        rig = observed(3, seed=seed, loss=0.2, camera=0.1, disturb=0.1)
        rig.boot()
        for who in ("display", "phone", "phone"):
            rig.schedule(rng.uniform(0, 6), lambda r=rig, w=who: _crash(r, w))
        if seed % 3 == 0:
            rig.schedule(rng.uniform(0, 3), lambda r=rig: _command(r, "abort"))
        rig.schedule(rng.uniform(0, 3), lambda r=rig: _command(r, "pause"))
        _tend(rig)
        rig.finish(2000.0)
        rig.audit_all()
        rig.crash("display")
        rig.boot_display()
    assert used <= set(DISPLAY)
    targets = {DISPLAY[way] for way in used}
    assert targets == set(Phase) - {Phase.IDLE}
    stopping = {Trigger.STOP}  # such a run does not finish: test_stop.py
    assert {trigger for _, trigger in used} == set(Trigger) - stopping
    resting = {CameraTrigger.REST, CameraTrigger.RESTED}  # of cameras that this rig has not
    assert moved == {way for way in CAMERA if way[1] not in resting}


def _crash(rig: Any, who: str) -> None:
    if (rig.display if who == "display" else rig.phone) is not None:
        rig.crash_and_boot(who)


def _command(rig: Any, command: str) -> None:
    if rig.display is not None and rig.display.phase not in (Phase.COMPLETE, Phase.ABORTED):
        rig.operator(command)


def _tend(rig: Any) -> None:
    """A person looks every three seconds and re-arms what is aborted."""
    if rig.display is not None and rig.display.phase is Phase.ABORTED:
        rig.operator("rearm", rig.display.ledger.latch.abort_id)
    rig.schedule(3.0, lambda: _tend(rig))
