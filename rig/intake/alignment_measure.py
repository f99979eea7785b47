"""Sharpness, exposure and glare of the card in a photo."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.intake.card import SPOKES, drawn_boxes, patch_boxes, star
from rig.intake.features import Grey
from rig.intake.geometry import Matrix, Points, transform

_GAMMA = 2.2
_RINGS = 48
_ANGLES = 1440
_INNERMOST = 8.0
"""Radius, screen pixels: further in the spokes are drawn with less than 3 pixels a pair."""
_HALF = 0.5
BRIGHTER = 45.0
"""Grey levels above the usual ground from which on it counts as glare; as in `quality`."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the grey ramp shows.

    Attributes:
        levels: mean grey level of each patch in the photo, in the order of `PATCHES`.
        haze: light of the black patch over that of the white one, 0..1, linear.
    """

    levels: tuple[float, ...]
    haze: float

    @property
    def white(self) -> float:
        """Grey level of the white patch."""
        return self.levels[-1]

    def clipped(self, level: float) -> int:
        """How many patches below white are at *level* or above: steps that are lost."""
        return sum(one >= level for one in self.levels[:-1])


@dataclass(frozen=True, slots=True)
class Glare:
    """Light on the screen that is not the screen's.

    Attributes:
        share: of the even ground that is far too bright, 0..1.
        where: its middle as shares of the screen's width and height; None when there is none.
    """

    share: float
    where: tuple[float, float] | None


def resolution(photo: Grey, matrix: Matrix, size: tuple[int, int]) -> float:
    """Line pairs across the screen's shorter side at which half of the star's contrast is left.

    The star's contrast is measured ring by ring as the amplitude of its own 18 cycles a turn, in
    linear light (a sine-wave star is measured so in ISO 12233:2017, annex F; ours has square waves,
    of which the first harmonic is taken). Noise and moire do not go in step with the spokes and
    average out; spokes whose contrast is reversed count as none. Once for the sectors left and
    right, once for those above and below: the worse one counts, so a shake in one direction shows.

    Args:
        photo: (H, W) uint8.
        matrix: screen -> photo, pixel-edge.
        size: of the screen, pixels.
    """
    one = star(size)
    radii = np.geomspace(_INNERMOST, one.radius * 0.97, _RINGS)
    angles = np.arange(_ANGLES) * (2 * math.pi / _ANGLES)
    around = np.column_stack([np.cos(angles), np.sin(angles)])
    places = (np.array([one.x, one.y]) + radii[:, None, None] * around).reshape(-1, 2)
    light = (_sampled(photo, matrix, places) / 255) ** _GAMMA
    rings = light.reshape(_RINGS, _ANGLES)
    upright = np.abs(around[:, 1]) > math.sqrt(0.5)
    wave = np.sin(SPOKES * angles)
    return min(min(size) / _half_period(rings, wave, part, radii) for part in (upright, ~upright))


def _half_period(rings: Floats, wave: Floats, part: NDArray[np.bool_], radii: Floats) -> float:
    """Screen pixels of the pair of spokes at which half of the rim's contrast is left."""
    inside = rings[:, part] - rings[:, part].mean(axis=1, keepdims=True)
    gain = inside @ wave[part] / part.sum()
    whole = float(np.median(gain[radii > 0.7 * radii[-1]]))
    if whole <= 1e-4:
        return float("inf")
    gain /= whole
    lost = np.flatnonzero(gain < _HALF)
    periods = 2 * math.pi * radii / SPOKES
    if lost.size == 0:
        return float(periods[0])
    at = int(lost[-1])
    if at + 1 >= len(radii):
        return float("inf")
    share = (_HALF - gain[at]) / (gain[at + 1] - gain[at])
    return float(periods[at] + share * (periods[at + 1] - periods[at]))


def exposure(photo: Grey, matrix: Matrix, size: tuple[int, int]) -> Exposure:
    """The levels of the grey ramp; arguments as of `resolution`."""
    levels = []
    steps = np.linspace(0.25, 0.75, 12)
    for x, y, wide, high in patch_boxes(size):
        grid = np.array([(x + wide * a, y + high * b) for b in steps for a in steps])
        levels.append(float(np.median(_sampled(photo, matrix, grid))))
    dark, light = ((level / 255) ** _GAMMA for level in (levels[0], levels[-1]))
    return Exposure(tuple(levels), min(1.0, dark / max(light, 1e-6)))


def glare(photo: Grey, matrix: Matrix, size: tuple[int, int]) -> Glare:
    """How much of the card's even ground is far brighter than the rest; arguments likewise."""
    places = ground_points(size)
    inside = _visible(photo, matrix, places)
    if not inside.any():
        return Glare(0.0, None)
    places = places[inside]
    smooth: Grey = np.asarray(cv2.blur(photo, (5, 5)), dtype=np.uint8)
    values = _sampled(smooth, matrix, places)
    # Below the median: glare over half of the ground must not become the usual.
    bright = values > np.percentile(values, 35) + BRIGHTER
    if not bright.any():
        return Glare(0.0, None)
    middle = places[bright].mean(axis=0) / np.array(size)
    return Glare(float(bright.mean()), (float(middle[0]), float(middle[1])))


def ground_points(size: tuple[int, int]) -> Points:
    """(n, 2) places on the screen, evenly spread, where the card shows nothing but `GROUND`."""
    width, height = size
    step = max(width, height) / 120
    xs, ys = np.arange(step / 2, width, step), np.arange(step / 2, height, step)
    places = np.array([(x, y) for y in ys for x in xs])
    free = np.ones(len(places), dtype=bool)
    for x, y, wide, high in drawn_boxes(size):
        # A margin, since blur carries light over the edge.
        low, top = np.array([x, y]) - step, np.array([x + wide, y + high]) + step
        free &= ~((places > low) & (places < top)).all(axis=1)
    return places[free]


def brightness(photo: Grey, quad: Points) -> float:
    """Mean grey level inside the convex *quad*, as far as the photo shows it."""
    mask = np.zeros(photo.shape, dtype=np.uint8)
    cv2.fillConvexPoly(mask, np.rint(np.clip(quad, -30000, 30000)).astype(np.int32), 1)
    return float(photo[mask > 0].mean()) if mask.any() else 0.0


def _visible(photo: Grey, matrix: Matrix, places: Points) -> NDArray[np.bool_]:
    where = transform(matrix, places)
    return np.asarray(
        ((where >= 1) & (where <= np.array(photo.shape[::-1]) - 1)).all(axis=1), dtype=np.bool_
    )


def _sampled(photo: Grey, matrix: Matrix, places: Points) -> Floats:
    """Grey levels of the photo at *places* of the screen, between pixels linearly."""
    where = (transform(matrix, places) - 0.5).astype(np.float32)
    rows = where.reshape(-1, 1, 2)
    parts = [
        cv2.remap(photo, part[..., 0], part[..., 1], cv2.INTER_LINEAR)
        for part in np.array_split(rows, len(rows) // 30_000 + 1)
    ]
    return np.concatenate(parts).ravel().astype(np.float64)
