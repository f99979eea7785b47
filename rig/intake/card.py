"""Where everything of the test card stands on a screen; shown and read by this alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rig.errors import UserError
from rig.intake.marker_ids import CARD_IDS

CELLS = 10
"""Side of a tag in modules: 6 of data, 1 of black around them, 1 of light around that."""
PATCHES = (0, 32, 64, 96, 128, 160, 192, 224, 255)
"""Grey levels of the ramp, from left to right."""
GROUND = 48
"""Grey level of everything that nothing else is drawn on."""
SPOKES = 18
"""Light spokes of the star, and dark ones, from its middle to its rim."""
_LEAST = 2
"""Screen pixels of the smallest module a camera could hope to read."""

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


def card_tags(size: tuple[int, int]) -> dict[int, Box]:
    """Id -> box of each corner tag, its light rim included, on a screen of *size* pixels.

    The tags are a fifth of the screen's shorter side, one module away from its edges, clockwise
    from top left in the order of `CARD_IDS`.

    Raises:
        UserError: a screen too small for tags that a camera could read.
    """
    width, height = size
    module = min(size) // (5 * CELLS)
    if module < _LEAST:
        raise UserError(
            f"a screen of {width}x{height} pixels is too small for the test card; "
            f"it needs {5 * CELLS * _LEAST} pixels at least"
        )
    side = CELLS * module
    left, top, right, low = module, module, width - module - side, height - module - side
    places = ((left, top), (right, top), (right, low), (left, low))
    return {number: (x, y, side, side) for number, (x, y) in zip(CARD_IDS, places, strict=True)}


def patch_boxes(size: tuple[int, int]) -> tuple[Box, ...]:
    """Boxes of the grey patches, in the order of `PATCHES`."""
    width, height = size
    side = min(width, height) // 14
    left = (width - side * len(PATCHES)) // 2
    return tuple((left + side * i, height * 3 // 4, side, side) for i in range(len(PATCHES)))


@dataclass(frozen=True, slots=True)
class Star:
    """A Siemens star: its middle in screen pixels (pixel-edge), and its radius.

    Light spokes begin at 0, 20, 40... degrees from three o'clock, clockwise, and are 10 wide.
    """

    x: float
    y: float
    radius: int


def star(size: tuple[int, int]) -> Star:
    """The star of the card on a screen of *size* pixels."""
    width, height = size
    return Star(width // 2 + 0.5, height // 2 + 0.5, min(size) // 5)


def drawn_boxes(size: tuple[int, int]) -> tuple[Box, ...]:
    """Boxes that hold everything drawn; what lies outside has the grey level `GROUND`."""
    width, height = size
    least = min(size)
    # The gratings' middles are this far beside the star's; they are wider than their own side
    # only by rounding.
    across = math.ceil(least * 0.28) + least // 12
    half = max(least // 5, least // 12 + least // 48 + least // 12) + 2
    ramp = patch_boxes(size)
    return (
        *card_tags(size).values(),
        (ramp[0][0], ramp[0][1], ramp[0][2] * len(ramp), ramp[0][3]),
        (width // 2 - across, height // 2 - half, 2 * across, 2 * half),
        (width // 5, 0, width - 2 * (width // 5), height // 6 + least // 20),
    )
