"""Image files in and out: grey stays one channel, colour is RGB.

JPEG, which most x-rays are, goes through simplejpeg (libjpeg-turbo without detours); everything
else, and every JPEG that is out of the ordinary, through Pillow.
"""

from __future__ import annotations

import io
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
import simplejpeg
from PIL import Image, ImageOps, UnidentifiedImageError

from rig.synthesis.transform import Pixels, SynthesisError

if TYPE_CHECKING:
    from collections.abc import Iterator

QUALITY = 75
"""JPEG quality of the released sets."""
MAX_PIXELS = 170_000_000
"""Larger images are refused: they are rather a bomb than an x-ray."""

Colour = Literal["source", "grey", "rgb"]
"""Channels of the output: those of the source, one, or three."""

_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000")
_GREY = frozenset({"1", "L", "LA", "La"})
_COLOUR = frozenset({"RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV"})
_SIXTEEN = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_ORIENTATION = 0x0112


def decode(data: bytes) -> Pixels:
    """Pixels of an image file, upright: `(H, W)` for grey, `(H, W, 3)` RGB for colour, uint8.

    The content counts, not the name. EXIF orientation is applied, so the pixels are those that a
    viewer shows; transparency is laid on black. Grey of 16 bits is brought to 8 over its whole
    range, as PNG has it.

    Raises:
        SynthesisError: empty, broken or unknown data, too large, or numbers that no viewer would
            show as they are meant (32 bits, or 12 bits kept in 16).
    """
    if not data:
        raise SynthesisError("The file is empty.")
    plain = _decode_plain_jpeg(data)
    if plain is not None:
        return plain
    try:
        with _no_warnings(), Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            _check_size(picture.width, picture.height)
            quick = _decode_jpeg(picture, data)
            if quick is not None:
                return quick
            picture.load()
            return _pixels(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError:
        raise SynthesisError("The file is not an image of a known format.") from None
    except Image.DecompressionBombError:
        raise SynthesisError(f"The image has more than {MAX_PIXELS // 10**6} megapixels.") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise SynthesisError(f"The image data is broken: {error}.") from error


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Pillow warns of what is large or odd; what matters here is whether the pixels are right."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise SynthesisError(
            f"The image is {width}x{height} px, more than {MAX_PIXELS // 10**6} megapixels."
        )


def _decode_plain_jpeg(data: bytes) -> Pixels | None:
    """The pixels of a JPEG without EXIF, in grey or YCbCr; None for everything else."""
    if not data.startswith(b"\xff\xd8\xff") or b"Exif" in data:
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours not in {"Gray", "YCbCr"}:
            return None
        _check_size(int(width), int(height))
        pixels = simplejpeg.decode_jpeg(data, "GRAY" if colours == "Gray" else "RGB")
    except ValueError:  # Pillow is to say what is wrong
        return None
    return np.asarray(pixels[:, :, 0] if colours == "Gray" else pixels, dtype=np.uint8)


def _decode_jpeg(picture: Image.Image, data: bytes) -> Pixels | None:
    """The pixels of an ordinary JPEG; None when Pillow has to look at it."""
    if picture.format != "JPEG" or picture.mode not in {"L", "RGB"}:
        return None
    if "exif" in picture.info and picture.getexif().get(_ORIENTATION, 1) != 1:
        return None
    try:
        pixels = simplejpeg.decode_jpeg(data, "GRAY" if picture.mode == "L" else "RGB")
    except ValueError:  # cut off, or with something Pillow may forgive: it is to say
        return None
    return np.asarray(pixels[:, :, 0] if picture.mode == "L" else pixels, dtype=np.uint8)


def _pixels(picture: Image.Image) -> Pixels:
    if picture.mode in _SIXTEEN:
        return _eight_bits(np.asarray(picture, dtype=np.uint16))
    if "transparency" in picture.info or picture.mode in {"LA", "La", "RGBA", "RGBa", "PA"}:
        grey = picture.mode in _GREY
        solid = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", solid.size, (0, 0, 0, 255)), solid)
        picture = picture.convert("L" if grey else "RGB")
    if picture.mode in _GREY:
        return np.array(picture.convert("L"), dtype=np.uint8)
    if picture.mode in _COLOUR:
        return np.array(picture.convert("RGB"), dtype=np.uint8)
    raise SynthesisError(
        f"The image has more than 16 bits a value (mode {picture.mode}); window it to 8 bits first."
    )


def _eight_bits(deep: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]) -> Pixels:
    highest = int(deep.max(initial=0))
    if 255 < highest < 4096:
        raise SynthesisError(
            f"The image has 16 bits a value but none above {highest}, so it would be almost "
            "black; window it to 8 bits first."
        )
    return np.asarray((deep.astype(np.uint32) + 128) // 257, dtype=np.uint8)


def in_colour(image: Pixels, colour: Colour) -> Pixels:
    """*image* with the channels that *colour* names."""
    if colour == "grey" and image.ndim == 3:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    if colour == "rgb" and image.ndim == 2:
        return np.asarray(cv2.merge([image] * 3), dtype=np.uint8)
    return image


def encode_jpeg(image: Pixels, quality: int = QUALITY) -> bytes:
    """*image* as a JPEG file, grey or RGB (4:2:0) as it is; *quality* is 1..95.

    Raises:
        SynthesisError: a side is longer than JPEG can say, 65,500 pixels.
    """
    if max(image.shape[:2]) > 65_500:
        raise SynthesisError("The image is longer than 65500 px, which JPEG cannot hold.")
    image = np.ascontiguousarray(image)
    if image.ndim == 2:
        return bytes(simplejpeg.encode_jpeg(image[:, :, None], quality, "GRAY", "GRAY"))
    return bytes(simplejpeg.encode_jpeg(image, quality, "RGB", "420"))


def encode_png(image: Pixels) -> bytes:
    """*image* as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()
