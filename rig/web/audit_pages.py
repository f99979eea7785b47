"""The audit log as a page: who asked for what, when, and what was answered."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from rig.web.audit import audit_view
from rig.web.deps import SESSION_ID, Rig, operator
from rig.web.render import page

router = APIRouter(include_in_schema=False, dependencies=operator)
LINES = 100


@router.get("/audit")
async def show_audit(
    rig: Rig,
    before: Annotated[int | None, Query(ge=1)] = None,
    who: Annotated[str | None, Query(max_length=80)] = None,
    session: Annotated[str | None, Query(pattern=rf"{SESSION_ID}|^$")] = None,
    campaign: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """The log, newest first, a page at a time; of one person, session or campaign."""
    view = await rig.database.aquery(
        lambda c: audit_view(
            c, before=before, limit=LINES, session=session or None, campaign=campaign or None,
            who=who or None,
        )
    )  # fmt: skip
    return page(
        "audit.html", **view, chosen=who or "", session=session or "", campaign=campaign or "",
        before=before,
    )  # fmt: skip
