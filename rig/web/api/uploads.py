"""Uploads: the files of a catalog, sent in pieces, until an import makes a catalog of them."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from rig.web import imports, uploads
from rig.web.deps import Rig, operator
from rig.web.problems import Problem

router = APIRouter(prefix="/api/uploads", tags=["uploads"], dependencies=operator)
PIECE = 8 * 1024 * 1024
"""Largest piece, bytes: it is held in memory."""

UploadId = Annotated[str, InPath(pattern=r"^u[0-9a-f]{16}$", description="`u` and 16 hex digits")]
FileName = Annotated[
    str, Query(min_length=1, max_length=600, description="path below the upload, with / between")
]


class UploadView(BaseModel):
    """An upload and what lies in it."""

    id: str
    files: int
    size: int
    changed_ns: int


class Arrived(BaseModel):
    """How many bytes of the file are here."""

    size: int


@router.post("", status_code=201)
async def begin_upload(rig: Rig) -> UploadView:
    """Begin an upload; its files are sent to it, then an import job names it."""
    upload = await asyncio.to_thread(uploads.begin, rig.home)
    return await _view(rig, upload)


@router.get("")
async def list_uploads(rig: Rig) -> list[UploadView]:
    """The uploads that no catalog was made of yet."""
    found = await asyncio.to_thread(uploads.waiting, rig.home)
    return [await _view(rig, one) for one in found]


@router.get("/{upload}")
async def show_upload(rig: Rig, upload: UploadId) -> UploadView:
    """One upload."""
    return await _view(rig, upload)


@router.get("/{upload}/files")
async def show_file(rig: Rig, upload: UploadId, name: FileName) -> Arrived:
    """How much of a file is here: a broken connection is taken up at that place."""
    size = await asyncio.to_thread(uploads.size_of, rig.home, upload, name)
    return Arrived(size=size)


@router.patch(
    "/{upload}/files",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def append_to_file(
    rig: Rig,
    request: Request,
    upload: UploadId,
    name: FileName,
    offset: Annotated[int, Query(ge=0, le=uploads.MAX_FILE)] = 0,
) -> Arrived:
    """Append a piece of at most 8 MiB; 409 unless exactly *offset* bytes are here."""
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > PIECE:
                raise Problem(413, f"A piece is larger than {PIECE} bytes: send smaller ones.")
    except ClientDisconnect as error:
        raise Problem(408, "The piece did not arrive whole: send it again.") from error
    size = await asyncio.to_thread(uploads.append, rig.home, upload, name, offset, bytes(data))
    return Arrived(size=size)


@router.delete("/{upload}", status_code=204)
async def discard_upload(rig: Rig, upload: UploadId) -> Response:
    """Remove an upload and its files; refused when a catalog was made of it."""
    busy = await rig.database.aquery(imports.in_use)
    waiting = await asyncio.to_thread(uploads.waiting, rig.home, busy)
    if upload not in waiting:
        await asyncio.to_thread(uploads.look, rig.home, upload)
        raise Problem(409, "A catalog has its x-rays in this upload, or is made of it: it stays.")
    await asyncio.to_thread(uploads.discard, rig.home, upload)
    return Response(status_code=204)


async def _view(rig: Rig, upload: str) -> UploadView:
    found = await asyncio.to_thread(uploads.look, rig.home, upload)
    return UploadView(id=found.id, files=found.files, size=found.size, changed_ns=found.changed_ns)
