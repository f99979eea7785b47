"""Sessions: create, look, and the things a person can ask for."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Query, Response
from fastapi import Request as HttpRequest
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import Connection

from rig.capture import campaigns, locks, queue, reshoot, sessions
from rig.capture.sessions import Session
from rig.capture.states import Request
from rig.store import captures
from rig.web import listing, operators, paging, remote
from rig.web.api.shapes import CaptureView, MadeReshoot, SessionRow, SessionView
from rig.web.controller import Controller
from rig.web.deps import SESSION_RE, Operator, Rig, SessionId, operator
from rig.web.operators import guarded
from rig.web.view import session_view

router = APIRouter(prefix="/api/sessions", tags=["sessions"], dependencies=operator)
BIG = 2**31


class Named(BaseModel):
    """Who asks; the header `X-Operator` or the signed-in browser say it too."""

    name: Annotated[str | None, Field(max_length=200)] = None


class NewSession(Named):
    """Which subset, on which station."""

    campaign: Annotated[str, Field(max_length=200)]
    subset: Annotated[int, Field(ge=1, lt=BIG)]
    station: Annotated[str, Field(max_length=200)]


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

    indices: Annotated[list[Annotated[int, Field(ge=1, lt=BIG)]], Field(max_length=10_000)] = []
    last: Annotated[int, Field(ge=0, le=10_000)] = 0
    start: bool = False
    confirm: bool = False

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.indices) == bool(self.last):
            raise ValueError("give either indices or last")
        return self


@router.post("", status_code=201)
async def create_session(
    rig: Rig, at: HttpRequest, wanted: NewSession, by: Operator
) -> SessionView:
    """Create a session; nothing moves until it is started."""
    now, quiet = rig.clock_ns(), operators.silence(at)

    def write(connection: Connection) -> Session:
        campaign = locks.of_campaign(connection, wanted.campaign)
        locks.need(connection, campaign, by, quiet)
        return sessions.create(
            connection,
            new_id=_new_id(),
            campaign=wanted.campaign,
            subset=wanted.subset,
            station=wanted.station,
            now_ns=now,
            name=by,
        )

    return await _view(rig, await rig.database.awrite(write))


@router.get("")
async def list_sessions(
    rig: Rig,
    at: HttpRequest,
    response: Response,
    campaign: Annotated[str | None, Query(max_length=200, description="name of a campaign")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    cursor: paging.Cursor = None,
) -> list[SessionRow]:
    """Sessions (of a campaign), newest first; the header `Link` leads to what is older."""
    after = paging.text(cursor, SESSION_RE)

    def read(connection: Connection) -> listing.Sessions:
        of = None if campaign is None else campaigns.find(connection, campaign, only=0).id
        return listing.newest(connection, after=after, limit=limit, campaign=of)

    found = await rig.database.aquery(read)
    paging.link(at, response, found.after)
    return [row_of(one["session"]) for one in found.rows]


@router.get("/{session}")
async def show_session(rig: Rig, session: SessionId) -> SessionView:
    """One session: state, progress, what may be asked for, and the newest event's number."""
    return await _view(rig, await rig.database.aquery(lambda c: sessions.find(c, session)))


@router.get("/{session}/captures")
async def list_captures(
    rig: Rig,
    at: HttpRequest,
    response: Response,
    session: SessionId,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
    cursor: paging.Cursor = None,
) -> list[CaptureView]:
    """The committed captures of a session by index, page by page."""
    after = paging.number(cursor)

    def read(connection: Connection) -> tuple[captures.Committed, ...]:
        sessions.find(connection, session)
        return captures.committed(connection, session, after=after, limit=limit + 1)

    found = await rig.database.aquery(read)
    paging.link(at, response, found[limit - 1].index if len(found) > limit else None)
    return [capture_of(one) for one in found[:limit]]


@router.post("/{session}/start", status_code=202, dependencies=[guarded])
async def start_session(
    rig: Rig, at: HttpRequest, session: SessionId, by: Operator, told: Start | None = None
) -> SessionView:
    """Ask the station to load the plan and begin; refused while a level is not confirmed."""
    confirm = told is not None and told.confirm
    return await _ask(rig, at, session, Request.START, by, confirm=confirm)


