"""Is this file a whole picture? Its digest and its size, or a sentence saying why not."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from PIL import Image, UnidentifiedImageError

MAX_PIXELS = 200_000_000
"""Larger pictures are refused before they are decoded: no chest x-ray has as many pixels."""

FORMATS: tuple[str, ...] = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
"""What is decoded at all: Pillow's other readers start programs (EPS) or are seldom tested."""

# Pillow warns at its own limit, refuses at twice that, and knows only this process-wide switch.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


class BadImage(ValueError):
    """The file is not a picture that can be shown; the message is the reason, for a person."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """SHA-256 (hex) of a file's bytes, and its picture's width and height in pixels."""

    sha256: str
    width: int
    height: int


def inspect(file: Path) -> ImageFacts:
    """Hash and fully decode *file*.

    Raises:
        BadImage: no readable, whole picture of at most `MAX_PIXELS` pixels.
    """
    try:
        if not file.is_file():
            raise BadImage("it is not a regular file")
        with file.open("rb") as handle:
            return _inspect(handle)
    except OSError as error:
        raise BadImage(f"it cannot be read ({error.strerror or error})") from error


def _inspect(handle: BufferedReader) -> ImageFacts:
    digest = hashlib.file_digest(handle, "sha256").hexdigest()
    if handle.tell() == 0:
        raise BadImage("the file is empty (zero bytes)")
    handle.seek(0)
    width, height = _decode(handle)
    return ImageFacts(digest, width, height)


def _decode(handle: BufferedReader) -> tuple[int, int]:
    """Width and height of the picture, once every pixel of it was decoded."""
    try:
        with Image.open(handle, formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise _too_large()
            picture.load()
            if picture.format == "PNG" and not _png_ends(handle):
                raise BadImage("the image is cut short (a PNG without its last chunk)")
            return picture.size
    except BadImage:
        raise
    except UnidentifiedImageError as error:
        raise BadImage(f"it is not an image ({', '.join(FORMATS)} are read)") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large() from error
    except Exception as error:  # a decoder given damaged bytes may raise anything
        raise BadImage(f"the image is damaged or cut short ({error})") from error


def _png_ends(handle: BufferedReader) -> bool:
    """Is a PNG's closing chunk there? Pillow is content once it has all pixels."""
    size = handle.seek(0, os.SEEK_END)
    handle.seek(max(0, size - 65536))  # other programs may have written something behind it
    return b"IEND\xaeB`\x82" in handle.read()


def _too_large() -> BadImage:
    return BadImage(f"the image has more than {MAX_PIXELS // 10**6} megapixels")
