"""Where the four corner tags of the test card stand on a screen; shown and read by this alone."""

from __future__ import annotations

from rig.errors import UserError
from rig.intake.marker_ids import CARD_IDS

CELLS = 10
"""Side of a tag in modules: 6 of data, 1 of black around them, 1 of light around that."""
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
