"""Recipes: named chains of transforms, each step with its own level."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rig.synthesis.parameters import check_overrides
from rig.synthesis.registry import transform
from rig.synthesis.rng import step_generator
from rig.synthesis.transform import (
    Matrix,
    Pixels,
    Size,
    SynthesisError,
    check_level,
    size_of,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One transform of a recipe, its level, and parameters that are set instead of drawn.

    SynthesisError when one of them does not exist.
    """

    transform: str
    level: int = 1
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        transform(self.transform)
        check_level(self.level)
        object.__setattr__(self, "overrides", check_overrides(self.transform, self.overrides))


@dataclass(frozen=True, slots=True)
class Recipe:
    """Steps applied in order.

    With `reference_size`, lengths in pixels are meant for an image whose shorter side has that
    many, and grow with it; without, they are the same pixels on every image, as the source has it.
    """

    name: str
    steps: tuple[Step, ...]
    reference_size: int | None = None

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

    `homography` maps points of the source to points of `image`, in pixel-edge coordinates; it is
    the identity when no step moves anything, and None when one bends lines, so that there is none.
    """

    image: Pixels
    steps: tuple[Applied, ...]
    homography: Matrix | None


DIGITAL = Recipe("digital", (Step("random_digital"),))
"""Contrast and brightness, as the released digital set."""
SPATIAL = Recipe("spatial", (Step("glare_matte"), Step("moire"), Step("tilt")))
"""Glare, moiré and tilt, as the released set whose folder is named `photographic`."""
TRANSLATION = Recipe("chexphoto_translation", (Step("translation", overrides={"inset": 100}),))
"""Translation as CheXphoto's code has it: into a border of 100 px as well."""

RECIPES: dict[str, Recipe] = {
    "digital": DIGITAL,
    "spatial": SPATIAL,
    "photographic": SPATIAL,
    "chexphoto_translation": TRANSLATION,
}
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

    Raises:
        SynthesisError: a step cannot be done to an image of this size.
    """
    return apply_steps(image, sample_recipe(size_of(image), recipe, seed=seed, key=key))


def sample_recipe(size: Size, recipe: Recipe, *, seed: int, key: str) -> tuple[Applied, ...]:
    """Draw the parameters of every step for an image of *size*; see `apply_recipe`."""
    applied = []
    for position, step in enumerate(recipe.steps):
        kind = transform(step.transform)
        params = kind.sample(step_generator(seed, key, position, step.transform), step.level, size)
        if recipe.reference_size:
            params = kind.scaled(params, min(size) / recipe.reference_size)
        if step.overrides:
            params = dataclasses.replace(params, **step.overrides)
        size = kind.output_size(params, size)
        applied.append(Applied(step, params))
    return tuple(applied)


def apply_steps(image: Pixels, steps: Sequence[Applied]) -> Twin:
    """Do *steps* to *image*, which is not changed."""
    moved: Matrix | None = np.eye(3)
    for applied in steps:
        kind, size = transform(applied.step.transform), size_of(image)
        matrix = kind.homography(applied.params, size)
        image = kind.apply(image, applied.params)
        if kind.bend is not None:
            moved = None
        elif moved is not None and matrix is not None:
            moved = matrix @ moved
    return Twin(image, tuple(steps), None if moved is None else moved / moved[2, 2])
