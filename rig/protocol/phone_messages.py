"""What the phone says: its standing in READY; ACCEPTED, CAPTURED, FAILED of an exposure."""

from __future__ import annotations

from rig.protocol.codes import Code, Flag, MessageType
from rig.protocol.datagram import Datagram, Scalar, canonical
from rig.protocol.ledger import Latch, Run, Shot
from rig.protocol.payload import clip, told, told_abort
from rig.protocol.phone_base import Health, PhoneConfig


def standing(run: Run | None, latch: Latch | None) -> dict[str, Scalar]:
    """What READY says of the phone's books: decided photos, the one in doubt, the abort."""
    doubtful = run.doubtful if run else None
    return {
        "committed": run.committed if run else 0,
        "last_attempt": run.last_attempt if run else 0,
        "chain": run.chain.hex() if run else "",
        "aborted_id": latch.abort_id.hex() if latch else None,
        "aborted_code": latch.code if latch else 0,
        "aborted_why": told_abort(latch.why, 160) if latch else "",
        "aborted_expected": latch.expected if latch else None,
        "aborted_got": latch.got if latch else None,
        **(_doubt(doubtful) if doubtful else {}),
    }


def condition(health: Health, cfg: PhoneConfig) -> dict[str, Scalar]:
    """What READY says of the device."""
    return {
        "free_bytes": min(health.free_bytes, (1 << 53) - 1),
        "battery_pct": health.battery,
        "charging": health.charging,
        "temp_c": None if health.temperature is None else round(health.temperature),
        "camera": clip(cfg.camera, 40),
        "camera_w": cfg.camera_size[0],
        "camera_h": cfg.camera_size[1],
    }


def _doubt(shot: Shot) -> dict[str, Scalar]:
    return {
        "in_doubt_index": shot.index,
        "in_doubt_attempt": shot.attempt,
        "in_doubt_sha": shot.sha256.hex(),
        "in_doubt_token": shot.token.hex(),
        "in_doubt_size": shot.size,
        "in_doubt_w": shot.width,
        "in_doubt_h": shot.height,
        "in_doubt_t0": str(shot.t_trigger_ns),
        "in_doubt_t1": str(shot.t_done_ns),
    }


def accepted(d: Datagram, code: Code) -> Datagram:
    """The answer to CAPTURE *d* whose exposure is not over; *code*: EXPOSING, WRITING..."""
    return Datagram(
        MessageType.ACCEPTED,
        ack_pn=d.pn,
        subset=d.subset,
        index=d.index,
        attempt=d.attempt,
        code=code,
        token=d.token,
    )


def captured(run: Run, shot: Shot, ack_pn: int) -> Datagram:
    """The photo of *shot* is durable; *ack_pn* is 0 when no CAPTURE asked for it just now."""
    # Nanoseconds since 1970 exceed 2^53, the largest integer that every JSON reader keeps exact.
    payload: dict[str, Scalar] = {
        "sha256": shot.sha256.hex(), "size": shot.size, "name": shot.name,
        "t_trigger": str(shot.t_trigger_ns), "t_done": str(shot.t_done_ns),
        "w": shot.width, "h": shot.height,
    }  # fmt: skip
    return Datagram(
        MessageType.CAPTURED,
        ack_pn=ack_pn,
        flags=Flag.CON,
        subset=run.subset,
        index=shot.index,
        attempt=shot.attempt,
        token=shot.token,
        digest=shot.sha256[:8],
        payload=canonical(payload),
    )


def failed(d: Datagram, code: int, why: str = "") -> Datagram:
    """The exposure that CAPTURE *d* asks for came to nothing: *code*, and *why* for people."""
    why = told(why)
    return Datagram(
        MessageType.FAILED,
        ack_pn=d.pn,
        flags=Flag.CON,
        subset=d.subset,
        index=d.index,
        attempt=d.attempt,
        code=int(code),
        token=d.token,
        payload=canonical({"why": why}) if why else b"",
    )
