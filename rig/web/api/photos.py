"""Resumable upload of photos and the manifest that closes a batch."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.requests import ClientDisconnect

from rig.capture import photos, sessions
from rig.capture.messages import Hex64
from rig.capture.photos import Listed
from rig.capture.sessions import Session
from rig.store import captures
from rig.web import images, paging
from rig.web.auth import Principal, Role
from rig.web.controller import Controller
from rig.web.deps import Rig, SessionId, bearer, only, operator
from rig.web.problems import Problem
from rig.web.receive import (
    MAX_PHOTO,
    BadNameError,
    FileName,
    Inbox,
    Turn,
    Turns,
    WrongHashError,
    check_name,
)

log = structlog.get_logger("rig.photos")
router = APIRouter(prefix="/api/sessions/{session}", tags=["photos"])
Sender = Annotated[Principal, Depends(only(Role.PHONE, Role.OPERATOR))]
AT_ONCE = 256 * 1024
"""Bytes gathered before they are written."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One file on its way in, for a sender who may send it."""

    rig: Controller
    session: str
    name: FileName
    inbox: Inbox
    actor: str
    turns: Turns

    async def register(self) -> None:
        """Note a whole photo in the store (once)."""
        if self.name.sidecar:
            return
        sha256, size = await asyncio.to_thread(self.inbox.hash_of, self.name)
        now = self.rig.clock_ns()
        fresh = await self.rig.database.awrite(
            lambda connection: photos.received(
                connection,
                self.session,
                name=self.name.text,
                index=self.name.photo.index,
                attempt=self.name.photo.attempt,
                sha256=sha256,
                size=size,
                now_ns=now,
                actor=self.actor,
            )
        )
        if fresh:
            self.rig.on_photo(self.rig, self.session)

    async def answer(self, status: int = 204) -> Response:
        """How much is here; a whole file is noted before it is called complete."""
        here = await asyncio.to_thread(self.inbox.offset, self.name)
        if here.complete:
            await self.register()
        headers = {
            "Upload-Offset": str(here.bytes),
            "Upload-Complete": "?1" if here.complete else "?0",
        }
        return Response(status_code=status, headers=headers)


def _upload(rig: Rig, request: Request, session: SessionId, name: str, who: Sender) -> Upload:
    checked = _checked(name)
    actor = actor_of(rig.database.query(lambda c: sessions.find(c, session)), who)
    return Upload(rig, session, checked, Inbox(rig.home, session), actor, request.app.state.turns)


def actor_of(session: Session, who: Principal) -> str:
    """Who sends, once it is clear that they may."""
    if who.station is None:
        return "operator"
    if who.station != session.station:
        raise Problem(403, f"Session {session.id} is not one of station {who.station}.")
    return f"phone:{who.station}"


Wanted = Annotated[Upload, Depends(_upload)]


@router.head("/photos/{name}", dependencies=[bearer], status_code=204)
async def photo_offset(upload: Wanted) -> Response:
    """How many bytes of this file are here, and whether it is complete."""
    return await upload.answer()


@router.patch(
    "/photos/{name}",
    dependencies=[bearer],
    status_code=204,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/partial-upload": {"schema": {"format": "binary"}}},
        }
    },
)
async def append_photo(
    request: Request,
    upload: Wanted,
    upload_offset: Annotated[int, Header(ge=0)],
    upload_length: Annotated[int, Header(ge=1)],
    x_content_sha256: Annotated[str, Header(pattern="^[0-9a-f]{64}$")],
) -> Response:
    """Append bytes from `Upload-Offset`; the last ones complete the file.

    422 means one thing only: the whole file had another SHA-256 and was discarded.
    """
    _name_fits(upload.name, x_content_sha256)
    if upload_length > MAX_PHOTO:
        raise Problem(413, f"A photo may have {MAX_PHOTO} bytes, not {upload_length}.")
    turn = upload.turns.enter(upload.session, upload.name.text)
    try:
        async with turn.lock:
            if (await asyncio.to_thread(upload.inbox.offset, upload.name)).complete:
                return await _already(upload, x_content_sha256)
            await _at_offset(upload, upload_offset, upload_length)
        await _take(request, upload, turn, upload_offset, upload_length)
        async with turn.lock:
            return await _finish(upload, turn, upload_length, x_content_sha256)
    finally:
        turn.leave()


def _checked(name: str) -> FileName:
    try:
        return check_name(name)
    except BadNameError as error:
        raise Problem(400, str(error)) from error


def _name_fits(name: FileName, sha256: str) -> None:
    if not name.sidecar and not sha256.startswith(name.photo.photo16):
        raise Problem(400, f"The name says the photo's hash begins {name.photo.photo16}, not so.")


async def _already(upload: Upload, sha256: str) -> Response:
    found, _ = await asyncio.to_thread(upload.inbox.hash_of, upload.name)
    if found != sha256:
        raise Problem(409, "A file of this name is here already, with other bytes.")
    return await upload.answer()


async def _at_offset(upload: Upload, offset: int, total: int) -> None:
    here = (await asyncio.to_thread(upload.inbox.offset, upload.name)).bytes
    if here > total:
        await asyncio.to_thread(upload.inbox.discard, upload.name)
        here = 0
    if here != offset:
        headers = {"Upload-Offset": str(here), "Upload-Complete": "?0"}
        raise Problem(409, f"Go on from byte {here}, not {offset}.", headers=headers)
    if not await asyncio.to_thread(upload.inbox.has_room, total - offset):
        raise Problem(507, "The controller's disk is nearly full: make room, then send again.")


