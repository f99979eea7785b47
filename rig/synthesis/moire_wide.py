"""Moiré of stripes that lie far apart: a thin texture, warped straight to the output.

Stripes vary along one axis of their canvas only, and the canvas reaches the output by a
homography. So a texture a few columns wide holds them, already reduced (Lanczos) to the output's
pixels: each column for one of the scales that the convergence brings about, which is itself a
place that the homography can name. Where stripes are close together the jags of the source's
nearest pixels are part of the beat, and `moire` takes the long way.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.synthesis.transform import Matrix, Pixels, Size, size_of
from rig.synthesis.warp import LONGEST

if TYPE_CHECKING:
    from rig.synthesis.moire import Layer, Moire

# Columns of the texture, most samples per row of the canvas, rows that it is rounded to.
_SCALES, _FINE, _ROUND = 6, 2, 256
# Output rows worked on at a time, and how far a stripe may wander between two that are computed.
_STRIP, _WANDER = 256, 1.0
_LANCZOS = 3


@dataclass(frozen=True, slots=True)
class _Way:
    """From output pixels to the texture: linear forms in (x, y, 1) of the doubled grid.

    `across` is the place along the stripes, `depth` the denominator, `row` the numerator of the
    canvas' row, counted from its centre.
    """

    across: NDArray[np.float64]
    row: NDArray[np.float64]
    depth: NDArray[np.float64]
    spread: float


@dataclass(frozen=True, slots=True)
class _Window:
    """The middle rows of a canvas of *side* that are needed, and samples of each."""

    side: int
    half: int
    fine: int


def is_wide(params: Moire, size: Size) -> bool:
    """Whether stripes are thin and far apart, and their canvas covers the image."""
    if params.gap < 8 * params.thickness or not 0.5 <= params.thickness <= 8:
        return False
    if not 1 <= len(params.layers) <= 4:
        return False
    side = 4 * max(size)
    ways = [_way(layer, size, side) for layer in params.layers]
    corners = _corners(size)
    inside = all(abs(way.across @ corners).max() < side / 2 - 2 for way in ways)
    return inside and _window(ways, size) is not None


def _window(ways: Sequence[_Way], size: Size) -> _Window | None:
    """What of the canvas the image shows; None when it leaves it or is too large a texture."""
    side, corners = 4 * max(size), _corners(size)
    reach = max(abs((way.row @ corners) / (way.depth @ corners)).max() for way in ways)
    # Rounded, so that images of one size share a texture; with room for Lanczos.
    half = _ROUND * math.ceil((float(reach) + 16) / _ROUND)
    if reach > side / 2 - 16:
        return None
    fine = min(_FINE, LONGEST // (2 * half))
    return _Window(side, half, fine) if fine else None


def apply_wide(image: Pixels, params: Moire) -> Pixels:
    """Lay the stripes over *image*; see `is_wide`."""
    size = size_of(image)
    width, height = size
    ways = [_way(layer, size, 4 * max(size)) for layer in params.layers]
    window = _window(ways, size)
    if window is None:
        raise ValueError("is_wide does not hold")
    step = min(_step(way, size) for way in ways)
    textures = [
        _texture(window, params.gap, params.thickness, way.spread, len(ways)) for way in ways
    ]
    maps = [_to_texture(way, window, step) for way in ways]
    table = _table(params)
    out = np.empty_like(image)
    for top in range(0, height, _STRIP):
        rows = min(_STRIP, height - top)
        codes = _codes(textures, maps, width, top // step, -(-rows // step))
        if step > 1:
            tall = cv2.resize(codes, (width, codes.shape[0] * step))
            codes = np.asarray(tall, dtype=np.uint8)[:rows]
        factor = cv2.LUT(codes, table)
        if image.ndim == 3:
            factor = cv2.merge([factor] * image.shape[2])
        cv2.multiply(image[top : top + rows], factor, out[top : top + rows], dtype=cv2.CV_8U)
    return out


def _codes(textures: list[Pixels], maps: list[Matrix], width: int, first: int, rows: int) -> Pixels:
    """The layers' codes added up, for computed rows from *first* on."""
    total: Any = None
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for texture, matrix in zip(textures, maps, strict=True):
        moved = matrix @ np.array([[1, 0, 0], [0, 1, first], [0, 0, 1]])
        layer = cv2.warpPerspective(
            texture, moved, (width, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        total = layer if total is None else cv2.add(total, layer, dst=total)
    return np.asarray(total, dtype=np.uint8)


def _way(layer: Layer, size: Size, side: int) -> _Way:
    angle, spread, (dx, dy) = layer
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    # Places are measured from the canvas's centre; the offset is cropped to whole pixels.
    x0, y0 = round(dx) - size[0], round(dy) - size[1]
    across = np.array([cos, -sin, cos * x0 - sin * y0])
    along = np.array([sin, cos, sin * x0 + cos * y0])
    depth = np.array([0, 0, 1 - (1 - spread) / 2]) - (1 - spread) / side * across
    return _Way(across, spread * along, depth, spread)


def _corners(size: Size) -> NDArray[np.float64]:
    """Corners of the doubled grid, one a column, homogeneous."""
    width, height = 2 * size[0], 2 * size[1]
    return np.array([(0, 0, 1), (width, 0, 1), (0, height, 1), (width, height, 1)], float).T


def _step(way: _Way, size: Size) -> int:
    """Rows between two that are computed: a stripe moves less than `_WANDER` px meanwhile."""
    corners = _corners(size)
    row, depth = way.row @ corners, way.depth @ corners
    right, down = (abs(way.row[n] * depth - way.depth[n] * row) for n in (0, 1))
    wander = float((down / np.maximum(right, 1e-9)).max())
    # Powers of two, so that strips begin with a computed row.
    return next((step for step in (4, 2) if step * wander <= _WANDER), 1)


def _to_texture(way: _Way, window: _Window, step: int) -> Matrix:
    """From computed pixels to pixels of the texture, centres to centres."""
    low, high = _scales(way.spread)
    column = (way.spread * np.array([0, 0, 1.0]) - low * way.depth) * (_SCALES - 1) / (high - low)
    row = (way.row + window.half * way.depth) * window.fine - 0.5 * way.depth
    doubled = np.array([[2, 0, 1], [0, 2 * step, step], [0, 0, 1.0]])
    return np.asarray(np.vstack([column, row, way.depth]) @ doubled, dtype=np.float64)


def _scales(spread: float) -> tuple[float, float]:
    """Least and greatest convergence: rows of the canvas per pixel of the doubled grid."""
    return spread, max(1.0, spread + 1e-3)


@functools.lru_cache(maxsize=64)
def _texture(window: _Window, gap: float, thickness: float, spread: float, layers: int) -> Pixels:
    """Codes of the stripes, `fine` samples a row of the canvas, a column per scale.

    A stripe's share of a pixel is coded in `192 / layers` steps from `32 / layers`, so that the
    layers can be added up and Lanczos has room to overshoot.
    """
    row = np.arange(2 * window.half) + window.side // 2 - window.half
    stripe = (np.remainder(row, thickness + gap) < thickness).astype(np.float32)
    fine = np.repeat(stripe, window.fine)[:, None]
    columns = []
    for scale in np.linspace(*_scales(spread), _SCALES):
        # An output pixel is two of the doubled grid.
        kernel = _lanczos(2 * float(scale) * window.fine)
        columns.append(cv2.filter2D(fine, -1, kernel[:, None], borderType=cv2.BORDER_REPLICATE))
    codes = np.hstack(columns) * (192 / layers) + 32 / layers
    return np.asarray(np.clip(np.rint(codes), 0, 255), dtype=np.uint8)


def _lanczos(scale: float) -> NDArray[np.float32]:
    """Lanczos' window of 3 lobes, *scale* samples to an output pixel."""
    reach = math.ceil(_LANCZOS * scale)
    x = np.arange(-reach, reach + 1) / scale
    kernel = np.where(abs(x) < _LANCZOS, np.sinc(x) * np.sinc(x / _LANCZOS), 0)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def _table(params: Moire) -> NDArray[np.float32]:
    """What is let through, by the sum of codes."""
    # A whole number of 255 steps, as the opacity of a stored mask has.
    alpha = int(params.opacity * 255) / 255
    count = (np.arange(256) - 32) * len(params.layers) / 192
    return np.asarray(np.power(1 - alpha, count), dtype=np.float32)
