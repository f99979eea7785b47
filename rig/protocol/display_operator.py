"""What a person at the display may command: pause, resume, stop, abort, re-arm."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

from rig.protocol import actions as act
from rig.protocol.actions import Output, WrongCommand
from rig.protocol.codes import Code
from rig.protocol.display_base import Exposure, Phase
from rig.protocol.display_metadata import DisplayMetadata
from rig.protocol.journal import Record
from rig.protocol.transitions import Trigger

OperatorCommand = Literal["pause", "pause_now", "resume", "stop", "abort", "rearm"]
"""`pause` waits for the photo in flight; `pause_now` gives it up, and resuming takes it again."""


class DisplayOperator(DisplayMetadata, ABC):
    """Adds a person's commands; `DisplayCore` adds captures."""

    def operator(
        self, command: OperatorCommand, now: float, abort_id: bytes | None = None, why: str = ""
    ) -> list[Output]:
        """A person's command.

        Raises:
            WrongCommand: it makes no sense now; the sentence says why.
        """
        return self._input(self._operator, command, now, abort_id, why)

    def _operator(
        self, command: OperatorCommand, now: float, abort_id: bytes | None, why: str
    ) -> None:
        if command == "rearm":
            self._operator_rearm(abort_id, now)
        elif self.phase in (Phase.COMPLETE, Phase.ABORTED):
            raise WrongCommand(f"the session is {self.phase.value}; {command} changes nothing")
        elif command == "abort":
            self._abort(Code.OPERATOR, why or "the operator aborted", None, None)
        elif command == "pause":
            self._operator_pause(why or "the operator paused")
        elif command == "pause_now":
            self._operator_pause_now(why or "the operator paused at once", now)
        elif command == "stop":
            self._operator_stop(why or "the operator stopped the subset")
        else:
            self._operator_resume(now)

    def _operator_pause(self, why: str) -> None:
        if self.phase in (Phase.CAPTURE, Phase.CHECK, Phase.DOUBT):
            self._pause_asked = act.Paused(Code.OPERATOR_PAUSE, why)
            return
        if self.phase in (Phase.PAINT, Phase.SETTLE):
            self._cancel("paint", "settle")
            self._enter(Trigger.NOT_SHOWN)
        self._pause(Code.OPERATOR_PAUSE, why)

    def _operator_resume(self, now: float) -> None:
        if self.paused is None and self._pause_asked is None:
            raise WrongCommand("the session is not paused")
        self._emit(act.Resumed())
        self._go_on(now)

    def _operator_pause_now(self, why: str, now: float) -> None:
        """Give up the exposure in flight: the phone hears of it by the next attempt."""
        e = self._exposure
        if e is None or self.phase not in (Phase.CAPTURE, Phase.CHECK):
            self._operator_pause(why)
            return
        self._pause_asked = None
        self._cancel("paint", "accept")
        self._settle_request()
        if self.phase is Phase.CHECK:
            self._ack(e.result_pn, now)
        self._pause(Code.OPERATOR_PAUSE, why)
        self._retake(e, why, now)

    def _operator_stop(self, why: str) -> None:
        """End with what is decided, durably: a restart does not go on shooting."""
        if self.phase is Phase.IDLE:
            raise WrongCommand("the session has not begun; there is nothing to stop")
        if self.ledger.stopping:
            self._emit(act.Stopping())
            return
        record: Record = {"k": "STOP", "why": why}
        self.ledger.apply(record)
        self._append([record], self._stopping)

    def _stopping(self, now: float) -> None:
        self._emit(act.Stopping())
        self._pause_asked = None
        if self.phase in (Phase.PAINT, Phase.SETTLE):
            self._cancel("paint", "settle")
            self._enter(Trigger.NOT_SHOWN)
        e = self._exposure
        if e is not None and self._held_back(e.index):
            self._cancel("accept")
            self._exposure = None  # its metadata are on their way; the photo is not asked for
            self._enter(Trigger.PROCEED)
        if self.paused is not None or self.phase is Phase.HOLD:
            self._go_on(now)

    def _go_on(self, now: float) -> None:
        """Leave the pause."""
        self.paused = self._pause_asked = None
        self._tries = self._failures = 0
        if self._connection is not None:
            self._connection.last_heard = now
        if self.phase is Phase.HOLD and self._armed:
            self._proceed(now)
        elif self.phase is Phase.CAPTURE:
            if self._exposure is not None:
                self._exposure.waiting_since = 0.0
            self._retransmit(now)
        if self._armed:
            self._resume_metadata(now)

    def _operator_rearm(self, abort_id: bytes | None, now: float) -> None:
        latch = self.ledger.latch
        if latch is None:
            raise WrongCommand("no abort is latched")
        if abort_id != latch.abort_id:
            raise WrongCommand(
                f"the abort that is latched is {latch.abort_id.hex()}; look at its reason again"
            )
        self._rearm = abort_id
        self._exposure = None
        self._settle_request()
        self._end_handshake()
        self._seek(now)

    @abstractmethod
    def _retake(self, e: Exposure, why: str, now: float, code: int = 0) -> None: ...

    @abstractmethod
    def _ack(self, pn: int, now: float) -> None: ...
