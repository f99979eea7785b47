"""Tilt: the phone not held parallel to the screen.

Source: CheXphoto, section 2.2, and its published code: each corner moves inwards on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.synthesis.transform import (
    Matrix,
    Pixels,
    Size,
    SynthesisError,
    Transform,
    check_level,
    size_of,
)

Point = tuple[float, float]

# Between pixel-edge coordinates, ours, and pixel-centre coordinates, OpenCV's.
_HALF = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
_LESS_HALF = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])


@dataclass(frozen=True, slots=True)
class Tilt:
    """Where the image's corners lie in the output, clockwise from the top left, in pixels."""

    corners: tuple[Point, Point, Point, Point]


def sample(generator: np.random.Generator, level: int, size: Size) -> Tilt:
    """Move each corner inwards by U(0, 0.05 level) of the width and of the height."""
    inwards = generator.uniform(0, 0.05 * check_level(level), size=(4, 2)) * size
    width, height = size
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = inwards.tolist()
    return Tilt(((x0, y0), (width - x1, y1), (width - x2, height - y2), (x3, height - y3)))


def homography(params: Tilt, size: Size) -> Matrix:
    """The map from the image's corners to `params.corners`."""
    width, height = size
    return quad_to_quad(((0, 0), (width, 0), (width, height), (0, height)), params.corners)


def apply(image: Pixels, params: Tilt) -> Pixels:
    """Warp *image* onto the corners, bicubic, black outside."""
    return warp(image, homography(params, size_of(image)), size_of(image))


def quad_to_quad(source: Sequence[Point], target: Sequence[Point]) -> Matrix:
    """The homography that takes four points to four points.

    Raises:
        SynthesisError: three of the points lie on one line.
    """
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    try:
        solved = np.linalg.solve(np.array(rows, dtype=np.float64), np.ravel(target))
    except np.linalg.LinAlgError:
        raise SynthesisError(f"The corners {target} span no area; give four that do.") from None
    return np.append(solved, 1.0).reshape(3, 3)


def warp(image: Pixels, matrix: Matrix, size: Size) -> Pixels:
    """*image* moved by *matrix* (pixel-edge, forward) into an image of *size*, black outside.

    The edge is sharp, as Pillow's: a pixel is black when its centre lies outside, and values
    beyond the image's border are those of the border.
    """
    centred = _LESS_HALF @ matrix @ _HALF
    out = cv2.warpPerspective(
        image, centred, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    first, end = _covered(matrix, size_of(image), size)
    for row, left, right in zip(out, first.tolist(), end.tolist(), strict=True):
        row[:left] = 0
        row[right:] = 0
    return np.asarray(out, dtype=np.uint8)


def _covered(
    matrix: Matrix, source: Size, size: Size
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The columns that the image covers, per row of the output: the first and the end."""
    u, v, w = np.linalg.inv(matrix / matrix[2, 2])
    y = np.arange(size[1]) + 0.5
    first, end = np.zeros(size[1]), np.full(size[1], float(size[0]))
    # Inside is 0 <= u / w < width and 0 <= v / w < height: four linear forms, not negative.
    for a, b, c in (u, w * source[0] - u, v, w * source[1] - v):
        rest = b * y + c
        if a > 0:
            first = np.maximum(first, np.ceil(-rest / a - 0.5))
        elif a < 0:
            end = np.minimum(end, np.floor(-rest / a - 0.5) + 1)
        else:
            end = np.where(rest < 0, 0, end)
    limits = np.clip([first, end], 0, size[0]).astype(np.int64)
    return limits[0], limits[1]


TILT = Transform("tilt", Tilt, sample, apply, homography)
