"""The pages of sessions: the list, a preview before the start, then the session live."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection
from starlette.responses import Response

from rig.capture import campaigns, sessions
from rig.capture.sessions import Session
from rig.capture.states import BEFORE, ENDED, State
from rig.capture.watch import Limits
from rig.intake.reshoot import Kind, Row
from rig.store import captures, catalogs, events, tables
from rig.web import listing, operators
from rig.web.controller import Controller
from rig.web.deps import SESSION_ID, Rig, SessionId, operator
from rig.web.preflight import preflight
from rig.web.render import page
from rig.web.reshooting import listed
from rig.web.timeline import timeline
from rig.web.view import session_view

router = APIRouter(include_in_schema=False, dependencies=operator)
LOG_LINES = 40
PATIENCE_NS = 120 * 10**9
"""After the end of a session, until photos that are not here count as missing."""
GAPS = 25
"""Indices that must be shot again, on the session's page; the whole list has a page of its own."""


@router.get("/sessions")
async def list_sessions(
    rig: Rig,
    after: Annotated[str | None, Query(pattern=SESSION_ID)] = None,
    campaign: str | None = None,
    station: str | None = None,
) -> Response:
    """All sessions, newest first, a page at a time."""

    def read(connection: Connection) -> dict[str, Any]:
        of = None if not campaign else campaigns.find(connection, campaign).id
        found = listing.newest(connection, after=after, campaign=of, station=station or None)
        return {"rows": found.rows, "after": found.after}

    view = await rig.database.aquery(read)
    return page("sessions.html", **view, campaign=campaign, station=station, begin=after)


@router.get("/sessions/{session}")
async def show_session(rig: Rig, request: Request, session: SessionId) -> Response:
    """A session, live; an alignment shot is shown with the session that it is taken for."""
    found = await rig.database.aquery(lambda c: sessions.find(c, session))
    if found.kind == tables.ALIGNMENT:
        return RedirectResponse(f"/sessions/{found.parent}/alignment", 303)
    me = operators.person(request)
    view = await rig.database.aquery(lambda c: _view(c, rig, sessions.find(c, session), me))
    return page("start.html" if view["before"] else "session.html", **view)


def _view(
    connection: Connection, rig: Controller, found: Session, me: str | None
) -> dict[str, Any]:
    view = session_view(connection, found, rig.hub)
    catalog = catalogs.find(connection, view["catalog"])
    before = found.state in BEFORE
    gaps = () if before else _gaps(connection, found, rig.clock_ns())
    return {
        "s": view,
        "before": before,
        "lock": operators.lock_view(connection, rig, found.id, me),
        "log": events.latest(connection, session=found.id, limit=LOG_LINES),
        "ends": {
            index: catalogs.xrays(connection, catalog.id, index, index)[0]
            for index in (found.first, found.last)
        },
        "State": State,
        "flight": preflight(connection, rig, found) if before else None,
        "line": None if before else timeline(connection, found),
        "gaps": gaps[:GAPS],
        "gap_count": len(gaps),
        "limits": Limits(),
        "phone": rig.phones.view(found.station),
    }


def _gaps(connection: Connection, session: Session, now_ns: int) -> tuple[Row, ...]:
    """What has to be shot again; a photo that may still be on its way is not missing yet."""
    wanted = listed(connection, session.id).wanted()
    batch = captures.batch_of(connection, session.id)
    over = session.state in ENDED and session.ended_ns is not None
    late = over and now_ns - (session.ended_ns or now_ns) > PATIENCE_NS
    if late or (batch is not None and batch.complete):
        return wanted
    return tuple(one for one in wanted if one.kind is not Kind.MISSING)
