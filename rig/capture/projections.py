"""From events to the tables that pages read; the same code runs live and when rebuilding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from rig.capture import condition_rows, states
from rig.capture.states import ENDED, Finish, Request, State
from rig.store import events, tables
from rig.store.events import Event

Changes = dict[str, Any]
_BEGUN = frozenset({State.ARMED, State.RUNNING, State.PAUSED, State.STOPPING})
_CAPTURE_FIELDS = (
    "sha256",
    "size",
    "name",
    "t_trigger_ns",
    "t_done_ns",
    "w",
    "h",
    "rtt_ms",
    "source_sha256",
)


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
    for table in (*projected, tables.session):
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
    if event.session is None:
        return
    table = tables.session
    row = connection.execute(select(table).where(table.c.id == event.session)).mappings().one()
    changes = _move(row, event)
    if effect := _EFFECTS.get(event.kind):
        changes |= effect(connection, row, event)
    connection.execute(update(table).where(table.c.id == event.session).values(**changes))
    if event.kind in condition_rows.KINDS:
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


def _answered(connection: Connection, row: RowMapping, event: Event) -> Changes:
    """The original app claims a photo. It counts as claimed, never as committed."""
    table, body = tables.claim, event.body
    key = (table.c.session == event.session) & (table.c.idx == event.index)
    known = connection.execute(select(table.c.idx).where(key)).first()
    values = {
        "attempt": event.attempt,
        "name": body["name"],
        "earlier": body.get("earlier") or [],
        "by": body.get("by") or "phone",
        "suspect": body.get("suspect"),
        "time_ns": event.time_ns,
        "rtt_ms": body.get("rtt_ms"),
    }
    connection.execute(
        upsert(table)
        .values(session=event.session, idx=event.index, **values)
        .on_conflict_do_update(index_elements=["session", "idx"], set_=values)
    )
    return {
        "legacy": True,
        "claimed": row["claimed"] + (known is None),
        "last_index": event.index,
        "rtt_ms": body.get("rtt_ms"),
        "link": "up",
    }


def _link_back(_connection: Connection, _row: RowMapping, _event: Event) -> Changes:
    return {"link": "up"}


def _committed(connection: Connection, row: RowMapping, event: Event) -> Changes:
    table = tables.capture
    key = (table.c.session == event.session) & (table.c.idx == event.index)
    known = connection.execute(select(table).where(key)).mappings().first()
    changes: Changes = {"last_index": event.index, "rtt_ms": event.body.get("rtt_ms"), "link": "up"}
    if row["legacy"]:
        return changes  # only the optical check commits there
    if known and known["committed"] and known["attempt"] > (event.attempt or 0):
        return changes  # an older exposure never replaces a newer one
    values = {
        "attempt": event.attempt,
        "committed": True,
        "time_ns": event.time_ns,
        **{name: event.body.get(name) for name in _CAPTURE_FIELDS},
    }
    _put_capture(connection, event, values, {"retakes": 0})
    if not (known and known["committed"]):
        changes["committed"] = row["committed"] + 1
    return changes


def _retake(connection: Connection, row: RowMapping, event: Event) -> Changes:
    table = tables.capture
    why = event.body["why"]
    _put_capture(
        connection,
        event,
        {"retakes": table.c.retakes + 1, "why": why},
        {"retakes": 1, "attempt": event.attempt, "committed": False, "time_ns": event.time_ns},
    )
    return {"retakes": row["retakes"] + 1}


def _put_capture(connection: Connection, event: Event, changes: Changes, fresh: Changes) -> None:
    first = {"session": event.session, "idx": event.index, **changes, **fresh}
    connection.execute(
        upsert(tables.capture)
        .values(**first)
        .on_conflict_do_update(index_elements=["session", "idx"], set_=changes)
    )


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


def _photo_received(connection: Connection, row: RowMapping, event: Event) -> Changes:
    table = tables.photo
    body = event.body
    key = (table.c.session == event.session) & (table.c.name == body["name"])
    known = connection.execute(select(table).where(key)).mappings().first()
    changes: Changes = {
        "sha256": body["sha256"],
        "size": body["size"],
        "received_ns": event.time_ns,
        **dict.fromkeys(("verified", "reason", "score", "homography", "detail", "verified_ns")),
        "released": False,
    }
    connection.execute(
        upsert(table)
        .values(
            session=event.session,
            name=body["name"],
            idx=event.index,
            attempt=event.attempt,
            **changes,
        )
        .on_conflict_do_update(index_elements=["session", "name"], set_=changes)
    )
    if known is None:
        return {"photos": row["photos"] + 1}
    return _uncount(row, known)


def _uncount(row: RowMapping, known: RowMapping) -> Changes:
    """The counters without the verdict that *known* had."""
    return {
        "verified": row["verified"] - (known["verified"] is True),
        "rejected": row["rejected"] - (known["verified"] is False),
    }


def _photo_verified(connection: Connection, row: RowMapping, event: Event) -> Changes:
    table = tables.photo
    body = event.body
    key = (table.c.session == event.session) & (table.c.name == body["name"])
    known = connection.execute(select(table).where(key)).mappings().one()
    fields = ("verified", "reason", "score", "homography", "detail")
    values = {name: body.get(name) for name in fields}
    connection.execute(update(table).where(key).values(**values, verified_ns=event.time_ns))
    counts = _uncount(row, known)
    counts["verified" if body["verified"] else "rejected"] += 1
    return counts | (_proved(connection, event, known) if row["legacy"] else {})


def _proved(connection: Connection, event: Event, photo: RowMapping) -> Changes:
    """A legacy photo is a committed capture exactly as long as the optical check verified it."""
    capture, claim = tables.capture, tables.claim
    mine = capture.c.session == event.session
    here = mine & (capture.c.idx == event.index)
    if event.body["verified"]:
        told = claim.c.session == event.session, claim.c.idx == event.index
        claimed = connection.execute(select(claim).where(*told)).mappings().first()
        values = {
            "attempt": photo["attempt"],
            "committed": True,
            "time_ns": event.time_ns,
            "sha256": photo["sha256"],
            "size": photo["size"],
            "name": photo["name"],
            **_shutter(claimed),
        }
        _put_capture(connection, event, values, {"retakes": 0})
    else:
        connection.execute(delete(capture).where(here, capture.c.name == photo["name"]))
    kept = select(func.count()).select_from(capture).where(mine, capture.c.committed)
    return {"committed": connection.scalar(kept)}


def _shutter(claimed: RowMapping | None) -> Changes:
    """When the app was asked and when it answered, by the display's clock."""
    if claimed is None or claimed["rtt_ms"] is None:
        return {"t_trigger_ns": None, "t_done_ns": None if claimed is None else claimed["time_ns"]}
    asked = claimed["time_ns"] - round(claimed["rtt_ms"] * 1e6)
    return {"t_trigger_ns": asked, "t_done_ns": claimed["time_ns"], "rtt_ms": claimed["rtt_ms"]}


