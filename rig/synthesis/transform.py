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
Points = NDArray[np.float64]
"""Points `(N, 2)` in pixel-edge coordinates."""
Size = tuple[int, int]
"""Width and height in pixels."""

LEVELS: tuple[int, ...] = (1, 2, 3, 4)
"""Strengths of a transform, mildest first."""

P = TypeVar("P")


class SynthesisError(UserError):
    """An image or a recipe cannot be worked on; the sentence says which and why."""


def unmoved(params: object, size: Size) -> Matrix | None:
    """The homography of a transform that changes values and moves nothing: None."""
    del params, size
    return None


def same_size(params: object, size: Size) -> Size:
    """The output's size of a transform that keeps it."""
    del params
    return size


def unscaled(params: P, factor: float) -> P:
    """The parameters of a transform that has none in pixels."""
    del factor
    return params


@dataclass(frozen=True, slots=True)
class Transform(Generic[P]):
    """One photographic transformation; *P* is the frozen dataclass of its parameters.

    `sample(generator, level, size)` draws parameters and reads no pixels;
    `apply(image, params)` is deterministic and leaves its input alone;
    `homography(params, size)` maps points of the input to points of the output, None when
    nothing moves or when lines bend;
    `output_size(params, size)` is the output's size;
    `bend(points, params, size)` maps points `(N, 2)` where no homography can, None where one
    can; a point that goes nowhere is NaN;
    `scaled(params, factor)` multiplies the parameters that are lengths in pixels.
    Parameters out of range raise SynthesisError when their dataclass is made.
    """

    name: str
    params: type[P]
    sample: Callable[[np.random.Generator, int, Size], P]
    apply: Callable[[Pixels, P], Pixels]
    homography: Callable[[P, Size], Matrix | None] = unmoved
    output_size: Callable[[P, Size], Size] = same_size
    bend: Callable[[Points, P, Size], Points] | None = None
    scaled: Callable[[P, float], P] = unscaled


def size_of(image: Pixels) -> Size:
    """Width and height of *image*."""
    return image.shape[1], image.shape[0]


def check_level(level: int) -> int:
    """*level* itself, or SynthesisError when it is not one of LEVELS."""
    if level not in LEVELS:
        raise SynthesisError(f"Level {level} does not exist; give 1, 2, 3 or 4.")
    return level


def within(value: float, low: float, high: float, what: str) -> None:
    """Refuse, with SynthesisError, a *value* that is not in *low* to *high*."""
    if not low <= value <= high:
        raise SynthesisError(f"{what} is {value:g}; it has to be in {low:g} to {high:g}.")


def params_to_json(params: object) -> dict[str, Any]:
    """The parameters as the manifest writes them: field name -> number or nested list."""
    if not dataclasses.is_dataclass(params) or isinstance(params, type):
        raise TypeError(f"{params!r} is not a dataclass of parameters")
    return {field.name: plain(getattr(params, field.name)) for field in dataclasses.fields(params)}


def plain(value: Any) -> Any:
    """*value* with lists for tuples, as JSON gives it back."""
    return [plain(item) for item in value] if isinstance(value, tuple) else value
