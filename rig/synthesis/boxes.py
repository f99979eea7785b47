"""Boxes of findings, carried from an x-ray to its twin.

A box is where its corners go: the axis-aligned hull of the four mapped corners. Where a step
bends lines (barrel), a box's outline is followed instead, point by point along its sides. The
hull is cut to the image; the share of it inside is the visible fraction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rig.synthesis.recipes import Applied
from rig.synthesis.registry import transform
from rig.synthesis.transform import Points, Size
from rig.synthesis.warp import map_points

# Points along each side of a box that is bent.
_ALONG = 33

Box = tuple[float, float, float, float]
"""`x_min, y_min, x_max, y_max` in pixels, pixel-edge coordinates."""


@dataclass(frozen=True, slots=True)
class Carried:
    """Where a box went: its part inside the image, and the share of the hull that this is.

    `box` is None when nothing of it is inside, or a corner goes beyond the horizon.
    """

    box: Box | None
    visible: float


def carry(box: Box, steps: Sequence[Applied], size: Size) -> Carried:
    """Carry *box* on an image of *size* through *steps*."""
    points, size = map_through(_outline(box, steps), steps, size)
    if not np.isfinite(points).all():
        return Carried(None, 0.0)
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    width, height = size
    cut = max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
    inside = max(cut[2] - cut[0], 0) * max(cut[3] - cut[1], 0)
    if inside <= 0:
        return Carried(None, 0.0)
    return Carried(cut, inside / ((x1 - x0) * (y1 - y0)))


def map_through(points: Points, steps: Sequence[Applied], size: Size) -> tuple[Points, Size]:
    """*points* of the source in the output, and the output's size."""
    for applied in steps:
        kind = transform(applied.step.transform)
        matrix = kind.homography(applied.params, size)
        if kind.bend is not None:
            points = kind.bend(points, applied.params, size)
        elif matrix is not None:
            points = map_points(matrix, points)
        size = kind.output_size(applied.params, size)
    return points, size


def _outline(box: Box, steps: Sequence[Applied]) -> Points:
    """The corners of *box*, and points between them when a step bends lines."""
    x0, y0, x1, y1 = box
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64)
    if all(transform(applied.step.transform).bend is None for applied in steps):
        return corners
    share = np.linspace(0, 1, _ALONG)[:, None]
    sides = [
        first * (1 - share) + second * share
        for first, second in zip(corners, np.roll(corners, -1, axis=0), strict=True)
    ]
    return np.vstack(sides)
