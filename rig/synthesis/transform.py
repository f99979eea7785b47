"""What a transform is: sampling apart from applying, and where it moves points."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from rig.errors import UserError

Pixels = NDArray[np.uint8]
"""An image: `(H, W)` grey or `(H, W, 3)` RGB, uint8."""
Matrix = NDArray[np.float64]
"""A 3x3 homography in pixel-edge coordinates: the image spans (0, 0) to (width, height)."""
Size = tuple[int, int]
"""Width and height in pixels."""

LEVELS: tuple[int, ...] = (1, 2, 3, 4)
"""Strengths of a transform, mildest first."""

P = TypeVar("P")


class SynthesisError(UserError):
    """An image or a recipe cannot be worked on; the sentence says which and why."""


@dataclass(frozen=True, slots=True)
class Transform(Generic[P]):
    """One photographic transformation; *P* is the frozen dataclass of its parameters.

    `sample(generator, level, size)` draws parameters and reads no pixels;
    `apply(image, params)` is deterministic and leaves its input alone;
    `homography(params, size)` maps points of the input to points of the output, None when
    nothing moves.
    """

    name: str
    params: type[P]
    sample: Callable[[np.random.Generator, int, Size], P]
    apply: Callable[[Pixels, P], Pixels]
    homography: Callable[[P, Size], Matrix | None]


def unmoved(params: object, size: Size) -> Matrix | None:
    """The homography of a transform that changes values and moves nothing: None."""
    del params, size
    return None


def size_of(image: Pixels) -> Size:
    """Width and height of *image*."""
    return image.shape[1], image.shape[0]


def check_level(level: int) -> int:
    """*level* itself, or SynthesisError when it is not one of LEVELS."""
    if level not in LEVELS:
        raise SynthesisError(f"Level {level} does not exist; give 1, 2, 3 or 4.")
    return level


def params_to_json(params: object) -> dict[str, Any]:
    """The parameters as the manifest writes them: field name -> number or nested list."""
    if not dataclasses.is_dataclass(params) or isinstance(params, type):
        raise TypeError(f"{params!r} is not a dataclass of parameters")
    return {field.name: _plain(getattr(params, field.name)) for field in dataclasses.fields(params)}


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
