"""Exposure: a sigmoid through the middle grey.

Source: CheXphoto's published code, which fails on grey images and ignores the level; here grey
works as colour does, and the level is still ignored.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rig.synthesis.transform import Pixels, Size, Transform, check_level, within


@dataclass(frozen=True, slots=True)
class Exposure:
    """`1 / (1 + exp(gain (cutoff - v)))` of a value v in 0..1."""

    cutoff: float
    gain: float

    def __post_init__(self) -> None:
        within(self.cutoff, -10, 10, "cutoff")
        within(self.gain, -100, 100, "gain")


def sample(generator: np.random.Generator, level: int, size: Size) -> Exposure:
    """Draw nothing: cutoff 0.5 and gain 5 at every level."""
    del generator, size
    check_level(level)
    return Exposure(0.5, 5.0)


def apply(image: Pixels, params: Exposure) -> Pixels:
    """Look every value up on the sigmoid, cut off to a whole number."""
    value = np.arange(256) / 255
    with np.errstate(over="ignore"):
        table = 255 / (1 + np.exp(params.gain * (params.cutoff - value)))
    return np.asarray(cv2.LUT(image, table.astype(np.uint8)), dtype=np.uint8)


EXPOSURE = Transform("exposure", Exposure, sample, apply)
