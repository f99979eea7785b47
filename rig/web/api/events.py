"""The live stream: the event log as it grows, what is fresh, and numbers; a session's history."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse

from rig.capture import sessions
from rig.store import events
from rig.web.auth import Role
from rig.web.broadcast import Broadcast
from rig.web.deps import SESSION_ID, Rig, SessionId, operator
from rig.web.problems import Problem
from rig.web.series import POINTS, Series, series

router = APIRouter(tags=["events"], dependencies=operator)

WantedSession = Annotated[str | None, Query(pattern=SESSION_ID)]


async def _from(
    rig: Rig,
    session: WantedSession = None,
    after: Annotated[int | None, Query(ge=0)] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> int:
    """The number after which the stream begins: what the browser saw last, or *after*, or now."""
    if session is not None:
        await rig.database.aquery(lambda c: sessions.find(c, session))
    newest = await rig.database.aquery(events.last_seq)
    if last_event_id is not None:
        if not last_event_id.isascii() or not last_event_id.isdigit():
            raise Problem(400, "Last-Event-ID must be the number of an event.")
        return min(int(last_event_id), newest)
    return newest if after is None else min(after, newest)


class LiveStream(StreamingResponse):
    """Server-sent events, already in their wire form."""

    media_type = "text/event-stream"


@router.get("/api/events", response_class=LiveStream)
async def stream(
    request: Request, rig: Rig, seq: Annotated[int, Depends(_from)], session: WantedSession = None
) -> LiveStream:
    """Events as server-sent events, each once and in order; `docs/dashboard.md` has the details.

    Messages without a name are events of the log: `id` is the event's number, from which the
    stream goes on after `Last-Event-ID` or `?after=`. `tick` comes every 2 seconds (stations and
    how long ago they were heard), `numbers` when those of a session have changed, `begin` once.
    """
    broadcast: Broadcast = request.app.state.broadcast

    async def allowed() -> bool:
        principal = await asyncio.to_thread(rig.auth.who, request.headers)
        return principal is not None and principal.role is Role.OPERATOR

    # No proxy keeps events back until it has a buffer full of them.
    headers = {"x-accel-buffering": "no"}
    return LiveStream(broadcast.follow(seq, session, allowed), headers=headers)


@router.get("/api/sessions/{session}/series")
async def show_series(
    rig: Rig, session: SessionId, points: Annotated[int, Query(ge=2, le=1000)] = POINTS
) -> Series:
    """Photos per minute, round trips and bytes of a session over its time."""
    await rig.database.aquery(lambda c: sessions.find(c, session))
    return await rig.database.aquery(lambda c: series(c, session, points))


@router.get("/api/sessions/{session}/events")
async def list_events(
    rig: Rig,
    session: SessionId,
    after: Annotated[int | None, Query(ge=0)] = None,
    kind: Annotated[list[str] | None, Query(max_length=20)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[dict[str, Any]]:
    """Events of a session: those that follow *after*, or else the newest; oldest first.

    A page with fewer than *limit* is the last one: *kind* is looked for in the log itself.
    """
    await rig.database.aquery(lambda c: sessions.find(c, session))
    kinds = None if kind is None else frozenset(kind)
    if after is not None:
        found = await rig.database.aquery(
            lambda c: events.after(c, after, session=session, kinds=kinds, limit=limit)
        )
        return [one.to_json() for one in found]
    newest = await rig.database.aquery(
        lambda c: events.latest(c, session=session, kinds=kinds, limit=limit)
    )
    return [one.to_json() for one in reversed(newest)]
