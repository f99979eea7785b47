"""`set 2, 17 of 150` in a corner of the screen, where neither x-ray nor marker is."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image, ImageDraw, ImageFont

from display_agent.compose import Composition
from display_agent.fit import Box, Size, fit, overlap

GREY = 112
"""Of the letters: readable from the chair, dim in a photo."""


def strip(size: Size) -> int:
    """Height in pixels of a strip below the x-ray in which the text fits for certain."""
    return _points(size) + 3 * _gap(size)


def with_progress(made: Composition, text: str) -> Composition | None:
    """*made* with *text* in the first free corner; None when every corner is taken.

    Tried are bottom right, bottom left, top right, top left, on one line and then, for a narrow
    margin, with a line for each part between commas.
    """
    size = made.frame.size
    for words in dict.fromkeys((text, text.replace(", ", "\n"))):
        for box in _corners(size, _extent(size, words)):
            if not any(overlap(box, taken) for taken in (made.rect, *made.tags)):
                return replace(made, frame=_written(made.frame, words, box))
    return None


def lowered(made: Composition, size: Size) -> Composition:
    """*made* for a screen less high, laid at the top of one of *size*: a strip stays free."""
    frame = Image.new(made.frame.mode, size, 0)
    frame.paste(made.frame, (0, 0))
    largest = fit((made.rect[2], made.rect[3]), size)
    return replace(made, frame=frame, shrunk=made.rect[2] / largest[2])


def _points(size: Size) -> int:
    return max(8, min(size) // 54)


def _gap(size: Size) -> int:
    """Pixels around the text."""
    return max(2, min(size) // 270)


def _extent(size: Size, words: str) -> Size:
    pen = ImageDraw.Draw(Image.new("L", (1, 1)))
    font = ImageFont.load_default(_points(size))
    left, top, right, low = pen.multiline_textbbox((0, 0), words, font=font)
    return int(right - left) + 1 + 2 * _gap(size), int(low - top) + 1 + 2 * _gap(size)


def _corners(size: Size, extent: Size) -> tuple[Box, ...]:
    right, low = size[0] - extent[0], size[1] - extent[1]
    return tuple((x, y, *extent) for y in (low, 0) for x in (right, 0) if min(x, y) >= 0)


def _written(frame: Image.Image, words: str, box: Box) -> Image.Image:
    written = frame.copy()
    pen = ImageDraw.Draw(written)
    font = ImageFont.load_default(_points(frame.size))
    left, top, _, _ = pen.multiline_textbbox((0, 0), words, font=font)
    at = (box[0] + _gap(frame.size) - left, box[1] + _gap(frame.size) - top)
    ink = GREY if frame.mode == "L" else (GREY, GREY, GREY)
    pen.multiline_text(at, words, fill=ink, font=font)
    return written
