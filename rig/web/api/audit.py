"""The audit log, newest first."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from rig.web import paging
from rig.web.audit import ROWS_MOST, audit_view
from rig.web.deps import SESSION_ID, Rig, operator

router = APIRouter(prefix="/api/audit", tags=["audit"], dependencies=operator)


class AuditRow(BaseModel):
    """Who did what, when, through what, and what came of it."""

    seq: int
    time_ns: int
    who: str
    device: str | None
    action: str
    words: str
    session: str | None
    campaign: str | None
    target: str | None
    link: str | None
    status: Annotated[int | None, Field(description="HTTP status; null: not through the API")]
    ok: bool
    why: Annotated[str | None, Field(description="the sentence it was refused with")]
    told: dict[str, Any]


@router.get("")
async def list_audit(
    rig: Rig,
    request: Request,
    response: Response,
    session: Annotated[str | None, Query(pattern=SESSION_ID)] = None,
    campaign: Annotated[str | None, Query(max_length=200)] = None,
    who: Annotated[str | None, Query(max_length=60, description="name of a person")] = None,
    limit: Annotated[int, Query(ge=1, le=ROWS_MOST)] = 50,
    cursor: paging.Cursor = None,
) -> list[AuditRow]:
    """What was asked for by whom, newest first; the header `Link` leads to what is older."""
    before = paging.number(cursor)
    found = await rig.database.aquery(
        lambda c: audit_view(
            c, before=before, limit=limit, session=session, campaign=campaign, who=who
        )
    )
    paging.link(request, response, found["following"])
    return [AuditRow(**row) for row in found["rows"]]
