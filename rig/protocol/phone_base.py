"""The phone's durable ground: ledger, abort latch, and the message that awaits an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rig.protocol import actions as act
from rig.protocol.actions import Addr, LocalProtocolError
from rig.protocol.codes import Code, Flag, MessageType, Timers
from rig.protocol.datagram import Datagram, canonical
from rig.protocol.endpoint import Connection, Endpoint, Outstanding, Rng
from rig.protocol.journal import Record
from rig.protocol.keys import boot_key
from rig.protocol.ledger import PhoneLedger, Run, Shot
from rig.protocol.payload import told_abort


@dataclass(frozen=True)
class PhoneConfig:
    """What the shell knows at start.

    Attributes:
        hosts: where to knock.
        camera: name of the camera back end, and its size in pixels if known.
        est_photo_bytes: a guess at a photo's size until real ones are known.
        quiesce: seconds for which a camera that cannot name its output is left alone after the
            start and after an exposure that was given up or timed out; a photo may still appear.
        campaign: the campaign that the pairing is bound to (8 bytes); empty: any.
    """

    hosts: tuple[Addr, ...]
    camera: str = "camera"
    camera_size: tuple[int, int] = (0, 0)
    est_photo_bytes: int = 6_000_000
    campaign: bytes = b""
    quiesce: float = 0.0
    timers: Timers = field(default_factory=Timers)


def committed_event(shot: Shot) -> act.Committed:
    """What people and uploads hear of a photo that is decided."""
    return act.Committed(shot.index, shot.attempt, shot.sha256, shot.name)


@dataclass
class Health:
    free_bytes: int = 1 << 60
    battery: int | None = None
    charging: bool = False
    temperature: float | None = None


class PhoneBase(Endpoint):
    """State that survives (the ledger) and state of this process life (connection, health)."""

    def __init__(self, cfg: PhoneConfig, journal: Sequence[Record], psk: bytes, rng: Rng) -> None:
        super().__init__(cfg.timers, rng)
        self._cfg = cfg
        self._psk = psk
        self._boot_key = boot_key(psk)
        self.boot_id = rng(8)
        self.ledger = PhoneLedger(journal)
        self._live: Connection | None = None
        self._con: Outstanding | None = None
        self._finish_pn = 0  # of the live connection's FINISH, once it was heard
        self._health = Health()
        self._est_photo = cfg.est_photo_bytes
        self._on_timer["con"] = self._resend

    # -- the latch ---------------------------------------------------------------------------------

    def _abort(
        self,
        code: int,
        why: str,
        expected: int | None,
        got: int | None,
        *,
        before: Sequence[Record] = (),
        adopted: bytes | None = None,
    ) -> None:
        """Latch an abort (section 6): open exposures are void, a stored photo stays in doubt."""
        by = "display" if adopted else "phone"
        voids = self._void_open("abort")
        self._apply(voids)
        record = self._abort_record(code, why, expected, got, by, adopted)
        self.ledger.apply(record)
        self._settle_con()
        self._append([*before, *voids, record], self._latched)

    def _latched(self, now: float) -> None:
        self._emit(self._aborted_event())
        latch = self.ledger.latch
        if self._live is not None and latch is not None and latch.by == "phone":
            self._con = Outstanding(self._abort_datagram())
            self._transmit(self._live, self._con, "con", now)

    def _abort_record(
        self,
        code: int,
        why: str,
        expected: int | None,
        got: int | None,
        by: str,
        adopted: bytes | None = None,
    ) -> Record:
        abort_id = adopted or self._rng(8)
        return {
            "k": "ABORT", "id": abort_id.hex(), "code": int(code), "why": why,
            "exp": expected, "got": got, "by": by,
        }  # fmt: skip

    def _abort_datagram(self) -> Datagram:
        latch = self.ledger.latch
        if latch is None:
            raise LocalProtocolError("no abort is latched")
        payload = {"expected": latch.expected, "got": latch.got, "why": told_abort(latch.why)}
        return Datagram(
            MessageType.ABORT,
            flags=Flag.CON,
            code=latch.code,
            digest=latch.abort_id,
            payload=canonical(payload),
        )

    def _send_abort(self, connection: Connection, now: float) -> None:
        self._send(connection, self._abort_datagram(), now)

    def _aborted_event(self) -> act.Aborted:
        latch = self.ledger.latch
        if latch is None:
            raise LocalProtocolError("no abort is latched")
        return act.Aborted(
            latch.abort_id, latch.code, latch.why, latch.expected, latch.got, latch.by
        )

    # -- small things ------------------------------------------------------------------------------

    def _void_open(self, why: str) -> list[Record]:
        """Records that void whatever exposure is open."""
        return [self._void(run, run.open, why) for run in self.ledger.runs.values() if run.open]

    def _void(self, run: Run, key: tuple[int, int], why: str) -> Record:
        return {
            "k": "VOID", "camp": run.campaign.hex(), "sub": run.subset,
            "i": key[0], "a": key[1], "code": int(Code.STALE), "why": why,
        }  # fmt: skip

    def _apply(self, records: Sequence[Record]) -> None:
        for record in records:
            self.ledger.apply(record)

    def _run(self) -> Run:
        if self.ledger.current is None:
            raise LocalProtocolError("no subset is armed")
        return self.ledger.current

    def _resend(self, now: float) -> None:
        """Send the unanswered CAPTURED, FAILED or ABORT again; an ABORT until the link is dead."""
        if self._con is None or self._live is None:
            return
        silent = now - self._live.last_heard
        if self.ledger.latch is not None and silent >= self._timers.link:
            self._settle_con()  # whoever comes back is told by READY, and at its next command
            return
        self._transmit(self._live, self._con, "con", now)

    def _peer_connection(self) -> Connection | None:
        return self._live

    def _settle_con(self) -> None:
        self._con = None
        self._cancel("con")
