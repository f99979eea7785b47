"""Image files in and out: grey stays one channel, colour is RGB."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from rig.synthesis.transform import Pixels, SynthesisError

QUALITY = 75
"""JPEG quality of the released sets."""

_GREY = frozenset({"1", "L", "LA", "La"})
_COLOUR = frozenset({"RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV"})


def decode(data: bytes) -> Pixels:
    """Pixels of an image file: `(H, W)` for grey, `(H, W, 3)` RGB for colour, uint8.

    Raises:
        SynthesisError: empty, broken or unknown data, or more than 8 bits a value.
    """
    if not data:
        raise SynthesisError("The file is empty.")
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            return _pixels(picture)
    except UnidentifiedImageError:
        raise SynthesisError("The file is not an image of a known format.") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SynthesisError(f"The image data is broken: {error}.") from error


def _pixels(picture: Image.Image) -> Pixels:
    if picture.mode in _GREY:
        return np.array(picture.convert("L"), dtype=np.uint8)
    if picture.mode in _COLOUR:
        return np.array(picture.convert("RGB"), dtype=np.uint8)
    raise SynthesisError(
        f"The image has more than 8 bits a value (mode {picture.mode}); window it to 8 bits first."
    )


def encode_jpeg(image: Pixels, quality: int = QUALITY) -> bytes:
    """*image* as a JPEG file, grey or RGB as it is; *quality* is 1..95."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()


def encode_png(image: Pixels) -> bytes:
    """*image* as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()
