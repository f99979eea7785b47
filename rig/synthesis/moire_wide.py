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

from rig.synthesis.transform import Pixels, Size, size_of
from rig.synthesis.warp import LONGEST

if TYPE_CHECKING:
    from rig.synthesis.moire import Layer, Moire

# Columns of the texture, most samples per row of the canvas, rows that it is rounded to.
_SCALES, _FINE, _ROUND = 6, 2, 256
# Most output rows and pixels worked on at a time.
_STRIP, _AT_ONCE = 256, 1 << 19
# How far a stripe may wander between two rows that are computed, in pixels of the doubled grid.
_STEPS, _WANDER = (8, 4, 2), 2.0
# Pixels of a row between two whose place in the texture is computed, and how far off, in its
# rows, the places between may be.
_NET, _TOLERANCE = (32, 16, 8, 4), 1 / 8
_LANCZOS = 3

_Form = tuple[float, float, float]
"""A linear form in (x, y, 1)."""


@dataclass(frozen=True, slots=True)
class _Way:
    """From output pixels to the texture: linear forms of the doubled grid.

    `across` is the place along the stripes, `depth` the denominator, `row` the numerator of the
    canvas' row, counted from its centre.
    """

    across: _Form
    row: _Form
    depth: _Form
    spread: float


@dataclass(frozen=True, slots=True)
class _Window:
    """Rows of the canvas that are needed: the first, half of how many, and samples of each."""

    first: int
    half: int
    fine: int


@dataclass(frozen=True, slots=True)
class Wide:
    """How stripes come to an image: their ways, the texture, and rows between computed ones."""

    ways: tuple[_Way, ...]
    window: _Window
    step: int


