"""From events to the tables that pages read; the same code runs live and when rebuilding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from rig.capture import alignment_rows, capture_rows, condition_rows, locks, states
from rig.capture.capture_rows import Changes
from rig.capture.states import ENDED, Finish, Request, State
from rig.store import events, tables
from rig.store.events import Event

# Made once: they are used for every event.
_SESSION = select(tables.session).where(tables.session.c.id == bindparam("id"))
_UPDATE = update(tables.session).where(tables.session.c.id == bindparam("session_id"))
_BEGUN = frozenset({State.ARMED, State.RUNNING, State.PAUSED, State.STOPPING})


def record(connection: Connection, event: Event) -> Event:
    """Append *event* and update the projections, in the caller's transaction."""
    stored = events.append(connection, event)
    project(connection, stored)
    return stored


def rebuild(connection: Connection) -> int:
    """Empty the projections and make them anew from the log; returns the number of events."""
    projected = (
        tables.capture, tables.claim, tables.photo, tables.condition, tables.batch, tables.job
    )  # fmt: skip
    for table in (*projected, tables.lock, tables.session):
        connection.execute(delete(table))
    count = 0
    for event in events.every(connection):
        project(connection, event)
        count += 1
    return count


def project(connection: Connection, event: Event) -> None:
    """Bring the projections up to *event*."""
    if event.kind == "job":
        _job(connection, event)
        return
    if event.kind == states.SESSION_CREATED:
        _create(connection, event)
        return
    if event.kind in locks.KINDS and event.source_seq is None:
        locks.project(connection, event)  # and changes nothing else
        return
    if event.session is None:
        return
    row = connection.execute(_SESSION, {"id": event.session}).mappings().one()
    changes = _move(row, event)
    if effect := _EFFECTS.get(event.kind):
        changes |= effect(connection, row, event)
    changes |= alignment_rows.changes(connection, row, event)
    connection.execute(_UPDATE, {"session_id": event.session, **changes})
    if event.kind in condition_rows.KINDS and row["kind"] == tables.SUBSET:
        condition_rows.project(connection, row, event)


def _create(connection: Connection, event: Event) -> None:
    body = event.body
    connection.execute(
        insert(tables.session).values(
            id=event.session,
            **{key: body[key] for key in ("campaign", "subset", "station", "first", "last")},
            state=State.CREATED,
            created_ns=event.time_ns,
            updated_ns=event.received_ns,
            source_seq=0,
            committed=0,
            retakes=0,
            photos=0,
            verified=0,
            rejected=0,
            run=body.get("run", 0),
            reshoots=body.get("reshoots"),
            kind=body.get("kind", tables.SUBSET),
            parent=body.get("parent"),
        )
    )


def _move(row: RowMapping, event: Event) -> Changes:
    """State, request and times after *event*."""
    before = State(row["state"])
    pending = Request(row["requested"]) if row["requested"] else None
    asked = Request(event.body["do"]) if "do" in event.body and event.source_seq is None else None
    after, still = states.next_state(before, event.kind, asked=asked, pending=pending)
    changes: Changes = {"updated_ns": event.received_ns}
    if event.source_seq is not None:
        changes["source_seq"] = event.source_seq
    if after is not before:
        changes["state"] = after
        if row["started_ns"] is None and after in _BEGUN:
            changes["started_ns"] = event.time_ns
        ended = after in {*ENDED, State.ABORTED}
        changes["ended_ns"] = event.time_ns if ended else None
    if still is not pending or event.kind == states.REQUESTED:
        changes["requested"] = still
        changes["requested_ns"] = event.time_ns if still else None
        changes["asked"] = _asked(event) if still else None
    if event.kind == states.REQUESTED:
        changes["refused"] = None
    return changes


def _asked(event: Event) -> dict[str, Any]:
    return {"by": event.actor, **{key: event.body.get(key) for key in ("code", "why")}}


