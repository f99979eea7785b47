"""PhoneCore: the phone's side of XCAP/1, sans-IO (section 4).

The phone stores; the display decides. A photo goes INTENT -> STORED -> COMMITTED, and the phone
learns a decision from the command that follows it. Datagrams, journal and camera are the shell's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial

from rig.protocol import actions as act
from rig.protocol.actions import Output, Ticket
from rig.protocol.codes import (
    BATTERY_MIN,
    FREE_MIN,
    TEMPERATURE_MAX,
    Code,
    MessageType,
    code_name,
)
from rig.protocol.datagram import Datagram, Scalar, canonical, parse_payload
from rig.protocol.endpoint import Connection, Outstanding, Rng
from rig.protocol.journal import Record
from rig.protocol.ledger import Shot, ShotState
from rig.protocol.names import BadPhotoName, PhotoName, encode_name
from rig.protocol.phone_base import PhoneConfig, committed_event
from rig.protocol.phone_messages import accepted, captured, failed
from rig.protocol.phone_metadata import PhoneMetadata
from rig.protocol.verdict import Contradiction, Expose, Repeat, Stale, Wait, judge_capture

__all__ = ["PhoneConfig", "PhoneCore"]

_WHY_NOT = {
    Code.DISK_LOW: "the phone's storage is nearly full; free some room, then resume",
    Code.BATTERY_LOW: "the phone's battery is nearly empty; plug it in, then resume",
    Code.THERMAL: "the phone is too hot; let it cool down, then resume",
}


class PhoneCore(PhoneMetadata):
    """One process life of the phone agent. Inputs are methods; each returns outputs in order."""

    def __init__(self, cfg: PhoneConfig, journal: Sequence[Record], psk: bytes, rng: Rng) -> None:
        super().__init__(cfg, journal, psk, rng)
        self._camera: Ticket | None = None
        self._storing: tuple[Ticket, act.Photo, str] | None = None
        self._metadata: tuple[bytes, dict[str, Scalar]] = (b"", {})
        self._on_timer["camera"] = self._camera_late

    # -- inputs ------------------------------------------------------------------------------------

    def camera_result(
        self, ticket: Ticket, result: act.Photo | act.CameraFailure, now: float
    ) -> list[Output]:
        """The camera call of *ticket* is over (also after `KillCamera`)."""
        return self._input(self._camera_result, ticket, result, now)

    def photo_stored(
        self, ticket: Ticket, failure: act.CameraFailure | None, now: float
    ) -> list[Output]:
        """`StorePhoto` of *ticket* is durable, or could not be done."""
        return self._input(self._photo_stored, ticket, failure, now)

    # -- commands of the live connection -----------------------------------------------------------

    def _dispatch(self, connection: Connection, d: Datagram, now: float) -> None:
        if d.type == MessageType.ARM:
            self._on_arm(connection, d, now)
        elif d.type == MessageType.ABORT:
            self._on_abort(connection, d, now)
        elif connection is not self._live:
            return  # only an ARM makes a candidate the live connection
        elif d.type == MessageType.BYE:
            self._on_bye(connection, now)
        elif d.type in (MessageType.ACK, MessageType.ABORT_ACK):
            if self._con is not None and d.ack_pn in self._con.pns:
                self._settle_con()
        elif d.type == MessageType.PING:
            self._send(connection, Datagram(MessageType.PONG, ack_pn=d.pn), now)
        elif self.ledger.latch is not None:
            self._send_abort(connection, now)
        elif d.type == MessageType.CAPTURE:
            self._on_capture(connection, d, now)
        elif d.type == MessageType.META_PART:
            self._on_meta_part(connection, d, now)
        elif d.type == MessageType.FINISH:
            self._on_finish(connection, d, now)

    def _on_abort(self, connection: Connection, d: Datagram, now: float) -> None:
        self._send(connection, Datagram(MessageType.ABORT_ACK, ack_pn=d.pn, digest=d.digest), now)
        if self.ledger.latch is not None:
            return
        body = parse_payload(d.payload)
        expected, got = body.get("expected"), body.get("got")
        self._abort(
            d.code,
            str(body.get("why") or code_name(d.code)),
            expected if isinstance(expected, int) else None,
            got if isinstance(got, int) else None,
            adopted=d.digest,
        )

    def _on_finish(self, connection: Connection, d: Datagram, now: float) -> None:
        run, records = self._run(), list[Record]()
        doubtful = run.doubtful
        if doubtful is not None and doubtful.index == run.last:
            if run.chain_after(doubtful)[:8] == d.chain:
                records.append(_commit(doubtful))
        elif run.committed == run.last - run.first + 1 and run.chain[:8] == d.chain:
            if run.finished:
                self._finished(connection, d, now)
                return
        else:
            why = f"the display says the subset is finished; the phone expects {run.expected}"
            self._abort(Code.INDEX_MISMATCH, why, run.expected, d.index + 1)
            return
        if doubtful is not None and not records:
            why = "the display's history of this subset differs from the phone's"
            self._abort(Code.CHAIN_MISMATCH, why, None, None)
            return
        self._apply(records)
        finish: Record = {"k": "FINISH", "count": run.committed, "chain": run.chain.hex()}
        self._apply([finish])
        self._settle_con()
        if doubtful is not None:
            self._emit_durable(committed_event(doubtful))
        self._emit_durable(act.Completed(run.committed, run.chain))
        self._append([*records, finish], partial(self._finished, connection, d))

    def _finished(self, connection: Connection, d: Datagram, now: float) -> None:
        run = self._run()
        payload = canonical({"count": run.committed, "chain": run.chain.hex()})
        reply = Datagram(
            MessageType.FINISHED, ack_pn=d.pn, subset=run.subset, index=run.last, payload=payload
        )
        self._send(connection, reply, now)

    # -- exposures ---------------------------------------------------------------------------------

    def _on_capture(self, connection: Connection, d: Datagram, now: float) -> None:
        run = self._run()
        if d.subset != run.subset:
            why = f"armed for subset {run.subset}, asked for subset {d.subset}"
            self._abort(Code.INDEX_MISMATCH, why, run.expected, d.index)
            return
        whole = self._with_metadata(d)
        verdict = judge_capture(run, d, busy=self._camera is not None)
        if isinstance(verdict, Repeat):
            self._answer_again(connection, d, verdict.shot, now)
        elif isinstance(verdict, Stale):
            self._send(connection, failed(d, Code.STALE), now)
        elif isinstance(verdict, Wait):
            self._send(connection, accepted(d, Code.WAIT_CAMERA), now)
        elif isinstance(verdict, Contradiction):
            self._abort(verdict.code, verdict.why, verdict.expected, d.index)
        elif whole is None:
            self._send(connection, accepted(d, Code.NEED_META), now)
        else:
            self._expose(connection, whole, verdict, hashlib.sha256(whole.payload).digest())

    def _expose(
        self, connection: Connection, d: Datagram, verdict: Expose, meta_sha: bytes
    ) -> None:
        run = self._run()
        metadata = parse_payload(d.payload)
        records: list[Record] = []
        if verdict.commit is not None:
            records.append(_commit(verdict.commit))
            self._emit_durable(committed_event(verdict.commit))
        if verdict.void is not None:
            records.append(self._void(run, (verdict.void.index, verdict.void.attempt), "retake"))
            self._emit_durable(act.Quarantine(verdict.void.name))
        self._settle_con()
        begun: Record = {
            "i": d.index, "a": d.attempt, "tok": d.token.hex(), "meta": meta_sha.hex(),
        }  # fmt: skip
        refusal = self._refuse_exposure()
        if refusal is not None:
            records.append({"k": "FAIL", "code": int(refusal), **begun})
            why = _WHY_NOT[refusal]
            self._emit_durable(act.ExposureFailed(d.index, d.attempt, int(refusal), why))
            self._apply(records)
            self._append(records, partial(self._tell_failed, d.index, d.attempt))
            return
        records.append({"k": "INTENT", **begun})
        self._apply(records)
        self._metadata = (d.payload, metadata)
        self._append(records, partial(self._shutter, connection, d))

    def _refuse_exposure(self) -> Code | None:
        health = self._health
        if health.free_bytes < max(FREE_MIN, 8 * self._est_photo):
            return Code.DISK_LOW
        if health.battery is not None and health.battery < BATTERY_MIN and not health.charging:
            return Code.BATTERY_LOW
        if health.temperature is not None and health.temperature > TEMPERATURE_MAX:
            return Code.THERMAL
        return None

    def _shutter(self, connection: Connection, d: Datagram, now: float) -> None:
        run = self._run()
        self._send(connection, accepted(d, Code.EXPOSING), now)
        self._emit(act.Accepted(d.index, d.attempt))
        self._camera = Ticket(run.subset, d.index, d.attempt, self.boot_id)
        staging = f"{d.index}.{d.attempt}.{self.boot_id.hex()}.part"
        self._emit(act.TriggerCamera(self._camera, staging))
        self._after("camera", now, self._timers.camera)

    def _answer_again(self, connection: Connection, d: Datagram, shot: Shot, now: float) -> None:
        if shot.state is ShotState.INTENT:
            writing = self._storing is not None
            self._send(connection, accepted(d, Code.WRITING if writing else Code.EXPOSING), now)
        elif shot.state in (ShotState.STORED, ShotState.COMMITTED):
            self._send(connection, captured(self._run(), shot, d.pn), now)
        else:
            self._send(connection, failed(d, shot.code), now)

    def _camera_late(self, now: float) -> None:
        """The camera has had its time; the exposure fails, the camera stays busy until it ends."""
        if self._camera is None or self._storing is not None:
            return
        self._emit(act.KillCamera(self._camera))
        seconds = self._timers.camera
        why = f"the camera gave no photo within {seconds:g} s; check that it is in the foreground"
        self._fail(self._camera, act.CameraFailure(Code.CAMERA_TIMEOUT, why))

    def _camera_result(
        self, ticket: Ticket, result: act.Photo | act.CameraFailure, now: float
    ) -> None:
        if ticket != self._camera:
            return
        if not self._is_open(ticket):
            self._camera = None  # the late end of an exposure that was given up
            if isinstance(result, act.Photo):
                self._emit(act.Quarantine(_staging(ticket)))
            return
        self._cancel("camera")
        if isinstance(result, act.CameraFailure):
            self._camera = None
            self._fail(ticket, result)
            return
        try:
            final = self._final_name(ticket, result)
        except (BadPhotoName, KeyError) as error:
            self._camera = None
            self._fail(ticket, act.CameraFailure(Code.FS_ERROR, f"no name: {error}"))
            return
        self._storing = (ticket, result, final)
        self._emit(act.StorePhoto(ticket, _staging(ticket), final, self._metadata[0]))

    def _final_name(self, ticket: Ticket, photo: act.Photo) -> str:
        run, (raw, metadata) = self._run(), self._metadata
        return encode_name(
            PhotoName(
                campaign=run.campaign.hex(),
                subset=run.subset,
                index=ticket.index,
                attempt=ticket.attempt,
                env=str(metadata["env"]),
                key=str(metadata["key"]),
                meta16=hashlib.sha256(raw).hexdigest()[:16],
                photo16=photo.sha256.hex()[:16],
            )
        )

    def _photo_stored(self, ticket: Ticket, failure: act.CameraFailure | None, now: float) -> None:
        if self._storing is None or self._storing[0] != ticket:
            return
        (_, photo, final), self._storing, self._camera = self._storing, None, None
        if not self._is_open(ticket):
            if failure is None:
                self._emit(act.Quarantine(final))
            return
        if failure is not None and failure.code == Code.STORE_LOST:
            self._abort(Code.STORE_LOST, failure.why, None, None)
            return
        if failure is not None:
            self._fail(ticket, failure)
            return
        self._est_photo = max(photo.size, self._est_photo // 2)
        record: Record = {
            "k": "STORED", "i": ticket.index, "a": ticket.attempt, "sha": photo.sha256.hex(),
            "size": photo.size, "name": final, "w": photo.width, "h": photo.height,
            "t0": photo.t_trigger_ns, "t1": photo.t_done_ns,
        }  # fmt: skip
        self._apply([record])
        self._append([record], partial(self._tell_captured, ticket.index, ticket.attempt))

    def _fail(self, ticket: Ticket, failure: act.CameraFailure) -> None:
        shot = self._run().shots[ticket.index, ticket.attempt]
        record: Record = {
            "k": "FAIL", "i": shot.index, "a": shot.attempt, "code": int(failure.code),
            "tok": shot.token.hex(), "meta": shot.meta_sha.hex(), "why": failure.why,
        }  # fmt: skip
        self._apply([record])
        self._emit_durable(
            act.ExposureFailed(shot.index, shot.attempt, int(failure.code), failure.why)
        )
        self._append([record], partial(self._tell_failed, shot.index, shot.attempt))

    def _tell_captured(self, index: int, attempt: int, now: float) -> None:
        shot = self._run().shots[index, attempt]
        self._emit(act.PhotoStored(index, attempt, shot.name))
        self._tell(captured(self._run(), shot, 0), now)

    def _tell_failed(self, index: int, attempt: int, now: float) -> None:
        run = self._run()
        shot = run.shots[index, attempt]
        request = Datagram(
            MessageType.CAPTURE, subset=run.subset, index=index, attempt=attempt, token=shot.token
        )
        self._tell(failed(request, shot.code), now)

    def _tell(self, message: Datagram, now: float) -> None:
        if self._live is not None and self.ledger.latch is None:
            self._con = Outstanding(message)
            self._transmit(self._live, self._con, "con", now)

    def _is_open(self, ticket: Ticket) -> bool:
        run = self.ledger.current
        return (
            run is not None
            and ticket.boot == self.boot_id
            and ticket.subset == run.subset
            and run.open == (ticket.index, ticket.attempt)
        )

    def _void_open(self, why: str) -> list[Record]:
        """As the base does, and the camera is told to stop."""
        records = super()._void_open(why)
        if records and self._camera is not None and self._storing is None:
            self._emit(act.KillCamera(self._camera))
            self._cancel("camera")
        return records


def _staging(ticket: Ticket) -> str:
    return f"{ticket.index}.{ticket.attempt}.{ticket.boot.hex()}.part"


def _commit(shot: Shot) -> Record:
    return {"k": "COMMIT", "i": shot.index, "a": shot.attempt}