def wide(params: Moire, size: Size) -> Wide | None:
    """The way, if stripes are thin and far apart, and their canvas covers the image."""
    if params.gap < 8 * params.thickness or not 0.5 <= params.thickness <= 8:
        return None
    if not 1 <= len(params.layers) <= 4:
        return None
    side, corners = 4 * max(size), _corners(size)
    ways = tuple(_way(layer, size, side) for layer in params.layers)
    reach = 0.0
    for way in ways:
        if max(abs(z) for z in _at(way.across, corners)) >= side / 2 - 2:
            return None
        rows, depths = _at(way.row, corners), _at(way.depth, corners)
        reach = max(reach, *(abs(row / depth) for row, depth in zip(rows, depths, strict=True)))
    if reach > side / 2 - 16:
        return None
    # Rounded, so that images of one size share a texture; with room for Lanczos.
    half = _ROUND * math.ceil((reach + 16) / _ROUND)
    fine = min(_FINE, LONGEST // (2 * half))
    if not fine:
        return None
    step = min(_step(way, corners) for way in ways)
    return Wide(ways, _Window(side // 2 - half, half, fine), step)


def apply_wide(image: Pixels, params: Moire, how: Wide) -> Pixels:
    """Lay the stripes over *image*, as `wide` says."""
    width, height = size_of(image)
    step, count = how.step, len(how.ways)
    textures = [
        _texture(how.window, params.gap, params.thickness, way.spread, count) for way in how.ways
    ]
    forms = [_to_texture(way, how.window, step) for way in how.ways]
    table = _table(params)
    out = np.empty_like(image)
    strip = min(max(_AT_ONCE // width // step, 1) * step, _STRIP)
    for top in range(0, height, strip):
        rows = min(strip, height - top)
        factor = cv2.LUT(_codes(textures, forms, width, top // step, -(-rows // step)), table)
        if step > 1:
            factor = cv2.resize(factor, (width, len(factor) * step))[:rows]
        if image.ndim == 3:
            factor = cv2.merge([factor] * image.shape[2])
        cv2.multiply(image[top : top + rows], factor, out[top : top + rows], dtype=cv2.CV_8U)
    return out


_Forms = tuple[_Form, _Form, _Form]


def _codes(
    textures: list[Pixels], forms: list[_Forms], width: int, first: int, rows: int
) -> Pixels:
    """The layers' codes added up, for computed rows from *first* on."""
    total: Any = None
    y = np.arange(first, first + rows, dtype=np.float32)[:, None]
    for texture, layer in zip(textures, forms, strict=True):
        column, row = _places(layer, width, y, first + rows)
        code = cv2.remap(texture, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        total = code if total is None else cv2.add(total, code, dst=total)
    return np.asarray(total, dtype=np.uint8)


def _places(
    forms: _Forms, width: int, y: NDArray[np.float32], end: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Columns and rows of the texture for the pixels of rows *y*, the last before *end*."""
    step = _net(forms, width, end)
    if step == 1:
        x = np.arange(width, dtype=np.float32)
    else:
        # Where enlarging puts the middle of each point, less a margin of one.
        x = ((np.arange(-(-width // step) + 2) - 0.5) * step - 0.5).astype(np.float32)
    column, row, depth = (
        np.float32(a) * x + (np.float32(b) * y + np.float32(c)) for a, b, c in forms
    )
    column /= depth
    row /= depth
    places = np.asarray(column, dtype=np.float32), np.asarray(row, dtype=np.float32)
    if step == 1:
        return places
    enlarged = (cv2.resize(place, (len(x) * step, len(y))) for place in places)
    column, row = (np.asarray(place, dtype=np.float32) for place in enlarged)
    return column[:, step : step + width], row[:, step : step + width]


def _net(forms: _Forms, width: int, end: int) -> int:
    """Pixels of a row between two that are computed, so that those between are near enough."""
    corners = ((0, 0), (width, 0), (0, end), (width, end))
    depth = forms[2]
    depths = _at(depth, corners)
    least = min(depths)
    if least <= 0:
        return 1
    slope = max(
        abs(form[0] * w - depth[0] * z)
        for form in forms[:2]
        for w, z in zip(depths, _at(form, corners), strict=True)
    )
    # u_xx is -2 g u_x / w, and interpolation errs by an eighth of it times the step squared.
    curvature = 2 * abs(depth[0]) * slope / least**3
    return next((step for step in _NET if step**2 / 8 * curvature <= _TOLERANCE), 1)


def _way(layer: Layer, size: Size, side: int) -> _Way:
    angle, spread, (dx, dy) = layer
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    # Places are measured from the canvas's centre; the offset is cropped to whole pixels.
    x0, y0 = round(dx) - size[0], round(dy) - size[1]
    across = (cos, -sin, cos * x0 - sin * y0)
    along = (sin, cos, sin * x0 + cos * y0)
    lean = (1 - spread) / side
    depth = (-lean * across[0], -lean * across[1], 1 - (1 - spread) / 2 - lean * across[2])
    return _Way(across, (spread * along[0], spread * along[1], spread * along[2]), depth, spread)


_Corners = Sequence[tuple[float, float]]


def _corners(size: Size) -> _Corners:
    """Corners of the doubled grid."""
    width, height = 2 * size[0], 2 * size[1]
    return (0, 0), (width, 0), (0, height), (width, height)


def _at(form: _Form, points: _Corners) -> list[float]:
    """*form* at *points*."""
    a, b, c = form
    return [a * x + b * y + c for x, y in points]


def _step(way: _Way, corners: _Corners) -> int:
    """Rows between two that are computed: a stripe moves less than `_WANDER` px meanwhile."""
    row, depth, wander = way.row, way.depth, 0.0
    for z, w in zip(_at(row, corners), _at(depth, corners), strict=True):
        right, down = (abs(row[n] * w - depth[n] * z) for n in (0, 1))
        wander = max(wander, down / max(right, 1e-9))
    # Powers of two, so that strips begin with a computed row.
    return next((step for step in _STEPS if step * wander <= _WANDER), 1)


def _to_texture(way: _Way, window: _Window, step: int) -> _Forms:
    """From computed pixels to pixels of the texture: column, row and what both are divided by."""
    low, high = _scales(way.spread)
    grow = (_SCALES - 1) / (high - low)

    def computed(form: _Form) -> _Form:
        """*form* of the doubled grid, of computed pixels: centres to centres."""
        a, b, c = form
        return 2 * a, 2 * step * b, a + step * b + c

    p, q, r = way.depth
    a, b, c = way.row
    fine, half = window.fine, window.half
    column = (-low * p * grow, -low * q * grow, (way.spread - low * r) * grow)
    row = tuple((u + half * v) * fine - 0.5 * v for u, v in ((a, p), (b, q), (c, r)))
    return computed(column), computed((row[0], row[1], row[2])), computed(way.depth)


def _scales(spread: float) -> tuple[float, float]:
    """Least and greatest convergence: rows of the canvas per pixel of the doubled grid."""
    return spread, max(1.0, spread + 1e-3)


@functools.lru_cache(maxsize=64)
def _texture(window: _Window, gap: float, thickness: float, spread: float, layers: int) -> Pixels:
    """Codes of the stripes, `fine` samples a row of the canvas, a column per scale.

    A stripe's share of a pixel is coded in `192 / layers` steps from `32 / layers`, so that the
    layers can be added up and Lanczos has room to overshoot.
    """
    row = np.arange(2 * window.half) + window.first
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
