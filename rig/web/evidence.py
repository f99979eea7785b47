"""Pictures of the room that a person adds to a condition: decoded, made small, kept by hash."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError

MOST_PIXELS = 60_000_000
"""A phone's largest usual photo has 50 million; more is not decoded."""
EDGE = 2560
"""Longest edge of what is kept, pixels."""
FORMATS = ("JPEG", "PNG", "WEBP")


class EvidenceError(UserError):
    """The bytes are no picture that can be kept; a sentence."""


def keep(home: Path, session: str, data: bytes) -> str:
    """Keep the picture in *data* below the session's folder; returns its SHA-256, hex. Blocks.

    It is decoded and written anew: nothing of the sender's file but its pixels is kept, no place
    where it was taken and nothing that hides behind a picture.

    Raises:
        EvidenceError: no picture of `FORMATS`, damaged, or more than `MOST_PIXELS`.
        OSError: it cannot be written.
    """
    small = _small(data)
    sha256 = hashlib.sha256(small).hexdigest()
    path = place(home, session, sha256)
    if not path.exists():
        write_atomic(path, small, mode=PRIVATE)
    return sha256


def place(home: Path, session: str, sha256: str) -> Path:
    """Where the picture is; both names have been checked by the caller's route."""
    return home / "sessions" / session / "evidence" / f"{sha256}.jpg"


def _small(data: bytes) -> bytes:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise EvidenceError(
                    f"The picture has {image.width} x {image.height} pixels; at most "
                    f"{MOST_PIXELS // 10**6} million are taken. Send a smaller one."
                )
            image.draft("RGB", (EDGE, EDGE))
            picture = ImageOps.exif_transpose(image).convert("RGB")
    except EvidenceError:
        raise
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError) as error:
        raise EvidenceError(
            "This is no whole JPEG, PNG or WebP picture: take the photo again and send it as it is."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise EvidenceError("The picture has too many pixels. Send a smaller one.") from error
    picture.thumbnail((EDGE, EDGE))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return out.getvalue()
