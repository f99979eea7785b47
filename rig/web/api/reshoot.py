"""What must be shot again: the list, one click to make the sessions, and a plain page."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from rig.capture import campaigns, sessions
from rig.capture.sessions import Session
from rig.store import catalogs, events
from rig.web.api.sessions import row_of
from rig.web.api.shapes import MadeSessions
from rig.web.controller import Controller
from rig.web.deps import Operator, Rig, SessionId, operator
from rig.web.operators import guarded
from rig.web.render import page
from rig.web.reshooting import listed, make

router = APIRouter(tags=["reshoot"], dependencies=operator)
PICTURED = 60
"""Rows of the page with pictures; the rest is listed."""


class Wish(BaseModel):
    """Which rows of the list: all that are missing or rejected, or just *indices*."""

    doubtful: bool = False
    indices: Annotated[list[Annotated[int, Field(ge=1)]], Field(max_length=10_000)] = []
    name: Annotated[str | None, Field(max_length=200)] = None


class ReshootRow(BaseModel):
    """An index that must, or may, be shot again."""

    model_config = ConfigDict(extra="allow")

    index: int
    session: str


class ReshootView(BaseModel):
    """What must be shot again; *shot*: indices that were shot, *unshot*: by nobody yet."""

    shot: int
    unshot: int
    reshoot: list[ReshootRow]


@router.get("/api/sessions/{session}/reshoot")
async def list_reshoot_of_session(rig: Rig, session: SessionId) -> ReshootView:
    """Every index of the session that must be shot again, with the reason."""
    return ReshootView(**(await rig.database.aquery(lambda c: listed(c, session))).to_json())


@router.get("/api/campaigns/{name}/reshoot")
async def list_reshoot_of_campaign(rig: Rig, name: str) -> ReshootView:
    """Every index of the campaign that must be shot again, with the reason."""
    return ReshootView(**(await rig.database.aquery(lambda c: listed(c, name))).to_json())


@router.post("/api/sessions/{session}/reshoot/listed", status_code=201, dependencies=[guarded])
async def reshoot_listed_of_session(
    rig: Rig, session: SessionId, by: Operator, told: Wish | None = None
) -> MadeSessions:
    """Make the sessions for the list; indices that are about to be shot already are left out."""
    return await _make(rig, session, told or Wish(), by)


@router.post("/api/campaigns/{name}/reshoot/listed", status_code=201, dependencies=[guarded])
async def reshoot_listed_of_campaign(
    rig: Rig, name: str, by: Operator, told: Wish | None = None
) -> MadeSessions:
    """Make the sessions for the list of the whole campaign."""
    return await _make(rig, name, told or Wish(), by)


@router.get("/sessions/{session}/reshoot", include_in_schema=False)
async def session_page(rig: Rig, session: SessionId) -> Response:
    """The list of a session, each photo beside its x-ray."""

    def read(connection: Connection) -> dict[str, Any]:
        found = sessions.find(connection, session)
        kept = campaigns.find(connection, found.campaign)
        return _view(connection, session, kept.catalog_id) | {
            "title": f"{kept.name}, subset {found.subset}",
            "back": f"/sessions/{session}",
            "post": f"/api/sessions/{session}/reshoot/listed",
        }

    return page("reshoot.html", **await rig.database.aquery(read))


@router.get("/campaigns/{name}/reshoot", include_in_schema=False)
async def campaign_page(rig: Rig, name: str) -> Response:
    """The list of a campaign."""

    def read(connection: Connection) -> dict[str, Any]:
        kept = campaigns.find(connection, name)
        return _view(connection, kept.name, kept.catalog_id) | {
            "title": kept.name,
            "back": f"/campaigns/{kept.name}",
            "post": f"/api/campaigns/{kept.name}/reshoot/listed",
        }

    return page("reshoot.html", **await rig.database.aquery(read))


def _view(connection: Connection, target: str, catalog: str) -> dict[str, Any]:
    found = listed(connection, target)
    rows = []
    for place, row in enumerate(found.rows):
        xray = None
        if place < PICTURED:
            (one, *_) = catalogs.xrays(connection, catalog, row.index, row.index) or (None,)
            xray = None if one is None else one.sha256
        rows.append(row.to_json() | {"xray": xray})
    return {
        "found": found,
        "rows": rows,
        "wanted": len(found.wanted()),
        "doubtful": len(found.wanted(doubtful=True)) - len(found.wanted()),
        "again": sum(row.again is not None for row in found.rows),
        "seq": events.last_seq(connection),
    }


async def _make(rig: Controller, target: str, told: Wish, by: str | None) -> MadeSessions:
    now = rig.clock_ns()

    def write(connection: Connection) -> list[Session]:
        return make(
            connection,
            target,
            now_ns=now,
            doubtful=told.doubtful,
            indices=told.indices,
            name=by,
        )

    made = await rig.database.awrite(write)
    return MadeSessions(sessions=[row_of(one) for one in made])
