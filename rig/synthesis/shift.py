"""Translation and rotation: the phone aside of, or turned against, the screen.

Source: CheXphoto's published code. There a translation also shrinks the image into a border of
100 px, which here is the parameter `inset`, 0 unless asked for; and its rotation swaps red and
blue, which is a defect and left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from rig.synthesis.transform import (
    Matrix,
    Pixels,
    Size,
    SynthesisError,
    Transform,
    check_level,
    size_of,
    within,
)
from rig.synthesis.warp import check_sides, corners_of, from_centres, quad_to_quad, warp

_FAR = 1e6


@dataclass(frozen=True, slots=True)
class Translation:
    """Pixels to the right and down; `inset` shrinks the image by that border on every side."""

    dx: float
    dy: float
    inset: float = 0.0

    def __post_init__(self) -> None:
        within(self.dx, -_FAR, _FAR, "dx")
        within(self.dy, -_FAR, _FAR, "dy")
        within(self.inset, 0, _FAR, "inset")


@dataclass(frozen=True, slots=True)
class Rotation:
    """Degrees, anticlockwise."""

    degrees: float

    def __post_init__(self) -> None:
        within(self.degrees, -360, 360, "degrees")


def sample_translation(generator: np.random.Generator, level: int, size: Size) -> Translation:
    """20 px per level each way, two signs by fair coins."""
    del size
    length = 20.0 * check_level(level)
    right, down = generator.integers(2, size=2).tolist()
    return Translation(length if right else -length, length if down else -length)


def translation_homography(params: Translation, size: Size) -> Matrix:
    """Shift, after shrinking into the inset.

    Raises:
        SynthesisError: the inset leaves nothing of an image of *size*.
    """
    width, height = size
    inset = params.inset
    if 2 * inset >= min(size):
        raise SynthesisError(
            f"An inset of {inset:g} px leaves nothing of an image of {width}x{height} px; "
            "give a smaller one."
        )
    low, right, bottom = inset, width - inset, height - inset
    corners = [(low, low), (right, low), (right, bottom), (low, bottom)]
    return quad_to_quad(corners_of(size), [(x + params.dx, y + params.dy) for x, y in corners])


def apply_translation(image: Pixels, params: Translation) -> Pixels:
    """Move *image*, bicubic, black where it was."""
    if params.inset == 0 and params.dx == int(params.dx) and params.dy == int(params.dy):
        return _shifted(image, int(params.dx), int(params.dy))
    return warp(image, translation_homography(params, size_of(image)), size_of(image))


def _shifted(image: Pixels, dx: int, dy: int) -> Pixels:
    """*image* moved by whole pixels: nothing to interpolate."""
    out = np.zeros_like(image)
    width, height = size_of(image)
    if abs(dx) < width and abs(dy) < height:
        out[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = image[
            max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)
        ]
    return out


def scaled_translation(params: Translation, factor: float) -> Translation:
    """All three are lengths; a plain shift stays one of whole pixels."""
    dx, dy, inset = (value * factor for value in (params.dx, params.dy, params.inset))
    return Translation(float(round(dx)), float(round(dy)), inset)


def sample_rotation(generator: np.random.Generator, level: int, size: Size) -> Rotation:
    """5 degrees per level, the sign by a fair coin."""
    del size
    degrees = 5.0 * check_level(level)
    return Rotation(degrees if generator.integers(2) else -degrees)


def rotated_size(params: Rotation, size: Size) -> Size:
    """The canvas that holds the turned image, at least 1 px."""
    width, height = size
    cos, sin = _cos_sin(params)
    cos, sin = abs(cos), abs(sin)
    return max(int(height * sin + width * cos), 1), max(int(height * cos + width * sin), 1)


def rotation_homography(params: Rotation, size: Size) -> Matrix:
    """The turn about the middle pixel, which lands in the middle of the grown canvas."""
    return from_centres(_rotation(params, size))


def apply_rotation(image: Pixels, params: Rotation) -> Pixels:
    """Turn *image* on a canvas that grows to hold it, linear, black outside."""
    size = size_of(image)
    check_sides(size)
    matrix = _rotation(params, size)[:2]
    out = cv2.warpAffine(image, matrix, rotated_size(params, size), flags=cv2.INTER_LINEAR)
    return np.asarray(out, dtype=np.uint8)


def _rotation(params: Rotation, size: Size) -> Matrix:
    """In pixel-centre coordinates, as the source of the definition has it."""
    centre_x, centre_y = size[0] // 2, size[1] // 2
    width, height = rotated_size(params, size)
    cos, sin = _cos_sin(params)
    return np.array(
        [
            [cos, sin, width / 2 - cos * centre_x - sin * centre_y],
            [-sin, cos, height / 2 + sin * centre_x - cos * centre_y],
            [0, 0, 1],
        ]
    )


def _cos_sin(params: Rotation) -> tuple[float, float]:
    angle = math.radians(params.degrees)
    return math.cos(angle), math.sin(angle)


TRANSLATION = Transform(
    "translation",
    Translation,
    sample_translation,
    apply_translation,
    translation_homography,
    scaled=scaled_translation,
)
ROTATION = Transform(
    "rotation", Rotation, sample_rotation, apply_rotation, rotation_homography, rotated_size
)
