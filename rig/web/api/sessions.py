"""Sessions: create, look, and the things a person can ask for."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from rig.capture import campaigns, sessions
from rig.capture.sessions import Session
from rig.capture.states import Request
from rig.store import captures
from rig.web import remote
from rig.web.controller import Controller
from rig.web.deps import Rig, SessionId, operator
from rig.web.view import session_view

router = APIRouter(prefix="/api/sessions", tags=["sessions"], dependencies=operator)


class NewSession(BaseModel):
    """Which subset, on which station."""

    campaign: str
    subset: Annotated[int, Field(ge=1)]
    station: str


class Rearm(BaseModel):
    """The abort that a person has read and clears."""

    abort_id: Annotated[str, Field(min_length=1, max_length=64)]


class Resolve(BaseModel):
    """Legacy mode: what a person read in the original app's log about the request in doubt."""

    answer: Literal["taken", "missing"]


@router.post("", status_code=201)
async def create_session(rig: Rig, wanted: NewSession) -> dict[str, Any]:
    """Create a session; nothing moves until it is started."""
    now = rig.clock_ns()

    def write(connection: Connection) -> Session:
        return sessions.create(
            connection,
            new_id="s" + secrets.token_hex(8),
            campaign=wanted.campaign,
            subset=wanted.subset,
            station=wanted.station,
            now_ns=now,
        )

    return await _view(rig, await rig.database.awrite(write))


@router.get("")
async def list_sessions(
    rig: Rig, campaign: Annotated[str | None, Query()] = None
) -> list[dict[str, Any]]:
    """All sessions (of a campaign), newest first."""

    def read(connection: Connection) -> list[Session]:
        of = None if campaign is None else campaigns.find(connection, campaign).id
        return sessions.every(connection, campaign_id=of)

    return [one.to_json() for one in await rig.database.aquery(read)]


@router.get("/{session}")
async def show_session(rig: Rig, session: SessionId) -> dict[str, Any]:
    """One session: state, progress, what may be asked for, and the newest event's number."""
    return await _view(rig, await rig.database.aquery(lambda c: sessions.find(c, session)))


@router.get("/{session}/captures")
async def list_captures(rig: Rig, session: SessionId) -> list[dict[str, Any]]:
    """The committed captures by index."""
    await rig.database.aquery(lambda c: sessions.find(c, session))
    found = await rig.database.aquery(lambda c: captures.committed(c, session))
    return [{name: getattr(one, name) for name in one.__dataclass_fields__} for one in found]


@router.post("/{session}/start", status_code=202)
async def start_session(rig: Rig, session: SessionId) -> dict[str, Any]:
    """Ask the station to load the plan and begin."""
    return await _view(rig, await remote.ask(rig, session, Request.START))


@router.post("/{session}/pause", status_code=202)
async def pause_session(rig: Rig, session: SessionId) -> dict[str, Any]:
    """Ask the station to stop after the image in flight."""
    return await _view(rig, await remote.ask(rig, session, Request.PAUSE))


@router.post("/{session}/resume", status_code=202)
async def resume_session(rig: Rig, session: SessionId) -> dict[str, Any]:
    """Ask the station to go on at the next index."""
    return await _view(rig, await remote.ask(rig, session, Request.RESUME))


@router.post("/{session}/abort", status_code=202)
async def abort_session(rig: Rig, session: SessionId) -> dict[str, Any]:
    """Ask the station to abort: both sides latch until a person re-arms."""
    return await _view(rig, await remote.ask(rig, session, Request.ABORT))


@router.post("/{session}/rearm", status_code=202)
async def rearm_session(rig: Rig, session: SessionId, told: Rearm) -> dict[str, Any]:
    """Clear the abort whose number a person has read."""
    asked = await remote.ask(rig, session, Request.REARM, abort_id=told.abort_id)
    return await _view(rig, asked)


@router.post("/{session}/resolve", status_code=202)
async def resolve_session(rig: Rig, session: SessionId, told: Resolve) -> dict[str, Any]:
    """Legacy mode: say whether the photo in doubt was taken, and go on."""
    return await _view(rig, await remote.ask(rig, session, Request.RESOLVE, answer=told.answer))


async def _view(rig: Controller, session: Session) -> dict[str, Any]:
    return await rig.database.aquery(lambda c: session_view(c, session, rig.hub))
