"""Pictures for the pages: x-rays by hash, photos scaled down."""

from __future__ import annotations

import asyncio
import hashlib
import io
from pathlib import Path

from fastapi import Response
from PIL import Image, ImageOps, UnidentifiedImageError

from rig.web.problems import Problem

MEDIA = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}
FORMATS = ("JPEG", "PNG")
MOST_PIXELS = 120_000_000
"""More is not decoded: the largest phone cameras have 108 million."""
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
CACHE = {"Cache-Control": "private, no-cache"}
"""Kept by the browser, asked about each time: nobody sees it after signing out."""


async def scaled(file: Path, width: int) -> Response:
    """*file* as a JPEG at most *width* pixels wide."""
    try:
        data = await asyncio.to_thread(_scale, file, width)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, *_BOMBS) as error:
        raise Problem(422, "This file cannot be read as a picture.") from error
    return Response(data, media_type="image/jpeg", headers=CACHE)


async def exact(file: Path, sha256: str) -> Response:
    """The bytes of *file*, if they still are those of *sha256*."""
    try:
        data = await asyncio.to_thread(file.read_bytes)
    except OSError as error:
        raise Problem(404, "The image file is gone from the controller's disk.") from error
    if await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest()) != sha256:
        raise Problem(409, "The image file was changed after it was imported; import it again.")
    media = MEDIA.get(file.suffix.lower(), "application/octet-stream")
    return Response(data, media_type=media, headers={**CACHE, "ETag": f'"{sha256}"'})


def _scale(file: Path, width: int) -> bytes:
    with Image.open(file, formats=FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            raise ValueError("too many pixels")
        image.draft("RGB", (width, width))
        upright = ImageOps.exif_transpose(image)
        picture = upright.convert("L" if upright.mode in {"1", "L", "I;16", "I"} else "RGB")
    picture.thumbnail((width, 4 * width))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()