def _finish(row: RowMapping, event: Event, reason: Finish) -> Changes:
    asked = row["asked"] if row["requested"] == str(Request.STOP) else None
    wished = asked or (row["finish"] if reason is Finish.STOPPED else None) or {"by": event.actor}
    by = wished["by"]
    body = {key: event.body.get(key) for key in ("code", "why", "count")}
    return {"finish": {"reason": reason, "by": by, **body}}


def _refused(_connection: Connection, _row: RowMapping, event: Event) -> Changes:
    return {"refused": event.body["why"]}


def _connected(_connection: Connection, _row: RowMapping, event: Event) -> Changes:
    return {"link": "up", "phone": {**event.body, "time_ns": event.time_ns}}


def _link_lost(_connection: Connection, _row: RowMapping, _event: Event) -> Changes:
    return {"link": "lost"}


def _painted(_connection: Connection, _row: RowMapping, event: Event) -> Changes:
    return {"painted_index": event.index}


def _guarantees(_connection: Connection, _row: RowMapping, event: Event) -> Changes:
    """The station drives the original app: the session is a legacy one from now on."""
    app = {name: event.body.get(name) for name in ("app", "start_number")}
    return {"legacy": True, "app": app}


def _link_back(_connection: Connection, _row: RowMapping, _event: Event) -> Changes:
    return {"link": "up"}


def _paused(_connection: Connection, row: RowMapping, event: Event) -> Changes:
    """The station knows one code for every pause that it was asked for; the reason is here."""
    told, asked = dict(event.body), row["asked"]
    if asked is not None and told.get("code") == "OPERATOR_PAUSE":
        told["by"] = asked["by"]
        told |= {key: asked[key] for key in ("code", "why") if asked.get(key)}
    return {"paused": told}


def _stopping(_connection: Connection, row: RowMapping, event: Event) -> Changes:
    """Whose wish it was is known here for the last time: the end is told by the station."""
    by = row["asked"]["by"] if row["requested"] == str(Request.STOP) else event.actor
    return {"paused": None, "finish": {"reason": Finish.STOPPED, "by": by}}


def _stopped(_connection: Connection, row: RowMapping, event: Event) -> Changes:
    return {"chain": event.body.get("chain"), "paused": None, **_finish(row, event, Finish.STOPPED)}


def _resumed(_connection: Connection, _row: RowMapping, _event: Event) -> Changes:
    return {"paused": None}


def _aborted(_connection: Connection, row: RowMapping, event: Event) -> Changes:
    told = {"abort": {**event.body, "index": event.index}, "paused": None}
    return told | _finish(row, event, Finish.ABORTED)


def _rearmed(_connection: Connection, _row: RowMapping, _event: Event) -> Changes:
    return {"abort": None, "finish": None}


def _completed(_connection: Connection, row: RowMapping, event: Event) -> Changes:
    told = {"chain": event.body["chain"], "paused": None}
    return told | _finish(row, event, Finish.COMPLETED)


def _job(connection: Connection, event: Event) -> None:
    fields = ("kind", "state", "done", "total", "error", "result")
    values = {name: event.body.get(name) for name in fields} | {"updated_ns": event.time_ns}
    if event.body.get("wanted") is not None:
        values["wanted"] = event.body["wanted"]
    connection.execute(
        upsert(tables.job)
        .values(id=event.body["id"], session=event.session, created_ns=event.time_ns, **values)
        .on_conflict_do_update(index_elements=["id"], set_=values)
    )


_EFFECTS: dict[str, Callable[[Connection, RowMapping, Event], Changes]] = {
    states.REFUSED: _refused,
    "connected": _connected,
    "link_lost": _link_lost,
    "link_back": _link_back,
    "guarantees": _guarantees,
    "painted": _painted,
    "paused": _paused,
    "resumed": _resumed,
    "aborted": _aborted,
    "rearmed": _rearmed,
    "completed": _completed,
    "stopping": _stopping,
    "stopped": _stopped,
    **capture_rows.EFFECTS,
}
