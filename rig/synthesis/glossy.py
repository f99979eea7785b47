"""Glare of a window on a glossy screen: an even white rectangle.

Source: CheXphoto's published code.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rig.synthesis.glare import whiten
from rig.synthesis.transform import Pixels, Size, Transform, check_level, within

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Glossy:
    """A box [x0, y0, x1, y1] in pixels, the last two excluded, and its opacity 0..255."""

    box: Box
    opacity: float

    def __post_init__(self) -> None:
        within(self.opacity, 0, 255, "opacity")
        within(min(self.box), 0, 2**31, "The least side of the box")


def sample(generator: np.random.Generator, level: int, size: Size) -> Glossy:
    """One of nine places; each side is 0.1 level + U(0, 0.05) of the image's.

    A place is a corner, the middle part of an edge, or the middle part of the image: there the
    box's centre is at U(0.3, 0.7) of the side.
    """
    share = 0.1 * check_level(level) + generator.uniform(0, 0.05, size=2)
    across, down = generator.integers(3, size=2).tolist()
    centre = generator.uniform(0.3, 0.7, size=2)
    x0, x1 = _side(across, size[0], float(share[0]), float(centre[0]))
    y0, y1 = _side(down, size[1], float(share[1]), float(centre[1]))
    return Glossy((x0, y0, x1, y1), 150 + 20 * level + float(generator.uniform(0, 20)))


def _side(place: int, length: int, share: float, centre: float) -> tuple[int, int]:
    """First and end of the box along one side; *place* 0 is the start, 1 the middle, 2 the end."""
    long = share * length
    if place == 0:
        return 0, int(long)
    if place == 2:
        return length - int(long), length
    return int(centre * length - long / 2), int(centre * length + long / 2)


def apply(image: Pixels, params: Glossy) -> Pixels:
    """Lay the white box over *image*."""
    out = image.copy()
    x0, y0, x1, y1 = params.box
    part = out[y0:y1, x0:x1]
    if part.size:
        values = np.arange(256, dtype=np.uint8)[None]
        table = whiten(values, np.full_like(values, int(params.opacity)))
        out[y0:y1, x0:x1] = cv2.LUT(np.ascontiguousarray(part), table)
    return out


GLARE_GLOSSY = Transform("glare_glossy", Glossy, sample, apply)
