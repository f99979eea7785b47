"""Noise of a camera's sensor, in good light and in too little of it.

Sources: the variance of a value grows with the value, shot noise, above a floor, read noise:
Foi et al., "Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data",
IEEE Trans. Image Processing 17(10), 2008. Electrons, full well and read noise are terms of the
linear camera model of EMVA standard 1288; light and value are joined by the sRGB curve,
IEC 61966-2-1. Foi's model is of raw data; that `sensor_noise` adds it to developed values is our
choice, `low_light` adds it to the light. In the deepest dark a sensor has banding as well, which
neither has (Wei et al., "A physics-based noise formation model for extreme low-light raw
denoising", CVPR 2020). The levels, the full well of 3000 electrons and the read noise of 4, which
are meant for the small pixels of a phone, are our own choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rig.synthesis.transform import Pixels, Size, Transform, check_level, within

_SHOT = (0.02, 0.06, 0.15, 0.4)
_READ = (1.0, 2.0, 4.0, 7.0)
_STOPS = (1.0, 2.0, 3.0, 4.0)
# Rows worked on at a time: noise is float, and an image of it all would be large.
_STRIP = 256


@dataclass(frozen=True, slots=True)
class SensorNoise:
    """Variance `shot * v + read^2` of a value v in 0..255; `seed` decides every pixel."""

    shot: float
    read: float
    seed: int

    def __post_init__(self) -> None:
        within(self.shot, 0, 100, "shot")
        within(self.read, 0, 255, "read")
        within(self.seed, 0, 2**63 - 1, "seed")


@dataclass(frozen=True, slots=True)
class LowLight:
    """Light missing, and how much of it the camera makes up for by gain.

    `stops` of light are missing; white is `electrons` at full light, with `read` electrons of
    read noise; gain restores the share `restored` (0..1) of the stops. `seed` decides the noise.
    """

    stops: float
    restored: float
    electrons: float
    read: float
    seed: int

    def __post_init__(self) -> None:
        within(self.stops, 0, 20, "stops")
        within(self.restored, 0, 1, "restored")
        within(self.electrons, 1, 1e6, "electrons")
        within(self.read, 0, 1e5, "read")
        within(self.seed, 0, 2**63 - 1, "seed")


def sample_noise(generator: np.random.Generator, level: int, size: Size) -> SensorNoise:
    """Deviations of 1 to 7 at black and of 2.5 to 12 at white, give or take 10 percent."""
    del size
    spread = generator.uniform(0.9, 1.1, size=2)
    shot, read = _SHOT[check_level(level) - 1], _READ[level - 1]
    return SensorNoise(shot * float(spread[0]), read * float(spread[1]), _seed(generator))


def apply_noise(image: Pixels, params: SensorNoise) -> Pixels:
    """Add the noise, rounded and cut off at 0 and 255."""
    values = np.arange(256, dtype=np.float32)
    deviation = np.sqrt(np.float32(params.shot) * values + np.float32(params.read**2))
    out = np.empty_like(image)
    for part, normal in _strips(image, params.seed):
        noisy = deviation[image[part]] * normal + image[part] + np.float32(0.5)
        out[part] = np.clip(noisy, 0, 255).astype(np.uint8)
    return out


def sample_low_light(generator: np.random.Generator, level: int, size: Size) -> LowLight:
    """1 to 4 stops, give or take a fifth; half of them restored; a full well of 3000."""
    del size
    stops = _STOPS[check_level(level) - 1] + float(generator.uniform(-0.2, 0.2))
    return LowLight(stops, 0.5, 3000.0, 4.0, _seed(generator))


def apply_low_light(image: Pixels, params: LowLight) -> Pixels:
    """Count electrons of the little light there is, amplify them, and develop them."""
    values = np.arange(256) / 255
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    count = light * params.electrons * 2**-params.stops
    deviation = np.sqrt(count + params.read**2)
    gain = 2 ** (params.stops * params.restored) / params.electrons
    mean, spread = (z.astype(np.float32) for z in (count * gain, deviation * gain))
    out = np.empty_like(image)
    for part, normal in _strips(image, params.seed):
        seen = mean[image[part]] + spread[image[part]] * normal
        out[part] = _developed(seen)
    return out


def _developed(light: NDArray[np.float32]) -> Pixels:
    """Values of linear *light*, through a table fine enough for 8 bits."""
    steps = np.arange(4096) / 4095
    curve = np.where(steps <= 0.0031308, 12.92 * steps, 1.055 * steps ** (1 / 2.4) - 0.055)
    table = np.rint(255 * curve).astype(np.uint8)
    place = np.clip(light * np.float32(4095) + np.float32(0.5), 0, 4095)
    return np.asarray(table[place.astype(np.uint16)], dtype=np.uint8)


def _strips(image: Pixels, seed: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Parts of *image* from the top, each with its standard normal numbers."""
    generator = np.random.Generator(np.random.Philox(key=seed))
    for top in range(0, len(image), _STRIP):
        part = slice(top, top + _STRIP)
        yield part, generator.standard_normal(image[part].shape, dtype=np.float32)


def _seed(generator: np.random.Generator) -> int:
    return int(generator.integers(2**63))


SENSOR_NOISE = Transform("sensor_noise", SensorNoise, sample_noise, apply_noise)
LOW_LIGHT = Transform("low_light", LowLight, sample_low_light, apply_low_light)
