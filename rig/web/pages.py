"""The pages: home."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from rig.web.deps import Rig, operator
from rig.web.home import home_view
from rig.web.render import page

router = APIRouter(include_in_schema=False)


@router.get("/", dependencies=operator)
async def home(rig: Rig) -> Response:
    """Campaigns, stations, sessions, and what needs a person now."""
    view = await rig.database.aquery(lambda c: home_view(c, rig))
    return page("home.html", **view)


@router.get("/favicon.ico")
async def favicon() -> Response:
    """The icon, for browsers that ask without being told."""
    return FileResponse(Path(__file__).parent / "static" / "icon.svg", media_type="image/svg+xml")
