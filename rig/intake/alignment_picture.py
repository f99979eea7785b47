"""The photo of the card with what was found drawn on it, and the words below.

Colour is never the only sign: what is right is a circle or a solid line, what is wrong a cross,
what is wanted a dashed line.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rig.intake.alignment import CORNERS, Alignment
from rig.intake.alignment_items import Verdict
from rig.intake.alignment_limits import AlignmentLimits
from rig.intake.alignment_pose import tag_corners
from rig.intake.geometry import Points, transform
from rig.intake.marker_ids import CARD_IDS

SIDE = 1280
"""Longest side of the photo in the picture, pixels."""
_GOOD, _FAIR, _BAD = (90, 220, 120), (255, 190, 60), (255, 100, 90)
_WANTED, _EDGE, _BACK, _INK = (120, 200, 255), (200, 200, 200), (22, 24, 28), (240, 240, 240)
_COLOURS = {Verdict.OK: _GOOD, Verdict.WARN: _FAIR, Verdict.REJECT: _BAD}
_TITLES = {Verdict.OK: "GOOD", Verdict.WARN: "COULD BE BETTER", Verdict.REJECT: "NOT YET"}
Colour = tuple[int, int, int]
Place = tuple[float, float]


def draw(
    photo: NDArray[np.uint8], found: Alignment, limits: AlignmentLimits | None = None
) -> Image.Image:
    """*photo* (RGB, as it was measured) with everything in *found*; mode RGB."""
    limits = limits or AlignmentLimits()
    picture = Image.fromarray(photo).convert("RGB")
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    scale = np.array(picture.size) / np.array(found.photo)
    pen = ImageDraw.Draw(picture)
    thick = max(2, round(max(picture.size) / 400))
    _margins(pen, picture.size, limits, thick)
    _target(pen, picture.size, found, limits, thick)
    if found.outline is not None:
        quad = np.array(found.outline) * scale
        _outline(pen, quad, picture.size, found, limits, thick)
        _tags(pen, scale, found, thick)
        _toward(pen, quad, picture.size, found, thick)
    return _with_words(picture, found)


def _margins(
    pen: ImageDraw.ImageDraw, size: tuple[int, int], limits: AlignmentLimits, thick: int
) -> None:
    edge = limits.margin_warn * size[0]
    box = [(edge, edge), (size[0] - edge, edge), (size[0] - edge, size[1] - edge),
           (edge, size[1] - edge)]  # fmt: skip
    _closed(pen, box, _EDGE, max(1, thick // 2), dash=thick * 2)


def _target(
    pen: ImageDraw.ImageDraw, size: tuple[int, int], found: Alignment, limits: AlignmentLimits,
    thick: int,
) -> None:  # fmt: skip
    """Where the screen's outline is wanted: centred, as large as the words ask."""
    wide, high = found.screen
    if found.pose is not None and found.pose.quarter % 2:
        wide, high = high, wide
    scale = limits.fill_wanted * min(size[0] / wide, size[1] / high)
    half = wide * scale / 2, high * scale / 2
    x, y = size[0] / 2, size[1] / 2
    box = [(x - half[0], y - half[1]), (x + half[0], y - half[1]), (x + half[0], y + half[1]),
           (x - half[0], y + half[1])]  # fmt: skip
    _closed(pen, box, _WANTED, thick, dash=thick * 6)
    _label(pen, (x - half[0] + 4 * thick, y - half[1] + 2 * thick), "wanted", _WANTED, size)


def _outline(
    pen: ImageDraw.ImageDraw, quad: Points, size: tuple[int, int], found: Alignment,
    limits: AlignmentLimits, thick: int,
) -> None:  # fmt: skip
    verdict = next((one.verdict for one in found.items if one.name == "framing"), Verdict.OK)
    _closed(pen, [(x, y) for x, y in quad], _COLOURS[verdict], thick)
    reach = 5 * thick
    for corner, (x, y) in zip(CORNERS, quad, strict=True):
        edge = min(x, y, size[0] - x, size[1] - y)
        here = min(max(x, reach), size[0] - reach), min(max(y, reach), size[1] - reach)
        if edge >= limits.margin_warn * size[0]:
            _circle(pen, here, reach, _GOOD, thick)
        else:
            _cross(pen, here, reach, _BAD, thick)
            _label(pen, (here[0] + 2 * reach, here[1] + reach), f"{corner}: at the edge", _BAD,
                   size)  # fmt: skip


def _tags(
    pen: ImageDraw.ImageDraw, scale: NDArray[np.float64], found: Alignment, thick: int
) -> None:
    for quad in found.tags.values():
        _closed(pen, [(x * scale[0], y * scale[1]) for x, y in quad], _GOOD, thick)
    if found.homography is None:
        return
    matrix = np.array(found.homography)
    limit = np.array(found.photo) * scale
    for number, square in tag_corners(found.screen).items():
        corner = CORNERS[CARD_IDS.index(number)]
        if corner not in found.lost:
            continue
        quad_ = transform(matrix, square) * scale
        x, y = np.clip(quad_.mean(axis=0), 8 * thick, limit - 8 * thick)
        _cross(pen, (x, y), 8 * thick, _BAD, 2 * thick)
        size = (int(limit[0]), int(limit[1]))
        _label(pen, (x, y + 9 * thick), f"{corner}: {found.lost[corner]}", _BAD, size)


