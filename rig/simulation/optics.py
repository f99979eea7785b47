"""A photograph of a monitor, made up: what a phone on a tripod would make of a frame.

The light's own order is kept: the screen emits, its glass adds reflections and haze, the room
stands around it, all falls on the sensor in perspective (where the screen's pixel grid beats with
the sensor's), the lens darkens the corners and blurs, the sensor adds colour cast and noise and
clips. All in linear light; the JPEG is the caller's.
Parameters are estimates, not fitted to a real phone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rig.simulation.scenery import clutter

PresetName: TypeAlias = Literal["none", "easy", "typical", "hard"]
Floats: TypeAlias = NDArray[np.float32]
Matrix: TypeAlias = NDArray[np.float64]

_GAMMA = 2.2
_BEZEL = 0.03  # of the screen's longer side


@dataclass(frozen=True, slots=True)
class OpticsPreset:
    """How bad the photograph is. Amounts are upper ends; each photo draws its own below them.

    Attributes:
        tilt_deg: angle between the screen's normal and the optical axis, degrees.
        roll_deg: rotation about the optical axis, degrees either way.
        fill: lowest and highest share of the photo that the screen's bounding box takes, 0..1.
        moire: amplitude of the beat between screen and sensor pixels, share of the light.
        glare: light of the brightest reflection, share of the screen's white.
        veil: even haze over the screen, share of its white.
        vignette: light lost in the corners of the photo, share.
        blur: Gaussian blur of the lens, sigma in pixels of a 2.4 megapixel photo.
        noise: standard deviation of the sensor noise at white, share of white.
        cast: largest deviation of the red and blue gains from 1.
    """

    tilt_deg: float
    roll_deg: float
    fill: tuple[float, float]
    moire: float
    glare: float
    veil: float
    vignette: float
    blur: float
    noise: float
    cast: float


PRESETS: MappingProxyType[str, OpticsPreset] = MappingProxyType(
    {
        "easy": OpticsPreset(5, 1, (0.80, 0.90), 0.01, 0.02, 0.005, 0.10, 0.5, 0.008, 0.03),
        "typical": OpticsPreset(12, 2, (0.70, 0.88), 0.03, 0.10, 0.02, 0.25, 0.9, 0.015, 0.08),
        "hard": OpticsPreset(20, 4, (0.55, 0.85), 0.08, 0.60, 0.06, 0.45, 2.0, 0.035, 0.18),
    }
)


@dataclass(frozen=True, slots=True)
class Shot:
    """A photograph and its truth.

    Attributes:
        photo: mode RGB (with "none": the frame itself).
        homography: 3x3, frame pixel -> photo pixel, pixel-edge coordinates (the top left corner
            of the top left pixel is 0, 0).
        corners: (4, 2) photo coordinates of the frame's corners: top left, top right, bottom
            right, bottom left.
    """

    photo: Image.Image
    homography: Matrix
    corners: Matrix


def photograph(
    frame: Image.Image,
    preset: PresetName | OpticsPreset,
    rng: np.random.Generator,
    *,
    megapixels: float = 2.4,
    tripod: np.random.Generator | None = None,
) -> Image.Image:
    """The photo of *frame*; see `shoot`."""
    return shoot(frame, preset, rng, megapixels=megapixels, tripod=tripod).photo


def shoot(
    frame: Image.Image,
    preset: PresetName | OpticsPreset,
    rng: np.random.Generator,
    *,
    megapixels: float = 2.4,
    tripod: np.random.Generator | None = None,
) -> Shot:
    """Photograph *frame* (mode L or RGB), the same for the same generator states.

    Args:
        frame: what the screen shows.
        preset: "none" gives the frame itself; else a key of PRESETS, or amounts of one's own.
        rng: draws what differs from photo to photo: sensor noise, a breath of blur.
        megapixels: size of the 4:3 photo; 2.4 is 1788 x 1341.
        tripod: draws what a room and a tripod hold constant: pose, surroundings, reflections, cast.
            A generator in the same state makes the same pose; without it *rng* draws these too.

    Raises:
        ValueError: no such preset.
    """
    if preset == "none":
        return Shot(frame, np.eye(3), _rectangle(frame.size))
    if isinstance(preset, str) and preset not in PRESETS:
        raise ValueError(f"no optics preset {preset!r}; choose none, {', '.join(PRESETS)}")
    optics = PRESETS[preset] if isinstance(preset, str) else preset
    fixed = tripod if tripod is not None else rng
    size = _photo_size(frame.size, megapixels)
    pose = _pose(frame.size, size, optics, fixed)
    light = _glass(_emit(frame), optics, fixed)
    scene = _project(light, clutter(size, fixed), pose, _moire(size, optics, fixed, pose))
    scene = _lens(scene, optics, fixed, rng)
    photo = _sensor(scene, optics, fixed, rng)
    return Shot(photo, pose, transform(pose, _rectangle(frame.size)))


def transform(homography: Matrix, points: Matrix) -> Matrix:
    """*points* (n, 2) moved by *homography*."""
    moved = np.column_stack([points, np.ones(len(points))]) @ homography.T
    return moved[:, :2] / moved[:, 2:]


def _rectangle(size: tuple[int, int]) -> Matrix:
    width, height = size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)


def _photo_size(frame: tuple[int, int], megapixels: float) -> tuple[int, int]:
    short = max(16, math.floor(math.sqrt(megapixels * 1e6 * 3 / 4)))
    size = (short * 4 // 3, short)
    return size if frame[0] >= frame[1] else size[::-1]


# --- screen -----------------------------------------------------------------------------------


def _emit(frame: Image.Image) -> Floats:
    """The light of the screen, (h, w, 3), linear, white = 1."""
    table = ((np.arange(256) / 255.0) ** _GAMMA).astype(np.float32)
    return cast("Floats", cv2.LUT(np.asarray(frame.convert("RGB")), table))


def _glass(light: Floats, optics: OpticsPreset, fixed: np.random.Generator) -> Floats:
    """Reflections of lamps, soft and additive, and an even haze, on the screen's own surface."""
    height, width = light.shape[:2]
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    extra = np.full((height, width), optics.veil * fixed.uniform(0.3, 1), np.float32)
    for _ in range(2):
        x, y = fixed.uniform(0, 1, 2)
        wide, high = fixed.uniform(0.04, 0.15, 2)
        power = optics.glare * fixed.uniform(0.3, 1)
        across = np.exp(-(((columns - x) / wide) ** 2)).astype(np.float32)
        down = np.exp(-(((rows - y) / high) ** 2)).astype(np.float32)
        extra += np.float32(power) * down * across
    light += extra[:, :, None]
    return light


