"""Images that an import of DICOM files holds back: the queue, the pictures, a person's decisions.

A held picture may show a patient's name: it goes to those signed in and stays in no cache.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.responses import FileResponse, Response

from rig.store import events
from rig.web import dicom_imports, images, review
from rig.web.deps import Operator, Rig, operator
from rig.web.problems import Problem
from rig.web.render import page

router = APIRouter(tags=["review"], dependencies=operator)
ImageId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="32 hex digits")]
Side = Annotated[int, Field(ge=0, lt=2**31)]
NO_STORE = "private, no-store"


class Decision(BaseModel):
    """What a person says of an image; *boxes* are blanked: left, top, right, bottom in pixels."""

    decision: Literal["accept", "refuse"]
    boxes: Annotated[list[tuple[Side, Side, Side, Side]], Field(max_length=200)] = []
    by: Annotated[str, Field(max_length=80)] = ""
    note: Annotated[str, Field(max_length=500)] = ""


@router.get("/api/catalogs/{name}/review")
async def list_held_images(rig: Rig, name: str) -> dict[str, Any]:
    """All images that the import *name* holds, with doubts, scores and suspected boxes."""
    entries = await asyncio.to_thread(review.queue, rig.home, name)
    kept = await rig.database.aquery(lambda c: review.is_kept(c, name))
    view = review.list_view(entries, 1)
    return {
        "images": [one.to_json() for one in entries],
        "counts": view["counts"],
        "rules": dict(view["rules"]),
        "again": review.command(name, kept=kept),
    }


@router.get("/api/catalogs/{name}/review/{image_id}")
async def show_held_image(rig: Rig, name: str, image_id: ImageId) -> dict[str, Any]:
    """One held image."""
    return (await asyncio.to_thread(review.entry, rig.home, name, image_id)).to_json()


@router.get("/api/catalogs/{name}/review/{image_id}/picture", response_class=Response)
async def get_held_picture(
    rig: Rig,
    name: str,
    image_id: ImageId,
    width: Annotated[int | None, Query(ge=16, le=4096, description="scale to this width")] = None,
) -> Response:
    """The picture of a held image as PNG, or scaled down as JPEG; kept in no cache."""
    file = await asyncio.to_thread(review.picture, rig.home, name, image_id)
    if not await asyncio.to_thread(file.is_file):
        raise Problem(404, "The picture of this image is gone: run the import again.")
    if width is None:
        answer: Response = FileResponse(file, media_type="image/png")
    else:
        answer = await images.scaled(file, width)
    answer.headers["Cache-Control"] = NO_STORE
    return answer


@router.put("/api/catalogs/{name}/review/{image_id}")
async def decide_held_image(
    rig: Rig, name: str, image_id: ImageId, told: Decision, by: Operator = None
) -> dict[str, Any]:
    """Accept it, with these boxes blanked, or refuse it; counts from the next import on."""
    found = await asyncio.to_thread(
        lambda: review.decide(
            rig.home,
            name,
            image_id,
            told.decision,
            boxes=told.boxes,
            by=told.by or by or "",
            note=told.note,
            time_ns=rig.clock_ns(),
        )
    )
    return found.to_json()


@router.get("/catalogs/{name}/review", include_in_schema=False)
async def queue_page(rig: Rig, name: str, first: Annotated[int, Query(ge=1)] = 1) -> Response:
    """The queue."""
    entries = await asyncio.to_thread(review.queue, rig.home, name)

    def read(connection: Connection) -> dict[str, Any]:
        job = dicom_imports.last_of(connection, name)
        return {
            "kept": review.is_kept(connection, name),
            "seq": events.last_seq(connection),
            "again_job": None if job is None else job.id,
        }

    told = await rig.database.aquery(read)
    told["again"] = review.command(name, kept=told["kept"])
    return page("review.html", name=name, **review.list_view(entries, first), **told)


@router.get("/catalogs/{name}/review/{image_id}", include_in_schema=False)
async def image_page(rig: Rig, name: str, image_id: ImageId) -> Response:
    """One image with its suspected boxes, and the form to decide."""

    def read() -> dict[str, Any]:
        found = review.entry(rig.home, name, image_id)
        return review.image_view(review.queue(rig.home, name), found)

    return page("review_image.html", name=name, **await asyncio.to_thread(read))
