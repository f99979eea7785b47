"""Boxes of an x-ray carried into a picture of it by a homography.

The four corners are mapped; their axis-aligned hull is the box, and the quadrilateral is kept: on
a tilted photo the hull is larger than what it stands for. How much of the quadrilateral is in the
picture is measured before anything is clipped. Coordinates are pixel-edge everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
Matrix = Sequence[Sequence[float]]
Edges = tuple[float, float, float, float]

VISIBLE = 0.1
"""Share of a box that must be in the picture for the box to be kept."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A box in a picture.

    Attributes:
        quad: the mapped corners, clockwise from the x-ray's top left, not clipped; None when a
            corner falls behind the camera.
        visible: share of the quadrilateral's area that is in the picture, 0..1.
        edges: the hull (left, top, right, bottom), clipped to the picture; None when dropped.
        dropped: why, as a sentence; None when it is kept.
    """

    quad: tuple[Point, Point, Point, Point] | None
    visible: float
    edges: Edges | None
    dropped: str | None


def carry(
    box: Edges, homography: Matrix, size: tuple[int, int], *, visible: float = VISIBLE
) -> Carried:
    """Map *box* into a picture.

    Args:
        box: left, top, right, bottom in the x-ray.
        homography: 3x3, x-ray to picture.
        size: width and height of the picture.
        visible: a box of which less than this share is in the picture is dropped, 0..1.
    """
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        return Carried(None, 0.0, None, "The box has no area.")
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    found = [_mapped(homography, corner) for corner in corners]
    depths = [depth for _, depth in found]
    if min(depths) <= 0 <= max(depths):
        return Carried(None, 0.0, None, "Part of the box falls behind the camera.")
    a, b, c, d = (point for point, _ in found)
    quad = (a, b, c, d)
    whole = abs(area(quad))
    inside = clipped(quad, size)
    share = min(abs(area(inside)) / whole, 1.0) if whole > 0 else 0.0
    if share < visible or share == 0:
        return Carried(quad, share, None, f"Only {share:.1%} of the box is in the picture.")
    # The hull of the clipped quadrilateral would shrink boxes that are whole; the hull's own cut
    # is what a reader of the picture sees.
    xs, ys = [x for x, _ in quad], [y for _, y in quad]
    edges = (
        max(min(xs), 0.0),
        max(min(ys), 0.0),
        min(max(xs), float(size[0])),
        min(max(ys), float(size[1])),
    )
    return Carried(quad, share, edges, None)


def _mapped(matrix: Matrix, point: Point) -> tuple[Point, float]:
    """Where *point* falls, and its depth (the sign tells the side of the horizon)."""
    x, y = point
    u, v, w = (row[0] * x + row[1] * y + row[2] for row in matrix)
    return ((u / w, v / w) if w else (0.0, 0.0)), w


def area(polygon: Sequence[Point]) -> float:
    """Signed area of a polygon, positive when clockwise on the screen."""
    pairs = zip(polygon, [*polygon[1:], *polygon[:1]], strict=True)
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs) / 2


def clipped(polygon: Sequence[Point], size: tuple[int, int]) -> list[Point]:
    """The part of a convex *polygon* inside (0, 0)..*size* (Sutherland and Hodgman 1974)."""
    points = list(polygon)
    for axis, edge, sign in (
        (0, 0.0, 1),
        (1, 0.0, 1),
        (0, float(size[0]), -1),
        (1, float(size[1]), -1),
    ):
        before, points = points, []
        for place, here in enumerate(before):
            last = before[place - 1]
            inside, was = (sign * (p[axis] - edge) >= 0 for p in (here, last))
            if inside != was:
                share = (edge - last[axis]) / (here[axis] - last[axis])
                points.append(
                    (last[0] + share * (here[0] - last[0]), last[1] + share * (here[1] - last[1]))
                )
            if inside:
                points.append(here)
    return points


def iou(a: Edges, b: Edges) -> float:
    """Intersection over union of two boxes, 0..1."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (_size(a) + _size(b) - both)


def _size(box: Edges) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