# --- projection -------------------------------------------------------------------------------


def _pose(
    frame: tuple[int, int], photo: tuple[int, int], optics: OpticsPreset, fixed: np.random.Generator
) -> Matrix:
    """Homography frame -> photo of a pinhole camera tilted against the screen, fitted inside."""
    tilt = math.radians(optics.tilt_deg) * fixed.uniform(0.4, 1)
    toward = fixed.uniform(0, 2 * math.pi)
    roll = math.radians(optics.roll_deg) * fixed.uniform(-1, 1)
    axis = np.array([math.cos(toward), math.sin(toward), 0.0]) * tilt
    turn = cv2.Rodrigues(np.array([0.0, 0.0, roll]))[0] @ cv2.Rodrigues(axis)[0]
    distance = 1.4 * max(frame)  # about what a phone's main camera needs to see it whole
    centred = np.array([[1, 0, -frame[0] / 2], [0, 1, -frame[1] / 2], [0, 0, 1]])
    plane = np.column_stack([turn[:, 0], turn[:, 1], [0, 0, distance]]) @ centred
    corners = transform(plane, _rectangle(frame))
    low, high = corners.min(axis=0), corners.max(axis=0)
    scale = fixed.uniform(*optics.fill) * float(np.min(np.array(photo) / (high - low)))
    # Off centre by at most half of what is free, so that every corner stays inside.
    free = np.array(photo) - scale * (high - low)
    origin = free * fixed.uniform(0.25, 0.75, 2) - scale * low
    place = np.array([[scale, 0, origin[0]], [0, scale, origin[1]], [0, 0, 1]])
    pose = place @ plane
    return cast("Matrix", pose / pose[2, 2])


