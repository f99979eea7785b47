"""The display's ground: its ledger, the abort latch, pausing, and the request that is under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rig.protocol import actions as act
from rig.protocol.actions import Addr, LocalProtocolError
from rig.protocol.codes import Code, Flag, MessageType, Timers
from rig.protocol.datagram import Datagram, Scalar, canonical
from rig.protocol.display_ledger import DisplayLedger, Subset
from rig.protocol.endpoint import Connection, Endpoint, Outstanding, Rng
from rig.protocol.journal import Record
from rig.protocol.keys import boot_key
from rig.protocol.payload import told_abort
from rig.protocol.transitions import DISPLAY, Phase, Trigger

__all__ = ["DisplayBase", "DisplayConfig", "Exposure", "Phase"]


@dataclass
class Exposure:
    """The exposure under way. Digest and token as on the wire; *result* is CAPTURED's payload."""

    index: int
    attempt: int
    token: bytes
    surface: bytes = b""
    continuous: bool = False
    why_broken: str = ""
    accepted: bool = False
    result: dict[str, Scalar] | None = None
    result_pn: int = 0
    waiting_since: float = 0.0
    """Since when the phone answers that its camera is busy; 0 while it does not."""


@dataclass(frozen=True)
class DisplayConfig:
    """What the shell knows at start. *peer*: where the phone was last, if known."""

    subset: Subset
    peer: Addr | None = None
    timers: Timers = field(default_factory=Timers)


class DisplayBase(Endpoint):
    """Durable state (the ledger) and what every phase needs."""

    def __init__(self, cfg: DisplayConfig, journal: Sequence[Record], psk: bytes, rng: Rng) -> None:
        super().__init__(cfg.timers, rng)
        self._cfg = cfg
        self._subset = cfg.subset
        self._psk = psk
        self._boot_key = boot_key(psk)
        self.ledger = DisplayLedger(cfg.subset, journal)
        self.phase = Phase.IDLE
        self.paused: act.Paused | None = None
        self._pause_asked: act.Paused | None = None
        self._connection: Connection | None = None
        self._request: Outstanding | None = None
        self._rearm = b""
        self._cleared = b""
        self._on_timer["request"] = self._retransmit

    def _enter(self, trigger: Trigger) -> None:
        """Move to the phase that *trigger* leads to; the only place where the phase changes."""
        after = DISPLAY.get((self.phase, trigger))
        if after is None:
            raise LocalProtocolError(f"{trigger.name} leads nowhere from {self.phase.name}")
        self.phase = after

    # -- requests ----------------------------------------------------------------------------------

    def _ask(self, template: Datagram, now: float) -> None:
        """Send *template* on the connection until its reply settles it."""
        self._request = Outstanding(template)
        self._retransmit(now)

    def _retransmit(self, now: float) -> None:
        if self._request is not None and self._connection is not None:
            self._transmit(self._connection, self._request, "request", now)

    def _settle_request(self) -> None:
        self._request = None
        self._cancel("request")

    # -- pausing -----------------------------------------------------------------------------------

    def _pause(self, code: Code | int, why: str) -> None:
        if self.paused is None:
            self.paused = act.Paused(int(code), why)
            self._emit(self.paused)

    def _end(self) -> act.Completed:
        ledger = self.ledger
        return act.Completed(len(ledger.done), ledger.chain, stopped=ledger.stopped)

    # -- the latch ---------------------------------------------------------------------------------

    def _abort(
        self,
        code: int,
        why: str,
        expected: int | None = None,
        got: int | None = None,
        *,
        adopted: bytes = b"",
    ) -> None:
        """Latch an abort (section 6): nothing is painted, asked or decided until a re-arm."""
        abort_id = adopted or self._rng(8)
        record: Record = {
            "k": "ABORT", "id": abort_id.hex(), "code": int(code), "why": why,
            "exp": expected, "got": got, "by": "phone" if adopted else "display",
        }  # fmt: skip
        self._enter(Trigger.ABORT)
        self.paused = self._pause_asked = None
        self._settle_request()
        self._cancel("settle", "paint", "accept", "meta")
        self.ledger.apply(record)
        self._append([record], self._latched)

    def _latched(self, now: float) -> None:
        latch = self._latch()
        self._emit(act.Blank(f"ABORTED: {latch.why}"))
        self._emit(latch)
        if self._connection is not None and latch.by == "display":
            payload = {
                "expected": latch.expected,
                "got": latch.got,
                "why": told_abort(latch.why),
            }
            template = Datagram(
                MessageType.ABORT,
                flags=Flag.CON,
                code=latch.code,
                digest=latch.abort_id,
                payload=canonical(payload),
            )
            self._ask(template, now)

    def _latch(self) -> act.Aborted:
        latch = self.ledger.latch
        if latch is None:
            raise LocalProtocolError("no abort is latched")
        return act.Aborted(
            latch.abort_id, latch.code, latch.why, latch.expected, latch.got, latch.by
        )