@router.post("/{session}/pause", status_code=202, dependencies=[guarded])
async def pause_session(
    rig: Rig, at: HttpRequest, session: SessionId, by: Operator, _told: Named | None = None
) -> SessionView:
    """Ask the station to stop after the image in flight."""
    return await _ask(rig, at, session, Request.PAUSE, by)


@router.post("/{session}/pause-now", status_code=202, dependencies=[guarded])
async def pause_session_now(
    rig: Rig, at: HttpRequest, session: SessionId, by: Operator, _told: Named | None = None
) -> SessionView:
    """Ask the station to give up the exposure in flight; resuming takes it again."""
    return await _ask(rig, at, session, Request.PAUSE_NOW, by)


@router.post("/{session}/resume", status_code=202, dependencies=[guarded])
async def resume_session(
    rig: Rig, at: HttpRequest, session: SessionId, by: Operator, told: Start | None = None
) -> SessionView:
    """Ask the station to go on at the next index; refused while a level is not confirmed."""
    confirm = told is not None and told.confirm
    return await _ask(rig, at, session, Request.RESUME, by, confirm=confirm)


@router.post("/{session}/stop", status_code=202, dependencies=[guarded])
async def stop_session(
    rig: Rig, at: HttpRequest, session: SessionId, by: Operator, _told: Named | None = None
) -> SessionView:
    """Ask the station to finish what is in flight and end; a new session takes the rest."""
    return await _ask(rig, at, session, Request.STOP, by)


@router.post("/{session}/abort", status_code=202)
async def abort_session(
    rig: Rig, at: HttpRequest, session: SessionId, by: Operator, _told: Named | None = None
) -> SessionView:
    """Ask the station to abort: both sides latch until a person re-arms.

    Everybody may, whoever has the session in hand.
    """
    return await _ask(rig, at, session, Request.ABORT, by)


@router.post("/{session}/rearm", status_code=202, dependencies=[guarded])
async def rearm_session(
    rig: Rig, at: HttpRequest, session: SessionId, by: Operator, told: Rearm
) -> SessionView:
    """Clear the abort whose number a person has read."""
    return await _ask(rig, at, session, Request.REARM, by, abort_id=told.abort_id)


@router.post("/{session}/resolve", status_code=202, dependencies=[guarded])
async def resolve_session(
    rig: Rig, at: HttpRequest, session: SessionId, by: Operator, told: Resolve
) -> SessionView:
    """Legacy mode: say whether the photo in doubt was taken, and go on."""
    return await _ask(rig, at, session, Request.RESOLVE, by, answer=told.answer)


@router.post("/{session}/reshoot", status_code=201, dependencies=[guarded])
async def reshoot_session(rig: Rig, session: SessionId, by: Operator, told: Reshoot) -> MadeReshoot:
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
            name=by,
        )
        if told.start:
            after = sessions.find(connection, session)
            queue.put(connection, found, after, now, name=by, confirm=told.confirm)
        return found

    made = await rig.database.awrite(write)
    return MadeReshoot(id=made[0].id, sessions=[row_of(one) for one in made])


@router.post("/{session}/unqueue", status_code=202, dependencies=[guarded])
async def unqueue_session(
    rig: Rig, session: SessionId, by: Operator, _told: Named | None = None
) -> SessionView:
    """Take a session, and all behind it, out of the queue: a person starts it, or nobody."""
    now = rig.clock_ns()
    found = await rig.database.awrite(lambda c: queue.take_out(c, session, now, by))
    return await _view(rig, found)


def row_of(session: Session) -> SessionRow:
    """*session* as lists show it."""
    return SessionRow(**session.to_json())


def capture_of(one: captures.Committed) -> CaptureView:
    """A capture as lists show it."""
    return CaptureView(**{name: getattr(one, name) for name in CaptureView.model_fields})


async def _ask(
    rig: Controller, at: HttpRequest, session: str, wanted: Request, by: str | None, **more: Any
) -> SessionView:
    quiet = operators.silence(at)
    return await _view(rig, await remote.ask(rig, session, wanted, name=by, quiet=quiet, **more))


def _new_id() -> str:
    return "s" + secrets.token_hex(8)


async def _view(rig: Controller, session: Session) -> SessionView:
    return SessionView(**await rig.database.aquery(lambda c: session_view(c, session, rig.hub)))
