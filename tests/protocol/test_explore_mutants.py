"""Seeded defects in the real cores: the search must find every one, by its shortest way."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

import rig.protocol.display_handshake as display_handshake
import rig.protocol.ledger as ledger_module
import rig.protocol.phone as phone_module
import rig.protocol.phone_handshake as phone_handshake
from rig.protocol import actions as act
from rig.protocol.codes import Code, Flag
from rig.protocol.display import DisplayCore, Phase
from rig.protocol.display_ledger import done_record
from rig.protocol.display_messages import doubtful_result
from rig.protocol.keys import connection_keys
from rig.protocol.phone import PhoneCore
from rig.protocol.transitions import ShotState
from rig.protocol.verdict import Contradiction, Expose, Repeat, judge_capture
from rig.simulation.explore import Bounds, Explorer
from rig.simulation.explore_photos import photo_of

pytestmark = pytest.mark.no_cover  # millions of steps: tracing them would double the time

_FAKE = {"sha256": "00" * 32, "size": 1, "w": 1, "h": 1, "t_trigger": "1", "t_done": "2"}


def _advance(core: Any, now: float) -> None:
    """Decide for the exposure under way although no photo is known."""
    e = core._exposure
    core._settle_request()
    shot = _photo_unseen(e.index)
    record = done_record(core._subset, e.index, e.attempt, {**_FAKE, "sha256": shot})
    core.ledger.apply(record)
    core._append([record], lambda now: core._decided(Phase.CHECK, e, record, now))


def _photo_unseen(index: int) -> str:
    """The hash of a photo that shows *index*: an advancing display believes in it."""
    return photo_of(act.Ticket(1, index, 1, b"boot0002"), index).sha256.hex()


class AdvanceOnAccepted(DisplayCore):
    def _on_accepted(self, d: Any, now: float) -> None:
        if self._current(d) is not None:
            _advance(self, now)


class SkipOnMismatch(DisplayCore):
    def _on_abort(self, d: Any, now: float) -> None:
        if self.phase is Phase.CAPTURE:
            _advance(self, now)
        else:
            super()._on_abort(d, now)


class EarlyTrigger(DisplayCore):
    def _proceed(self, now: float) -> None:
        super()._proceed(now)
        if self.phase is Phase.PAINT:
            self._exposure.continuous = True
            self.phase = Phase.SETTLE
            self._settled(now)

    def _painted(self, token: bytes, surface_sha: bytes, now: float) -> None:
        if self._exposure is not None:
            self._exposure.surface = surface_sha


class AdoptInDoubt(DisplayCore):
    def _decide_doubt(self, attempt: int, ready: Any, now: float) -> None:
        index = self.ledger.next_index
        record = done_record(self._subset, index, attempt, doubtful_result(ready))
        self.ledger.apply(record)
        self._append([record], lambda now: self._arm("commit", now))


class DoneInRam(DisplayCore):
    def _append(self, records: Any, then: Any) -> None:
        super()._append([r for r in records if r["k"] != "DONE"], then)


class Inattentive(DisplayCore):
    def _disturbed(self, why: str, now: float) -> None:
        pass

    def _surface_checked(self, token: bytes, surface_sha: bytes, now: float) -> None:
        super()._surface_checked(token, getattr(self._exposure, "surface", b""), now)


class StopInRam(DisplayCore):
    """A STOP is confirmed and forgotten by the next process life."""

    def _append(self, records: Any, then: Any) -> None:
        super()._append([r for r in records if r["k"] != "STOP"], then)


class StopsLater(DisplayCore):
    """What is painted while a person stops is asked for all the same."""

    def _stopping(self, now: float) -> None:
        if self.phase in (Phase.PAINT, Phase.SETTLE):
            self._emit(act.Stopping())
        else:
            super()._stopping(now)


class IntentLate(PhoneCore):
    """INTENT is journalled when the photo is there: a crash before forgets the attempt."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        runs = self.ledger.runs.values()
        self.journalled = frozenset(key for run in runs for key in run.shots)

    def _append(self, records: Any, then: Any) -> None:
        kept: list[Any] = []
        for r in records:
            key = (r.get("i"), r.get("a"))
            known = key in self.journalled
            if r["k"] == "INTENT" or (r["k"] == "VOID" and not known):
                continue
            if r["k"] in {"STORED", "FAIL"} and not known:
                shot = self.ledger.current.shots[key]
                tok, meta = shot.token.hex(), shot.meta_sha.hex()
                kept.append({"k": "INTENT", "i": key[0], "a": key[1], "tok": tok, "meta": meta})
                self.journalled |= {key}
            kept.append(r)
        super()._append(kept, then)


