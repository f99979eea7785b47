"""The alignment shot of a session: ask for it, look at it, accept or waive it; and its page."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, BeforeValidator, Field
from sqlalchemy import Connection

from rig.capture import alignment, campaigns, sessions
from rig.capture.alignment_rows import ALIGNED
from rig.capture.messages import Hex64
from rig.store import events, tables
from rig.web import alignment as shots
from rig.web import images
from rig.web.api.shapes import AlignmentView
from rig.web.controller import Controller
from rig.web.deps import Operator, Rig, SessionId, operator
from rig.web.operators import guarded
from rig.web.problems import Problem
from rig.web.render import page

router = APIRouter(tags=["alignment"], dependencies=operator)
AT = "/api/sessions/{session}"
NAME_LENGTH = 200
LOG_LINES = 20


class Ask(BaseModel):
    """Who asks for a shot; how wide the monitor's picture is, so that offsets come in cm."""

    name: Annotated[str | None, Field(max_length=NAME_LENGTH)] = None
    width_mm: Annotated[
        float | None,
        BeforeValidator(lambda told: None if told == "" else told),  # an empty field of the form
        Field(gt=10, le=20_000),
    ] = None


class Decide(BaseModel):
    """Who accepts or waives, and why."""

    name: Annotated[str | None, Field(max_length=NAME_LENGTH)] = None
    why: Annotated[str, Field(max_length=alignment.WHY_LENGTH)] = ""


@router.post(AT + "/align", status_code=202, dependencies=[guarded])
async def align_session(
    rig: Rig, session: SessionId, by: Operator, told: Ask | None = None
) -> AlignmentView:
    """Show the test card, take one photo of it and measure it; the answer does not wait for that.

    It counts for no campaign and enters no dataset. May be repeated as often as you like.
    """
    said = told or Ask()
    await shots.ask(rig, session, name=by, width_mm=said.width_mm)
    return await _view(rig, session)


@router.post(AT + "/align/take-back", status_code=202, dependencies=[guarded])
async def take_back(
    rig: Rig, session: SessionId, by: Operator, _told: Decide | None = None
) -> AlignmentView:
    """End a shot that is under way; asked a second time, at once."""
    await shots.take_back(rig, session, name=by)
    return await _view(rig, session)


@router.get(AT + "/alignment")
async def show_alignment(rig: Rig, session: SessionId) -> AlignmentView:
    """Whether the session may start as far as its alignment goes, and everything measured."""
    return await _view(rig, session)


@router.post(AT + "/alignment/accept", dependencies=[guarded])
async def accept_alignment(
    rig: Rig, session: SessionId, by: Operator, told: Decide
) -> AlignmentView:
    """Take a shot that could be better as it is."""
    now = rig.clock_ns()
    await rig.database.awrite(
        lambda c: alignment.accept(
            c, sessions.find(c, session), name=by or "", why=told.why, now_ns=now
        )
    )
    return await _view(rig, session)


@router.post(AT + "/alignment/waive", dependencies=[guarded])
async def waive_alignment(
    rig: Rig, session: SessionId, by: Operator, told: Decide
) -> AlignmentView:
    """Let the session start without a good shot; after a rejected one only with a reason."""
    now = rig.clock_ns()
    await rig.database.awrite(
        lambda c: alignment.waive(
            c, sessions.find(c, session), name=by or "", why=told.why, now_ns=now
        )
    )
    return await _view(rig, session)


@router.get(AT + "/alignment/{sha256:hex64}", response_class=Response)
async def show_alignment_picture(
    rig: Rig, request: Request, session: SessionId, sha256: Hex64
) -> Response:
    """The photo of a shot with what was found drawn on it, a JPEG."""

    def known(connection: Connection) -> bool:
        sessions.find(connection, session)
        told = events.latest(connection, session=session, kinds=frozenset({ALIGNED}), limit=1000)
        return any(one.body.get("picture") == sha256 for one in told)

    if not await rig.database.aquery(known):
        raise Problem(404, "No such picture belongs to this session.")
    if request.headers.get("if-none-match") == f'"{sha256}"':
        return Response(status_code=304, headers={**images.CACHE, "ETag": f'"{sha256}"'})
    return await images.exact(shots.place(rig.home, session, sha256), sha256)


@router.get("/sessions/{session}/alignment", include_in_schema=False)
async def alignment_page(rig: Rig, session: SessionId) -> Response:
    """The page of a session's alignment, live; a shot's own leads to its session's."""

    def read(connection: Connection) -> dict[str, Any] | str:
        found = sessions.find(connection, session)
        if found.kind == tables.ALIGNMENT:
            return str(found.parent)
        campaign = campaigns.find(connection, found.campaign)
        return {
            "s": found,
            "campaign_name": campaign.name,
            "a": shots.alignment_view(connection, found),
            "station": rig.hub.view(found.station),
            "log": events.latest(connection, session=session, limit=LOG_LINES),
        }

    view = await rig.database.aquery(read)
    if isinstance(view, str):
        return RedirectResponse(f"/sessions/{view}/alignment", 303)
    return page("alignment.html", **view)


async def _view(rig: Controller, session: str) -> AlignmentView:
    def read(connection: Connection) -> dict[str, Any]:
        found = sessions.find(connection, session)
        if found.kind == tables.ALIGNMENT:
            found = sessions.find(connection, str(found.parent))
        return shots.alignment_view(connection, found)

    return AlignmentView(**await rig.database.aquery(read))
