"""PhoneCore: the phone's side of XCAP/1, sans-IO (section 4).

The phone stores; the display decides. A photo goes INTENT -> STORED -> COMMITTED, and the phone
learns a decision from the command that follows it. Datagrams, journal and camera are the shell's.
"""

from __future__ import annotations

import hashlib
from functools import partial

from rig.protocol import actions as act
from rig.protocol.codes import (
    BATTERY_MIN,
    FREE_MIN,
    TEMPERATURE_MAX,
    Code,
    MessageType,
)
from rig.protocol.datagram import Datagram, canonical, parse_payload
from rig.protocol.endpoint import Connection
from rig.protocol.journal import Record
from rig.protocol.ledger import Run, Shot, ShotState
from rig.protocol.payload import heard_abort
from rig.protocol.phone_base import PhoneConfig, committed_event
from rig.protocol.phone_camera import PhoneCamera
from rig.protocol.phone_messages import accepted, captured, failed
from rig.protocol.verdict import Contradiction, Expose, Repeat, Stale, Wait, judge_capture

__all__ = ["PhoneConfig", "PhoneCore"]


class PhoneCore(PhoneCamera):
    """One process life of the phone agent. Inputs are methods; each returns outputs in order."""

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
        self._abort(d.code, *heard_abort(d.payload, d.code), adopted=d.digest)

    def _on_finish(self, connection: Connection, d: Datagram, now: float) -> None:
        run, records = self._run(), list[Record]()
        doubtful, agreed = run.doubtful, run.chain[:8] == d.chain
        if doubtful is not None and doubtful.index == d.index:
            agreed = run.chain_after(doubtful)[:8] == d.chain
            if agreed:
                records.append(_commit(doubtful))
        elif run.expected != d.index + 1 or d.index > run.last:
            why = f"the display says the subset is finished; the phone expects {run.expected}"
            self._abort(Code.INDEX_MISMATCH, why, run.expected, d.index + 1)
            return
        elif agreed and run.finished:
            self._finished(connection, d, now)
            return
        elif agreed:
            records.extend(self._void_rest(run))
        if not agreed:
            why = "the display's history of this subset differs from the phone's"
            self._abort(Code.CHAIN_MISMATCH, why, None, None)
            return
        self._apply(records)
        finish: Record = {"k": "FINISH", "count": run.committed, "chain": run.chain.hex()}
        self._apply([finish])
        self._finish_pn = d.pn
        self._settle_con()
        if doubtful is not None and doubtful.index == d.index:
            self._emit_durable(committed_event(doubtful))
        stopped = run.expected <= run.last
        self._emit_durable(act.Completed(run.committed, run.chain, stopped=stopped))
        self._append([*records, finish], partial(self._finished, connection, d))

    def _void_rest(self, run: Run) -> list[Record]:
        """The display stops without the exposure that is open or the photo that is in doubt."""
        records, doubtful = self._void_open("the subset was stopped"), run.doubtful
        if doubtful is not None:
            key = (doubtful.index, doubtful.attempt)
            records.append(self._void(run, key, "the subset was stopped"))
            self._emit_durable(act.Quarantine(doubtful.name))
        return records

    def _finished(self, connection: Connection, d: Datagram, now: float) -> None:
        run = self._run()
        payload = canonical({"count": run.committed, "chain": run.chain.hex()})
        reply = Datagram(
            MessageType.FINISHED, ack_pn=d.pn, subset=run.subset, index=d.index, payload=payload
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
        verdict = judge_capture(run, d, busy=self._busy)
        if isinstance(verdict, Repeat):
            self._answer_again(connection, d, verdict.shot, now)
        elif isinstance(verdict, Stale) or self._overtaken(run, d):
            self._send(connection, failed(d, Code.STALE), now)
        elif isinstance(verdict, Wait):
            self._send(connection, accepted(d, Code.WAIT_CAMERA), now)
        elif isinstance(verdict, Contradiction):
            self._abort(verdict.code, verdict.why, verdict.expected, d.index)
        elif whole is None:
            self._send(connection, accepted(d, Code.NEED_META), now)
        else:
            self._expose(connection, whole, verdict, hashlib.sha256(whole.payload).digest())

    def _overtaken(self, run: Run, d: Datagram) -> bool:
        """Whether *d* was given up by a pause at once, and the FINISH of a stop arrived first."""
        unknown = d.index == run.expected and (d.index, d.attempt) not in run.shots
        return run.finished and unknown and d.pn < self._finish_pn

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
            code, why = refusal
            records.append({"k": "FAIL", "code": int(code), "why": why, **begun})
            self._emit_durable(act.ExposureFailed(d.index, d.attempt, int(code), why))
            self._apply(records)
            self._append(records, partial(self._tell_failed, d.index, d.attempt))
            return
        records.append({"k": "INTENT", **begun})
        self._apply(records)
        self._metadata = (d.payload, metadata)
        self._append(records, partial(self._shutter, connection, d))

    def _refuse_exposure(self) -> tuple[Code, str] | None:
        """Why this phone should not expose now: a code that pauses, and a sentence with figures."""
        health, needed = self._health, max(FREE_MIN, 8 * self._est_photo)
        if health.free_bytes < needed:
            return Code.DISK_LOW, (
                f"{health.free_bytes >> 20} MiB are free on the phone, {-(-needed >> 20)} MiB are "
                "needed; free some room, then resume"
            )
        if health.battery is not None and health.battery < BATTERY_MIN and not health.charging:
            return Code.BATTERY_LOW, (
                f"the phone's battery is at {health.battery} % and not charging, {BATTERY_MIN} % "
                "are needed; plug it in, then resume"
            )
        if health.temperature is not None and health.temperature > TEMPERATURE_MAX:
            return Code.THERMAL, (
                f"the phone's battery is at {health.temperature:g} °C, at most "
                f"{TEMPERATURE_MAX:g} °C are allowed; let it cool down, then resume"
            )
        return None

    def _answer_again(self, connection: Connection, d: Datagram, shot: Shot, now: float) -> None:
        if shot.state is ShotState.INTENT:
            writing = self._storing is not None
            self._send(connection, accepted(d, Code.WRITING if writing else Code.EXPOSING), now)
        elif shot.state in (ShotState.STORED, ShotState.COMMITTED):
            self._send(connection, captured(self._run(), shot, d.pn), now)
        else:
            self._send(connection, failed(d, shot.code, shot.why), now)


def _commit(shot: Shot) -> Record:
    return {"k": "COMMIT", "i": shot.index, "a": shot.attempt}
