"""An x-ray on a black screen: the exact pixels that the monitor is asked to show."""

from __future__ import annotations

import hashlib
import io
import struct
import textwrap
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from display_agent import cursor, marker
from display_agent.colour import NEUTRAL, Gains, tinted
from display_agent.fit import BadImage, Box, Size, fit
from display_agent.look import PLAIN, Look
from display_agent.marker import MarkerLabel

__all__ = [
    "BadImage", "Composition", "MarkerLabel", "Size", "compose", "decode", "notice", "surface_sha",
]  # fmt: skip

_DEEP = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})
_DEEP_MAX = 65535
_STRIP = 64


@dataclass(frozen=True, slots=True)
class Composition:
    """A frame ready to be shown, and where on it the x-ray lies.

    Attributes:
        frame: mode L or RGB, exactly the size of the screen.
        rect: x, y, width, height of the x-ray on it, pixels.
        cursor: x, y of the drawn cursor's hot spot, pixels; None when none is drawn.
        gains: of the encoded red, green and blue, 1 each when nothing was tinted.
        tags: boxes of the index marker's tags; empty when it is not drawn.
        shrunk: width of the x-ray against the largest that the screen allows, at most 1; less when
            the marker needed room.
    """

    frame: Image.Image
    rect: Box
    cursor: tuple[int, int] | None = None
    gains: Gains = NEUTRAL
    tags: tuple[Box, ...] = ()
    shrunk: float = 1.0


def decode(data: bytes) -> Image.Image:
    """The picture in *data*, its pixels loaded.

    Raises:
        BadImage: Pillow cannot read it, or it is truncated or absurdly large.
    """
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as problem:
        raise BadImage(f"the picture cannot be decoded ({problem})") from problem
    return image


def compose(
    image: Image.Image, size: Size, look: Look = PLAIN, *, label: MarkerLabel | None = None
) -> Composition:
    """*image* upright on black, centred and as large as *size* allows; the aspect is kept.

    Grey pictures stay grey (mode L), 16-bit grey is scaled linearly over its full range 0..65535,
    transparency is laid over black, everything else becomes RGB. Lanczos, one resampling. The look
    comes on top: marker, cursor, then gains over the whole frame; cursor and gains make it RGB.

    Args:
        image: as `decode` gives it.
        size: of the screen.
        look: what the environment asks for; nothing by default.
        label: what is shown; the marker and a moved cursor need it.

    Raises:
        BadImage: a pixel format whose range is unknown (floating point, beyond 16 bits), or a
            screen too small for the marker.
        UserError: an index that the marker cannot carry.
        ValueError: marker or moved cursor without a label.
    """
    upright = _upright(image)
    layout = marker.lay_out(upright.size, size) if look.marker else None
    largest = fit(upright.size, size)
    box = largest if layout is None else layout.rect
    scaled = _scaled(upright, (box[2], box[3]))
    frame = Image.new(scaled.mode, size, 0)
    frame.paste(scaled, box[:2])
    if layout is not None:
        marker.draw(frame, layout, _needed(label))
    at = None
    if look.cursor is not None:
        index = _needed(label).index if look.cursor.place == "moved" else 0
        at = cursor.position(look.cursor, size, box, index)
        frame = cursor.drawn(frame, at)
    return Composition(
        tinted(frame, look.gains),
        box,
        at,
        look.gains,
        () if layout is None else layout.tags,
        box[2] / largest[2],
    )


def notice(size: Size, text: str) -> Image.Image:
    """A black frame (mode L) with *text* in its middle: what is shown when no x-ray may be."""
    frame = Image.new("L", size, 0)
    points = max(10, min(size) // 24)
    # An average glyph of the built-in font is about half as wide as its size.
    lines = textwrap.fill(text, max(8, int(size[0] * 0.9 / (points * 0.52))))
    ImageDraw.Draw(frame).multiline_text(
        (size[0] / 2, size[1] / 2),
        lines,
        fill=200,
        font=ImageFont.load_default(points),
        anchor="mm",
        align="center",
        spacing=points // 2,
    )
    return frame


def surface_sha(frame: Image.Image) -> bytes:
    """SHA-256 (32 bytes) over mode, size and pixels: equal exactly when the surfaces are equal."""
    digest = hashlib.sha256(f"{frame.mode} {frame.width}x{frame.height}\n".encode("ascii"))
    # In strips: a copy of the whole frame costs more in fresh memory than in hashing.
    for top in range(0, frame.height, _STRIP):
        strip = frame.crop((0, top, frame.width, min(top + _STRIP, frame.height)))
        digest.update(strip.tobytes())
    return digest.digest()


def _needed(label: MarkerLabel | None) -> MarkerLabel:
    if label is None:
        raise ValueError("an index marker or a moved cursor needs to know which x-ray is shown")
    return label


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except (OSError, ValueError, SyntaxError, KeyError, struct.error):
        return image  # a damaged EXIF block says nothing about the way up


def _scaled(image: Image.Image, size: Size) -> Image.Image:
    if image.mode in _DEEP:
        return _from_deep(image, size)
    if image.mode == "F":
        raise BadImage("floating-point pixels have no agreed white; convert it to 8- or 16-bit PNG")
    return _plain(image).resize(size, Image.Resampling.LANCZOS)


def _from_deep(image: Image.Image, size: Size) -> Image.Image:
    """16-bit grey to L. Pillow's own conversion clips at 255, so scale in floating point."""
    values = np.asarray(image).astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > _DEEP_MAX:
        raise BadImage(f"grey values {low:.0f}..{high:.0f} exceed 16 bits; convert it to PNG")
    exact = Image.fromarray(values * np.float32(255 / _DEEP_MAX))
    resampled = np.asarray(exact.resize(size, Image.Resampling.LANCZOS))
    return Image.fromarray(np.clip(np.rint(resampled), 0, 255).astype(np.uint8))


def _plain(image: Image.Image) -> Image.Image:
    """L or RGB of any other mode, transparency over black."""
    target = "L" if image.mode in {"1", "L", "LA"} else "RGB"
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, layered)
    return image.convert(target)
