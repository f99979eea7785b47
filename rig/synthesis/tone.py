"""Contrast and brightness, bit for bit what Pillow's ImageEnhance gives.

Source: CheXphoto, section 2.2 (the digital set), and its published code. Both are functions of
one grey value, so each is a table of 256 entries, and two in succession are one table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from rig.synthesis.transform import Pixels, Size, Transform, check_level, within

_STRONGEST = 100


@dataclass(frozen=True, slots=True)
class Factor:
    """Contrast or brightness factor; 1 changes nothing, above 1 strengthens."""

    factor: float

    def __post_init__(self) -> None:
        within(self.factor, 0, _STRONGEST, "factor")


@dataclass(frozen=True, slots=True)
class Digital:
    """Factors of contrast, applied first, and of brightness."""

    contrast: float
    brightness: float

    def __post_init__(self) -> None:
        within(self.contrast, 0, _STRONGEST, "contrast")
        within(self.brightness, 0, _STRONGEST, "brightness")


def sample_factor(generator: np.random.Generator, level: int, *, up: bool) -> float:
    """Draw a factor: 1 + 0.2k + n upwards, 1 / (1 + 0.4k + n) downwards, n ~ U(-0.01, 0.01).

    k is 0.5 at level 1 and the level itself above.
    """
    k = 0.5 if check_level(level) == 1 else float(level)
    noise = float(generator.uniform(-0.01, 0.01))
    return 1 + 0.2 * k + noise if up else 1 / (1 + 0.4 * k + noise)


def mean_grey(image: Pixels) -> int:
    """Mean luma of *image*, rounded half up: what contrast is measured from."""
    luma = image if image.ndim == 2 else np.asarray(Image.fromarray(image).convert("L"))
    return int(cv2.sumElems(luma)[0] / luma.size + 0.5)


def blend_table(base: int, factor: float) -> Pixels:
    """Table of 256 values moved away from (factor > 1) or towards (factor < 1) *base*."""
    # float32 and truncation, as Pillow's blend.
    difference = np.arange(256, dtype=np.float32) - np.float32(base)
    moved = np.float32(base) + np.float32(factor) * difference
    return np.asarray(np.clip(moved, 0, 255), dtype=np.uint8)


def apply_contrast(image: Pixels, params: Factor) -> Pixels:
    """Blend *image* with its mean grey."""
    return _look_up(image, blend_table(mean_grey(image), params.factor))


def apply_brightness(image: Pixels, params: Factor) -> Pixels:
    """Multiply *image*."""
    return _look_up(image, blend_table(0, params.factor))


def sample_digital(generator: np.random.Generator, level: int, size: Size) -> Digital:
    """Draw a fair coin and a factor for contrast, then for brightness."""
    del size
    contrast = sample_factor(generator, level, up=bool(generator.integers(2)))
    brightness = sample_factor(generator, level, up=bool(generator.integers(2)))
    return Digital(contrast, brightness)


def apply_digital(image: Pixels, params: Digital) -> Pixels:
    """Contrast, then brightness, in one look-up."""
    contrast = blend_table(mean_grey(image), params.contrast)
    return _look_up(image, blend_table(0, params.brightness)[contrast])


def _look_up(image: Pixels, table: Pixels) -> Pixels:
    return np.asarray(cv2.LUT(image, table), dtype=np.uint8)


def _one_way(
    name: str, apply: Callable[[Pixels, Factor], Pixels], *, up: bool
) -> Transform[Factor]:
    def sample(generator: np.random.Generator, level: int, size: Size) -> Factor:
        del size
        return Factor(sample_factor(generator, level, up=up))

    return Transform(name, Factor, sample, apply)


CONTRAST_UP = _one_way("contrast_up", apply_contrast, up=True)
CONTRAST_DOWN = _one_way("contrast_down", apply_contrast, up=False)
BRIGHTNESS_UP = _one_way("brightness_up", apply_brightness, up=True)
BRIGHTNESS_DOWN = _one_way("brightness_down", apply_brightness, up=False)
RANDOM_DIGITAL = Transform("random_digital", Digital, sample_digital, apply_digital)
