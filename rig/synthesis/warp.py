"""Homographies in pixel-edge coordinates, and images moved by them."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.synthesis.net import net_step, warp_by_net
from rig.synthesis.transform import Matrix, Pixels, Points, Size, SynthesisError, size_of

LONGEST = 32_766
"""Longest side of an image that can be moved, in pixels: OpenCV counts them in 16 bits."""

Point = tuple[float, float]

# Between pixel-edge coordinates, ours, and pixel-centre coordinates, OpenCV's.
_HALF = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
_LESS_HALF = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])


def corners_of(size: Size) -> tuple[Point, Point, Point, Point]:
    """The corners of an image of *size*, clockwise from the top left."""
    width, height = size
    return (0, 0), (width, 0), (width, height), (0, height)


def from_centres(matrix: Matrix) -> Matrix:
    """A pixel-edge homography from one that is in pixel-centre coordinates, OpenCV's."""
    return np.asarray(_HALF @ matrix @ _LESS_HALF, dtype=np.float64)


def quad_to_quad(source: Sequence[Point], target: Sequence[Point]) -> Matrix:
    """The homography that takes four points to four points.

    Raises:
        SynthesisError: three of the points lie on one line.
    """
    return _quad_to_quad(tuple(source), tuple(target)).copy()


# An image's homography is wanted for its pixels, and once more for its manifest row.
@functools.lru_cache(maxsize=8)
def _quad_to_quad(source: tuple[Point, ...], target: tuple[Point, ...]) -> Matrix:
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    try:
        solved = np.linalg.solve(np.array(rows, dtype=np.float64), np.ravel(target))
    except np.linalg.LinAlgError:
        raise SynthesisError(f"The corners {target} span no area; give four that do.") from None
    return np.append(solved, 1.0).reshape(3, 3)


def map_points(matrix: Matrix, points: Points) -> Points:
    """*points* moved by *matrix*; NaN for a point at or beyond the horizon."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ (matrix / matrix[2, 2]).T
    depth = np.where(mapped[:, 2] > 1e-12, mapped[:, 2], np.nan)
    return np.asarray(mapped[:, :2] / depth[:, None], dtype=np.float64)


def check_quad(corners: Sequence[Point], what: str) -> None:
    """Refuse corners that are not those of a convex quadrilateral, clockwise from the top left.

    Raises:
        SynthesisError: the image would be folded, mirrored or have no area.
    """
    turns = []
    for n in range(4):
        (x0, y0), (x1, y1), (x2, y2) = (corners[(n + k) % 4] for k in range(3))
        turns.append((x1 - x0) * (y2 - y1) - (y1 - y0) * (x2 - x1))
    if min(turns) <= 0:
        raise SynthesisError(
            f"{what} span no area; give four corners of a convex quadrilateral, clockwise from "
            "the top left."
        )


def check_sides(size: Size) -> None:
    """Refuse, with SynthesisError, an image that OpenCV cannot move."""
    if max(size) > LONGEST:
        raise SynthesisError(
            f"The image is {size[0]}x{size[1]} px; sides above {LONGEST} cannot be warped."
        )


def warp(image: Pixels, matrix: Matrix, size: Size, interpolation: int = cv2.INTER_CUBIC) -> Pixels:
    """*image* moved by *matrix* (pixel-edge, forward) into an image of *size*, black outside.

    The edge is sharp, as Pillow's: a pixel is black when its centre lies outside, and values
    beyond the image's border are those of the border.
    """
    check_sides(size_of(image))
    back = np.linalg.inv(_LESS_HALF @ matrix @ _HALF)
    step = net_step(back / back[2, 2], size)
    if step is not None:
        out = warp_by_net(image, back / back[2, 2], size, step, interpolation)
    else:
        flags = interpolation | cv2.WARP_INVERSE_MAP
        made = cv2.warpPerspective(image, back, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        out = np.asarray(made, dtype=np.uint8)
    _blacken(out, *_covered(matrix, size_of(image), size))
    return out


def _blacken(out: Pixels, first: NDArray[np.int64], end: NDArray[np.int64]) -> None:
    """Make black what lies before column *first* of a row, or from *end* on."""
    # Rows with the same limits at once.
    changes = np.flatnonzero((np.diff(first) != 0) | (np.diff(end) != 0)) + 1
    starts = [0, *changes.tolist()]
    lefts, rights = first[starts].tolist(), end[starts].tolist()
    for top, bottom, left, right in zip(
        starts, [*starts[1:], len(out)], lefts, rights, strict=True
    ):
        out[top:bottom, :left] = 0
        out[top:bottom, right:] = 0


def _covered(
    matrix: Matrix, source: Size, size: Size
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The columns that the image covers, per row of the output: the first and the end."""
    u, v, w = np.linalg.inv(matrix / matrix[2, 2])
    # Inside is 0 <= u / w < width and 0 <= v / w < height: four linear forms, not negative.
    forms = np.array([u, w * source[0] - u, v, w * source[1] - v])
    rests = forms[:, 1:2] * (np.arange(size[1]) + 0.5) + forms[:, 2:]
    first, end = np.zeros(size[1]), np.full(size[1], float(size[0]))
    for a, rest in zip(forms[:, 0].tolist(), rests, strict=True):
        if a > 0:
            np.maximum(first, np.ceil(rest * (-1 / a) - 0.5), out=first)
        elif a < 0:
            np.minimum(end, np.floor(rest * (-1 / a) + 0.5), out=end)
        else:
            end[rest < 0] = 0
    limits = np.array([first, end]).clip(0, size[0]).astype(np.int64)
    return limits[0], limits[1]
