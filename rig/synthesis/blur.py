"""Blur: out of focus as CheXphoto has it, the shaken hand, and a lens that is out of focus.

Sources: `blur` and `motion`, CheXphoto, section 2.2, and its published code, whose even motion
kernels also shift the image by a row (a defect, left out). `defocus` is geometrical optics: a
point out of focus becomes the evenly lit disc of the aperture, not a Gaussian. So ImageNet-C has
it (Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions and
perturbations", ICLR 2019: radii of 3 to 10 px on 224 px); ours are milder, by our own choice,
since a phone that focuses on a screen misses it by less.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from rig.synthesis.transform import Pixels, Size, Transform, check_level, within

_RADIUS = (1.5, 3.0, 6.0, 10.0)
_LENGTH = (2, 10, 25, 45)
_DISC = (1.0, 2.0, 4.0, 7.0)
_WIDEST = 500


@dataclass(frozen=True, slots=True)
class Blur:
    """`radius` of a Gaussian, its standard deviation, in pixels."""

    radius: float

    def __post_init__(self) -> None:
        within(self.radius, 0, _WIDEST, "radius")


@dataclass(frozen=True, slots=True)
class Motion:
    """`length` of the path in whole pixels; 1 is no motion."""

    length: int

    def __post_init__(self) -> None:
        within(self.length, 1, 4 * _WIDEST, "length")


@dataclass(frozen=True, slots=True)
class Defocus:
    """`radius` of the circle of confusion in pixels."""

    radius: float

    def __post_init__(self) -> None:
        within(self.radius, 0, 100, "radius")


def sample_blur(generator: np.random.Generator, level: int, size: Size) -> Blur:
    """Draw nothing: 1.5, 3, 6 or 10 px."""
    del generator, size
    return Blur(_RADIUS[check_level(level) - 1])


def apply_blur(image: Pixels, params: Blur) -> Pixels:
    """Pillow's Gaussian, three boxes in succession; beyond the border lies its value."""
    if params.radius == 0:
        return image.copy()
    blurred = Image.fromarray(image).filter(ImageFilter.GaussianBlur(params.radius))
    return np.array(blurred, dtype=np.uint8)


def sample_motion(generator: np.random.Generator, level: int, size: Size) -> Motion:
    """Draw nothing: 2, 10, 25 or 45 px."""
    del generator, size
    return Motion(_LENGTH[check_level(level) - 1])


def apply_motion(image: Pixels, params: Motion) -> Pixels:
    """Mean over `length` pixels of a row; the border mirrors, without its own pixel."""
    length = params.length
    if length == 1 or image.shape[1] == 1:
        return image.copy()
    kernel = np.full((1, length), 1 / length, dtype=np.float32)
    anchor, mirror = (length // 2, 0), cv2.BORDER_REFLECT_101
    out = cv2.filter2D(image, -1, kernel, anchor=anchor, borderType=mirror)
    return np.asarray(out, dtype=np.uint8)


def sample_defocus(generator: np.random.Generator, level: int, size: Size) -> Defocus:
    """1, 2, 4 or 7 px, give or take 5 percent."""
    del size
    return Defocus(_DISC[check_level(level) - 1] * float(generator.uniform(0.95, 1.05)))


def apply_defocus(image: Pixels, params: Defocus) -> Pixels:
    """Mean over a disc; beyond the border lies the border's value."""
    if params.radius == 0:
        return image.copy()
    out = cv2.filter2D(image, -1, disc(params.radius), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(out, dtype=np.uint8)


def disc(radius: float) -> NDArray[np.float32]:
    """The share of each pixel that a disc covers, summing to 1; 16 x 16 points a pixel."""
    reach = int(np.ceil(radius + 0.5))
    fine = (np.arange((2 * reach + 1) * 16) + 0.5) / 16 - reach - 0.5
    inside = fine[:, None] ** 2 + fine[None, :] ** 2 <= radius**2
    share = inside.reshape(2 * reach + 1, 16, 2 * reach + 1, 16).sum(axis=(1, 3))
    total = share.sum()
    if not total:  # so small a disc misses every point
        share[reach, reach] = total = 1
    return np.asarray(share / total, dtype=np.float32)


def _scaled_motion(params: Motion, factor: float) -> Motion:
    return Motion(max(round(params.length * factor), 1))


BLUR = Transform(
    "blur", Blur, sample_blur, apply_blur, scaled=lambda p, f: replace(p, radius=p.radius * f)
)
MOTION = Transform("motion", Motion, sample_motion, apply_motion, scaled=_scaled_motion)
DEFOCUS = Transform(
    "defocus",
    Defocus,
    sample_defocus,
    apply_defocus,
    scaled=lambda p, f: replace(p, radius=p.radius * f),
)
