"""Glare of a lamp on a matte screen: a white blot, densest in its centre.

Source: CheXphoto, section 2.2. The paper speaks of a normal distribution of the place; the
published code draws the place evenly and makes the opacity Gaussian, and so does this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.synthesis.transform import Pixels, Size, Transform, check_level, size_of, within


@dataclass(frozen=True, slots=True)
class Matte:
    """A Gaussian blot: `min(cap, peak * exp(-d^2 / 2 sigma^2))`, opacity in 0..255.

    `x` and `y` count pixels from the first pixel's centre; `sigma` is in pixels.
    """

    x: float
    y: float
    sigma: float
    peak: float
    cap: float

    def __post_init__(self) -> None:
        within(self.x, -1e6, 1e6, "x")
        within(self.y, -1e6, 1e6, "y")
        within(self.sigma, 1e-3, 1e6, "sigma")
        within(self.peak, 0, 1e6, "peak")
        within(self.cap, 0, 255, "cap")


def sample(generator: np.random.Generator, level: int, size: Size) -> Matte:
    """Draw the centre evenly over the image; the rest follows from *level*."""
    check_level(level)
    width, height = size
    return Matte(
        x=float(generator.uniform(0, width)),
        y=float(generator.uniform(0, height)),
        sigma=50.0 * level,
        peak=100.0 * level,
        cap=150.0 + 20 * level,
    )


def apply(image: Pixels, params: Matte) -> Pixels:
    """Lay the white blot over *image*."""
    out = image.copy()
    if min(params.peak, params.cap) < 1:
        return out
    width, height = size_of(image)
    # Beyond this distance the opacity is below 1 of 255 and nothing changes.
    reach = params.sigma * math.sqrt(2 * math.log(params.peak))
    columns, profile_x = _profile(params.x, params.sigma, reach, width)
    rows, profile_y = _profile(params.y, params.sigma, reach, height)
    if not profile_x.size or not profile_y.size:
        return out
    dense = profile_y[:, None] * (np.float32(params.peak) * profile_x)
    if params.peak > params.cap:
        np.minimum(dense, np.float32(params.cap), out=dense)
    out[rows, columns] = whiten(image[rows, columns], dense.astype(np.uint8))
    return out


def whiten(image: Pixels, opacity: Pixels) -> Pixels:
    """Composite white of *opacity* `(H, W)`, 0..255, over *image*, rounded to nearest."""
    if image.ndim == 3:
        opacity = np.repeat(opacity[:, :, None], image.shape[2], axis=2)
    room = cv2.bitwise_not(np.ascontiguousarray(image))
    added = cv2.multiply(room, opacity, scale=1 / 255)
    return np.asarray(cv2.add(image, added), dtype=np.uint8)


def _profile(
    centre: float, sigma: float, reach: float, length: int
) -> tuple[slice, NDArray[np.float32]]:
    """The part of an axis that the blot reaches, and the Gaussian along it."""
    first = max(0, math.ceil(centre - reach))
    end = max(first, min(length, math.floor(centre + reach) + 1))
    distance = np.arange(first, end, dtype=np.float64) - centre
    return slice(first, end), np.exp(distance**2 / (-2 * sigma**2)).astype(np.float32)


GLARE_MATTE = Transform(
    "glare_matte", Matte, sample, apply, scaled=lambda p, f: replace(p, sigma=p.sigma * f)
)
