"""The phone's camera: one exposure at a time, and what becomes of it (section 4).

The camera is another process and outlives ours: it may hang, fail, fire late, or bring a photo of
an exposure that was given up. Each change is looked up in `transitions.CAMERA`; results carry the
ticket of their exposure, and what nobody waits for any more is put aside.
"""

from __future__ import annotations

import hashlib
from abc import ABC
from collections.abc import Sequence
from functools import partial

from rig.protocol import actions as act
from rig.protocol.actions import LocalProtocolError, Output, Ticket
from rig.protocol.codes import Code, MessageType
from rig.protocol.datagram import Datagram, Scalar
from rig.protocol.endpoint import Connection, Outstanding, Rng
from rig.protocol.journal import Record
from rig.protocol.names import BadPhotoName, PhotoName, encode_name
from rig.protocol.phone_base import PhoneConfig
from rig.protocol.phone_messages import accepted, captured, failed
from rig.protocol.phone_metadata import PhoneMetadata
from rig.protocol.transitions import CAMERA, CameraState, CameraTrigger

_NAMELESS = "this x-ray's metadata makes no file name; its env or key is missing or unfit"


class PhoneCamera(PhoneMetadata, ABC):
    """Adds the camera; `PhoneCore` adds the commands that use it."""

    def __init__(self, cfg: PhoneConfig, journal: Sequence[Record], psk: bytes, rng: Rng) -> None:
        super().__init__(cfg, journal, psk, rng)
        self._camera: Ticket | None = None
        self._camera_state = CameraState.FREE
        self._storing: tuple[Ticket, act.Photo, str] | None = None
        self._metadata: tuple[bytes, dict[str, Scalar]] = (b"", {})
        self._on_timer["camera"] = self._camera_late
        self._on_timer["rest"] = self._rested

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

    # -- states ------------------------------------------------------------------------------------

    def _move(self, trigger: CameraTrigger) -> None:
        """Move to the state that *trigger* leads to; the only place where it changes."""
        after = CAMERA.get((self._camera_state, trigger))
        if after is None:
            where = self._camera_state.name
            raise LocalProtocolError(f"{trigger.name} leads the camera nowhere from {where}")
        self._camera_state = after

    @property
    def _busy(self) -> bool:
        """Whether no photo may be asked for now."""
        return self._camera_state is not CameraState.FREE

    def _start(self, now: float, missing: tuple[str, ...]) -> None:
        if self._cfg.quiesce > 0:
            self._rest_or(CameraTrigger.REST, now)
        super()._start(now, missing)

    def _rest_or(self, otherwise: CameraTrigger, now: float) -> None:
        """Leave the camera alone for a while, if it is one that must be."""
        if self._cfg.quiesce > 0:
            self._move(CameraTrigger.REST)
            self._after("rest", now, self._cfg.quiesce)
        else:
            self._move(otherwise)

    def _rested(self, now: float) -> None:
        del now
        self._move(CameraTrigger.RESTED)

    # -- one exposure ------------------------------------------------------------------------------

    def _shutter(self, connection: Connection, d: Datagram, now: float) -> None:
        run = self._run()
        self._send(connection, accepted(d, Code.EXPOSING), now)
        self._emit(act.Accepted(d.index, d.attempt))
        self._move(CameraTrigger.SHUTTER)
        self._camera = Ticket(run.subset, d.index, d.attempt, self.boot_id)
        self._emit(act.TriggerCamera(self._camera, _staging(self._camera)))
        self._after("camera", now, self._timers.camera)

    def _camera_late(self, now: float) -> None:
        """The camera has had its time; the exposure fails, the camera stays busy until it ends."""
        if self._camera is None or self._camera_state is not CameraState.EXPOSING:
            return
        self._move(CameraTrigger.GIVEN_UP)
        self._emit(act.KillCamera(self._camera))
        seconds = self._timers.camera
        why = f"the camera gave no photo within {seconds:g} s; check that it is in the foreground"
        self._fail(self._camera, act.CameraFailure(Code.CAMERA_TIMEOUT, why))

    def _camera_result(
        self, ticket: Ticket, result: act.Photo | act.CameraFailure, now: float
    ) -> None:
        if ticket != self._camera:
            return
        if self._camera_state is CameraState.LATE:
            self._camera = None
            self._rest_or(CameraTrigger.ENDED, now)
            if isinstance(result, act.Photo):
                self._emit(act.Quarantine(_staging(ticket)))
            return
        if self._camera_state is not CameraState.EXPOSING:
            return  # it has answered before
        self._cancel("camera")
        if isinstance(result, act.CameraFailure):
            self._failed(ticket, result, now)
            return
        try:
            final = self._final_name(ticket, result)
        except (BadPhotoName, KeyError):
            self._failed(ticket, act.CameraFailure(Code.FS_ERROR, _NAMELESS), now)
            return
        self._move(CameraTrigger.PHOTO)
        self._storing = (ticket, result, final)
        self._emit(act.StorePhoto(ticket, _staging(ticket), final, self._metadata[0]))

    def _failed(self, ticket: Ticket, failure: act.CameraFailure, now: float) -> None:
        """The call has ended without a photo; only after a time-out one may still appear."""
        self._camera = None
        if failure.code == Code.CAMERA_TIMEOUT:
            self._rest_or(CameraTrigger.FAILED, now)
        else:
            self._move(CameraTrigger.FAILED)
        self._fail(ticket, failure)

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
        if self._camera_state is CameraState.DROPPED:
            self._move(CameraTrigger.ENDED)
            if failure is None:
                self._emit(act.Quarantine(final))
            return
        self._move(CameraTrigger.STORED)
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
        self._tell(failed(request, shot.code, shot.why), now)

    def _tell(self, message: Datagram, now: float) -> None:
        if self._live is not None and self.ledger.latch is None:
            self._con = Outstanding(message)
            self._transmit(self._live, self._con, "con", now)

    def _void_open(self, why: str) -> list[Record]:
        """As the base does, and the camera is told to stop."""
        records = super()._void_open(why)
        if not records or self._camera is None:
            return records
        if self._camera_state is CameraState.EXPOSING:
            self._emit(act.KillCamera(self._camera))
            self._cancel("camera")
        self._move(CameraTrigger.GIVEN_UP)
        return records


def _staging(ticket: Ticket) -> str:
    return f"{ticket.index}.{ticket.attempt}.{ticket.boot.hex()}.part"