def _manifest(connection: Connection, _row: RowMapping, event: Event) -> Changes:
    values = {
        "count": event.body["count"],
        "chain": event.body["chain"],
        "missing": event.body["missing"],
        "complete": event.body["missing"] == 0,
        "updated_ns": event.time_ns,
        "completed_ns": event.time_ns if event.body["missing"] == 0 else None,
    }
    connection.execute(
        upsert(tables.batch)
        .values(session=event.session, **values)
        .on_conflict_do_update(index_elements=["session"], set_=values)
    )
    return {}


def _release(connection: Connection, _row: RowMapping, event: Event) -> Changes:
    """Exactly the photos that are here now; one that arrives later needs a new permission."""
    if event.source_seq is None:  # a station's word allows nothing
        for table in (tables.photo, tables.batch):
            mine = update(table).where(table.c.session == event.session)
            connection.execute(mine.values(released=bool(event.body["allow"])))
    return {}


def _job(connection: Connection, event: Event) -> None:
    fields = ("kind", "state", "done", "total", "error", "result")
    values = {name: event.body.get(name) for name in fields} | {"updated_ns": event.time_ns}
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
    "answered": _answered,
    "painted": _painted,
    "committed": _committed,
    "retake": _retake,
    "paused": _paused,
    "resumed": _resumed,
    "aborted": _aborted,
    "rearmed": _rearmed,
    "completed": _completed,
    "stopping": _stopping,
    "stopped": _stopped,
    "photo_received": _photo_received,
    "photo_verified": _photo_verified,
    "manifest": _manifest,
    "release": _release,
}
