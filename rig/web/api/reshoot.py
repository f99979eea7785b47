"""What must be shot again: the list, one click to make the sessions, and a plain page."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.responses import Response

from rig.capture import campaigns, sessions
from rig.capture.sessions import Session
from rig.store import catalogs, events
from rig.web.controller import Controller
from rig.web.deps import Operator, Rig, SessionId, operator
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


@router.get("/api/sessions/{session}/reshoot")
async def session_list(rig: Rig, session: SessionId) -> dict[str, Any]:
    """Every index of the session that must be shot again, with the reason."""
    return (await rig.database.aquery(lambda c: listed(c, session))).to_json()


@router.get("/api/campaigns/{name}/reshoot")
async def campaign_list(rig: Rig, name: str) -> dict[str, Any]:
    """Every index of the campaign that must be shot again, with the reason."""
    return (await rig.database.aquery(lambda c: listed(c, name))).to_json()


@router.post("/api/sessions/{session}/reshoot/listed", status_code=201)
async def session_again(
    rig: Rig, session: SessionId, told: Wish | None = None, by: Operator = None
) -> dict[str, Any]:
    """Make the sessions for the list; indices that are about to be shot already are left out."""
    return await _make(rig, session, told or Wish(), by)


@router.post("/api/campaigns/{name}/reshoot/listed", status_code=201)
async def campaign_again(
    rig: Rig, name: str, told: Wish | None = None, by: Operator = None
) -> dict[str, Any]:
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


async def _make(rig: Controller, target: str, told: Wish, by: str | None) -> dict[str, Any]:
    now = rig.clock_ns()

    def write(connection: Connection) -> list[Session]:
        return make(
            connection,
            target,
            now_ns=now,
            doubtful=told.doubtful,
            indices=told.indices,
            name=told.name or by,
        )

    made = await rig.database.awrite(write)
    return {"sessions": [one.to_json() for one in made]}
