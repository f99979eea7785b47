"""A homography through a net of points: exact at the points, bilinear between them.

Dividing for every pixel is what makes a perspective slow. The map is so smooth that its places
between points some pixels apart can be interpolated; how far apart follows from its curvature.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.synthesis.transform import Matrix, Pixels, Size

_STEPS = (8, 4, 2)
# OpenCV rounds a place to 1/32 of a pixel; the net is not to be worse.
_TOLERANCE = 1 / 32
# Pixels worked on at a time: their places stay in the cache.
_AT_ONCE = 1 << 18


def net_step(back: Matrix, size: Size) -> int | None:
    """Pixels between two points of the net, None when the map bends too much for one.

    Args:
        back: from the output of *size* to the source, pixel centres to pixel centres.
        size: of the output.
    """
    x, y = size
    u, v, w = back @ np.array([[0, x, 0, x], [0, 0, y, y], [1, 1, 1, 1]], dtype=np.float64)
    least = float(w.min())
    if least <= 0:
        return None
    # u_x is (a w - g u) / w^2, whose numerator is linear: the corners have its extremes.
    slopes = [back[k, n] * w - back[2, n] * z for n in (0, 1) for k, z in ((0, u), (1, v))]
    slope = float(np.abs(slopes).max()) / least**2
    # u_xx is -2 g u_x / w; bilinear interpolation errs by s^2 / 8 of |u_xx| + |u_yy|, at most.
    curvature = 2 * float(np.abs(back[2, :2]).max()) * slope / least
    return next((step for step in _STEPS if step**2 / 4 * curvature <= _TOLERANCE), None)


def warp_by_net(
    image: Pixels, back: Matrix, size: Size, step: int, interpolation: int = cv2.INTER_LINEAR
) -> Pixels:
    """*image* moved into an image of *size*; beyond its border lie the border's values.

    Args:
        image: the source.
        back: from output to source, pixel centres to pixel centres.
        size: of the output.
        step: what `net_step` says.
        interpolation: OpenCV's.
    """
    width, height = size
    across, down = _points(back, size, step)
    wide = across.shape[1] * step
    out = np.empty((height, width, *image.shape[2:]), dtype=np.uint8)
    rows = max(_AT_ONCE // (width * step), 1)
    for first in range(0, len(across) - 2, rows):
        part = slice(first, min(first + rows + 2, len(across)))
        tall = (part.stop - first) * step
        top, bottom = first * step, min((part.stop - 2) * step, height)
        window = (slice(step, step + bottom - top), slice(step, step + width))
        x = cv2.resize(across[part], (wide, tall))[window]
        y = cv2.resize(down[part], (wide, tall))[window]
        cv2.remap(image, x, y, interpolation, out[top:bottom], cv2.BORDER_REPLICATE)
    return out


def _points(back: Matrix, size: Size, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Source places of the net's points, one beyond the output on every side."""
    # Where enlarging by *step* puts the middle of each point, less the margin of one point.
    x, y = ((np.arange(-(-length // step) + 2) - 0.5) * step - 0.5 for length in size)
    u, v, w = (row[0] * x + (row[1] * y + row[2])[:, None] for row in back)
    return (u / w).astype(np.float32), (v / w).astype(np.float32)