class AbortInRam(PhoneCore):
    def _append(self, records: Any, then: Any) -> None:
        super()._append([r for r in records if r["k"] not in {"ABORT", "CLEAR"}], then)


class CommitsAlone(PhoneCore):
    def _append(self, records: Any, then: Any) -> None:
        if records[-1]["k"] == "STORED":
            commit = {"k": "COMMIT", "i": records[-1]["i"], "a": records[-1]["a"]}
            self.ledger.apply(commit)
            records = [*records, commit]
        super()._append(records, then)


class CommitsTheRest(PhoneCore):
    """A FINISH also commits the photo that it does not speak of."""

    def _void_rest(self, run: Any) -> Any:
        if run.doubtful is None:
            return super()._void_rest(run)
        i, a = run.in_doubt
        return [*self._void_open("stopped"), {"k": "COMMIT", "i": i, "a": a}]


class FinishesAnywhere(PhoneCore):
    """The index of a FINISH is not looked at."""

    def _on_finish(self, connection: Any, d: Any, now: float) -> None:
        run = self._run()
        agreed = run.in_doubt[0] if run.in_doubt else run.expected - 1
        super()._on_finish(connection, replace(d, index=agreed), now)


class FinishesOnceMore(PhoneCore):
    """A finished run exposes like any other."""

    def _on_capture(self, connection: Any, d: Any, now: float) -> None:
        run = self._run()
        finished, run.finished = run.finished, False
        super()._on_capture(connection, d, now)
        run.finished = finished


class OvertakenContradicts(PhoneCore):
    """A CAPTURE that was given up is taken for one that contradicts the FINISH it came after."""

    def _overtaken(self, run: Any, d: Any) -> bool:
        return False


class UnkeyedCamera(PhoneCore):
    """Any result is taken for the exposure that is under way, whoever asked for it."""

    def _camera_result(self, ticket: Any, result: Any, now: float) -> None:
        super()._camera_result(self._camera or ticket, result, now)


class RearmWithoutId(PhoneCore):
    def _on_arm(self, connection: Any, d: Any, now: float) -> None:
        latch = self.ledger.latch
        if latch is not None:
            d = replace(d, flags=d.flags | Flag.REARM, digest=latch.abort_id)
        super()._on_arm(connection, d, now)


class NoLatch(PhoneCore):
    """An abort is told and forgotten."""

    def _latched(self, now: float) -> None:
        super()._latched(now)
        self.ledger.latch = None


def _no_dedupe(run: Any, d: Any, *, busy: bool) -> Any:
    verdict = judge_capture(run, d, busy=busy)
    return Expose() if isinstance(verdict, Repeat) and not busy else verdict


def _no_chain(run: Any, d: Any, *, busy: bool) -> Any:
    verdict = judge_capture(run, d, busy=busy)
    if not isinstance(verdict, Contradiction) or verdict.code is not Code.CHAIN_MISMATCH:
        return verdict
    doubtful = run.doubtful
    same = doubtful is not None and doubtful.index == d.index
    chain = run.chain if doubtful is None or same else run.chain_after(doubtful)
    return judge_capture(run, replace(d, chain=chain[:8]), busy=busy)


def _one_epoch(psk: bytes, nonce_d: bytes, nonce_p: bytes) -> Any:
    return connection_keys(psk, bytes(16), bytes(16))


def _caught(bounds: Bounds, code: str, display: Any = DisplayCore, phone: Any = PhoneCore) -> None:
    found = Explorer(bounds, display, phone).search(seconds=60.0)
    print(f"{display.__name__} {phone.__name__} {found}")
    assert re.match(code, found.wrong), str(found)
    assert found.trace


