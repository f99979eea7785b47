"""Block refinement: small local shifts measured on the rectified photo mend the homography."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.intake.correlate import Float, Mask, normalise
from rig.intake.features import Grey, Reference, homography
from rig.intake.geometry import Matrix, Points, corners, to_centre, transform

GRID = 9
"""Blocks along each side; 9x9 halved the corner error of 5x5. ECC made it worse."""


def rectify(photo: Grey, matrix: Matrix, shape: tuple[int, int]) -> tuple[Grey, Mask]:
    """*photo* seen in the frame of the x-ray, and where the photo covers it.

    Args:
        photo: (H, W) uint8.
        matrix: from the frame (shape) to *photo*, pixel-edge.
        shape: (h, w) of the frame.
    """
    height, width = shape
    # A photo much larger than the frame would alias: one pixel of the frame then averages several.
    step = float(np.sqrt(abs(_magnification(matrix, width, height))))
    if step > 1.5:
        photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), 0.35 * step), dtype=np.uint8)
    centre = to_centre(matrix)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    image = cv2.warpPerspective(
        photo, centre, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(image, dtype=np.uint8), _covered(photo.shape, matrix, shape)


def _covered(photo: tuple[int, ...], matrix: Matrix, shape: tuple[int, int]) -> Mask:
    """Where in the frame of *shape* the photo has pixels."""
    height, width = shape
    across, down = photo[1], photo[0]
    quad = corners(matrix, width, height)
    # Half a pixel of grace: a picture that fills the photo to its edge is covered.
    if ((quad >= -0.5) & (quad <= np.array([across, down]) + 0.5)).all():
        return np.ones(shape, np.bool_)
    xs, ys = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    x, y, depth = (line[0] * xs + line[1] * ys + line[2] for line in matrix)
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = x / depth, y / depth
    return np.asarray((x >= 0) & (x <= across) & (y >= 0) & (y <= down), dtype=np.bool_)


def _magnification(matrix: Matrix, width: int, height: int) -> float:
    """Photo pixels per frame pixel (area) at the frame's centre."""
    x, y = width / 2, height / 2
    base, right, down = transform(matrix, np.array([[x, y], [x + 1, y], [x, y + 1]]))
    (a, b), (c, d) = right - base, down - base
    return float(a * d - b * c)


def _peak(surface: NDArray[np.float32]) -> tuple[float, float, float]:
    """Height and sub-pixel place (x, y) of the maximum, by parabolas through its neighbours."""
    _, top, _, (x, y) = cv2.minMaxLoc(surface)
    place = []
    for at, line in ((x, surface[y, :]), (y, surface[:, x])):
        if 0 < at < len(line) - 1:
            left, mid, right = (float(v) for v in line[at - 1 : at + 2])
            bend = left - 2 * mid + right
            place.append(at + (0.5 * (left - right) / bend if bend < -1e-9 else 0.0))
        else:
            return 0.0, 0.0, 0.0  # at the border of the search: the true shift may lie beyond
    return float(top), place[0], place[1]


def shifts(reference: Float, photo: Float, inside: Mask, reach: int) -> tuple[Points, Points]:
    """Block centres in the x-ray and where they are found in the rectified photo, px (n, 2)."""
    height, width = reference.shape
    half_w, half_h = width // (GRID + 1) * 3 // 4, height // (GRID + 1) * 3 // 4
    source, target = [], []
    for cy in np.linspace(half_h + reach, height - half_h - reach - 1, GRID).astype(int):
        for cx in np.linspace(half_w + reach, width - half_w - reach - 1, GRID).astype(int):
            rows, cols = slice(cy - half_h, cy + half_h + 1), slice(cx - half_w, cx + half_w + 1)
            block = reference[rows, cols]
            if block.std() < 0.25 or not inside[rows, cols].all():
                continue
            y, x = cy - half_h - reach, cx - half_w - reach
            window = photo[y : y + 2 * (half_h + reach) + 1, x : x + 2 * (half_w + reach) + 1]
            surface = cv2.matchTemplate(window, block, cv2.TM_CCOEFF_NORMED)
            top, px, py = _peak(np.asarray(surface, dtype=np.float32))
            if top >= 0.5:
                source.append((cx + 0.5, cy + 0.5))
                target.append((cx + 0.5 + px - reach, cy + 0.5 + py - reach))
    return np.array(source).reshape(-1, 2), np.array(target).reshape(-1, 2)


def refine(
    photo: Grey, reference: Reference, matrix: Matrix, reaches: tuple[int, ...] = (10, 4)
) -> tuple[Matrix, float | None, int]:
    """A better homography (frame of `reference.grey` to *photo*), its residual and its support.

    The support is the number of blocks that agree on it. The residual is their median distance from
    it, frame px; None when too few blocks were found to refit, and then *matrix* comes back as it
    was.
    """
    residual, blocks = None, 0
    for reach in reaches:
        image, inside = rectify(photo, matrix, reference.grey.shape)
        texture = normalise(image, reference.texture, inside)
        source, target = shifts(reference.texture.pixels, texture, inside, reach)
        if len(source) < 12:
            break
        local, inliers = homography(source, target, 1.5)
        if local is None or inliers < 10:
            break
        matrix, blocks = matrix @ local, inliers
        error = np.linalg.norm(transform(local, source) - target, axis=1)
        residual = float(np.median(error))
    return matrix, residual, blocks
