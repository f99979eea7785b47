"""What a phone's lens does: dark corners and barrel distortion.

Sources: vignetting is the cos^4 law of natural falloff, written as the off-axis factor
1 / (1 + (r / f)^2)^2 of Kang and Weiss, "Can we calibrate a camera using an image of a flat,
textureless Lambertian surface?", ECCV 2000. Real lenses differ from it (Aggarwal, Hua and Ahuja,
"On cosine-fourth and vignetting effects in real lenses", ICCV 2001); wide open, good ones pass
30 to 40 percent less light at the corners (Goldman and Chen, "Vignette and exposure calibration
and compensation", ICCV 2005). Barrel distortion is the division model of Fitzgibbon,
"Simultaneous linear estimation of multiple view geometry and lens distortion", CVPR 2001, which
can be solved both ways. The strengths of the levels are our own choice, and so is darkening the
developed value instead of the light.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.synthesis.transform import (
    Pixels,
    Points,
    Size,
    Transform,
    check_level,
    size_of,
    within,
)
from rig.synthesis.warp import check_sides

_DARK = (0.12, 0.25, 0.4, 0.55)
_BARREL = (0.03, 0.06, 0.1, 0.15)
_STRIP = 256


@dataclass(frozen=True, slots=True)
class Vignetting:
    """Share of the light that is missing in the corners, 0..1 (of the value, not of lux)."""

    strength: float

    def __post_init__(self) -> None:
        within(self.strength, 0, 0.99, "strength")


@dataclass(frozen=True, slots=True)
class Barrel:
    """`k` of `r_source = r / (1 - k r^2)`, distances from the centre per half diagonal.

    Above 0 lines bulge outwards, as phones' do.
    """

    k: float

    def __post_init__(self) -> None:
        within(self.k, 0, 0.5, "k")


def sample_vignetting(generator: np.random.Generator, level: int, size: Size) -> Vignetting:
    """12, 25, 40 or 55 percent, give or take 2."""
    del size
    return Vignetting(_DARK[check_level(level) - 1] + float(generator.uniform(-0.02, 0.02)))


def apply_vignetting(image: Pixels, params: Vignetting) -> Pixels:
    """Darken by 1 / (1 + a r^2)^2, which is cos^4 of the angle to the axis."""
    a = 1 / np.sqrt(1 - params.strength) - 1
    x, y = (_from_centre(length) for length in size_of(image))
    square = float(image.shape[0] ** 2 + image.shape[1] ** 2) / 4
    out = np.empty_like(image)
    for top in range(0, len(image), _STRIP):
        part = slice(top, top + _STRIP)
        distance = (y[part, None] ** 2 + x[None, :] ** 2) / np.float32(square)
        factor = 1 / (1 + np.float32(a) * distance) ** 2
        light = factor.astype(np.float32)
        deep = cv2.merge([light] * image.shape[2]) if image.ndim == 3 else light
        out[part] = cv2.multiply(image[part], deep, dtype=cv2.CV_8U)
    return out


def sample_barrel(generator: np.random.Generator, level: int, size: Size) -> Barrel:
    """0.03, 0.06, 0.1 or 0.15, give or take 10 percent."""
    del size
    return Barrel(_BARREL[check_level(level) - 1] * float(generator.uniform(0.9, 1.1)))


def apply_barrel(image: Pixels, params: Barrel) -> Pixels:
    """Bend *image*, bicubic, black outside; its size stays."""
    if params.k == 0:
        return image.copy()
    check_sides(size_of(image))
    width, height = size_of(image)
    x, y = _from_centre(width), _from_centre(height)
    square = np.float32((width**2 + height**2) / 4)
    out = np.empty_like(image)
    for top in range(0, height, _STRIP):
        part = slice(top, top + _STRIP)
        inverse = 1 / (1 - np.float32(params.k) * (x[None] ** 2 + y[part, None] ** 2) / square)
        source_x = x[None] * inverse + np.float32(width / 2 - 0.5)
        source_y = y[part, None] * inverse + np.float32(height / 2 - 0.5)
        out[part] = cv2.remap(
            image, source_x, source_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT
        )
    return out


def bend(points: Points, params: Barrel, size: Size) -> Points:
    """Where *points* of the source lie in the output: the nearer root of `k s r^2 + r - s`."""
    centre = np.array(size) / 2
    away = (np.asarray(points, dtype=np.float64) - centre) / np.hypot(*centre)
    square = (away**2).sum(axis=1, keepdims=True)
    # r / s, written so that it stays exact near the centre.
    ratio = 2 / (1 + np.sqrt(1 + 4 * params.k * square))
    return np.asarray(centre + away * ratio * np.hypot(*centre), dtype=np.float64)


def _from_centre(length: int) -> NDArray[np.float32]:
    """Distances of pixel centres from the middle of a side."""
    return (np.arange(length) + 0.5 - length / 2).astype(np.float32)


VIGNETTING = Transform("vignetting", Vignetting, sample_vignetting, apply_vignetting)
BARREL = Transform("barrel", Barrel, sample_barrel, apply_barrel, bend=bend)
