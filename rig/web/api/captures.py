"""Captures of all sessions, or of a whole campaign, page by page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from rig.capture import campaigns
from rig.store import captures
from rig.store.captures import Committed
from rig.web import paging
from rig.web.api.sessions import capture_of
from rig.web.api.shapes import CaptureView
from rig.web.deps import Rig, operator

router = APIRouter(prefix="/api/captures", tags=["captures"], dependencies=operator)


@router.get("")
async def list_all_captures(
    rig: Rig,
    request: Request,
    response: Response,
    campaign: Annotated[str | None, Query(max_length=200, description="name of a campaign")] = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 500,
    cursor: paging.Cursor = None,
) -> list[CaptureView]:
    """Committed captures by session and index; the header `Link` leads to the next page.

    A page costs the same wherever it lies, with ten million captures as with ten.
    """
    place = paging.places(cursor, str, int)
    after = None if place is None else (str(place[0]), int(place[1]))

    def read(connection: Connection) -> list[Committed]:
        of = None if campaign is None else campaigns.find(connection, campaign, only=0).id
        return captures.across(connection, after=after, limit=limit + 1, campaign=of)

    found = await rig.database.aquery(read)
    if len(found) > limit:
        paging.link(request, response, [found[limit - 1].session, found[limit - 1].index])
    return [capture_of(one) for one in found[:limit]]
