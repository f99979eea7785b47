"""Moiré: the beat between the screen's raster and the phone's.

Source: CheXphoto, section 2.2, and its published code. There two canvases of 4 max(w, h) are
filled with black stripes, warped so that one side converges, turned, shifted, cropped and laid
over the image enlarged twice, which is then reduced. Here no canvas exists: for every pixel of
the doubled grid its place on the canvas is computed, and with it whether it lies on a stripe.
From canvas to canvas the nearest pixel is taken, as in the source: the jags that leaves in the
stripes are part of the beat. What the layers let through together is reduced (Lanczos) and
multiplies the image, because black adds nothing of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rig.synthesis.moire_wide import apply_wide, wide
from rig.synthesis.transform import Pixels, Size, Transform, check_level, size_of, within

_GAP = (20.0, 4.5, 2.5, 1.0)
_OPACITY = (0.05, 0.15, 0.35, 0.5)
# Grid codes: what is blocked lies between these; the rest is room for Lanczos' overshoot.
_CLEAR, _BLOCKED = 40, 215
# Rows of the doubled grid worked on at a time, so that a strip stays in the cache.
_STRIP = 64
# Rows of the output that are worked on at a time, so that memory does not grow with the image.
_ROWS = 256
# What a single pixel becomes when it is enlarged twice and reduced again (Lanczos, 3 lobes).
_ROUND_TRIP = np.array([0.0238, -0.0679, 0.1, 0.8882, 0.1, -0.0679, 0.0238])

Layer = tuple[float, float, tuple[float, float]]
"""Angle in degrees (anticlockwise), spread (width of the converging side / the other), offset."""


@dataclass(frozen=True, slots=True)
class Moire:
    """Stripes `thickness` px thick and `gap` px apart, of `opacity` 0..1, in some layers.

    All lengths are pixels of the doubled grid.
    """

    gap: float
    opacity: float
    thickness: float
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        within(self.gap, 0, 1e6, "gap")
        within(self.opacity, 0, 1, "opacity")
        within(self.thickness, 0.01, 1e6, "thickness")
        within(len(self.layers), 0, 16, "The number of layers")
        for angle, spread, offset in self.layers:
            within(angle, -1e6, 1e6, "The angle of a layer")
            within(spread, 0.01, 1, "The spread of a layer")
            within(max(map(abs, offset)), 0, 1e6, "The offset of a layer")


def sample(generator: np.random.Generator, level: int, size: Size) -> Moire:
    """Draw two layers, at 90 and at 90 + N(0, 1) degrees, each offset by U(0, 100) px both ways."""
    del size
    check_level(level)
    turn = float(generator.normal(0, 1))
    (x0, y0), (x1, y1) = generator.uniform(0, 100, size=(2, 2)).tolist()
    layers = ((90.0, 0.5, (x0, y0)), (90.0 + turn, 0.5, (x1, y1)))
    return Moire(_GAP[level - 1], _OPACITY[level - 1], 1.0, layers)


def apply(image: Pixels, params: Moire) -> Pixels:
    """Lay the stripes over *image*."""
    width, height = size_of(image)
    blocked = _blocked_by_count(params)
    deepest = float(blocked[-1])
    if deepest <= 0:
        return image.copy()
    image = there_and_back(image)
    how = wide(params, (width, height)) if deepest < 1 else None
    if how is not None:
        return apply_wide(image, params, how)
    codes = np.rint(_CLEAR + (_BLOCKED - _CLEAR) * blocked / deepest).astype(np.uint8)
    codes = np.pad(codes, (0, 256 - len(codes)))
    through = (1 - (np.arange(256) - _CLEAR) * deepest / (_BLOCKED - _CLEAR)).astype(np.float32)
    out = np.empty_like(image)
    for top in range(0, height, _ROWS):
        end = min(top + _ROWS, height)
        factor = cv2.LUT(_reduced(params, (width, height), codes, top, end), through)
        if image.ndim == 3:
            factor = cv2.merge([factor] * image.shape[2])
        cv2.multiply(image[top:end], factor, out[top:end], dtype=cv2.CV_8U)
    return out


def _reduced(params: Moire, size: Size, codes: Pixels, top: int, end: int) -> Pixels:
    """Codes of the output's rows from *top* to *end*, reduced from the doubled grid."""
    # Lanczos reaches 6 rows of the doubled grid beyond a strip.
    first, last = max(top - 4, 0), min(end + 4, size[1])
    grid = cv2.LUT(count_stripes(params, size, 2 * first, 2 * last), codes)
    small = Image.fromarray(grid).resize((size[0], last - first), Image.Resampling.LANCZOS)
    return np.asarray(small, dtype=np.uint8)[top - first : end - first]


