"""Find a film by its edges, where no digital picture of the x-ray helps.

A film hangs before a light box or lies on a table: it is one large quadrilateral that differs from
what is around it, brighter or darker. Several thresholds are tried in both directions; the largest
outline that four straight lines explain wins, and the lines are fitted again to the outline's
points, so that a rounded or torn corner does not move the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.intake import geometry
from rig.intake.features import Grey, shrink
from rig.intake.geometry import Points

SIDE = 900
"""Longest side, px, at which edges are sought."""
SMALLEST, LARGEST = 0.12, 0.97
"""Area of a film in photo areas: smaller is something else, larger is the photo's own frame."""
FILLED = 0.93
"""Least share of the quadrilateral that the outline's area has; text or a hand cuts into it."""
LONGEST = 2.2
"""Largest ratio of two opposite sides, and of width to height either way."""
WHOLE = 0.006
"""Least distance of every corner from the photo's edge, in its width and height."""
_FRAME = 2
_REACH = 8
"""Pixels, either way across a side, in which its true place is sought."""
_SAMPLES = 80


@dataclass(frozen=True, slots=True, eq=False)
class Border:
    """Corners of a film in the photo, (4, 2) pixel-edge, clockwise from top left; its size."""

    corners: Points
    width: int
    height: int

    @property
    def homography(self) -> NDArray[np.float64]:
        """From a picture of `width` x `height` to the photo, pixel-edge."""
        box = [[0, 0], [self.width, 0], [self.width, self.height], [0, self.height]]
        return np.asarray(
            cv2.getPerspectiveTransform(
                np.array(box, dtype=np.float32), self.corners.astype(np.float32)
            ),
            dtype=np.float64,
        )


def find_border(photo: Grey) -> Border | None:
    """The film in *photo*, (H, W) uint8 as it is looked at; None when no outline is one."""
    work = shrink(photo, SIDE)
    scale = np.array(photo.shape[::-1]) / np.array(work.shape[::-1])
    best: Points | None = None
    best_area = 0.0
    for mask in _masks(work):
        for quad in _quads(mask, work.shape):
            size = geometry.area(quad)
            if size > best_area:
                best, best_area = quad, size
    if best is None:
        return None
    corners = _ordered(_refined(work, best) * scale)
    side = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    # The longer of two opposite sides is the nearer one, which the camera saw best.
    return Border(corners, round(max(side[0], side[2])), round(max(side[1], side[3])))


def _masks(work: Grey) -> Iterator[NDArray[np.uint8]]:
    """What differs from its surroundings, in several ways."""
    smooth = cv2.GaussianBlur(work, (0, 0), 2.0)
    otsu, _ = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    rim = np.concatenate([smooth[:_FRAME].ravel(), smooth[-_FRAME:].ravel(),
                          smooth[:, :_FRAME].ravel(), smooth[:, -_FRAME:].ravel()])  # fmt: skip
    around = float(np.median(rim))
    levels = {round(otsu), round(otsu * 0.6), round(otsu * 1.3), round((around + otsu) / 2)}
    levels |= {round(around * 0.75), min(254, round(around * 1.25) + 6)}
    kernel = np.ones((7, 7), np.uint8)
    for level in sorted(levels):
        for way in (cv2.THRESH_BINARY, cv2.THRESH_BINARY_INV):
            _, mask = cv2.threshold(smooth, float(level), 255, way)
            yield np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel), dtype=np.uint8)
    edges = cv2.dilate(cv2.Canny(smooth, 30, 90), np.ones((3, 3), np.uint8), iterations=2)
    yield np.asarray(edges, dtype=np.uint8)


def _quads(mask: NDArray[np.uint8], shape: tuple[int, ...]) -> Iterator[Points]:
    whole = shape[0] * shape[1]
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for outline in outlines:
        found = float(cv2.contourArea(outline))
        if not SMALLEST * whole <= found <= LARGEST * whole:
            continue
        hull = cv2.convexHull(outline)
        rough = _four(hull)
        if rough is None:
            continue
        quad = _fitted(outline, rough)
        if quad is not None and _plausible(quad, found, shape):
            yield quad


