"""From events to the tables of captures, claims, photos and batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from rig.store import tables
from rig.store.events import Event

Changes = dict[str, Any]
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


_CAPTURE = tables.capture
_KNOWN = select(_CAPTURE.c.committed, _CAPTURE.c.attempt).where(
    _CAPTURE.c.session == bindparam("session_id"), _CAPTURE.c.idx == bindparam("at")
)
_INSERT = insert(_CAPTURE)


def _committed(connection: Connection, row: RowMapping, event: Event) -> Changes:
    key = {"session_id": event.session, "at": event.index}
    known = connection.execute(_KNOWN, key).mappings().first()
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
    if known is None:
        fresh = {"session": event.session, "idx": event.index, "retakes": 0, **values}
        connection.execute(_INSERT, fresh)
    else:
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


EFFECTS: dict[str, Callable[[Connection, RowMapping, Event], Changes]] = {
    "answered": _answered,
    "committed": _committed,
    "retake": _retake,
    "photo_received": _photo_received,
    "photo_verified": _photo_verified,
    "manifest": _manifest,
    "release": _release,
}
