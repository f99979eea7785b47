"""A photo of the card from its file, and the two pictures that come out of it: pixels, drawing."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from rig.catalog.images import FORMATS
from rig.intake.alignment import Alignment, measure
from rig.intake.alignment_limits import AlignmentLimits, Place
from rig.intake.alignment_picture import draw
from rig.intake.limits import Limits
from rig.intake.read import UnreadableImage

MOST_PIXELS = Limits().max_pixels
_FOCAL_35 = (3.0, 2000.0)
"""Focal lengths in 35 mm terms that a lens can have; anything else is a slip of the camera's."""
JPEG_QUALITY = 88


@dataclass(frozen=True, slots=True, eq=False)
class CardPhoto:
    """A decoded photo.

    Attributes:
        pixels: (H, W, 3) RGB uint8, turned as its EXIF orientation says.
        focal_35: focal length in 35 mm terms as the camera wrote it, None when it did not.
    """

    pixels: NDArray[np.uint8]
    focal_35: float | None


def decode_photo(data: bytes, name: str) -> CardPhoto:
    """The photo in *data*, called *name* in sentences.

    Raises:
        UnreadableImage: no picture, damaged, cut short, or too large.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise UnreadableImage(
                    f"{name} has {picture.width} x {picture.height} pixels, more than the "
                    f"{MOST_PIXELS:,} allowed."
                )
            focal = _focal(picture)
            upright = ImageOps.exif_transpose(picture).convert("RGB")
            return CardPhoto(np.array(upright, dtype=np.uint8), focal)
    except UnreadableImage:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImage(f"{name} is not a picture.") from error
    except Exception as error:  # a decoder given damaged bytes may raise anything
        raise UnreadableImage(f"{name} is damaged or cut short ({error}).") from error


def align_photo(
    data: bytes,
    name: str,
    screen: tuple[int, int],
    *,
    width_mm: float | None = None,
    place: Place = "centre",
    limits: AlignmentLimits | None = None,
) -> tuple[Alignment, bytes]:
    """Measure the photo in *data* and draw it: what was found, and a JPEG of at most 1280 pixels.

    It can run in another process: everything goes in and comes out as plain values.

    Raises:
        UnreadableImage: as `decode_photo`.
        UserError: the screen is too small for a card.
    """
    photo = decode_photo(data, name)
    found = measure(
        photo.pixels,
        screen,
        width_mm=width_mm,
        focal_35=photo.focal_35,
        place=place,
        limits=limits,
    )
    drawn = draw(photo.pixels, found, limits)
    out = io.BytesIO()
    drawn.save(out, "JPEG", quality=JPEG_QUALITY)
    return found, out.getvalue()


def align_file(
    file: Path,
    screen: tuple[int, int],
    *,
    called: str | None = None,
    width_mm: float | None = None,
    place: Place = "centre",
    limits: AlignmentLimits | None = None,
) -> tuple[Alignment, bytes]:
    """`align_photo` of a file, *called* so in sentences, or by its name.

    Raises:
        UnreadableImage: it cannot be opened either.
    """
    try:
        data = file.read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UnreadableImage(f"{file} cannot be read: {why}.") from error
    name = called or file.name
    return align_photo(data, name, screen, width_mm=width_mm, place=place, limits=limits)


def _focal(picture: Image.Image) -> float | None:
    """What EXIF says in FocalLengthIn35mmFilm (0xA405); 0 means unknown there."""
    try:
        told = picture.getexif().get_ifd(ExifTags.IFD.Exif).get(0xA405)
        value = float(told) if told is not None else 0.0
    except (OSError, ValueError, TypeError, SyntaxError, ZeroDivisionError):
        return None
    return value if _FOCAL_35[0] <= value <= _FOCAL_35[1] else None
