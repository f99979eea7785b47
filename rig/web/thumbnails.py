"""Small pictures for pages: made once in a few threads, kept on disk by the hash of what they show.

A contact sheet asks for thousands of them. So a page costs the decoding of each photo once; later
ones are files of some kilobytes, and a browser that has them is answered 304.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
import secrets
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from fastapi import Depends, Request, Response
from PIL import Image, ImageOps, UnidentifiedImageError

from rig.web import images
from rig.web.cache_room import CacheRoom
from rig.web.controller import Controller
from rig.web.problems import Problem

FOLDER: Final = "cache/thumbnails"
SYNTHESIS: Final = "cache/synthesis"
WORKERS: Final = 2
MOST_WAITING: Final = 256
"""Pictures that are made or wait to be; a browser asks for six at a time."""
FREE: Final = 1_000_000_000
"""Bytes that stay free on the disk: with less, pictures are made but not kept."""
QUALITY: Final = 82
_BOMBS: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_KEY: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_START, _END = b"\xff\xd8", b"\xff\xd9"


class Size(StrEnum):
    """How large; only these, so that the folder cannot be filled by asking for every width."""

    SMALL = "small"
    MIDDLE = "middle"
    LARGE = "large"


SIDES: Final[Mapping[Size, int]] = {Size.SMALL: 240, Size.MIDDLE: 560, Size.LARGE: 1600}
"""The longer side, pixels."""


class NoPictureError(Exception):
    """There is nothing to be shown; a sentence."""


class Thumbnails:
    """Pictures by key and size, below *folder*.

    Args:
        folder: where they are kept; it may be deleted at any time.
        workers: threads that make them.
        free: bytes that must stay free on the disk.
        room: how much they may take; None: `cache_room.DEFAULT` bytes for this folder alone.
    """

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = WORKERS,
        free: int = FREE,
        room: CacheRoom | None = None,
    ) -> None:
        self.folder = folder
        self._room = room or CacheRoom([folder])
        self.made = 0
        """How many were made, not found."""
        self._free = free
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="rig-thumbnail")
        self._coming: dict[str, asyncio.Future[bytes]] = {}

    async def get(self, key: str, size: Size, make: Callable[[], bytes]) -> bytes:
        """The JPEG of *key* in *size*; *make* is called in a thread when it is not here.

        Several that ask for the same at once wait for one.

        Raises:
            NoPictureError: *make* says so.
            Problem: 503, too many are being made.
            ValueError: *key* is not 64 hex digits.
        """
        if not _KEY.fullmatch(key):
            raise ValueError("a key has 64 hex digits")
        name = f"{key}-{size}"
        coming = self._coming.get(name)
        if coming is None:
            if len(self._coming) >= MOST_WAITING:
                told = "Too many pictures are asked for at once: try again in a moment."
                raise Problem(503, told, headers={"Retry-After": "2"})
            loop = asyncio.get_running_loop()
            coming = loop.run_in_executor(self._pool, self._get, key, name, make)
            self._coming[name] = coming
            coming.add_done_callback(lambda done: self._came(name, done))
        # Who goes away must not take the picture from the others.
        return await asyncio.shield(coming)

    def _came(self, name: str, done: asyncio.Future[bytes]) -> None:
        self._coming.pop(name, None)
        if not done.cancelled():
            done.exception()  # told to whoever still waits

    def _get(self, key: str, name: str, make: Callable[[], bytes]) -> bytes:
        file = self.folder / key[:2] / f"{name}.jpg"
        try:
            data, marked = file.read_bytes(), file.stat().st_mtime
        except OSError:
            data, marked = b"", 0.0
        # Nothing is synced: what a power cut left half written is made again.
        if data.startswith(_START) and data.endswith(_END):
            self._room.used(file, marked)
            return data
        data = make()
        self.made += 1
        self._keep(file, data)
        return data

    def _keep(self, file: Path, data: bytes) -> None:
        part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if shutil.disk_usage(file.parent).free < self._free:
                return
            part.write_bytes(data)
            part.chmod(0o600)
            part.replace(file)
        except OSError:
            part.unlink(missing_ok=True)  # a full disk keeps nobody from looking
            return
        self._room.kept(len(data))


def room_of(request: Request) -> CacheRoom:
    """What all small pictures of the app that *request* came to may take together."""
    state = request.app.state
    found: CacheRoom | None = getattr(state, "cache_room", None)
    if found is None:
        rig: Controller = state.rig
        folders = [rig.home / FOLDER, rig.home / SYNTHESIS]
        found = state.cache_room = CacheRoom(folders, rig.cache_bytes)
    return found


def of(request: Request) -> Thumbnails:
    """Those of the app that *request* came to."""
    state = request.app.state
    found: Thumbnails | None = getattr(state, "thumbnails", None)
    if found is None:
        rig: Controller = state.rig
        found = state.thumbnails = Thumbnails(rig.home / FOLDER, room=room_of(request))
    return found


Kept = Annotated[Thumbnails, Depends(of)]


def tag(key: str, size: Size) -> str:
    """The ETag of a picture."""
    return f'"{key[:32]}-{size}"'


def key_of(*parts: object) -> str:
    """A key for what is named by *parts* and not by the hash of a file."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


