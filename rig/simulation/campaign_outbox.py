"""What a simulated display agent tells the controller: numbered, durable, sent until acknowledged.

It keeps the promises of a real display agent: decisions, aborts and ends are durable at once,
everything else is before it is sent; an abort, an end and a commit are told once, also across
crashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rig.protocol import actions as act
from rig.protocol.codes import code_name
from rig.protocol.journal import Record

Message = dict[str, Any]
Said = tuple[str, int | None, int | None, dict[str, Any]]
"""Kind, index, attempt, body."""
_DURABLE = frozenset({"committed", "aborted", "completed", "stopped", "rearmed"})


def describe(event: act.Event, sources: dict[int, str]) -> Said | None:
    """*event* as the controller hears it; None for what it never hears.

    Args:
        event: of the display's core.
        sources: SHA-256 of each x-ray by its index.
    """
    if isinstance(event, act.Committed):
        return committed(event.record, sources)
    if isinstance(event, act.Accepted):
        return "accepted", event.index, event.attempt, {}
    if isinstance(event, act.Retake):
        return "retake", event.index, event.attempt, {"why": event.why}
    if isinstance(event, act.Connected):
        return "connected", None, None, dict(event.info)
    if isinstance(event, act.Armed):
        return "armed", event.index, None, {"first": event.index, "last": event.last}
    if isinstance(event, act.PeerLost):
        return "link_lost", None, None, {"seconds": round(event.seconds, 1)}
    if isinstance(event, act.PeerBack):
        return "link_back", None, None, {}
    return _halted(event)


def _halted(event: act.Event) -> Said | None:
    if isinstance(event, act.Paused):
        return "paused", None, None, {"code": code_name(event.code), "why": event.why}
    if isinstance(event, act.Resumed):
        return "resumed", None, None, {}
    if isinstance(event, act.Aborted):
        body = {"abort_id": event.abort_id.hex(), "code": code_name(event.code), "why": event.why}
        return "aborted", event.got, None, {**body, "expected": event.expected, "by": event.by}
    if isinstance(event, act.Rearmed):
        return "rearmed", None, None, {"abort_id": event.abort_id.hex()}
    if isinstance(event, act.Completed):
        kind = "stopped" if event.stopped else "completed"
        return kind, None, None, {"count": event.count, "chain": event.chain.hex()}
    if isinstance(event, act.Stopping):
        return "stopping", None, None, {}
    return None


def committed(done: Record, sources: dict[int, str]) -> Said:
    """What is told of a DONE record of the display's journal."""
    index, attempt = int(str(done["i"])), int(str(done["a"]))
    body = {
        "sha256": done["sha"],
        "size": done["size"],
        "name": done["name"],
        "t_trigger_ns": int(str(done["t0"])),
        "t_done_ns": int(str(done["t1"])),
        "w": done["w"],
        "h": done["h"],
        "source_sha256": sources.get(index),
    }
    return "committed", index, attempt, body


class Outbox:
    """The events of one session, numbered from 1.

    Attributes:
        messages: all that are kept, in order.
        acked: the controller has confirmed every one up to this number, as far as the agent knows.
    """

    def __init__(self, session: str, sources: dict[int, str], clock_ns: Callable[[], int]) -> None:
        self.session = session
        self.sources = sources
        self.messages: list[Message] = []
        self.acked = 0
        self._clock_ns = clock_ns
        self._synced = 0
        self._told: set[tuple[str, object]] = set()

    def tell(self, said: Said) -> None:
        """Keep one event, unless it is one that is told once and was."""
        kind, index, attempt, body = said
        once = _once(kind, index, attempt, body)
        if once is not None and once in self._told:
            return
        if once is not None:
            self._told.add(once)
        self.messages.append({
            "event": kind, "session": self.session, "seq": len(self.messages) + 1,
            "time_ns": self._clock_ns(), "index": index, "attempt": attempt, **body,
        })  # fmt: skip
        if kind in _DURABLE:
            self._synced = len(self.messages)

    def reconcile(self, journal: Iterable[Record]) -> None:
        """Tell of decisions that were journalled just before a crash and never became events."""
        for record in journal:
            if record["k"] == "DONE":
                self.tell(committed(record, self.sources))

    def crash(self, *, power: bool) -> None:
        """The agent dies; with the *power* also what no fsync had reached."""
        if power:
            del self.messages[self._synced :]

    def unsent(self, limit: int) -> list[Message]:
        """Up to *limit* messages that the controller has not confirmed, durable from now on."""
        self._synced = len(self.messages)
        return self.messages[self.acked : self.acked + limit]


def _once(
    kind: str, index: int | None, attempt: int | None, body: dict[str, Any]
) -> tuple[str, object] | None:
    if kind == "committed":
        return kind, (index, attempt)
    if kind in {"aborted", "completed", "stopped"}:
        return kind, body.get("abort_id")
    return None