async def _take(request: Request, upload: Upload, turn: Turn, at: int, total: int) -> None:
    """Write what arrives; what arrived before a broken connection stays."""
    held = bytearray()
    try:
        async for chunk in request.stream():
            held += chunk
            if at + len(held) > total:
                raise Problem(400, f"There are more bytes than the {total} that were announced.")
            if len(held) >= AT_ONCE:
                at = await _write(upload, turn, at, held)
    except ClientDisconnect as error:
        await _write(upload, turn, at, held)
        raise Problem(400, "The connection broke; what arrived is kept.") from error
    await _write(upload, turn, at, held)


async def _write(upload: Upload, turn: Turn, at: int, held: bytearray) -> int:
    data = bytes(held)
    held.clear()
    async with turn.lock:
        if not turn.mine:
            here = await asyncio.to_thread(upload.inbox.offset, upload.name)
            headers = {"Upload-Offset": str(here.bytes)}
            raise Problem(409, "A newer connection sends this file.", headers=headers)
        await asyncio.to_thread(upload.inbox.append, upload.name, at, data)
    return at + len(data)


async def _finish(upload: Upload, turn: Turn, total: int, sha256: str) -> Response:
    here = await asyncio.to_thread(upload.inbox.offset, upload.name)
    if turn.mine and not here.complete and here.bytes == total:
        try:
            await asyncio.to_thread(upload.inbox.finish, upload.name, sha256)
        except WrongHashError as error:
            headers = {"Upload-Offset": "0", "Upload-Complete": "?0"}
            raise Problem(422, str(error), headers=headers) from error
    return await upload.answer()


class ListedPhoto(BaseModel):
    """One photo of the manifest."""

    name: Annotated[str, Field(max_length=255)]
    sha256: Hex64
    size: Annotated[int, Field(ge=1, le=MAX_PHOTO)]
    index: Annotated[int, Field(ge=0)]
    attempt: Annotated[int, Field(ge=1)]


class Manifest(BaseModel):
    """What the phone says it made: one photo per committed index, and the hash chain."""

    photos: Annotated[list[ListedPhoto], Field(max_length=20_000)]
    count: Annotated[int, Field(ge=0)]
    chain: Annotated[str, Field(pattern="^[0-9a-f]{0,64}$")]


class ManifestAnswer(BaseModel):
    """What is still missing; *durable*: everything else may be deleted on the phone."""

    complete: bool
    missing: list[str]
    durable: bool


@router.post("/manifest", dependencies=[bearer])
async def close_batch(rig: Rig, session: SessionId, told: Manifest, who: Sender) -> ManifestAnswer:
    """Compare the phone's list with what arrived; complete batches go on to intake."""
    actor = actor_of(await rig.database.aquery(lambda c: sessions.find(c, session)), who)
    if told.count != len(told.photos):
        raise Problem(422, f"count is {told.count}, but {len(told.photos)} photos are listed.")
    inbox = Inbox(rig.home, session)
    names = {one.name: _checked(one.name) for one in told.photos}
    await asyncio.to_thread(_keep, inbox, told)
    sidecars = [one for one in told.photos if names[one.name].sidecar]
    absent = [one.name for one in sidecars if not inbox.holds(names[one.name], one.sha256)]
    listed = [Listed(one.name, one.sha256) for one in told.photos if one not in sidecars]
    now = rig.clock_ns()

    def note(connection: Connection) -> tuple[list[str], bool]:
        lacking = photos.missing(connection, session, listed) + absent
        _, fresh = photos.manifest(
            connection,
            session,
            count=told.count,
            chain=told.chain,
            lacking=len(lacking),
            now_ns=now,
            actor=actor,
        )
        return lacking, fresh

    lacking, fresh = await rig.database.awrite(note)
    if fresh:
        await asyncio.to_thread(rig.hand_on, session)
    return ManifestAnswer(complete=not lacking, missing=lacking, durable=True)


def _keep(inbox: Inbox, told: Manifest) -> None:
    folder = inbox.folder.parent
    inbox.folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / "manifest.json.tmp"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(told.model_dump(), file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / "manifest.json")
    inbox.sync()


class PhotoView(BaseModel):
    """A received photo."""

    name: str
    index: int
    attempt: int
    sha256: str
    size: int
    received_ns: int
    verified: bool | None
    reason: str | None
    score: float | None


@router.get("/photos", dependencies=operator)
async def list_photos(
    rig: Rig,
    request: Request,
    response: Response,
    session: SessionId,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
    cursor: paging.Cursor = None,
) -> list[PhotoView]:
    """The received photos by index, page by page."""
    after = paging.places(cursor, int, int, str)

    def read(connection: Connection) -> tuple[captures.Photo, ...]:
        sessions.find(connection, session)
        return captures.photos(connection, session, after=after, limit=limit + 1)

    found = await rig.database.aquery(read)
    if len(found) > limit:
        last = found[limit - 1]
        paging.link(request, response, [last.index, last.attempt, last.name])
    fields = PhotoView.model_fields
    return [PhotoView(**{name: getattr(one, name) for name in fields}) for one in found[:limit]]


@router.get("/photos/{name}", dependencies=operator, response_class=FileResponse)
async def get_photo(
    rig: Rig,
    session: SessionId,
    name: str,
    width: Annotated[int | None, Query(ge=16, le=4096, description="scale to this width")] = None,
) -> Response:
    """A received photo or sidecar, as it came or scaled down."""
    file = Inbox(rig.home, session).final(_checked(name))
    if not await asyncio.to_thread(file.is_file):
        raise Problem(404, "This file has not arrived.")
    if width is not None and file.suffix == ".jpg":
        return await images.scaled(file, width)
    return FileResponse(file, headers={"Cache-Control": "private, no-cache"})