def _project(light: Floats, room: Floats, pose: Matrix, moire: Floats) -> Floats:
    """The screen with its bezel in front of *room*, as it falls on the sensor."""
    height, width = light.shape[:2]
    size = (room.shape[1], room.shape[0])
    rim = _BEZEL * max(width, height)
    outer = _rectangle((width, height)) + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * rim
    _fill(room, transform(pose, outer), 0.012)
    # Shrinking without a filter would alias: blur by the footprint of a photo pixel first.
    shrink = math.sqrt(abs(np.linalg.det(pose[:2, :2])))
    if shrink < 1:
        sigma = 0.35 * math.sqrt(1 / shrink**2 - 1)
        light = cast("Floats", cv2.GaussianBlur(light, (0, 0), max(sigma, 0.1)))
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    centres = np.linalg.inv(half) @ pose @ half
    screen = cv2.warpPerspective(
        light, centres, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    inside = np.zeros(room.shape[:2], np.float32)
    _fill(inside, transform(pose, _rectangle((width, height))), 1.0)
    room += (cast("Floats", screen) * moire - room) * inside[:, :, None]
    return room


def _moire(
    size: tuple[int, int], optics: OpticsPreset, fixed: np.random.Generator, pose: Matrix
) -> Floats:
    """The beat of the two pixel grids, (h, w, 3): stripes that bend with the perspective."""
    width, height = size
    period = fixed.uniform(12, 40)  # photo pixels
    direction = fixed.uniform(0, math.pi)
    phases = fixed.uniform(0, 2 * math.pi) + np.array([0.0, 0.7, 1.4])  # subpixels lie side by side
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    along = x * math.cos(direction) + y * math.sin(direction)
    bent = along / (1 + pose[2, 0] * x + pose[2, 1] * y)
    angle = (bent * (2 * math.pi / period)).astype(np.float32)
    # sin(a + p) = sin a cos p + cos a sin p: two maps serve the three colours.
    sine, cosine = np.sin(angle), np.cos(angle)
    strength = optics.moire * fixed.uniform(0.5, 1)
    factors = np.empty((height, width, 3), np.float32)
    for colour, phase in enumerate(phases):
        wave = sine * np.float32(strength * math.cos(phase))
        wave += cosine * np.float32(strength * math.sin(phase))
        np.add(wave, 1, out=factors[:, :, colour])
    return factors


def _fill(image: Floats, corners: Matrix, value: float) -> None:
    """Fill a quadrilateral given in pixel-edge coordinates, to a sixteenth of a pixel."""
    points = np.rint((corners - 0.5) * 16).astype(np.int32)
    cv2.fillConvexPoly(image, points, (value, value, value), cv2.LINE_8, 4)


# --- lens and sensor --------------------------------------------------------------------------


def _lens(
    scene: Floats,
    optics: OpticsPreset,
    fixed: np.random.Generator,
    rng: np.random.Generator,
) -> Floats:
    """Corners darken with the square of the distance from the axis; everything blurs a little."""
    size = (scene.shape[1], scene.shape[0])
    x = np.linspace(-1, 1, size[0], dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, size[1], dtype=np.float32)[:, None]
    lost = np.float32(optics.vignette * fixed.uniform(0.5, 1) / 2)
    scene *= (1 - lost * (x * x + y * y))[:, :, None]
    relative = math.sqrt(size[0] * size[1] / 2.4e6)
    sigma = optics.blur * fixed.uniform(0.6, 0.95) * rng.uniform(1, 1.05) * relative
    return cast("Floats", cv2.GaussianBlur(scene, (0, 0), max(sigma, 0.1)))


def _sensor(
    scene: Floats,
    optics: OpticsPreset,
    fixed: np.random.Generator,
    rng: np.random.Generator,
) -> Image.Image:
    """Exposure, white balance, shot and read noise, clipping, 8-bit gamma encoding."""
    gains = 1 + optics.cast * fixed.uniform(-1, 1, 3)
    scene *= (fixed.uniform(0.85, 1.0) * gains / gains[1]).astype(np.float32)
    deviation = np.sqrt(np.maximum(scene, 0) * np.float32(0.9) + np.float32(0.1))
    deviation *= np.float32(optics.noise)
    scene += deviation * rng.standard_normal(scene.shape, dtype=np.float32)
    encoded = cv2.pow(np.clip(scene, 0, 1), 1 / _GAMMA) * 255
    return Image.fromarray(np.rint(encoded).astype(np.uint8))
