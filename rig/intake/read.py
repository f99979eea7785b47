"""Decode photos and x-rays within limits; damage is a sentence, not a traceback."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

# The catalog also sets Pillow's process-wide pixel limit; ours is lower.
from rig.catalog.images import FORMATS
from rig.errors import UserError
from rig.intake.features import Grey
from rig.intake.limits import Limits


class UnreadableImage(UserError):
    """The bytes are no whole picture that may be decoded; the sentence says why."""


def sha256_of(file: Path) -> str:
    """Hex SHA-256 of the file's bytes; raises OSError."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_grey(file: Path, max_pixels: int = Limits().max_pixels) -> Grey:
    """The picture in *file*, as `decode_grey`; raises UnreadableImage, also for a missing file."""
    try:
        data = file.read_bytes()
    except (OSError, ValueError) as error:  # a path may hold a null character
        why = getattr(error, "strerror", None) or error
        raise UnreadableImage(f"{file} cannot be read: {why}.") from error
    return decode_grey(data, file.name, max_pixels)


def decode_grey(data: bytes, name: str, max_pixels: int = Limits().max_pixels) -> Grey:
    """*data* as (H, W) uint8, in the stored pixel order: an EXIF orientation is not applied.

    Args:
        data: an encoded picture (JPEG, PNG, TIFF, BMP or WEBP).
        name: what the sentences call it.
        max_pixels: larger pictures are refused before they are decoded.

    Raises:
        UnreadableImage: not a picture, damaged, cut short or too large.
    """
    if not data:
        raise UnreadableImage(f"{name} is empty (0 bytes).")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > max_pixels:
                raise UnreadableImage(
                    f"{name} has {picture.width} x {picture.height} pixels, "
                    f"more than the {max_pixels:,} allowed."
                )
            # A JPEG's brightness alone decodes faster than its colours.
            picture.draft("L", picture.size)
            return _grey(picture)
    except UnreadableImage:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImage(f"{name} is not a picture.") from error
    except Exception as error:  # a decoder given damaged bytes may raise anything
        raise UnreadableImage(f"{name} is damaged or cut short ({error}).") from error


def _grey(picture: Image.Image) -> Grey:
    if picture.mode.startswith("I;16"):
        return np.asarray(np.asarray(picture) >> 8, dtype=np.uint8)
    return np.array(picture.convert("L"), dtype=np.uint8)
