"""DisplayCore: the display's side of XCAP/1, sans-IO (section 5).

Only the display knows whether an x-ray stayed on the screen from before the trigger until after the
photo was complete, so the display decides: a DONE record, durable before the next x-ray is painted.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rig.protocol import actions as act
from rig.protocol.actions import LocalProtocolError, Output
from rig.protocol.codes import Code, MessageType, is_pause
from rig.protocol.datagram import BadDatagram, Datagram, Scalar, parse_payload
from rig.protocol.display_base import DisplayConfig, Exposure, Phase
from rig.protocol.display_ledger import Subset, checked_result, done_record
from rig.protocol.display_messages import failure
from rig.protocol.display_operator import DisplayOperator, OperatorCommand
from rig.protocol.endpoint import Rng
from rig.protocol.journal import Record
from rig.protocol.payload import heard_abort, hex_field, number_field
from rig.protocol.transitions import Trigger

__all__ = ["DisplayConfig", "DisplayCore", "OperatorCommand", "Phase", "Subset"]

_WAIT_POLL = 0.25


class DisplayCore(DisplayOperator):
    """One process life of one subset's run. Inputs are methods; each returns outputs in order."""

    def __init__(self, cfg: DisplayConfig, journal: Sequence[Record], psk: bytes, rng: Rng) -> None:
        super().__init__(cfg, journal, psk, rng)
        self._tries = 0
        self._failures = 0
        self._on_timer["settle"] = self._settled
        self._on_timer["paint"] = self._paint_late
        self._on_timer["accept"] = self._accept_late

    # -- inputs ------------------------------------------------------------------------------------

    def painted(self, token: bytes, surface_sha: bytes, now: float) -> list[Output]:
        """The x-ray of `Paint` *token* is up; *surface_sha* is read back from the surface."""
        return self._input(self._painted, token, surface_sha, now)

    def surface_checked(self, token: bytes, surface_sha: bytes, now: float) -> list[Output]:
        """The answer to `CheckSurface`."""
        return self._input(self._surface_checked, token, surface_sha, now)

    def display_disturbed(self, why: str, now: float) -> list[Output]:
        """Focus, size, power or content of the window changed: the exposure under way is spoilt."""
        return self._input(self._disturbed, why, now)

    def display_failed(self, why: str, now: float) -> list[Output]:
        """The x-ray cannot be shown (unreadable, wrong hash, no screen): pause and say so."""
        return self._input(self._display_failed, why, now)

    # -- painting ----------------------------------------------------------------------------------

    def _connected(self, info: dict[str, Scalar], now: float) -> None:
        self._tries = 0
        super()._connected(info, now)

    def _proceed(self, now: float) -> None:
        """The next step once nothing is under way."""
        self._enter(Trigger.PROCEED)
        if self._pause_asked is not None:
            asked, self._pause_asked = self._pause_asked, None
            self._pause(asked.code, asked.why)
        if self.paused is not None:
            return
        if self.ledger.stopping or self.ledger.next_index > self._subset.last:
            self._finish(now)
            return
        self._attempt += 1
        self._tries += 1
        index = self.ledger.next_index
        self._exposure = Exposure(index, self._attempt, self._rng(8))
        self._enter(Trigger.NEXT)
        self._emit(act.Painting(index, self._attempt))
        self._emit(act.Paint(index, self._exposure.token))
        self._after("paint", now, self._timers.paint)
        self._deliver(index, now)

    def _painted(self, token: bytes, surface_sha: bytes, now: float) -> None:
        e = self._exposure
        if self.phase is not Phase.PAINT or e is None or e.token != token:
            return
        e.surface, e.continuous = surface_sha, True
        self._cancel("paint")
        self._enter(Trigger.PAINTED)
        self._after("settle", now, self._timers.settle)

    def _settled(self, now: float) -> None:
        e = self._require_exposure()
        self._enter(Trigger.SETTLED)
        if self._deliver(e.index, now):
            self._ask_capture(e, now)

    def _paint_late(self, now: float) -> None:
        index = self.ledger.next_index
        why = (
            f"the screen has not confirmed x-ray {index} within {self._timers.paint:g} s; "
            "check the monitor and its window, then resume"
        )
        self._display_failed(why, now)

    def _display_failed(self, why: str, now: float) -> None:
        if self.phase in (Phase.PAINT, Phase.SETTLE):
            self._cancel("paint", "settle")
            self._enter(Trigger.NOT_SHOWN)
            self._pause(Code.DISPLAY_TROUBLE, why)
        elif self.phase in (Phase.CHECK, Phase.DOUBT):
            self._pause_asked = act.Paused(Code.DISPLAY_TROUBLE, why)
            self._surface_checked(self._require_exposure().token, b"", now)

    def _disturbed(self, why: str, now: float) -> None:
        if self._exposure is not None:
            self._exposure.continuous, self._exposure.why_broken = False, why

    # -- replies -----------------------------------------------------------------------------------

    def _dispatch(self, d: Datagram, now: float) -> None:
        if d.type == MessageType.ABORT:
            self._on_abort(d, now)
        elif d.type == MessageType.ABORT_ACK:
            if self.phase is Phase.ABORTED:
                self._settle_request()
        elif d.type == MessageType.BYE:
            self._on_bye(now)
        elif d.type == MessageType.PING:
            self._pong(d, now)
        elif d.type == MessageType.ARMED:
            self._on_armed(now)
        elif not self._armed or self.phase is Phase.ABORTED:
            return
        elif d.type == MessageType.ACCEPTED:
            self._on_accepted(d, now)
        elif d.type == MessageType.CAPTURED:
            self._on_captured(d, now)
        elif d.type == MessageType.FAILED:
            self._on_failed(d, now)
        elif d.type == MessageType.META_ACK:
            self._on_meta_ack(d, now)
        elif d.type == MessageType.FINISHED:
            self._on_finished(d)

    def _on_abort(self, d: Datagram, now: float) -> None:
        if self._connection is not None:
            ack = Datagram(MessageType.ABORT_ACK, ack_pn=d.pn, digest=d.digest)
            self._send(self._connection, ack, now)
        if d.digest in (self._rearm, self._cleared) or self.phase in (
            Phase.ABORTED,
            Phase.COMPLETE,
        ):
            return
        self._abort(d.code, *heard_abort(d.payload, d.code), adopted=d.digest)

    def _current(self, d: Datagram) -> Exposure | None:
        """The exposure under way if *d* is about it and may still change anything."""
        e = self._exposure
        if self.phase is not Phase.CAPTURE or e is None or self.paused is not None:
            return None
        return e if (d.index, d.attempt) == (e.index, e.attempt) else None

    def _on_accepted(self, d: Datagram, now: float) -> None:
        e = self._current(d)
        if e is None or e.token != d.token:
            return
        self._cancel("accept")
        if d.code == Code.WAIT_CAMERA:
            self._wait_for_camera(e, now)
            return
        if d.code == Code.NEED_META:
            self._need_metadata(e, d, now)
            return
        self._after("request", now, self._timers.poll)
        self._deliver(e.index + 1, now)
        if not e.accepted:
            e.accepted = True
            self._emit(act.Accepted(e.index, e.attempt))

    def _wait_for_camera(self, e: Exposure, now: float) -> None:
        self._after("request", now, _WAIT_POLL)
        e.waiting_since = e.waiting_since or now
        if now - e.waiting_since >= self._timers.link:
            why = (
                f"the phone's camera has been busy for {self._timers.link:g} s with an exposure "
                "that was given up; restart the phone agent, then resume"
            )
            self._pause(Code.RETRIES, why)

    def _retransmit(self, now: float) -> None:
        if self.paused is not None and self.phase is Phase.CAPTURE:
            return  # a pause asks nothing; resuming asks again
        super()._retransmit(now)
        e = self._exposure
        if self.phase is Phase.CAPTURE and e is not None and e.accepted:
            self._after("request", now, self._timers.poll)

    def _accept_late(self, now: float) -> None:
        e = self._require_exposure()
        if self.phase is Phase.CAPTURE and not e.accepted and not self._lost:
            self._lost = True
            self._emit(act.PeerLost(self._timers.accept))

    def _on_captured(self, d: Datagram, now: float) -> None:
        e = self._current(d)
        if e is None:
            done = d.index - self._subset.first < len(self.ledger.done)
            if done and d.index >= self._subset.first:
                self._ack(d.pn, now)
            return
        payload = parse_payload(d.payload)
        if e.token != d.token:
            why = f"the photo of index {e.index} answers another painting of the screen"
            self._abort(Code.TOKEN_MISMATCH, why, e.index, d.index)
            return
        result = checked_result(payload)
        if hex_field(result, "sha256", 32)[:8] != d.digest:
            raise BadDatagram("the photo's digest does not fit its SHA-256")
        e.result, e.result_pn = result, d.pn
        self._settle_request()
        self._cancel("accept")
        self._enter(Trigger.CAPTURED)
        self._emit(act.CheckSurface(e.token))
        self._after("paint", now, self._timers.paint)

    def _on_failed(self, d: Datagram, now: float) -> None:
        e = self._current(d)
        self._ack(d.pn, now)
        if e is None:
            return
        self._settle_request()
        self._cancel("accept")
        why = failure(d)
        if d.code >= Code.INDEX_MISMATCH:
            self._abort(d.code, f"the phone refused index {e.index}: {why}", e.index)
            return
        self._failures += 1
        self._retake(e, why, now, d.code)

    def _pong(self, d: Datagram, now: float) -> None:
        """Ours never asks; a phone that does is told that somebody is here."""
        if self._connection is not None:
            self._send(self._connection, Datagram(MessageType.PONG, ack_pn=d.pn), now)

    def _ack(self, pn: int, now: float) -> None:
        if self._connection is not None:
            self._send(self._connection, Datagram(MessageType.ACK, ack_pn=pn), now)

    # -- deciding ----------------------------------------------------------------------------------

    def _surface_checked(self, token: bytes, surface_sha: bytes, now: float) -> None:
        e = self._exposure
        if e is None or e.token != token or self.phase not in (Phase.CHECK, Phase.DOUBT):
            return
        self._cancel("paint")
        if e.continuous and surface_sha == e.surface:
            record = done_record(self._subset, e.index, e.attempt, e.result or {})
            self.ledger.apply(record)
            self._append([record], partial(self._decided, self.phase, e, record))
            return
        why = e.why_broken or "the screen changed while the photo was taken"
        if self.phase is Phase.DOUBT:
            self._arm("void", now)
            return
        self._ack(e.result_pn, now)
        self._retake(e, why, now)

    def _decided(self, phase: Phase, e: Exposure, record: Record, now: float) -> None:
        sha = bytes.fromhex(str(record["sha"]))
        self._emit(act.Committed(e.index, e.attempt, sha, str(record["name"]), record))
        self._exposure = None
        self._attempt = self._tries = self._failures = 0
        if phase is Phase.DOUBT:
            self._arm("commit", now)
            return
        self._end_handshake()  # the phone is alive; a READY from before this decision is void
        self._ack(e.result_pn, now)
        self._proceed(now)

    def _retake(self, e: Exposure, why: str, now: float, code: int = 0) -> None:
        self._emit(act.Retake(e.index, e.attempt, why))
        self._exposure = None
        if is_pause(code):
            self._pause(code, f"the phone asks for a pause: {why}")
        elif self._tries >= self._timers.max_attempts:
            why = f"index {e.index} failed {self._tries} times in a row, last: {why}"
            self._pause(_given_up(code), why)
        elif self._failures >= self._timers.max_failures:
            why = f"{self._failures} exposures failed in a row, last: {why}"
            self._pause(_given_up(code), why)
        self._proceed(now)

    # -- the end -----------------------------------------------------------------------------------

    def _finish(self, now: float) -> None:
        self._enter(Trigger.STOP if self.ledger.stopped else Trigger.ALL_DECIDED)
        self._cancel("meta")
        self._delivering = self._part = None
        template = Datagram(
            MessageType.FINISH,
            subset=self._subset.subset,
            index=self.ledger.next_index - 1,
            chain=self.ledger.chain[:8],
        )
        self._ask(template, now)

    def _on_finished(self, d: Datagram) -> None:
        if self.phase is not Phase.FINISH:
            return
        body = parse_payload(d.payload)
        count, chain = number_field(body, "count"), hex_field(body, "chain", 32)
        decided = len(self.ledger.done)
        if (count, chain) != (decided, self.ledger.chain):
            why = f"the phone finished with {count} photos or another history"
            self._abort(Code.DIVERGED, why, decided, count)
            return
        self._settle_request()
        record: Record = {"k": "COMPLETE", "count": count, "chain": chain.hex()}
        self.ledger.apply(record)
        self._append([record], self._completed)

    def _completed(self, now: float) -> None:
        self._enter(Trigger.FINISHED)
        self._cancel("watch")
        self._emit(act.Blank("subset stopped" if self.ledger.stopped else "subset complete"))
        self._emit(self._end())

    def _require_exposure(self) -> Exposure:
        if self._exposure is None:
            raise LocalProtocolError(f"no exposure is under way in phase {self.phase.value}")
        return self._exposure


def _given_up(code: int) -> Code:
    """Why no further try is made: a camera closed to the background needs a person at the phone."""
    return Code.CAMERA_BACKGROUND if code == Code.CAMERA_BACKGROUND else Code.RETRIES