async def answer(
    request: Request, kept: Thumbnails, key: str, size: Size, make: Callable[[], bytes]
) -> Response:
    """The picture, or 304 when the browser has it.

    Raises:
        Problem: 404 with a sentence, there is nothing to be shown.
    """
    headers = {**images.CACHE, "ETag": tag(key, size)}
    asked = request.headers.get("if-none-match", "")
    if tag(key, size) in (one.strip().removeprefix("W/") for one in asked.split(",")):
        return Response(status_code=304, headers=headers)
    try:
        data = await kept.get(key, size, make)
    except NoPictureError as error:
        raise Problem(404, str(error)) from error
    return Response(data, media_type="image/jpeg", headers=headers)


def of_file(file: Path, sha256: str | None, size: Size, what: str) -> bytes:
    """*file* upright as a JPEG, its longer side as *size* says at most.

    Args:
        file: a photo or an x-ray.
        sha256: what its bytes must be; None: whatever they are.
        size: how large.
        what: "photo", "x-ray": for the sentence.

    Raises:
        NoPictureError: it is gone, was changed, or is no picture.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise NoPictureError(f"The {what} is gone from the controller's disk.") from error
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise NoPictureError(
            f"The {what} on the disk is not the one that arrived: its bytes changed."
        )
    try:
        picture = _decoded(data, SIDES[size])
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, EOFError) as error:
        raise NoPictureError(f"The {what} cannot be read as a picture: it is broken.") from error
    except _BOMBS as error:
        raise NoPictureError(f"The {what} has too many pixels to be shown.") from error
    return encoded(picture)


def encoded(picture: Image.Image) -> bytes:
    """*picture* as a JPEG."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _decoded(data: bytes, side: int) -> Image.Image:
    """Upright, grey or RGB, at most *side* pixels long."""
    with Image.open(io.BytesIO(data), formats=images.FORMATS) as image:
        if image.width * image.height > images.MOST_PIXELS:
            raise Image.DecompressionBombError
        # libjpeg scales while it decodes: a photo of 12 megapixels takes milliseconds.
        image.draft(None, (side, side))
        deep = image.mode.startswith("I")
        upright = image if deep else ImageOps.exif_transpose(image)
        picture = upright if deep else upright.convert("L" if upright.mode in {"1", "L"} else "RGB")
        if deep:
            picture = _of_16_bits(data)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture


def _of_16_bits(data: bytes) -> Image.Image:
    from rig.synthesis.image import decode
    from rig.synthesis.transform import SynthesisError

    try:
        return Image.fromarray(decode(data))
    except SynthesisError as error:
        raise ValueError(str(error)) from error
