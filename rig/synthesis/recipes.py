"""Recipes: named chains of transforms, each step with its own level."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rig.synthesis.registry import transform
from rig.synthesis.rng import step_generator
from rig.synthesis.transform import Matrix, Pixels, SynthesisError, check_level, size_of


@dataclass(frozen=True, slots=True)
class Step:
    """One transform of a recipe and its level; SynthesisError when either does not exist."""

    transform: str
    level: int = 1

    def __post_init__(self) -> None:
        transform(self.transform)
        check_level(self.level)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Steps applied in order."""

    name: str
    steps: tuple[Step, ...]

    def at_level(self, level: int) -> Recipe:
        """The same recipe with every step at *level*."""
        return replace(self, steps=tuple(replace(step, level=level) for step in self.steps))


@dataclass(frozen=True, slots=True)
class Applied:
    """A step that was done: its parameters are an instance of the transform's dataclass."""

    step: Step
    params: Any


@dataclass(frozen=True, slots=True)
class Twin:
    """What a recipe made of an image.

    `homography` maps points of the source to points of `image`, in pixel-edge coordinates;
    it is the identity when no step moves anything.
    """

    image: Pixels
    steps: tuple[Applied, ...]
    homography: Matrix


DIGITAL = Recipe("digital", (Step("random_digital"),))
"""Contrast and brightness, as the released digital set."""
SPATIAL = Recipe("spatial", (Step("glare_matte"), Step("moire"), Step("tilt")))
"""Glare, moiré and tilt, as the released set whose folder is named `photographic`."""

RECIPES: dict[str, Recipe] = {"digital": DIGITAL, "spatial": SPATIAL, "photographic": SPATIAL}
"""Names people may give, aliases included."""


def named_recipe(name: str, level: int = 1) -> Recipe:
    """The recipe called *name* with every step at *level*.

    Raises:
        SynthesisError: no such recipe or level.
    """
    if name not in RECIPES:
        raise SynthesisError(f"There is no recipe {name!r}; there are {', '.join(RECIPES)}.")
    return RECIPES[name].at_level(level)


def apply_recipe(image: Pixels, recipe: Recipe, *, seed: int, key: str) -> Twin:
    """Make the twin of *image*; the same seed, key and recipe always make the same one.

    Args:
        image: `(H, W)` grey or `(H, W, 3)` RGB, uint8; not changed.
        recipe: what to do.
        seed: dataset seed.
        key: the image's key within the dataset.
    """
    applied = []
    moved: Matrix = np.eye(3)
    for position, step in enumerate(recipe.steps):
        kind, size = transform(step.transform), size_of(image)
        params = kind.sample(step_generator(seed, key, position, step.transform), step.level, size)
        matrix = kind.homography(params, size)
        image = kind.apply(image, params)
        moved = moved if matrix is None else matrix @ moved
        applied.append(Applied(step, params))
    return Twin(image, tuple(applied), moved / moved[2, 2])
