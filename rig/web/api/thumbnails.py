"""Small pictures: photos of a session, x-rays of a catalog."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy import Connection, select

from rig.capture import sessions
from rig.store import captures, catalogs, tables
from rig.web import thumbnails
from rig.web.deps import Rig, SessionId, operator
from rig.web.problems import Problem
from rig.web.receive import BadNameError, check_name
from rig.web.thumbnails import Kept, Size

router = APIRouter(dependencies=operator)
Wanted = Annotated[Size, Query(description="small 240, middle 560, large 1600 pixels")]


@router.get(
    "/api/sessions/{session}/photos/{name}/thumbnail", tags=["photos"], response_class=Response
)
async def get_photo_thumbnail(
    rig: Rig, request: Request, kept: Kept, session: SessionId, name: str, size: Wanted = Size.SMALL
) -> Response:
    """A received photo as a small picture, upright; 404 with a sentence when there is none."""
    try:
        checked = check_name(name)
    except BadNameError as error:
        raise Problem(400, str(error)) from error
    table = tables.photo

    def read(connection: Connection) -> str | None:
        sessions.find(connection, session)
        query = select(table.c.sha256)
        where = (table.c.session == session, table.c.name == checked.text)
        found: str | None = connection.scalar(query.where(*where))
        return found

    sha256 = await rig.database.aquery(read)
    if sha256 is None:
        raise Problem(404, "No photo of this name has arrived.")
    file = captures.incoming(rig.home, session) / checked.text
    return await thumbnails.answer(
        request, kept, sha256, size, lambda: thumbnails.of_file(file, sha256, size, "photo")
    )


@router.get("/api/images/{sha256}/thumbnail", tags=["images"], response_class=Response)
async def get_image_thumbnail(
    rig: Rig,
    request: Request,
    kept: Kept,
    sha256: Annotated[str, Path(pattern="^[0-9a-f]{64}$")],
    size: Wanted = Size.SMALL,
) -> Response:
    """An x-ray as a small picture; 404 with a sentence when its file is gone or changed."""
    file = await rig.database.aquery(lambda c: catalogs.image_file(c, sha256))
    return await thumbnails.answer(
        request, kept, sha256, size, lambda: thumbnails.of_file(file, sha256, size, "x-ray")
    )
