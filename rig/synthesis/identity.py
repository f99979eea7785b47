"""Nothing: the image as it is, the control of an experiment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rig.synthesis.transform import Pixels, Size, Transform, check_level


@dataclass(frozen=True, slots=True)
class Params:
    """No parameters."""


def sample(generator: np.random.Generator, level: int, size: Size) -> Params:
    """Draw nothing."""
    del generator, size
    check_level(level)
    return Params()


def apply(image: Pixels, params: Params) -> Pixels:
    """*image* itself."""
    del params
    return image


IDENTITY = Transform("identity", Params, sample, apply)
