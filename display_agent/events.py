"""Protocol events as the JSON that the controller and scripts read."""

from __future__ import annotations

from typing import Any

from rig.protocol import actions as act
from rig.protocol.codes import code_name
from rig.protocol.journal import Record

Described = tuple[str, int | None, int | None, dict[str, Any]]
"""Kind, index, attempt, body."""


def describe(
    event: act.Output, *, round_trip: float | None, sources: dict[int, str]
) -> Described | None:
    """*event* as kind, index, attempt and body; None for what nobody outside needs.

    Args:
        event: what the core said.
        round_trip: smoothed, in seconds.
        sources: SHA-256 of each x-ray of the plan by its index.
    """
    if isinstance(event, act.Committed):
        return committed(event.record, round_trip=round_trip, sources=sources)
    if isinstance(event, act.Accepted):
        return "accepted", event.index, event.attempt, {}
    if isinstance(event, act.Retake):
        return "retake", event.index, event.attempt, {"why": event.why[:2000]}
    if isinstance(event, act.Connected):
        return "connected", None, None, dict(event.info)
    if isinstance(event, act.Armed):
        return "armed", event.index, None, {"first": event.index, "last": event.last}
    if isinstance(event, act.PeerLost):
        return "link_lost", None, None, _lost(event.seconds)
    if isinstance(event, act.PeerBack):
        return "link_back", None, None, {}
    if isinstance(event, act.Paused):
        body = {"code": code_name(event.code), "why": event.why[:2000]}
        return "paused", None, None, body
    if isinstance(event, act.Resumed):
        return "resumed", None, None, {}
    if isinstance(event, act.Aborted):
        return "aborted", event.got, None, _aborted(event)
    if isinstance(event, act.Rearmed):
        return "rearmed", None, None, {"abort_id": event.abort_id.hex()}
    if isinstance(event, act.Completed):
        kind = "stopped" if event.stopped else "completed"
        return kind, None, None, {"count": event.count, "chain": event.chain.hex()}
    if isinstance(event, act.Stopping):
        return "stopping", None, None, {}
    return None


def committed(done: Record, *, round_trip: float | None, sources: dict[int, str]) -> Described:
    """The event of a DONE record of the journal."""
    index, attempt = int(str(done["i"])), int(str(done["a"]))
    body = {
        "sha256": done["sha"],
        "size": done["size"],
        "name": done["name"],
        "t_trigger_ns": int(str(done["t0"])),
        "t_done_ns": int(str(done["t1"])),
        "w": done["w"],
        "h": done["h"],
        "rtt_ms": None if round_trip is None else round(round_trip * 1000, 3),
        "source_sha256": sources.get(index),
    }
    return "committed", index, attempt, body


def _lost(seconds: float) -> dict[str, Any]:
    """0 s: the phone agent said that it leaves."""
    why = (
        f"the phone has not been heard for {seconds:.0f} s; check that it is on, in this Wi-Fi and "
        "that the agent runs"
        if seconds
        else "the phone agent was stopped; start it again on the phone"
    )
    return {"seconds": round(seconds, 1), "why": f"{why}; it connects again by itself"}


def _aborted(event: act.Aborted) -> dict[str, Any]:
    return {
        "abort_id": event.abort_id.hex(),
        "code": code_name(event.code),
        "why": event.why[:2000],
        "expected": event.expected,
        "got": event.got,
        "by": event.by,
    }