def _toward(
    pen: ImageDraw.ImageDraw, quad: Points, size: tuple[int, int], found: Alignment, thick: int
) -> None:
    """An arrow from the screen's centre to where it is wanted."""
    middle = quad.mean(axis=0)
    aim = np.array(size) / 2
    way = aim - middle
    length = float(np.linalg.norm(way))
    if found.offset is None or length < 0.02 * size[0]:
        return
    tip = (float(aim[0]), float(aim[1]))
    pen.line([(float(middle[0]), float(middle[1])), tip], fill=_WANTED, width=thick)
    turn = math.atan2(way[1], way[0])
    for side in (math.radians(150), -math.radians(150)):
        end = (
            tip[0] + 6 * thick * math.cos(turn + side), tip[1] + 6 * thick * math.sin(turn + side)
        )  # fmt: skip
        pen.line([tip, end], fill=_WANTED, width=thick)


def _with_words(picture: Image.Image, found: Alignment) -> Image.Image:
    points = max(14, picture.width // 46)
    font, bold = ImageFont.load_default(points), ImageFont.load_default(round(points * 1.3))
    lines = [
        line
        for sentence in found.words
        for line in textwrap.wrap(sentence, max(20, round(picture.width / points / 0.52)))
    ]
    gap = round(points * 1.4)
    high = gap * (len(lines) + 1) + round(1.6 * gap)
    whole = Image.new("RGB", (picture.width, picture.height + high), _BACK)
    whole.paste(picture)
    pen = ImageDraw.Draw(whole)
    top, left = picture.height + gap // 2, points
    colour, mark = _COLOURS[found.verdict], points * 0.55
    middle = (left + mark, top + points * 0.75)
    if found.verdict is Verdict.OK:
        _circle(pen, middle, mark, colour, 4)
    elif found.verdict is Verdict.WARN:
        x, y = middle
        pen.polygon(
            [(x, y - mark), (x + mark, y + mark), (x - mark, y + mark)], outline=colour, width=4
        )
    else:
        _cross(pen, middle, mark, colour, 4)
    pen.text((left + 3 * mark, top), _TITLES[found.verdict], fill=colour, font=bold)
    for row, line in enumerate(lines):
        pen.text((left, top + round(1.5 * gap) + row * gap), line, fill=_INK, font=font)
    return whole


def _label(
    pen: ImageDraw.ImageDraw, at: Place, text: str, colour: Colour, size: tuple[int, int]
) -> None:
    """*text* on a dark ground, moved so that it lies inside the picture."""
    font = ImageFont.load_default(max(12, max(size) // 72))
    left, top, right, low = pen.textbbox((0, 0), text, font=font)
    x = min(max(at[0], 2), size[0] - (right - left) - 6)
    y = min(max(at[1], 2), size[1] - (low - top) - 8)
    pen.rectangle((x - 3, y - 2, x + right + 3, y + low + 3), fill=_BACK)
    pen.text((x, y), text, fill=colour, font=font)


def _closed(
    pen: ImageDraw.ImageDraw, points: Sequence[Place], colour: Colour, thick: int, dash: int = 0
) -> None:
    for a, b in zip(points, [*points[1:], points[0]], strict=True):
        _line(pen, a, b, colour, thick, dash)


def _line(
    pen: ImageDraw.ImageDraw, a: Place, b: Place, colour: Colour, thick: int, dash: int
) -> None:
    length = math.dist(a, b)
    if not dash or length == 0:
        pen.line([a, b], fill=colour, width=thick)
        return
    way = (b[0] - a[0]) / length, (b[1] - a[1]) / length
    for begin in np.arange(0, length, 2 * dash):
        end = min(begin + dash, length)
        pen.line(
            [(a[0] + way[0] * begin, a[1] + way[1] * begin),
             (a[0] + way[0] * end, a[1] + way[1] * end)], fill=colour, width=thick,
        )  # fmt: skip


def _circle(pen: ImageDraw.ImageDraw, at: Place, reach: float, colour: Colour, thick: int) -> None:
    box = (at[0] - reach, at[1] - reach, at[0] + reach, at[1] + reach)
    pen.ellipse(box, outline=colour, width=thick)


def _cross(pen: ImageDraw.ImageDraw, at: Place, reach: float, colour: Colour, thick: int) -> None:
    x, y = at
    pen.line([(x - reach, y - reach), (x + reach, y + reach)], fill=colour, width=thick)
    pen.line([(x - reach, y + reach), (x + reach, y - reach)], fill=colour, width=thick)
