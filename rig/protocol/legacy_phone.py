"""LegacyPhoneCore: the original client drives our phone, sans-IO (docs/legacy.md).

The phone decides alone: INTENT, exposure, STORED and COMMIT in one write, then OK. A lost OK is
said again; every other number is a contradiction and latches. Its journal holds the record kinds of
XCAP/1, the "manifest" being empty and the metadata digest that of the path part of the name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from rig.protocol import actions as act
from rig.protocol.actions import Addr, LocalProtocolError, Output, Ticket, WrongCommand
from rig.protocol.codes import FREE_MIN, Code, Timers
from rig.protocol.datagram import canonical
from rig.protocol.endpoint import Endpoint, Rng
from rig.protocol.journal import JournalCorrupt, Record
from rig.protocol.ledger import PhoneLedger, Run, Shot, ShotState
from rig.protocol.legacy import (
    MISMATCH,
    SEQ_MAX,
    BadLegacy,
    LegacyRequest,
    RefusedName,
    decode_request,
    encode_ok,
)

_ENV = "legacy"


@dataclass(frozen=True)
class LegacyPhoneConfig:
    """*first*: number of the first photo; *client*: the only IP address that is listened to."""

    first: int
    client: str
    timers: Timers = field(default_factory=Timers)


class LegacyPhoneCore(Endpoint):
    """One process life of the phone under the original client."""

    def __init__(self, cfg: LegacyPhoneConfig, journal: Sequence[Record], rng: Rng) -> None:
        super().__init__(cfg.timers, rng)
        self._cfg = cfg
        self.boot_id = rng(8)
        self.ledger = PhoneLedger(journal)
        run = self.ledger.current
        if run is not None and run.env != _ENV:
            raise JournalCorrupt("this journal is none of a legacy run; take another folder")
        if run is not None and run.first != cfg.first:
            raise WrongCommand(
                f"this folder was begun with first number {run.first}, not {cfg.first}; it goes on "
                f"with {run.expected}. Give --legacy-first {run.first}, or another --dir"
            )
        self.garbage = 0
        """Datagrams of strangers, and those that are no request."""
        self._request: tuple[LegacyRequest, Addr] | None = None
        self._camera: Ticket | None = None
        self._photo: act.Photo | None = None
        self._free_bytes = 1 << 60
        self._on_timer["camera"] = self._camera_late

    @property
    def expected(self) -> int:
        """The next number."""
        return self._cfg.first if self.ledger.current is None else self.ledger.current.expected

    # -- inputs ------------------------------------------------------------------------------------

    def start(
        self, now: float, missing: Sequence[str] = (), rearm: bytes | None = None
    ) -> list[Output]:
        """Recover: an open exposure is void, a stored photo is committed.

        Args:
            now: the clock.
            missing: names with a STORED record whose files are gone: latches STORE_LOST.
            rearm: id of the latched abort that a person clears.

        Raises:
            WrongCommand: no abort with this id is latched.
        """
        latch = self.ledger.latch
        if rearm is not None and (latch is None or latch.abort_id != rearm):
            held = f"{latch.abort_id.hex()} is" if latch else "no abort is"
            raise WrongCommand(f"{held} latched here, not {rearm.hex()}; look at its reason again")
        return self._input(self._start, tuple(missing), rearm, now)

    def datagram_received(self, data: bytes, addr: Addr, now: float) -> list[Output]:
        """Something came in; only the one client counts."""
        if addr[0] != self._cfg.client:
            self.garbage += 1
            return []
        return self._input(self._received, data, addr, now, lossy=True)

    def camera_result(
        self, ticket: Ticket, result: act.Photo | act.CameraFailure, now: float
    ) -> list[Output]:
        """What the camera made of `TriggerCamera` *ticket*."""
        return self._input(self._shot, ticket, result, now)

    def photo_stored(
        self, ticket: Ticket, failure: act.CameraFailure | None, now: float
    ) -> list[Output]:
        """`StorePhoto` *ticket* is durable, or why it is not."""
        return self._input(self._stored, ticket, failure, now)

    def environment(self, free_bytes: int, now: float) -> list[Output]:
        """Bytes that are free for photos."""
        self._free_bytes = free_bytes
        return []

    # -- start -------------------------------------------------------------------------------------

    def _start(self, missing: tuple[str, ...], rearm: bytes | None, now: float) -> None:
        records: list[Record] = []
        if self.ledger.current is None:
            camp = self._rng(8).hex()
            records += [
                {
                    "k": "RUN", "camp": camp, "sub": 0, "first": self._cfg.first, "last": SEQ_MAX,
                    "man": bytes(32).hex(), "env": _ENV, "ses": "",
                },
                {"k": "ARM", "camp": camp, "sub": 0},
            ]  # fmt: skip
        records.append({"k": "BOOT", "boot": self.boot_id.hex()})
        self._apply(records)
        mended = self._mend()
        if rearm is not None:
            mended.append({"k": "CLEAR", "id": rearm.hex()})
        self._apply(mended)
        records += mended
        if missing and self.ledger.latch is None:
            why = (
                f"{len(missing)} stored photo(s) are gone from the phone, first {missing[0]}; put "
                "them back into its photo folder"
            )
            lost = self._abort_record(Code.STORE_LOST, why, None, None)
            self._apply([lost])
            records.append(lost)
        self._append(records, partial(self._started, rearm))

    def _mend(self) -> list[Record]:
        run = self._run()
        if run.open is not None:
            return [self._end("VOID", run.open, Code.STALE, "restart")]
        if run.in_doubt is not None:
            return [{"k": "COMMIT", "i": run.in_doubt[0], "a": run.in_doubt[1]}]
        return []

    def _started(self, rearm: bytes | None, now: float) -> None:
        run = self._run()
        if rearm is not None:
            self._emit(act.Rearmed(rearm))
        if self.ledger.latch is not None:
            self._latched(now)
        else:
            self._emit(act.Armed(0, run.expected, run.last, ""))

    # -- requests ----------------------------------------------------------------------------------

    def _received(self, data: bytes, addr: Addr, now: float) -> None:
        try:
            request = decode_request(data)
        except RefusedName as refused:
            # Not latched: nothing but a bad name was said. The client stops after two of these.
            self._emit(act.ExposureFailed(self._run().expected, 0, Code.PROTOCOL, str(refused)))
            self._emit(act.SendDatagram(MISMATCH, addr))
            return
        except BadLegacy:
            self.garbage += 1
            return
        last = self._last()
        if last is not None and self._same(request, last):
            self._emit(act.SendDatagram(encode_ok(request.name), addr))
        elif self.ledger.latch is not None:
            self._emit(act.SendDatagram(MISMATCH, addr))
        else:
            self._serve(request, addr, now)

    def _serve(self, request: LegacyRequest, addr: Addr, now: float) -> None:
        run = self._run()
        if request.seq != run.expected:
            why = "the client asks for another number than the next"
            self._abort(Code.INDEX_MISMATCH, why, request, addr)
        elif run.open is not None:
            if self._same(request, run.shots[run.open]):
                self._request = request, addr  # asked again, from a new socket: that one is told
            else:
                why = f"the client asks for another x-ray while number {request.seq} is exposed"
                self._abort(Code.META_CONFLICT, why, request, addr)
        elif self._free_bytes < FREE_MIN:
            why = "the phone's storage is nearly full; free some room, the client asks again"
            self._emit(act.ExposureFailed(request.seq, 0, Code.DISK_LOW, why))
        else:
            self._intend(request, addr)

    def _intend(self, request: LegacyRequest, addr: Addr) -> None:
        attempt = self._run().last_attempt + 1
        record: Record = {
            "k": "INTENT", "i": request.seq, "a": attempt, "tok": bytes(8).hex(),
            "meta": request.path_sha.hex(),
        }  # fmt: skip
        self._apply([record])
        self._request, self._photo = (request, addr), None
        self._append([record], self._expose)

    def _expose(self, now: float) -> None:
        index, attempt = self._require_open()
        self._camera = Ticket(0, index, attempt, self.boot_id)
        self._emit(act.Accepted(index, attempt))
        self._emit(act.TriggerCamera(self._camera, self._staging(self._camera)))
        self._after("camera", now, self._timers.camera)

    # -- camera and files --------------------------------------------------------------------------

    def _camera_late(self, now: float) -> None:
        if self._camera is not None:
            self._emit(act.KillCamera(self._camera))
            self._after("camera", now, self._timers.camera)

    def _shot(self, ticket: Ticket, result: act.Photo | act.CameraFailure, now: float) -> None:
        if ticket != self._camera:
            raise LocalProtocolError(f"no exposure {ticket} is under way")
        self._camera = None
        self._cancel("camera")
        if self._request is None:  # aborted meanwhile
            self._emit(act.Quarantine(self._staging(ticket)))
        elif isinstance(result, act.CameraFailure):
            self._emit(act.Quarantine(self._staging(ticket)))
            self._fail(ticket, result)
        else:
            self._photo = result
            request = self._request[0]
            sidecar = canonical({"index": request.seq, "legacy": True, "name": request.name})
            self._emit(act.StorePhoto(ticket, self._staging(ticket), request.file_name, sidecar))

    def _stored(self, ticket: Ticket, failure: act.CameraFailure | None, now: float) -> None:
        key = (ticket.index, ticket.attempt)
        if self._run().open != key or self._photo is None or self._request is None:
            return  # aborted meanwhile: the next start puts the file aside
        if failure is not None and failure.code == Code.STORE_LOST:
            self._abort(Code.STORE_LOST, failure.why, *self._request)
            return
        if failure is not None:
            self._emit(act.Quarantine(self._staging(ticket)))
            self._fail(ticket, failure)
            return
        photo, name = self._photo, self._photo_name()
        records: list[Record] = [
            {
                "k": "STORED", "i": key[0], "a": key[1], "sha": photo.sha256.hex(),
                "size": photo.size, "name": name, "w": photo.width, "h": photo.height,
                "t0": photo.t_trigger_ns, "t1": photo.t_done_ns,
            },
            {"k": "COMMIT", "i": key[0], "a": key[1]},
        ]  # fmt: skip
        self._apply(records)
        self._append(records, partial(self._kept, self._run().shots[key]))

    def _kept(self, shot: Shot, now: float) -> None:
        if self._request is None:
            raise LocalProtocolError("a photo was kept that nobody asked for")
        request, addr = self._request
        self._request = self._photo = None
        self._emit(act.PhotoStored(shot.index, shot.attempt, shot.name))
        self._emit(act.Committed(shot.index, shot.attempt, shot.sha256, shot.name))
        self._emit(act.SendDatagram(encode_ok(request.name), addr))

    def _fail(self, ticket: Ticket, failure: act.CameraFailure) -> None:
        """No answer: the client asks again with the same number and name, and gets a new try."""
        key = (ticket.index, ticket.attempt)
        record = self._end("FAIL", key, failure.code, failure.why)
        self._apply([record])
        self._request = self._photo = None
        self._emit_durable(act.ExposureFailed(*key, failure.code, failure.why))
        self._append([record], self._failed)

    def _failed(self, now: float) -> None:
        """Nothing more to do: the client asks again."""

    # -- the latch ---------------------------------------------------------------------------------

    def _abort(self, code: int, why: str, request: LegacyRequest, addr: Addr) -> None:
        run = self._run()
        records = [self._end("VOID", run.open, Code.STALE, "abort")] if run.open else []
        records.append(self._abort_record(code, why, run.expected, request.seq))
        if self._camera is not None:
            self._emit(act.KillCamera(self._camera))
        self._request = self._photo = None
        self._apply(records)
        self._append(records, partial(self._refuse, addr))

    def _refuse(self, addr: Addr, now: float) -> None:
        self._emit(act.SendDatagram(MISMATCH, addr))
        self._latched(now)

    def _latched(self, now: float) -> None:
        latch = self.ledger.latch
        if latch is None:
            raise LocalProtocolError("no abort is latched")
        self._emit(
            act.Aborted(latch.abort_id, latch.code, latch.why, latch.expected, latch.got, latch.by)
        )

    def _abort_record(self, code: int, why: str, expected: int | None, got: int | None) -> Record:
        return {
            "k": "ABORT", "id": self._rng(8).hex(), "code": int(code), "why": why,
            "exp": expected, "got": got, "by": "phone",
        }  # fmt: skip

    # -- small things ------------------------------------------------------------------------------

    def _end(self, kind: str, key: tuple[int, int], code: int, why: str) -> Record:
        return {"k": kind, "i": key[0], "a": key[1], "code": int(code), "why": why[:600]}

    def _apply(self, records: Sequence[Record]) -> None:
        for record in records:
            self.ledger.apply(record)

    def _run(self) -> Run:
        if self.ledger.current is None:
            raise LocalProtocolError("the core was not started")
        return self.ledger.current

    def _last(self) -> Shot | None:
        """The photo that was committed last."""
        run = self._run()
        for (index, _), shot in reversed(run.shots.items()):
            if index == run.expected - 1 and shot.state is ShotState.COMMITTED:
                return shot
        return None

    def _same(self, request: LegacyRequest, shot: Shot) -> bool:
        return (request.seq, request.path_sha) == (shot.index, shot.meta_sha)

    def _require_open(self) -> tuple[int, int]:
        key = self._run().open
        if key is None:
            raise LocalProtocolError("no exposure is open")
        return key

    def _photo_name(self) -> str:
        if self._request is None:
            raise LocalProtocolError("no request is under way")
        return self._request[0].file_name

    def _staging(self, ticket: Ticket) -> str:
        return f"{ticket.index}.{ticket.attempt}.{ticket.boot.hex()}.part"
