"""What must hold on every transition of the explored world, judged outside the cores' books.

S1 each log holds exactly the indices 1..k, once; no attempt is ever triggered twice. S2 every
decided or committed photo shows its index, and its file is there. S3 complete means the same photos
and chain on both sides, all of them unless a person stopped the subset, and nothing left over; what
the phone has finished never changes again. S4 after an abort nothing is triggered, stored,
committed or decided (but for the photo that was stored already) until a person re-arms that very
abort; a wrong CAPTURE or FINISH has no effect but an abort; once a STOP is confirmed no x-ray is
painted, and no attempt is triggered that was not asked for before. S5 the phone commits only what
the display decided, and holds what it decided. S6 nobody aborts without a contradiction or a
person. S7 no core raises.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from rig.protocol.codes import Flag, MessageType
from rig.protocol.display import Phase
from rig.simulation.explore_photos import shown_in
from rig.simulation.explore_sides import Maker, Side, Wire
from rig.simulation.explore_state import Step, World, misfiled

Log = list[tuple[int, int, bytes]]


class Books(NamedTuple):
    """What one side's ledger amounts to: log, photo in doubt, committed files, what is wrong.

    *ended*: whether STOP (the display) or FINISH (the phone) is in its journal; *chain*: its own.
    """

    log: Log
    doubt: bytes
    names: frozenset[str]
    wrong: str
    ended: bool
    chain: bytes


class Safety:
    """Judges transitions of one configuration."""

    def __init__(self, maker: Maker) -> None:
        self._subset = maker.subset
        self._run = (maker.subset.campaign, maker.subset.subset)
        self._books: dict[Side, Books] = {}

    def judge(self, before: World, step: Step) -> tuple[World, str]:
        """The world after *step* with its books, and what is wrong with it (empty: nothing)."""
        if step.error:
            return step.after, f"S7 a core raised {step.error}"
        after = self._book(before, step)
        wrong = (
            self._logs(after)
            or self._complete(after)
            or self._agreement(after)
            or self._stopped(before, after, step)
            or self._ended(before, after, step)
            or self._causeless(after)
        )
        return after, wrong

    # -- what the world holds ----------------------------------------------------------------------

    def _phone(self, side: Side) -> Books:
        """What the phone's ledger amounts to."""
        books = self._books.get(side)
        if books is None:
            books = self._books[side] = self._read_phone(side)
        return books

    def _read_phone(self, side: Side) -> Books:
        ledger = side.core.ledger if side.core is not None else side.ledger
        run: Any = ledger.runs.get(self._run)
        if run is None:
            return Books([], b"", frozenset(), "", ended=False, chain=b"")
        shots = run.committed_shots()
        doubt = run.doubtful.sha256 if run.in_doubt else b""
        log = [(s.index, s.attempt, s.sha256) for s in shots]
        names, wrong = frozenset(s.name for s in shots), _strange("phone", log)
        return Books(log, doubt, names, wrong, _holds(side, "FINISH"), run.chain)

    def _display(self, side: Side) -> Books:
        """What the display's ledger amounts to."""
        books = self._books.get(side)
        if books is None:
            ledger = side.core.ledger if side.core is not None else side.ledger
            log = [(d.index, d.attempt, d.sha256) for d in ledger.done]
            wrong, stop = _strange("display", log), _holds(side, "STOP")
            books = Books(log, b"", frozenset(), wrong, stop, ledger.chain)
            self._books[side] = books
        return books

    def _logs(self, w: World) -> str:
        phone, display = self._phone(w.phone), self._display(w.display)
        if phone.wrong or display.wrong:
            return phone.wrong or display.wrong
        if not w.files.issuperset(phone.names):
            return "S2 the file of a committed photo is gone"
        return ""

    def _complete(self, w: World) -> str:
        core = w.display.core
        if core is None or core.phase is not Phase.COMPLETE:
            return ""
        phone, display = self._phone(w.phone), self._display(w.display)
        stopped = w.stop_asked and display.ended
        if phone.log != display.log or (len(phone.log) != self._subset.count and not stopped):
            return f"S3 complete is reported with {len(phone.log)} committed photos"
        if phone.log and phone.chain != display.chain:
            return "S3 complete is reported with two histories"
        if not phone.ended or phone.doubt or (w.phone.core is not None and misfiled(w)[1]):
            return "S3 complete is reported, and the phone has not ended or holds another photo"
        return ""

    def _ended(self, before: World, after: World, step: Step) -> str:
        """What was stopped, or finished by the phone, is never gone on with."""
        phone0, phone1 = self._phone(before.phone), self._phone(after.phone)
        if after.ended is not None:
            if after.paint not in {None, before.paint}:
                return "S4 an x-ray is painted after the STOP"
            if not after.ended.issuperset(step.triggered):
                return "S4 the shutter is asked for after the STOP, for an attempt begun after it"
        if phone0.ended:
            decided = len(self._display(after.display).log)
            if step.triggered:
                return "S3 the shutter is asked for after the phone finished"
            if phone0[:5] != phone1[:5] or decided != len(phone0.log):
                return "S3 what the phone finished changes"
        return ""

    def _agreement(self, w: World) -> str:
        committed, doubt, *_ = self._phone(w.phone)
        done = self._display(w.display).log
        if done[: len(committed)] != committed:
            return "S5 the phone committed what the display did not decide"
        if len(done) > len(committed) + 1 or (len(done) > len(committed) and doubt != done[-1][2]):
            return "S5 the phone does not hold the photo that the display decided"
        return ""

    # -- what a transition may do ------------------------------------------------------------------

    def _book(self, before: World, step: Step) -> World:
        """Remember the abort that the phone latched until a person clears that very one."""
        after, stopped, cause = step.after, before.stopped, step.cause
        latch = self._latch(after.phone) if after.phone.core is not None else None
        if not latch and not _rearms(cause, (step.aborted, b"")):
            latch = step.aborted
        if latch and (stopped is None or stopped[0] != latch):
            stopped = (latch, self._phone(before.phone).doubt)
        elif not latch and after.phone.core is not None and _rearms(cause, stopped):
            stopped = None
        return after if stopped == before.stopped else after._replace(stopped=stopped)

    def _stopped(self, before: World, after: World, step: Step) -> str:
        for key in step.triggered:
            if key in before.fired:
                return f"S1 attempt {key} is triggered twice"
        com0, doubt0, *_ = self._phone(before.phone)
        com1, doubt1, *_ = self._phone(after.phone)
        if step.cause is not None and step.cause.bad:
            ends = self._phone(before.phone).ended, self._phone(after.phone).ended
            if step.triggered or com0 != com1 or ends[0] != ends[1]:
                return "S4 a wrong command triggers, commits or finishes"
        done0, done1 = self._display(before.display).log, self._display(after.display).log
        if before.stopped is not None and after.stopped is not None:
            if step.triggered:
                return "S4 the shutter is asked for while an abort is latched"
            if com0 != com1 and not _rearms(step.cause, before.stopped):
                return "S4 the phone commits while an abort is latched"
            if doubt1 not in {doubt0, b""}:
                return "S4 the phone stores a photo while an abort is latched"
            if len(done1) > len(done0) and done1[-1][2] != before.stopped[1]:
                return "S4 the display decides a new photo while the phone is aborted"
        latches = (self._latch(before.display), self._latch(after.display))
        if latches[0] is not None and latches[0] == latches[1] and done0 != done1:
            return "S4 the display decides while it is aborted"
        return ""

    @staticmethod
    def _latch(side: Side) -> bytes | None:
        ledger = side.core.ledger if side.core is not None else side.ledger
        return ledger.latch.abort_id if ledger.latch is not None else None

    def _causeless(self, w: World) -> str:
        if w.had_cause:
            return ""
        for who, side in (("display", w.display), ("phone", w.phone)):
            if self._latch(side) is not None:
                return f"S6 the {who} aborts although nothing contradicts: {_why(side)}"
        return ""


def _strange(who: str, log: Log) -> str:
    if [i for i, _, _ in log] != list(range(1, len(log) + 1)):
        return f"S1 the {who}'s log is not 1..k: {[(i, a) for i, a, _ in log]}"
    for i, a, sha in log:
        if shown_in(sha) != i:
            return f"S2 the {who}'s photo ({i},{a}) shows {shown_in(sha) or 'no x-ray'}"
    return ""


def _holds(side: Side, kind: str) -> bool:
    """Whether a record of *kind* is durable on *side*."""
    return any(r["k"] == kind for r in side.journal)


def _rearms(cause: Wire | None, stopped: tuple[bytes, bytes] | None) -> bool:
    """Whether *cause* is a person's word that the abort in *stopped* is cleared."""
    if cause is None or stopped is None:
        return False
    named = cause.type == MessageType.ARM and bool(cause.flags & Flag.REARM)
    return named and cause.digest == stopped[0]


def _why(side: Side) -> str:
    ledger = side.core.ledger if side.core is not None else side.ledger
    return str(ledger.latch.why)