def there_and_back(image: Pixels) -> Pixels:
    """*image* as enlarging it twice and reducing it again leaves it, both by Lanczos."""
    out = cv2.sepFilter2D(image, -1, _ROUND_TRIP, _ROUND_TRIP, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(out, dtype=np.uint8)


def _blocked_by_count(params: Moire) -> NDArray[np.float64]:
    """Share of the light that 0, 1, 2, ... stripes above each other take away."""
    # A whole number of 255 steps, as the opacity of a stored mask has.
    alpha = int(params.opacity * 255) / 255
    count = np.arange(len(params.layers) + 1, dtype=np.float64)
    return np.asarray(1 - np.power(1 - alpha, count), dtype=np.float64)


def count_stripes(params: Moire, size: Size, first: int, end: int) -> Pixels:
    """How many layers have a stripe at each pixel of the doubled grid's rows *first* to *end*."""
    total = np.zeros((end - first, 2 * size[0]), dtype=np.uint8)
    for layer in params.layers:
        _add_layer(total, layer, params, size, first)
    return total


def _add_layer(total: Pixels, layer: Layer, params: Moire, size: Size, first: int) -> None:
    """Count one layer into *total*, whose first row is *first*, strip by strip."""
    width, height = size
    side = 4 * max(size)
    stripes = _stripe_table(side, params)
    angle, spread, (dx, dy) = layer
    # Places are measured from the canvas's centre; the offset is cropped to whole pixels.
    x = np.arange(2 * width, dtype=np.float32) + np.float32(0.5 - width + round(dx))
    y = np.arange(len(total), dtype=np.float32) + np.float32(0.5 - height + round(dy) + first)
    cos, sin = (round(f(math.radians(angle)), 15) for f in (math.cos, math.sin))
    for top in range(0, len(total), _STRIP):
        part = y[top : top + _STRIP, None]
        across = _centre(_dot(cos, x, -sin, part))
        along = _centre(_dot(sin, x, cos, part))
        row = along * _convergence(across, spread, side) + np.float32(side / 2 + 1)
        inside = stripes.take(row.astype(np.int32), mode="clip")
        if _leaves_canvas(across, side):
            inside *= np.abs(across) < side / 2
        total[top : top + _STRIP] += inside


def _stripe_table(side: int, params: Moire) -> Pixels:
    """1 where a row of the canvas is a stripe; one clear row is added at either end."""
    row = np.arange(side)
    stripe = np.remainder(row, params.thickness + params.gap) < params.thickness
    return np.pad(stripe.astype(np.uint8), 1)


def _dot(a: float, x: NDArray[np.float32], b: float, y: NDArray[np.float32]) -> NDArray[np.float32]:
    """`a x + b y`; a factor of zero leaves its axis out, so quarter turns stay one-dimensional."""
    if a == 0:
        return np.float32(b) * y
    return np.float32(a) * x[None, :] + (np.float32(b) * y if b else np.float32(0))


def _centre(place: NDArray[np.float32]) -> NDArray[np.float32]:
    """The centre of the pixel that *place* lies in."""
    return np.floor(place) + np.float32(0.5)


def _convergence(across: NDArray[np.float32], spread: float, side: int) -> NDArray[np.float32]:
    """Rows of the straight canvas per row of the warped: *spread* at the left, 1 at the right."""
    slope = np.float32((1 - spread) / side)
    place = np.clip(across, -side / 2, side / 2) if _leaves_canvas(across, side) else across
    return np.float32(spread) / (np.float32(1 - (1 - spread) / 2) - slope * place)


def _leaves_canvas(across: NDArray[np.float32], side: int) -> bool:
    return bool(
        max(across[0].max(), across[-1].max(), -across[0].min(), -across[-1].min()) > side / 2
    )


def _scaled(params: Moire, factor: float) -> Moire:
    layers = tuple(
        (angle, spread, (dx * factor, dy * factor)) for angle, spread, (dx, dy) in params.layers
    )
    return Moire(params.gap * factor, params.opacity, params.thickness * factor, layers)


MOIRE = Transform("moire", Moire, sample, apply, scaled=_scaled)
