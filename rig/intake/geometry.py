"""Homographies between an x-ray and a photo: conventions, corners, sanity.

Everything public is in *pixel-edge* coordinates: the image spans (0, 0) to (width, height) and the
centre of its first pixel is (0.5, 0.5). OpenCV counts from pixel centres; `to_centre` converts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rig.intake.limits import Limits

Matrix = NDArray[np.float64]
"""A 3x3 homography."""
Points = NDArray[np.float64]
"""(n, 2) points x, y."""


def translation(dx: float, dy: float) -> Matrix:
    """The 3x3 matrix that moves points by (dx, dy)."""
    return np.array([[1.0, 0.0, dx], [0.0, 1.0, dy], [0.0, 0.0, 1.0]])


def scaling(sx: float, sy: float) -> Matrix:
    """The 3x3 matrix that scales pixel-edge coordinates."""
    return np.diag([sx, sy, 1.0])


def to_centre(matrix: Matrix) -> Matrix:
    """The pixel-centre form (as OpenCV wants it) of a pixel-edge homography."""
    return translation(-0.5, -0.5) @ matrix @ translation(0.5, 0.5)


def transform(matrix: Matrix, points: Points) -> Points:
    """Map (n, 2) *points*; a point on the horizon becomes infinite."""
    ones = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(ones[:, :2] / ones[:, 2:], dtype=np.float64)


def corners(matrix: Matrix, width: float, height: float) -> Points:
    """Where the corners of a width x height image fall, clockwise from top left, (4, 2)."""
    box = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
    return transform(matrix, box)


def on_screen(width: float, height: float, aspect: float) -> Matrix:
    """From an image of width x height to a screen of height 1 and width *aspect*, pixel-edge.

    The image is centred and as large as it fits, as the display agent composes it.
    """
    scale = min(aspect / width, 1 / height)
    move = translation((aspect - width * scale) / 2, (1 - height * scale) / 2)
    return move @ scaling(scale, scale)


def normalised(matrix: Matrix) -> Matrix:
    """The same homography with its last element 1."""
    return np.asarray(matrix / matrix[2, 2], dtype=np.float64)


def _turns(quad: Points) -> Points:
    """Cross product at each corner; all positive for a convex quad that is not mirrored."""
    before, after = quad - np.roll(quad, 1, axis=0), np.roll(quad, -1, axis=0) - quad
    return np.asarray(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0], dtype=np.float64)


def area(quad: Points) -> float:
    """Signed area of a polygon (n, 2), positive when clockwise on the screen."""
    following = np.roll(quad, -1, axis=0)
    return float(np.sum(quad[:, 0] * following[:, 1] - quad[:, 1] * following[:, 0]) / 2)


def problem(
    matrix: Matrix, size: tuple[int, int], photo: tuple[int, int], limits: Limits
) -> str | None:
    """Why *matrix* cannot be a photo of a flat x-ray, or None when it can.

    Args:
        matrix: x-ray to photo, pixel-edge.
        size: (width, height) of the x-ray.
        photo: (width, height) of the photo.
        limits: the geometry limits.
    """
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-12:
        return "no plane fits the matching points"
    width, height = size
    box = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], dtype=np.float64)
    depth = box @ matrix[2]
    if (depth <= 0).any() and (depth >= 0).any():
        return "the outline found crosses the horizon"
    quad = corners(matrix, width, height)
    turns = _turns(quad)
    if (turns < 0).all():
        return "the outline found is mirrored"
    if not (turns > 0).all():
        return "the outline found is not convex"
    share = area(quad) / (photo[0] * photo[1])
    if not limits.area_min <= share <= limits.area_max:
        return f"the outline found covers {share:.1%} of the photo, which is not plausible"
    side = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    for a, b in ((side[0], side[2]), (side[1], side[3])):
        if max(a, b) > limits.side_ratio * min(a, b):
            return "the outline found is tilted more than a camera at the monitor can be"
    aspect = (side[0] + side[2]) / (side[1] + side[3]) / (width / height)
    if not 1 / limits.aspect_ratio <= aspect <= limits.aspect_ratio:
        return "the outline found has not the x-ray's shape"
    slack = limits.outside * photo[0]
    if (quad < -slack).any() or (quad > np.array(photo) + slack).any():
        return "the outline found lies outside the photo"
    return None
