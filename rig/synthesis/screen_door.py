"""Screen door: the beat between the grid of a screen's pixels and that of a camera's.

The physical way to what `moire` overlays. A screen's pixel is a lit square with a dark gap; a
sensor's pixel takes the mean of the light over its aperture, then the picture is sampled. Where
the screen's pitch is close to the sensor's, the grid is seen again as a slow wave: aliasing, by
the sampling theorem. Source: the pipeline of Liu, Shu and Wu, "Demoireing of camera-captured
screen images using deep convolutional neural network", arXiv 1804.03809: the image as the
screen's subpixels, a projective map, an anti-aliasing filter, resampling by the sensor (see also
LCDMoire in Yuan et al., "AIM 2019 challenge on image demoireing: dataset and study", ICCVW
2019). Here the grids are grey: no coloured subpixels and no colour filter, and the filter is a
box. Pitch, turn and gaps of the levels are our own choice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.synthesis.transform import Pixels, Size, Transform, check_level, size_of, within

_FILL = (0.98, 0.95, 0.9, 0.82)
_STRIP = 128
_TABLE = 4096


@dataclass(frozen=True, slots=True)
class ScreenDoor:
    """A screen's grid, in pixels of the image.

    `pitch` of the screen's pixels; `fill`, the lit share of a pixel's side; `aperture`, the
    side over which a sensor pixel takes its mean; `degrees` between the grids; `phase`, their
    offset in the two directions, 0..1 of a pitch.
    """

    pitch: float
    fill: float
    aperture: float
    degrees: float
    phase: tuple[float, float]

    def __post_init__(self) -> None:
        within(self.pitch, 0.1, 1e5, "pitch")
        within(self.fill, 0.01, 1, "fill")
        within(self.aperture, 0.01, 1e5, "aperture")
        within(self.degrees, -360, 360, "degrees")
        within(min(self.phase), -1e6, 1e6, "phase")
        within(max(self.phase), -1e6, 1e6, "phase")


def sample(generator: np.random.Generator, level: int, size: Size) -> ScreenDoor:
    """A pitch of 1.03 to 1.12 px, so waves of 9 to 34 px, turned by up to 2 degrees.

    Light falls on half of a sensor pixel's side; the dark gap is 2, 5, 10 or 18 percent of a
    screen pixel's.
    """
    del size
    fill = _FILL[check_level(level) - 1]
    pitch, degrees = generator.uniform(1.03, 1.12), generator.uniform(-2, 2)
    x, y = generator.random(2).tolist()
    return ScreenDoor(float(pitch), fill, 0.5, float(degrees), (x, y))


def apply(image: Pixels, params: ScreenDoor) -> Pixels:
    """Multiply by the grid's light; its mean is 1, so the image is as bright as before."""
    table = transmission(params)
    width, height = size_of(image)
    angle = math.radians(params.degrees)
    cos, sin = math.cos(angle) / params.pitch, math.sin(angle) / params.pitch
    x = np.arange(width, dtype=np.float64) + 0.5
    out = np.empty_like(image)
    for top in range(0, height, _STRIP):
        part = slice(top, top + _STRIP)
        y = np.arange(top, min(top + _STRIP, height), dtype=np.float64)[:, None] + 0.5
        light = _light(table, cos * x + (sin * y + params.phase[0]))
        light *= _light(table, (cos * y + params.phase[1]) - sin * x)
        factor = cv2.merge([light] * image.shape[2]) if image.ndim == 3 else light
        out[part] = cv2.multiply(image[part], factor, dtype=cv2.CV_8U)
    return out


def transmission(params: ScreenDoor) -> NDArray[np.float32]:
    """Light along one axis over one pitch: the lit part seen through the aperture, mean 1."""
    lit, half = params.fill, params.aperture / params.pitch / 2
    place = (np.arange(_TABLE) + 0.5) / _TABLE

    def lit_up_to(u: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.floor(u) * lit + np.minimum(u - np.floor(u), lit)

    mean = (lit_up_to(place + half) - lit_up_to(place - half)) / (2 * half)
    return np.asarray(mean / lit, dtype=np.float32)


def _light(table: NDArray[np.float32], place: NDArray[np.float64]) -> NDArray[np.float32]:
    """*table* at *place*, counted in pitches."""
    # Truncation has to go down for places before the first pixel too.
    index = ((place + 2.0**20) * _TABLE).astype(np.int64)
    index &= _TABLE - 1
    return np.asarray(table.take(index), dtype=np.float32)


SCREEN_DOOR = Transform(
    "screen_door",
    ScreenDoor,
    sample,
    apply,
    scaled=lambda p, f: replace(p, pitch=p.pitch * f, aperture=p.aperture * f),
)