def _four(hull: cv2.typing.MatLike) -> Points | None:
    """The hull as four corners, clockwise on the screen."""
    around = cv2.arcLength(hull, closed=True)
    for share in (0.015, 0.025, 0.04, 0.06):
        rough = cv2.approxPolyDP(hull, share * around, closed=True).reshape(-1, 2)
        if len(rough) == 4:
            quad = np.asarray(rough, dtype=np.float64)
            return quad if geometry.area(quad) > 0 else quad[::-1].copy()
    return None


def _fitted(outline: cv2.typing.MatLike, rough: Points) -> Points | None:
    """*rough* with each side fitted to the outline's own points along it."""
    points = np.asarray(outline.reshape(-1, 2), dtype=np.float64)
    lines = []
    for a, b in zip(rough, np.roll(rough, -1, axis=0), strict=True):
        along = b - a
        length = float(np.linalg.norm(along))
        if length < 8:
            return None
        unit = along / length
        at = (points - a) @ unit
        off = np.abs((points - a) @ np.array([-unit[1], unit[0]]))
        near = points[(at > 0.1 * length) & (at < 0.9 * length) & (off < 0.02 * length + 2)]
        if len(near) < 0.4 * length:
            return None
        lines.append(_line(near))
    return _crossings(lines)


def _refined(work: Grey, quad: Points) -> Points:
    """*quad* with each side moved to where the brightness changes most across it.

    Thresholds lie beside the true edge, on the side that they favour.
    """
    smooth = cv2.GaussianBlur(work, (0, 0), 1.0).astype(np.float32)
    steps = np.arange(-_REACH, _REACH + 0.5, 0.5)
    lines = []
    for a, b in zip(quad - 0.5, np.roll(quad - 0.5, -1, axis=0), strict=True):
        unit = (b - a) / np.linalg.norm(b - a)
        normal = np.array([-unit[1], unit[0]])
        middle = a + np.linspace(0.08, 0.92, _SAMPLES)[:, None] * (b - a)
        where = (middle[:, None, :] + steps[None, :, None] * normal).astype(np.float32)
        across = cv2.remap(smooth, where[..., 0], where[..., 1], cv2.INTER_LINEAR,
                           borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
        change = np.abs(across[:, 2:] - across[:, :-2])
        # The side as a whole says which way the edge is; a rib beside it must not win.
        weight = change.mean(axis=0)
        centre = int(np.argmax(weight))
        low, high = max(0, centre - 6), min(change.shape[1], centre + 7)
        best = low + np.argmax(change[:, low:high], axis=1) + 1
        lines.append(_line(where[np.arange(len(middle)), best].astype(np.float64)))
    found = _crossings(lines)
    return quad if found is None or np.abs(found - quad).max() > 2 * _REACH else found


def _line(points: Points) -> NDArray[np.float64]:
    """The line through *points* as (a, b, c) of ax + by + c = 0, not moved by a few outliers."""
    fitted = cv2.fitLine(points.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01)
    vx, vy, x, y = np.asarray(fitted, dtype=np.float64).ravel()
    return np.array([vy, -vx, vx * y - vy * x])


def _crossings(lines: list[NDArray[np.float64]]) -> Points | None:
    """Corners between each line and the one before, pixel-edge; None when two are parallel."""
    corners = []
    for before, line in zip([lines[-1], *lines[:-1]], lines, strict=True):
        cross = np.cross(before, line)
        if abs(cross[2]) < 1e-9:
            return None
        corners.append(cross[:2] / cross[2])
    return np.array(corners) + 0.5


def _plausible(quad: Points, found: float, shape: tuple[int, ...]) -> bool:
    area = geometry.area(quad)
    if area <= 0 or not FILLED <= found / area <= 1.05:
        return False
    height, width = shape[:2]
    edge = np.array([width, height])
    # What reaches the photo's own edge is the background, or a film that is not whole in it.
    if (quad < WHOLE * edge).any() or (quad > (1 - WHOLE) * edge).any():
        return False
    side = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    pairs = ((side[0], side[2]), (side[1], side[3]), (side[0] + side[2], side[1] + side[3]))
    return all(max(pair) <= LONGEST * min(pair) for pair in pairs)


def _ordered(quad: Points) -> Points:
    """Clockwise, begun at the corner nearest to the photo's top left."""
    first = int(np.argmin(quad.sum(axis=1)))
    return np.roll(quad, -first, axis=0)
