"""Text that was drawn into the pixels: found as rows of small, even, sharply edged shapes.

White (or black) top-hat, then the geometry of connected components: letters have one height, one
grey level, steep edges, and stand side by side. A side marker of one or two letters is no text that
could name anybody and is left alone. Only a finder of doubt: what is blanked a person decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
Shapes = NDArray[np.float64]
"""Rows of left, top, width, height, contrast and crispness (0 or 1) of what may be letters."""

VERSION = 1
"""Raised when other places would be found in the same picture: what was screened is then again."""
WORK_SIZE = 1600
"""Long side in pixels at which is searched; letters of a larger image are larger, too."""
LEAST_LETTERS = 3
"""A name, a number or a date has three at least; markers like L, R, AP have fewer."""
LEAST_BLURRED = 6
"""Letters whose edges are soft or whose grey is uneven: so many must stand in one line."""
LEAST_TURNED = 5
"""Rows of ribs and vertebrae stand one above the other: writing on its side must be longer."""


@dataclass(frozen=True, slots=True)
class TextLimits:
    """What a letter is. Lengths in pixels at the working size.

    Attributes:
        least_height: smallest letter.
        most_height: tallest letter.
        most_width: of a shape, in heights: letters that touch are one shape.
        contrast: least difference to the ground around.
        saturated_contrast: the same for what is as bright as the brightest of the picture.
        evenness: most standard deviation inside a crisp shape, as a share of its contrast.
        steepness: least mean gradient along its edge, as a share of its contrast.
        loose_evenness: the same of a shape that counts only in a longer row.
        loose_steepness: likewise.
        gap: most distance of neighbours, in heights.
        heights: most ratio of the heights of neighbours.
    """

    least_height: int = 7
    most_height: int = 80
    most_width: float = 12.0
    contrast: float = 35.0
    saturated_contrast: float = 12.0
    evenness: float = 0.30
    steepness: float = 0.70
    loose_evenness: float = 0.40
    loose_steepness: float = 0.60
    gap: float = 1.1
    heights: float = 1.7


LIMITS = TextLimits()


def find_text(shown: NDArray[np.uint8], limits: TextLimits = LIMITS) -> tuple[Box, ...]:
    """Boxes around rows of what looks like letters, top to bottom.

    Args:
        shown: grey levels, (rows, columns).
        limits: what a letter is.

    Returns:
        Left, top, right, bottom in pixels of *shown*, the last two excluded.
    """
    if shown.size == 0:
        return ()
    small = _at_working_size(shown)
    found: list[Box] = []
    for picture in (small, 255 - small):
        for shapes in _shapes(picture, limits):
            found += rows_of(shapes, limits)
            turned = shapes[:, [1, 0, 3, 2, 4, 5]]
            found += [
                (top, left, bottom, right)
                for left, top, right, bottom in rows_of(turned, limits, LEAST_TURNED)
            ]
    factors = (shown.shape[1] / small.shape[1], shown.shape[0] / small.shape[0])
    return tuple(_grown(one, factors, shown.shape) for one in merged(found))


def _at_working_size(shown: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At most `WORK_SIZE`; small ones doubled, for the letters of a small image touch."""
    longest = max(shown.shape)
    scale = min(1.0, WORK_SIZE / longest) if longest > WORK_SIZE // 2 else 2.0
    if scale == 1.0:
        return shown
    size = (max(1, round(shown.shape[1] * scale)), max(1, round(shown.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(shown, size, interpolation=how), np.uint8)


def _shapes(picture: NDArray[np.uint8], limits: TextLimits) -> list[Shapes]:
    """Letter-like components of bright marks: of strong ones, and of saturated ones."""
    # Strokes are at most a third of a letter wide; the kernel must be wider than a stroke.
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (25, 25))
    hat = np.asarray(cv2.morphologyEx(picture, cv2.MORPH_TOPHAT, kernel), np.uint8)
    edge = np.asarray(
        cv2.morphologyEx(picture, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), np.uint8
    )
    top = int(picture.max())
    strong = hat >= limits.contrast
    bright = (hat >= limits.saturated_contrast) & (picture >= top - 4)
    return [_letters(mask, picture, hat, edge, limits) for mask in (strong, bright)]


def _letters(
    mask: NDArray[np.bool_],
    picture: NDArray[np.uint8],
    hat: NDArray[np.uint8],
    edge: NDArray[np.uint8],
    limits: TextLimits,
) -> Shapes:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8
    )
    if count < 2:
        return np.empty((0, 6))
    flat = labels.ravel()
    area = stats[:, cv2.CC_STAT_AREA].astype(float)

    def mean(of: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(flat, weights=of.ravel(), minlength=count) / area)

    core = picture.astype(float)
    level = mean(core)
    spread = np.sqrt(np.maximum(mean(core**2) - level**2, 0))
    contrast = mean(hat.astype(float))
    rim = (mask & ~cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)).ravel()
    rims = np.maximum(np.bincount(flat, weights=rim, minlength=count), 1)
    steep = np.bincount(flat, weights=edge.ravel() * rim, minlength=count) / rims
    left, top, width, height = (stats[:, n].astype(float) for n in range(4))
    full = area / np.maximum(width * height, 1)
    short, long = np.minimum(width, height), np.maximum(width, height)
    good = (
        (long >= limits.least_height)
        & (short <= limits.most_height)
        & (long <= limits.most_width * np.maximum(short, limits.least_height))
        & (full > 0.12)
        & (full < 0.97)
        & (spread <= limits.loose_evenness * contrast)
        & (steep >= limits.loose_steepness * contrast)
    )
    good[0] = False
    crisp = (spread <= limits.evenness * contrast) & (steep >= limits.steepness * contrast)
    return np.asarray(np.stack([left, top, width, height, contrast, crisp], axis=1)[good])


