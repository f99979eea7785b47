"""The index marker in the black margin: eight tags that say which x-ray is on the screen.

What they say and why a misread one cannot say another index is in `rig.intake.marker_ids`; read
they are by `rig.intake.marker`. Here is where they stand: four in each of two opposite margins, as
large as these allow up to a limit, spread over the whole side so that a frame that is switched only
in part shows tags of both. A tag is 10 modules wide: 6 of data, 1 of black, and 1 of light rim that
the detector needs. At least one black module lies between a tag and the x-ray, the edge of the
screen and the next tag.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from display_agent.fit import BadImage, Box, Size, fit
from rig.intake.card import CELLS
from rig.intake.marker_ids import TAGS, encode_ids

GREY = 176
"""Of the light modules. At 40 tags were not found, from 96 on they were; under the warmest gains
(1667 K) this still has a luma of 96 or more."""

_SIDE = TAGS // 2
_ACROSS = CELLS + 2
"""Modules that a margin needs."""
_ALONG = _SIDE * CELLS + _SIDE + 1
"""Modules that the side of the screen needs."""
_LEAST = 2


@dataclass(frozen=True, slots=True)
class MarkerLabel:
    """What is on the screen: an index, from 1, and an attempt at it, from 1."""

    index: int
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Layout:
    """Where x-ray and tags stand.

    Attributes:
        rect: of the x-ray.
        tags: boxes of the eight tags, light rim included, in the order of their places.
        module: pixels of one module.
    """

    rect: Box
    tags: tuple[Box, ...]
    module: int


def lay_out(inner: Size, size: Size) -> Layout:
    """Room for the tags beside a picture of *inner* pixels on a screen of *size*.

    The picture is as large as the screen allows when that leaves margins for modules of a 160th of
    the screen's longer side; otherwise it is shrunk to make just that room.

    Raises:
        BadImage: the screen is too small for tags that a camera could read.
    """
    least = max(_LEAST, -(-max(size) // 160))
    most = max(least, max(size) // 96)
    whole = fit(inner, size)
    module, upright = max((_room(whole, size, upright), upright) for upright in (False, True))
    if module >= least:
        module = min(module, most)
    else:
        module = least
        whole, upright = _shrunk(inner, size, module)
    return Layout(whole, _boxes(whole, size, module, upright=upright), module)


def draw(frame: Image.Image, layout: Layout, label: MarkerLabel) -> None:
    """Draw the marker of *label* onto *frame* (mode L or RGB) in place.

    Raises:
        UserError: an index that no marker can carry.
    """
    for number, box in zip(encode_ids(label.index, label.attempt), layout.tags, strict=True):
        frame.paste(tag_image(number, box[2]), box[:2])


def tag_image(number: int, side: int) -> Image.Image:
    """Tag *number* of 36h11 with its light rim, mode L, *side* pixels: a multiple of 10."""
    import cv2  # only who shows a tag waits for it

    family = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
    module = side // CELLS
    tag = Image.new("L", (side, side), GREY)
    inner = cv2.aruco.generateImageMarker(family, number, side - 2 * module)
    tag.paste(Image.fromarray(inner).point([min(v, GREY) for v in range(256)]), (module, module))
    return tag


def _room(rect: Box, size: Size, upright: bool) -> int:
    """Largest module for which tags fit beside *rect*: in columns if *upright*, else in rows."""
    axis = 0 if upright else 1
    margin = min(rect[axis], size[axis] - rect[axis] - rect[axis + 2])
    return min(margin // _ACROSS, size[1 - axis] // _ALONG)


def _shrunk(inner: Size, size: Size, module: int) -> tuple[Box, bool]:
    """The largest box that leaves room for tags, and whether they stand in columns."""
    choices: list[tuple[int, Box, bool]] = []
    for upright in (True, False):
        axis = 0 if upright else 1
        left = list(size)
        left[axis] -= 2 * _ACROSS * module
        if min(left) < 1 or size[1 - axis] < _ALONG * module:
            continue
        box = fit(inner, (left[0], left[1]))
        moved = (box[0] + (size[0] - left[0]) // 2, box[1] + (size[1] - left[1]) // 2)
        choices.append((box[2] * box[3], (*moved, box[2], box[3]), upright))
    if not choices:
        raise BadImage(
            f"a screen of {size[0]}x{size[1]} pixels is too small for the index marker; "
            "show the x-rays without it"
        )
    _, rect, upright = max(choices)
    return rect, upright


def _boxes(rect: Box, size: Size, module: int, *, upright: bool) -> tuple[Box, ...]:
    axis = 0 if upright else 1
    side = CELLS * module
    near, far = rect[axis], rect[axis] + rect[axis + 2]
    places = []
    for start, end in ((0, near), (far, size[axis])):
        for number in range(_SIDE):
            free = size[1 - axis] - _SIDE * side
            at = [0, 0]
            at[axis] = start + (end - start - side) // 2
            at[1 - axis] = free * (number + 1) // (_SIDE + 1) + number * side
            places.append((at[0], at[1], side, side))
    return tuple(places)
