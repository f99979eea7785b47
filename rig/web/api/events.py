"""The live stream: the event log as it grows, and a tick that says how fresh it is."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from rig.capture import sessions, stations
from rig.store import events
from rig.web.deps import SESSION_ID, Rig, SessionId, operator
from rig.web.problems import Problem

router = APIRouter(tags=["events"], dependencies=operator)

TICK_SECONDS = 2.0
PAGE = 500
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


@router.get("/api/events", response_class=EventSourceResponse)
async def stream(
    rig: Rig, seq: Annotated[int, Depends(_from)], session: WantedSession = None
) -> AsyncIterable[ServerSentEvent]:
    """Events as server-sent events; `id` is the event's number, `tick` comes every 2 seconds."""
    tick_at = 0.0
    while not rig.feed.closed:
        version = rig.feed.version
        since = seq
        page = await rig.database.aquery(
            lambda c, since=since: events.after(c, since, session=session, limit=PAGE)  # type: ignore[misc]
        )
        for event in page:
            yield ServerSentEvent(id=str(event.seq), data=event.to_json())
            seq = event.seq
        if len(page) == PAGE:
            continue
        if (now := time.monotonic()) >= tick_at:
            tick_at = now + TICK_SECONDS
            yield ServerSentEvent(event="tick", data=await tick(rig))
        # Other processes write to the same log without waking us: the tick looks anyway.
        await rig.feed.wait(version, tick_at - time.monotonic())


async def tick(rig: Rig) -> dict[str, Any]:
    """What is fresh right now: the stations' links and their last status."""
    names = await rig.database.aquery(stations.names)
    return {"time_ns": rig.clock_ns(), "stations": [_station(rig, name) for name in names]}


def _station(rig: Rig, name: str) -> dict[str, Any]:
    pulse = rig.phones.pulse(name)
    return rig.hub.view(name) | ({"phone": pulse} if pulse else {})


@router.get("/api/sessions/{session}/events")
async def list_events(
    rig: Rig,
    session: SessionId,
    after: Annotated[int | None, Query(ge=0)] = None,
    kind: Annotated[list[str] | None, Query(max_length=20)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[dict[str, Any]]:
    """Events of a session: those that follow *after*, or else the newest; oldest first."""
    await rig.database.aquery(lambda c: sessions.find(c, session))
    if after is not None:
        found = await rig.database.aquery(
            lambda c: events.after(c, after, session=session, limit=limit)
        )
        return [one.to_json() for one in found if kind is None or one.kind in kind]
    kinds = None if kind is None else frozenset(kind)
    newest = await rig.database.aquery(
        lambda c: events.latest(c, session=session, kinds=kinds, limit=limit)
    )
    return [one.to_json() for one in reversed(newest)]