def rows_of(shapes: Shapes, limits: TextLimits = LIMITS, least: int = LEAST_LETTERS) -> list[Box]:
    """Rows of letters that stand side by side on one line.

    Args:
        shapes: left, top, width, height, contrast and crispness of each.
        limits: what neighbours are.
        least: so many letters make a row.
    """
    if len(shapes) == 0:
        return []
    shapes = shapes[(shapes[:, 3] >= limits.least_height) & (shapes[:, 3] <= limits.most_height)]
    parent = list(range(len(shapes)))

    def root(n: int) -> int:
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    order = np.argsort(shapes[:, 0], kind="stable")
    shapes = shapes[order]
    for n, one in enumerate(shapes):
        for m in _right_neighbours(n, one, shapes, limits):
            parent[root(int(m))] = root(n)
    roots = np.array([root(n) for n in range(len(shapes))])
    return [
        _around(shapes[roots == group])
        for group in np.unique(roots)
        if _is_writing(shapes[roots == group], least)
    ]


def _right_neighbours(n: int, one: Shapes, shapes: Shapes, limits: TextLimits) -> NDArray[np.intp]:
    """Shapes right of *one* that continue its row."""
    rest = shapes[n + 1 :]
    left, top, width, height, contrast, _ = one
    tall = np.maximum(height, rest[:, 3])
    shared = np.minimum(top + height, rest[:, 1] + rest[:, 3]) - np.maximum(top, rest[:, 1])
    near = (
        (rest[:, 0] - (left + width) <= limits.gap * tall)
        & (rest[:, 0] + rest[:, 2] / 2 > left + width / 2)
        & (shared >= 0.6 * np.minimum(height, rest[:, 3]))
        & (tall <= limits.heights * np.minimum(height, rest[:, 3]))
        & (np.maximum(contrast, rest[:, 4]) <= 2.0 * np.minimum(contrast, rest[:, 4]))
    )
    return np.flatnonzero(near) + n + 1


def _is_writing(shapes: Shapes, least: int) -> bool:
    """Enough letters, and most of one height on one line: capitals and digits at least.

    Ribs, wires and the edges of the film come in rows, too, but at any height.
    """
    letters = _letters_in(shapes)
    tall = shapes[shapes[:, 3] >= 0.6 * shapes[:, 3].max()]
    height = float(np.median(tall[:, 3]))
    if len(shapes) < 2 or letters < least or np.median(shapes[:, 2]) <= 0.15 * height:
        return False
    slack = max(2.0, 0.2 * height)
    even = float((np.abs(tall[:, 3] - height) <= slack).mean())
    lines = (tall[:, 1] + tall[:, 3], tall[:, 1])
    level = max(float((np.abs(one - np.median(one)) <= slack).mean()) for one in lines)
    if _letters_in(shapes[shapes[:, 5] > 0]) >= least:
        return even >= 0.5 and level >= 0.6
    return letters >= LEAST_BLURRED + least - LEAST_LETTERS and even >= 0.6 and level >= 0.7


def _letters_in(shapes: Shapes) -> float:
    """How many letters a row seems to have: a shape as wide as two is two."""
    return float(np.maximum(1, np.floor(shapes[:, 2] / (0.9 * shapes[:, 3]))).sum())


def _around(shapes: Shapes) -> Box:
    left, top = shapes[:, 0].min(), shapes[:, 1].min()
    right = (shapes[:, 0] + shapes[:, 2]).max()
    bottom = (shapes[:, 1] + shapes[:, 3]).max()
    return int(left), int(top), int(right), int(bottom)


def merged(boxes: list[Box]) -> list[Box]:
    """Boxes that overlap become one; top to bottom."""
    todo, done = list(boxes), []
    while todo:
        left, top, right, bottom = todo.pop()
        for n, other in enumerate(todo):
            if left < other[2] and other[0] < right and top < other[3] and other[1] < bottom:
                todo[n] = (
                    min(left, other[0]), min(top, other[1]),
                    max(right, other[2]), max(bottom, other[3]),
                )  # fmt: skip
                break
        else:
            done.append((left, top, right, bottom))
    return sorted(done, key=lambda box: (box[1], box[0]))


def _grown(box: Box, factors: tuple[float, float], shape: tuple[int, ...]) -> Box:
    """In pixels of the whole image, and a quarter of its height wider on every side."""
    across, down = factors
    left, top, right, bottom = box
    more = max(2.0, (min(bottom - top, right - left)) / 4)
    return (
        max(0, int((left - more) * across)),
        max(0, int((top - more) * down)),
        min(shape[1], int(np.ceil((right + more) * across))),
        min(shape[0], int(np.ceil((bottom + more) * down))),
    )
