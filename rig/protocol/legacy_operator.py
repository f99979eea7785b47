"""What a person may command in a legacy run: pause, resume, abort, re-arm, resolve a doubt."""

from __future__ import annotations

from abc import ABC
from typing import Literal

from rig.protocol import actions as act
from rig.protocol.actions import Output, WrongCommand
from rig.protocol.codes import Code
from rig.protocol.legacy_base import LegacyBase, LegacyPhase
from rig.protocol.legacy_ledger import Resolution

LegacyCommand = Literal["pause", "resume", "abort", "rearm", "resolve"]
PAUSED_BY_A_PERSON = "the operator paused"

_ASKING = (LegacyPhase.ASK, LegacyPhase.CHECK)
_SHOWING = (LegacyPhase.PAINT, LegacyPhase.SETTLE)


class LegacyOperator(LegacyBase, ABC):
    """Adds a person's commands; `LegacyDisplayCore` adds captures."""

    @property
    def pausing(self) -> bool:
        """Whether it stops after the image in flight."""
        return self._pause_asked

    def operator(
        self,
        command: LegacyCommand,
        now: float,
        *,
        abort_id: bytes | None = None,
        answer: Resolution | None = None,
    ) -> list[Output]:
        """A person's command.

        Args:
            command: ``rearm`` wants *abort_id*; ``resolve`` wants *answer*, and a re-arm may bring
                it when a request was open at the abort (else that counts as missing).
            now: the clock.
            abort_id: id of the abort that the person has read about.
            answer: what the phone's log says of the request in doubt.

        Raises:
            WrongCommand: it makes no sense now; the sentence says why.
        """
        return self._input(self._operator, command, now, abort_id, answer)

    def _operator(
        self, command: LegacyCommand, now: float, abort_id: bytes | None, answer: Resolution | None
    ) -> None:
        if command == "rearm":
            self._operator_rearm(abort_id, answer, now)
        elif self.phase in (LegacyPhase.COMPLETE, LegacyPhase.ABORTED):
            raise WrongCommand(f"the session is {self.phase.value}; {command} changes nothing")
        elif command == "abort":
            self._abort(Code.OPERATOR, "the operator aborted", by="display")
        elif self.phase is LegacyPhase.IDLE:
            raise WrongCommand(f"the session has not been started, so {command} changes nothing")
        elif command == "pause":
            self._operator_pause()
        elif command == "resume":
            self._operator_resume(now)
        else:
            self._operator_resolve(answer, now)

    def _operator_pause(self) -> None:
        if self.phase in _ASKING:
            self._pause_asked = True  # after this image: the app has counted it already
        elif self.ledger.doubt:
            self._pause(Code.RETRIES, self._doubt_sentence())
        else:
            self._pause(Code.OPERATOR_PAUSE, PAUSED_BY_A_PERSON)

    def _operator_resume(self, now: float) -> None:
        if self.phase is not LegacyPhase.PAUSED:
            if not self._pause_asked:
                raise WrongCommand("the session is not paused")
            self._pause_asked = False
            self._emit(act.Resumed())
            return
        if self.ledger.doubt:
            raise WrongCommand(
                f"number {self.ledger.next_index} is in doubt: read the app's log and answer taken "
                "or missing; that goes on, too"
            )
        self._fresh()
        self._open([], None, True, now)

    def _operator_resolve(self, answer: Resolution | None, now: float) -> None:
        if answer not in ("taken", "missing"):
            raise WrongCommand("the answer is either taken or missing")
        if self.phase is not LegacyPhase.PAUSED:
            raise WrongCommand("no request is in doubt, so there is nothing to resolve")
        self._again(None, answer, now)

    def _operator_rearm(
        self, abort_id: bytes | None, answer: Resolution | None, now: float
    ) -> None:
        if abort_id is None or self.phase in (*_ASKING, *_SHOWING):
            raise WrongCommand("no abort is latched")
        self._again(abort_id, answer, now)

    def _again(self, abort_id: bytes | None, answer: Resolution | None, now: float) -> None:
        """Go on as a new process life would, with what the person said."""
        try:
            records = self.ledger.opening(abort_id, answer)
        except ValueError as error:
            raise WrongCommand(str(error)) from error
        self._fresh()
        self._open(records, abort_id, abort_id is None, now)

    def _fresh(self) -> None:
        """Forget the request before, but not that copies of answered ones are still on the way."""
        self._exposure = None
        self._pause_asked = self._lost = False
        self._repaints = 0
