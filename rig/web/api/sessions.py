"""Sessions: create, look, and the things a person can ask for."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import Connection

from rig.capture import campaigns, queue, reshoot, sessions
from rig.capture.sessions import Session
from rig.capture.states import Request
from rig.store import captures
from rig.web import remote
from rig.web.controller import Controller
from rig.web.deps import Operator, Rig, SessionId, operator
from rig.web.view import session_view

router = APIRouter(prefix="/api/sessions", tags=["sessions"], dependencies=operator)


class Named(BaseModel):
    """Who asks; the header `X-Operator` says it too."""

    name: Annotated[str | None, Field(max_length=200)] = None

    def who(self, header: str | None) -> str | None:
        """The name, from here or from the header."""
        return self.name or header


class NewSession(Named):
    """Which subset, on which station."""

    campaign: str
    subset: Annotated[int, Field(ge=1)]
    station: str


class Start(Named):
    """*confirm*: the person has looked at every level of the environment; for scripts."""

    confirm: bool = False


class Rearm(Named):
    """The abort that a person has read and clears."""

    abort_id: Annotated[str, Field(min_length=1, max_length=64)]


class Resolve(Named):
    """Legacy mode: what a person read in the original app's log about the request in doubt."""

    answer: Literal["taken", "missing"]


class Reshoot(Named):
    """Which captures are to be shot again: a list of indices, or the newest ones.

    *start*: each session starts by itself when the one before it is completed. *confirm*: as of
    `Start`, for all of them.
    """

    indices: Annotated[list[Annotated[int, Field(ge=1)]], Field(max_length=10_000)] = []
    last: Annotated[int, Field(ge=0, le=10_000)] = 0
    start: bool = False
    confirm: bool = False

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.indices) == bool(self.last):
            raise ValueError("give either indices or last")
        return self


@router.post("", status_code=201)
async def create_session(rig: Rig, wanted: NewSession, by: Operator = None) -> dict[str, Any]:
    """Create a session; nothing moves until it is started."""
    now = rig.clock_ns()

    def write(connection: Connection) -> Session:
        return sessions.create(
            connection,
            new_id=_new_id(),
            campaign=wanted.campaign,
            subset=wanted.subset,
            station=wanted.station,
            now_ns=now,
            name=wanted.who(by),
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
async def start_session(
    rig: Rig, session: SessionId, told: Start | None = None, by: Operator = None
) -> dict[str, Any]:
    """Ask the station to load the plan and begin; refused while a level is not confirmed."""
    said = told or Start()
    asked = await remote.ask(rig, session, Request.START, name=said.who(by), confirm=said.confirm)
    return await _view(rig, asked)


@router.post("/{session}/pause", status_code=202)
async def pause_session(
    rig: Rig, session: SessionId, told: Named | None = None, by: Operator = None
) -> dict[str, Any]:
    """Ask the station to stop after the image in flight."""
    return await _ask(rig, session, Request.PAUSE, told, by)


@router.post("/{session}/pause-now", status_code=202)
async def pause_session_now(
    rig: Rig, session: SessionId, told: Named | None = None, by: Operator = None
) -> dict[str, Any]:
    """Ask the station to give up the exposure in flight; resuming takes it again."""
    return await _ask(rig, session, Request.PAUSE_NOW, told, by)


@router.post("/{session}/resume", status_code=202)
async def resume_session(
    rig: Rig, session: SessionId, told: Start | None = None, by: Operator = None
) -> dict[str, Any]:
    """Ask the station to go on at the next index; refused while a level is not confirmed."""
    said = told or Start()
    asked = await remote.ask(rig, session, Request.RESUME, name=said.who(by), confirm=said.confirm)
    return await _view(rig, asked)


@router.post("/{session}/stop", status_code=202)
async def stop_session(
    rig: Rig, session: SessionId, told: Named | None = None, by: Operator = None
) -> dict[str, Any]:
    """Ask the station to finish what is in flight and end; a new session takes the rest."""
    return await _ask(rig, session, Request.STOP, told, by)


@router.post("/{session}/abort", status_code=202)
async def abort_session(
    rig: Rig, session: SessionId, told: Named | None = None, by: Operator = None
) -> dict[str, Any]:
    """Ask the station to abort: both sides latch until a person re-arms."""
    return await _ask(rig, session, Request.ABORT, told, by)


@router.post("/{session}/rearm", status_code=202)
async def rearm_session(
    rig: Rig, session: SessionId, told: Rearm, by: Operator = None
) -> dict[str, Any]:
    """Clear the abort whose number a person has read."""
    asked = await remote.ask(rig, session, Request.REARM, abort_id=told.abort_id, name=told.who(by))
    return await _view(rig, asked)


@router.post("/{session}/resolve", status_code=202)
async def resolve_session(
    rig: Rig, session: SessionId, told: Resolve, by: Operator = None
) -> dict[str, Any]:
    """Legacy mode: say whether the photo in doubt was taken, and go on."""
    asked = await remote.ask(rig, session, Request.RESOLVE, answer=told.answer, name=told.who(by))
    return await _view(rig, asked)


@router.post("/{session}/reshoot", status_code=201)
async def reshoot_session(
    rig: Rig, session: SessionId, told: Reshoot, by: Operator = None
) -> dict[str, Any]:
    """Make sessions that shoot captures again, one for each run of neighbours; queue them."""
    now = rig.clock_ns()

    def write(connection: Connection) -> list[Session]:
        found = reshoot.create(
            connection,
            session,
            new_id=_new_id,
            now_ns=now,
            indices=told.indices,
            last=told.last,
            name=told.who(by),
        )
        if told.start:
            after = sessions.find(connection, session)
            who = told.who(by)
            queue.put(connection, found, after, now, name=who, confirm=told.confirm)
        return found

    made = await rig.database.awrite(write)
    return {"id": made[0].id, "sessions": [one.to_json() for one in made]}


@router.post("/{session}/unqueue", status_code=202)
async def unqueue_session(
    rig: Rig, session: SessionId, told: Named | None = None, by: Operator = None
) -> dict[str, Any]:
    """Take a session, and all behind it, out of the queue: a person starts it, or nobody."""
    now, name = rig.clock_ns(), (told or Named()).who(by)
    found = await rig.database.awrite(lambda c: queue.take_out(c, session, now, name))
    return await _view(rig, found)


async def _ask(
    rig: Controller, session: str, wanted: Request, told: Named | None, by: str | None
) -> dict[str, Any]:
    name = (told or Named()).who(by)
    return await _view(rig, await remote.ask(rig, session, wanted, name=name))


def _new_id() -> str:
    return "s" + secrets.token_hex(8)


async def _view(rig: Controller, session: Session) -> dict[str, Any]:
    return await rig.database.aquery(lambda c: session_view(c, session, rig.hub))
