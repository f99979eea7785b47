"""What was read back from a screen, made comparable with what was composed."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops

from display_agent.compose import Size


def as_composed(seen: Image.Image, mode: str) -> Image.Image:
    """*seen* (RGB) in the *mode* of the composition, so that `surface_sha` compares.

    A grey composition was shown by three equal channels; where they are not equal any more the
    picture stays RGB, and its hash is that of no grey picture.
    """
    if mode == "L":
        red, green, blue = seen.split()
        if red.tobytes() == green.tobytes() == blue.tobytes():
            return red
    return seen


def checkerboard(size: Size) -> Image.Image:
    """Black and white pixels in turn (mode L): what any scaling or filter turns into grey."""
    columns, rows = np.ogrid[: size[1], : size[0]]
    return Image.fromarray(((columns + rows) % 2 * 255).astype(np.uint8))


def difference(wanted: Image.Image, seen: Image.Image) -> str | None:
    """Where *seen* differs from *wanted*, in words; None when they are equal.

    The words name the rectangle that holds all differing pixels, in pixels of the screen.
    """
    if seen.size != wanted.size:
        return f"it has {seen.width}x{seen.height} pixels instead of {wanted.width}x{wanted.height}"
    box = ImageChops.difference(wanted.convert("RGB"), seen.convert("RGB")).getbbox()
    if box is None:
        return None
    left, top, right, bottom = box
    return f"it differs within {right - left}x{bottom - top} pixels at {left},{top}"
