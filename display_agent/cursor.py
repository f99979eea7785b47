"""A mouse cursor that we draw ourselves: the desktop's own is not the same twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from display_agent.fit import Box, Size

_SHAPE = """
#.............
##............
#o#...........
#oo#..........
#ooo#.........
#oooo#........
#ooooo#.......
#oooooo#......
#ooooooo#.....
#oooooooo#....
#ooooooooo#...
#oooooooooo#..
#ooooooooooo#.
#oooooo#######
#ooo#oo#......
#oo##oo#......
#o#..#oo#.....
##...#oo#.....
#.....#oo#....
......#oo#....
.......##.....
""".strip().splitlines()
"""`#` black outline, `o` white, `.` what is below; the hot spot is the top left pixel."""
_INK = {"#": (0, 255), "o": (255, 255), ".": (0, 0)}
_DESIGNED_FOR = 1080
"""Shorter side of the screen, pixels, on which a cell of the shape is one pixel."""


@dataclass(frozen=True, slots=True)
class CursorSpec:
    """Where the cursor stands.

    Attributes:
        place: `centre` of the screen, or `moved`: anywhere on the x-ray, by chance.
        seed: of the chance; the same for a whole campaign.
    """

    place: Literal["centre", "moved"]
    seed: int = 0


def position(spec: CursorSpec, size: Size, rect: Box, index: int) -> tuple[int, int]:
    """Where the hot spot of x-ray *index*'s cursor is, in pixels of a screen of *size*.

    `moved`: the first and the second eight bytes of SHA-256 over the ASCII text
    `cursor SEED INDEX`, big-endian, as fractions of the places in *rect* (the x-ray) at which the
    whole cursor lies on the x-ray.
    """
    if spec.place == "centre":
        return size[0] // 2, size[1] // 2
    digest = hashlib.sha256(f"cursor {spec.seed} {index}".encode("ascii")).digest()
    wide, high = bitmap(size).size
    across, down = max(1, rect[2] - wide + 1), max(1, rect[3] - high + 1)
    x = int.from_bytes(digest[:8], "big") * across >> 64
    y = int.from_bytes(digest[8:16], "big") * down >> 64
    return rect[0] + x, rect[1] + y


def bitmap(size: Size) -> Image.Image:
    """The cursor for a screen of *size*, mode LA: white with a black outline."""
    shape = Image.new("LA", (len(_SHAPE[0]), len(_SHAPE)))
    shape.putdata([_INK[cell] for row in _SHAPE for cell in row])
    scale = max(1, round(min(size) / _DESIGNED_FOR))
    return shape.resize((shape.width * scale, shape.height * scale), Image.Resampling.NEAREST)


def drawn(frame: Image.Image, at: tuple[int, int]) -> Image.Image:
    """*frame* (mode L or RGB) as RGB with the cursor's hot spot *at*; cut off at the edges."""
    coloured = frame.convert("RGB")
    arrow = bitmap(frame.size)
    coloured.paste(arrow.getchannel("L").convert("RGB"), at, arrow.getchannel("A"))
    return coloured
