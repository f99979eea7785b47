"""The append-only event log: what happened, in the order in which the controller learned it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select

from rig.store import audit
from rig.store.tables import event as table

# Made once: an event is written two thousand times a second, and making costs more than writing.
_INSERT = insert(table)
_OWN_WISHES = frozenset({"requested", "unqueued", "safe_state"})
"""What the controller does by itself that a person might have done."""


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the log.

    Attributes:
        kind: what happened, e.g. `committed`.
        time_ns: when, by the clock of whoever saw it (Unix time).
        received_ns: when the controller stored it, by its own clock.
        actor: `station:<name>`, `operator`, `controller`, `phone:<station>` or `command`.
        session: the session it belongs to, or None.
        source_seq: the display agent's own number (1, 2, 3...), None for the controller's events.
        index: the x-ray's index, where one is concerned.
        attempt: the exposure number, where one is concerned.
        body: the remaining fields, JSON.
        seq: number in the log; 0 until it is appended.
    """

    kind: str
    time_ns: int
    received_ns: int
    actor: str
    session: str | None = None
    source_seq: int | None = None
    index: int | None = None
    attempt: int | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    seq: int = 0

    def to_json(self) -> dict[str, Any]:
        """As the API and the live stream show it."""
        return {
            "seq": self.seq,
            "event": self.kind,
            "time_ns": self.time_ns,
            "received_ns": self.received_ns,
            "actor": self.actor,
            "session": self.session,
            "source_seq": self.source_seq,
            "index": self.index,
            "attempt": self.attempt,
            "body": dict(self.body),
        }


def append(connection: Connection, event: Event) -> Event:
    """Append *event* and return it with its number."""
    result = connection.execute(
        _INSERT,
        {
            "time_ns": event.time_ns,
            "received_ns": event.received_ns,
            "actor": event.actor,
            "session": event.session,
            "source_seq": event.source_seq,
            "idx": event.index,
            "attempt": event.attempt,
            "kind": event.kind,
            "body": dict(event.body),
        },
    )
    key = result.inserted_primary_key
    if event.actor == "command" or (event.actor == "controller" and event.kind in _OWN_WISHES):
        # What comes through the API is noted there, with its answer.
        audit.append(
            connection,
            audit.Entry(
                event.received_ns, event.actor, event.kind, session=event.session,
                told=audit.plain(event.body),
            ),
        )  # fmt: skip
    return replace(event, seq=int(key[0]) if key else 0)


def last_seq(connection: Connection) -> int:
    """The newest event's number, 0 in an empty log."""
    return connection.scalar(select(func.max(table.c.seq))) or 0


def after(
    connection: Connection,
    seq: int,
    *,
    session: str | None = None,
    kinds: frozenset[str] | None = None,
    limit: int = 500,
) -> list[Event]:
    """Up to *limit* events (of *session*, of these *kinds*) that follow number *seq*, in order.

    Fewer come only when no more follow.
    """
    query = select(table).where(table.c.seq > seq).order_by(table.c.seq).limit(limit)
    if session is not None:
        query = query.where(table.c.session == session)
    if kinds is not None:
        query = query.where(table.c.kind.in_(kinds))
    return [_event(row) for row in connection.execute(query).mappings()]


def latest(
    connection: Connection, *, session: str, kinds: frozenset[str] | None = None, limit: int = 100
) -> list[Event]:
    """The newest *limit* events of *session* (of these *kinds*), newest first."""
    query = select(table).where(table.c.session == session).order_by(table.c.seq.desc())
    if kinds is not None:
        query = query.where(table.c.kind.in_(kinds))
    return [_event(row) for row in connection.execute(query.limit(limit)).mappings()]


def every(connection: Connection, *, page: int = 1000) -> Iterator[Event]:
    """The whole log, oldest first, in bounded memory."""
    seq = 0
    while events := after(connection, seq, limit=page):
        yield from events
        seq = events[-1].seq


def _event(row: RowMapping) -> Event:
    return Event(
        kind=row["kind"],
        time_ns=row["time_ns"],
        received_ns=row["received_ns"],
        actor=row["actor"],
        session=row["session"],
        source_seq=row["source_seq"],
        index=row["idx"],
        attempt=row["attempt"],
        body=row["body"],
        seq=row["seq"],
    )
