"""LegacyDisplayCore: our display drives the original Android app, sans-IO (docs/legacy.md).

One request at a time. The app advances its number before the photo exists and answers a copy of a
request with MISMATCH, so a MISMATCH after an unanswered send says nothing: a person decides. OK
claims a photo and proves none.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rig.protocol import actions as act
from rig.protocol.actions import Addr, LocalProtocolError, Output, WrongCommand
from rig.protocol.codes import Code
from rig.protocol.endpoint import Rng
from rig.protocol.journal import Record
from rig.protocol.legacy import NONCE_SIZE, BadLegacy, decode_reply, encode_request
from rig.protocol.legacy_base import Exposure, LegacyDisplayConfig, LegacyPhase
from rig.protocol.legacy_ledger import Resolution
from rig.protocol.legacy_operator import PAUSED_BY_A_PERSON, LegacyOperator

__all__ = ["LegacyDisplayConfig", "LegacyDisplayCore", "LegacyPhase"]


class LegacyDisplayCore(LegacyOperator):
    """One process life of one legacy run; a person may pause it and go on, or start it again."""

    def __init__(self, cfg: LegacyDisplayConfig, journal: Sequence[Record], rng: Rng) -> None:
        super().__init__(cfg, journal, rng)
        self._on_timer["paint"] = self._paint_late
        self._on_timer["settle"] = self._settled
        self._on_timer["reply"] = self._reply_late

    # -- inputs ------------------------------------------------------------------------------------

    def start(
        self, now: float, *, rearm: bytes | None = None, resolve: Resolution | None = None
    ) -> list[Output]:
        """Begin, or go on where the journal says.

        Args:
            now: the clock.
            rearm: id of the latched abort that a person clears. Whoever does so has set the app's
                start number to the next index: an open request counts as missing.
            resolve: what a person read in the phone's log about the request that is in doubt.

        Raises:
            WrongCommand: nothing is latched or in doubt, or the id is another one.
        """
        try:
            records = self.ledger.opening(rearm, resolve)
        except ValueError as error:
            raise WrongCommand(str(error)) from error
        return self._input(self._begin, records, rearm, now)

    def datagram_received(self, data: bytes, addr: Addr, now: float) -> list[Output]:
        """Something came in; only the phone's answers count."""
        return self._input(self._received, data, addr, now, lossy=True)

    def painted(self, token: bytes, surface_sha: bytes, now: float) -> list[Output]:
        """The x-ray of `Paint` *token* is up; *surface_sha* is read back from the surface."""
        return self._input(self._painted, token, surface_sha, now)

    def surface_checked(self, token: bytes, surface_sha: bytes, now: float) -> list[Output]:
        """The answer to `CheckSurface`."""
        return self._input(self._checked, token, surface_sha, now)

    def display_disturbed(self, why: str, now: float) -> list[Output]:
        """Focus, size, power or content of the window changed."""
        return self._input(self._disturbed, why, now)

    def display_failed(self, why: str, now: float) -> list[Output]:
        """The x-ray cannot be shown: pause and say so."""
        return self._input(self._display_failed, why, now)

    # -- beginning ---------------------------------------------------------------------------------

    def _begin(self, records: list[Record], rearmed: bytes | None, now: float) -> None:
        if self.phase is not LegacyPhase.IDLE:
            raise LocalProtocolError("a legacy run is started once in a process life")
        self._open(records, rearmed, False, now)

    def _proceed(self, now: float) -> None:
        self._exposure = None
        index = self.ledger.next_index
        if index > self._subset.last:
            record: Record = {"k": "COMPLETE", "count": len(self.ledger.done)}
            self.ledger.apply(record)
            self._append([record], self._completed)
        elif self._pause_asked:
            self._pause(Code.OPERATOR_PAUSE, PAUSED_BY_A_PERSON)
        else:
            self._paint(index, now)

    # -- showing -----------------------------------------------------------------------------------

    @property
    def attempt(self) -> int:
        """Number of the exposure under way, or of the last one; 0 before the first."""
        return self._exposure.attempt if self._exposure is not None else 0

    def _paint(self, index: int, now: float) -> None:
        attempt = len(self.ledger.names.get(index, ())) + 1
        self._exposure = e = Exposure(index, attempt, self._rng(8))
        self.phase = LegacyPhase.PAINT
        self._cancel("settle")
        self._emit(act.Painting(index, attempt))
        self._emit(act.Paint(index, e.token))
        self._after("paint", now, self._timers.paint)

    def _painted(self, token: bytes, surface_sha: bytes, now: float) -> None:
        e = self._exposure
        if self.phase is not LegacyPhase.PAINT or e is None or e.token != token:
            return
        e.surface, e.spoilt = surface_sha, ""
        self._cancel("paint")
        self.phase = LegacyPhase.SETTLE
        self._after("settle", now, self._timers.settle)

    def _settled(self, now: float) -> None:
        e = self._require_exposure()
        e.name = self._fresh_name(e.index)
        record: Record = {"k": "SENT", "i": e.index, "a": e.attempt, "name": e.name}
        self.ledger.apply(record)
        self.phase = LegacyPhase.ASK
        e.asked_at = now
        self._append([record], self._ask)

    def _fresh_name(self, index: int) -> str:
        while True:
            name = self._subset.name(index, self._rng(NONCE_SIZE))
            if name not in self.ledger.names.get(index, ()):
                return name

    def _disturbed(self, why: str, now: float) -> None:
        e = self._exposure
        if e is None:
            return
        e.spoilt = e.spoilt or why
        if self.phase is not LegacyPhase.SETTLE:
            return
        # Nothing is asked yet, so it can simply be shown again.
        self._repaints += 1
        if self._repaints >= self._timers.max_attempts:
            self._display_failed(f"the screen was disturbed again and again, last: {why}", now)
        else:
            self._paint(e.index, now)

    def _display_failed(self, why: str, now: float) -> None:
        if self.phase in (LegacyPhase.PAINT, LegacyPhase.SETTLE):
            self._pause(Code.DISPLAY_TROUBLE, why)
        else:
            self._disturbed(why, now)

    def _paint_late(self, now: float) -> None:
        e = self._require_exposure()
        if self.phase is LegacyPhase.CHECK:
            self._checked(e.token, b"", now)
            return
        self._display_failed(
            f"the screen has not confirmed x-ray {e.index} within {self._timers.paint:g} s; "
            "check the monitor and its window, then run again",
            now,
        )

    # -- asking ------------------------------------------------------------------------------------

    def _ask(self, now: float) -> None:
        e = self._require_exposure()
        e.sends += 1
        self._emit(act.SendDatagram(encode_request(e.index, e.name), self._cfg.peer))
        self._after("reply", now, self._cfg.reply)

    def _reply_late(self, now: float) -> None:
        e = self._require_exposure()
        if not self._lost:
            self._lost = True
            self._emit(act.PeerLost(now - e.asked_at))
        if now - e.asked_at < self._timers.link:
            self._ask(now)
            return
        self._pause(
            Code.LINK_LOST,
            f"the app has not answered number {e.index} within {now - e.asked_at:g} s: look "
            "whether it hangs and what its log says last, then run again",
        )

    def _received(self, data: bytes, addr: Addr, now: float) -> None:
        try:
            if addr != self._cfg.peer:
                raise BadLegacy("not from the phone")
            name = decode_reply(data)
        except BadLegacy:
            self.strays += 1
            return
        if self.phase in (LegacyPhase.ABORTED, LegacyPhase.COMPLETE, LegacyPhase.PAUSED):
            self.strays += 1
            return
        if self._lost:
            self._lost = False
            self._emit(act.PeerBack())
        if name is None:
            self._on_mismatch(now)
        else:
            self._on_ok(name, now)

    def _on_ok(self, name: str, now: float) -> None:
        e = self._exposure
        if e is not None and self.phase is LegacyPhase.ASK and name == e.name:
            self._cancel("reply")
            # The app works in order: it may still answer the copies of this request, and no others.
            self._owed = e.sends - 1
            self.last_reply_s = now - e.asked_at
            self.phase = LegacyPhase.CHECK
            self._emit(act.CheckSurface(e.token))
            self._after("paint", now, self._timers.paint)
        elif any(name == d.name for d in self.ledger.done) or (e is not None and name == e.name):
            self.strays += 1  # a copy of an answer
        elif name in self.ledger.names.get(self.ledger.next_index, ()):
            self._doubt(now)
        else:
            why = f"the phone says that it saved a photo as {name[:80]!a}, which nobody asked for"
            self._abort(Code.PROTOCOL, why)

    def _on_mismatch(self, now: float) -> None:
        e = self._exposure
        if self.phase is not LegacyPhase.ASK or e is None or self._owed > 0:
            # The answer to a copy of a request that was answered already. Were it about this
            # request, the next copy is answered by MISMATCH too, and then it counts.
            self._owed = max(0, self._owed - 1)
            self.strays += 1
        elif e.sends > 1 or self.ledger.unanswered:
            self._doubt(now)
        else:
            why = (
                f"the app expects another number than {e.index}; set its start number to "
                f"{e.index}, then re-arm"
            )
            self._abort(Code.INDEX_MISMATCH, why, expected=e.index)

    # -- deciding ----------------------------------------------------------------------------------

    def _checked(self, token: bytes, surface_sha: bytes, now: float) -> None:
        e = self._exposure
        if self.phase is not LegacyPhase.CHECK or e is None or e.token != token:
            return
        self._cancel("paint")
        changed = "" if surface_sha == e.surface else "the screen changed while it was taken"
        record: Record = {
            "k": "DONE", "i": e.index, "a": e.attempt, "name": e.name, "by": "phone",
            "sus": (e.spoilt or changed)[:600],
        }  # fmt: skip
        self.ledger.apply(record)
        self._append([record], partial(self._claimed, record))

    def _claimed(self, record: Record, now: float) -> None:
        self._emit(self._claim(record))
        self._repaints = 0
        self._proceed(now)

    def _doubt(self, now: float) -> None:
        if self.ledger.open is None:
            # Not asked in this life yet: an answer to an earlier one cannot be for this screen.
            self.strays += 1
            return
        index, attempt = self.ledger.open
        record: Record = {"k": "DOUBT", "i": index, "a": attempt}
        self.ledger.apply(record)
        self._stop()
        self._append([record], self._doubtful)
