"""What a phone's page shows: the station's session, its last photo, and what the phone says."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from rig.capture import sessions, stations
from rig.capture.sessions import Session
from rig.capture.states import BUSY, State
from rig.store import captures, events, tables
from rig.web.controller import Controller
from rig.web.view import session_view

RESULTS = frozenset(
    {"committed", "retake", "paused", "aborted", "photo_verified", "completed", "stopped"}
)
LOOKED = 20
"""Sessions of a station that are looked at: one is shown, however many there were."""


def live_view(connection: Connection, rig: Controller, name: str) -> dict[str, Any]:
    """Everything on `/phone/live` of station *name*.

    Raises:
        NotFoundError: no such station.
    """
    stations.find(connection, name)
    told = rig.phones.view(name)
    found = _session_of(connection, name)
    view: dict[str, Any] = {"name": name, "told": told, "s": None, "result": None, "batch": None}
    if found is not None:
        newest = events.latest(connection, session=found.id, kinds=RESULTS, limit=1)
        view["s"] = session_view(connection, found, rig.hub)
        view["batch"] = captures.batch_of(connection, found.id)
        view["result"] = newest[0] if newest else None
    return view | {
        "station": rig.hub.view(name),
        "paired": rig.phones.paired(name),
        "phone": _numbers(told, found),
    }


def _session_of(connection: Connection, name: str) -> Session | None:
    """The session that the phone is busy with, else the one that moved last."""
    urgent = BUSY | {State.ABORTED}
    table = tables.session
    mine = select(table.c.id).where(table.c.station == name, table.c.kind == tables.SUBSET)
    busy = mine.where(table.c.state.in_(urgent)).limit(LOOKED)
    newest = mine.order_by(table.c.started_ns.desc()).limit(LOOKED)
    ids = [*connection.scalars(busy), *connection.scalars(newest)]
    found = sessions.some(connection, list(dict.fromkeys(ids)))
    return max(found, key=lambda one: (one.state in urgent, one.updated_ns), default=None)


def _numbers(told: dict[str, Any] | None, session: Session | None) -> dict[str, Any]:
    """Battery, room and camera: as the phone says now, else as it said when it connected."""
    before = (session.phone or {}) if session is not None else {}
    fields = ("battery_pct", "free_bytes", "camera", "temp_c")
    return {
        one: told[one] if told is not None and told[one] is not None else before.get(one)
        for one in fields
    }
