"""What a legacy display is made of besides shooting: its state, and how it stops (sans-IO)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from rig.protocol import actions as act
from rig.protocol.actions import Addr, LocalProtocolError
from rig.protocol.codes import Code, Timers
from rig.protocol.endpoint import Endpoint, Rng
from rig.protocol.journal import Record
from rig.protocol.legacy import REPLY_TIMEOUT
from rig.protocol.legacy_ledger import LegacyLedger, LegacySubset


class LegacyPhase(Enum):
    """Where the display stands."""

    IDLE = "idle"
    PAINT = "paint"
    SETTLE = "settle"
    ASK = "ask"
    CHECK = "check"  # reading the surface back before the claim is journalled
    PAUSED = "paused"
    ABORTED = "aborted"
    COMPLETE = "complete"


@dataclass(frozen=True)
class LegacyDisplayConfig:
    """What the shell knows at start. *peer*: the phone; *timers*: settle, paint and link."""

    subset: LegacySubset
    peer: Addr
    timers: Timers = field(default_factory=Timers)
    reply: float = REPLY_TIMEOUT


@dataclass
class Exposure:
    """One attempt at one x-ray, from painting to its claim."""

    index: int
    attempt: int
    token: bytes
    name: str = ""
    surface: bytes = b""
    spoilt: str = ""
    sends: int = 0
    asked_at: float = 0.0


class LegacyBase(Endpoint, ABC):
    """State and stopping; `LegacyOperator` adds a person's commands."""

    def __init__(self, cfg: LegacyDisplayConfig, journal: Sequence[Record], rng: Rng) -> None:
        super().__init__(cfg.timers, rng)
        self._cfg = cfg
        self._subset = cfg.subset
        self.ledger = LegacyLedger(cfg.subset, journal)
        self.phase = LegacyPhase.IDLE
        self.strays = 0
        """Answers that decided nothing: garbage, strangers' and those to copies of requests."""
        self.last_reply_s: float | None = None
        self._exposure: Exposure | None = None
        self._pause_asked = False
        self._owed = 0
        self._repaints = 0
        self._lost = False

    @abstractmethod
    def _proceed(self, now: float) -> None:
        """Ask for the next x-ray, or say that all are claimed."""

    # -- beginning and going on --------------------------------------------------------------------

    def _open(
        self, records: list[Record], rearmed: bytes | None, resumed: bool, now: float
    ) -> None:
        """Go on by what the journal and *records*, which are not applied yet, say."""
        for record in records:
            self.ledger.apply(record)
        if not records:
            self._go_on(rearmed, resumed, now)
            return
        for record in records:
            if record["k"] == "DONE":
                self._emit_durable(self._claim(record))
        self._append(records, partial(self._go_on, rearmed, resumed))

    def _go_on(self, rearmed: bytes | None, resumed: bool, now: float) -> None:
        latch = self.ledger.latch
        if rearmed is not None:
            self._emit(act.Rearmed(rearmed))
        if latch is not None:
            self._latched(now)
        elif self.ledger.complete:
            self._completed(now)
        elif self.ledger.doubt:
            self._doubtful(now)
        else:
            if resumed:
                self._emit(act.Resumed())
            s = self._subset
            self._emit(act.Armed(s.subset, self.ledger.next_index, s.last, s.session))
            self._proceed(now)

    def _claim(self, record: Record) -> act.Committed:
        index, attempt = int(str(record["i"])), int(str(record["a"]))
        return act.Committed(index, attempt, b"", str(record["name"]), record)

    def _doubtful(self, now: float) -> None:
        self._pause(Code.RETRIES, self._doubt_sentence())

    def _doubt_sentence(self) -> str:
        index, names = self.ledger.next_index, self.ledger.names[self.ledger.next_index]
        return (
            f"number {index} was asked for and not answered, now the app says MISMATCH: the photo "
            f"was taken and its OK lost, or it was never taken. If the app's log says 'Wrote "
            f"{names[-1]}' (or that file is there), answer taken; if not, set its start number to "
            f"{index} and answer missing"
        )

    def _completed(self, now: float) -> None:
        self.phase = LegacyPhase.COMPLETE
        self._emit(act.Blank("all photos are claimed"))
        self._emit(act.Completed(self._subset.count, b""))

    # -- stopping ----------------------------------------------------------------------------------

    def _stop(self) -> None:
        self._cancel("paint", "settle", "reply")
        self._pause_asked = False
        self.phase = LegacyPhase.PAUSED

    def _pause(self, code: int, why: str) -> None:
        self._stop()
        self._emit(act.Paused(code, why))

    def _abort(
        self, code: int, why: str, *, expected: int | None = None, by: str = "phone"
    ) -> None:
        record: Record = {
            "k": "ABORT", "id": self._rng(8).hex(), "code": int(code), "why": why,
            "exp": expected, "got": None, "by": by,
        }  # fmt: skip
        self.ledger.apply(record)
        self._stop()
        self.phase = LegacyPhase.ABORTED
        self._append([record], self._latched)

    def _latched(self, now: float) -> None:
        latch = self.ledger.latch
        if latch is None:
            raise LocalProtocolError("no abort is latched")
        self.phase = LegacyPhase.ABORTED
        self._emit(act.Blank(f"aborted: {latch.why}"))
        self._emit(
            act.Aborted(latch.abort_id, latch.code, latch.why, latch.expected, latch.got, latch.by)
        )

    def _require_exposure(self) -> Exposure:
        if self._exposure is None:
            raise LocalProtocolError(f"no exposure is under way in phase {self.phase.value}")
        return self._exposure