@pytest.mark.parametrize(
    ("mutant", "bounds", "code"),
    [
        (AdvanceOnAccepted, Bounds(cap=1), "S5"),
        (SkipOnMismatch, Bounds(cap=1, wrong=1), "S"),
        (EarlyTrigger, Bounds(cap=1), "S2"),
        (AdoptInDoubt, Bounds(cap=1, crash=1), "S2"),
        (DoneInRam, Bounds(cap=1, crash=1), "S5"),
        (Inattentive, Bounds(cap=1, glitch=1), "S2"),
        (StopInRam, Bounds(count=1, cap=1, crash=1, stop=1), "S4 an x-ray is painted after"),
        (StopsLater, Bounds(count=1, cap=1, stop=1), "S4 the shutter is asked for after the STOP"),
    ],
)
def test_a_defective_display_is_caught(mutant, bounds: Bounds, code: str):
    """Each seeded defect of the display violates the invariant that it should."""
    _caught(bounds, code, display=mutant)


@pytest.mark.parametrize(
    ("mutant", "bounds", "code"),
    [
        (IntentLate, Bounds(count=1, cap=1, crash=2), "S1"),
        (AbortInRam, Bounds(cap=1, crash=1, wrong=1), "S4"),
        (CommitsAlone, Bounds(cap=1), "S5"),
        (UnkeyedCamera, Bounds(cap=1, crash=2), "S"),
        (NoLatch, Bounds(cap=1, wrong=1), "S"),
        (CommitsTheRest, Bounds(count=1, cap=1, pause_now=1, stop=1), "S5"),
        (FinishesAnywhere, Bounds(cap=1, finish=1), "S4 a wrong command .* finishes"),
        (FinishesOnceMore, Bounds(count=1, cap=2, pause_now=1, stop=1), "S3 the shutter"),
        (OvertakenContradicts, Bounds(count=1, cap=2, pause_now=1, stop=1), "S6"),
    ],
)
def test_a_defective_phone_is_caught(mutant, bounds: Bounds, code: str):
    """Each seeded defect of the phone violates the invariant that it should."""
    _caught(bounds, code, phone=mutant)


@pytest.mark.parametrize(
    ("judge", "bounds", "code"),
    [
        (_no_chain, Bounds(cap=1, wrong=1), "S4"),
    ],
)
def test_a_defective_judgement_is_caught(monkeypatch, judge, bounds: Bounds, code: str):
    """Each seeded defect in what the phone makes of a CAPTURE is found."""
    monkeypatch.setattr(phone_module, "judge_capture", judge)
    _caught(bounds, code)


def test_a_rearm_without_the_id_is_caught():
    """An ARM that was decided before the abort clears it, though no person was asked.

    The display asks anew after a long silence; its ARM is under way when a wrong CAPTURE of the
    connection before makes the phone abort. Nothing but the id tells that this ARM is no re-arm.
    """
    _caught(Bounds(count=1, cap=2, wrong=1, silence=2), "S4", phone=RearmWithoutId)


def test_without_dedupe_the_ledger_refuses_the_second_exposure(monkeypatch):
    """The first line of defence is gone; the second stops the phone before its shutter."""
    monkeypatch.setattr(phone_module, "judge_capture", _no_dedupe)
    _caught(Bounds(cap=1), "S7 a core raised JournalCorrupt: a INTENT record does not fit")


def test_without_dedupe_and_the_ledgers_table_a_photo_is_taken_twice(monkeypatch):
    """So the harm that both stand against is real."""
    again = {(state, "INTENT"): ShotState.INTENT for state in ShotState}
    monkeypatch.setattr(ledger_module, "SHOT", {**ledger_module.SHOT, **again})
    monkeypatch.setattr(phone_module, "judge_capture", _no_dedupe)
    _caught(Bounds(cap=1), "S1 attempt .* is triggered twice")


def test_keys_without_an_epoch_are_caught(monkeypatch):
    """When all connections share their keys, datagrams of an earlier one do harm."""
    monkeypatch.setattr(display_handshake, "connection_keys", _one_epoch)
    monkeypatch.setattr(phone_handshake, "connection_keys", _one_epoch)
    _caught(Bounds(count=1, cap=2, crash=1), "S6|L1")
