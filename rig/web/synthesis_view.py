"""What the synthesis page shows: recipes there are, and pictures that are made when asked for."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from rig.durable import write_atomic
from rig.errors import UserError
from rig.store.errors import NotFoundError
from rig.web.controller import Controller
from rig.web.problems import Problem
from rig.web.thumbnails import SIDES, NoPictureError, Size, encoded

FOLDER: Final = "recipes"
MOST: Final = 200
"""Recipes of people that are listed."""
MOST_TEXT: Final = 20_000
OWN: Final = "own:"
"""Begins the names of recipes that people wrote, so that none hides one of the release."""
LEVELS: Final = (1, 2, 3, 4)
_KEPT_PIXELS: Final = 6


def recipes(home: Path) -> dict[str, str]:
    """Names of all recipes -> what they do, in words."""
    from rig.synthesis.recipes import RECIPES

    found = {name: _steps(recipe) for name, recipe in RECIPES.items()}
    for name, file in sorted(_own(home).items()):
        found[OWN + name] = _words(file)
    return found


def _own(home: Path) -> dict[str, Path]:
    """Recipes that people kept here; the folder is read, no name is made a path."""
    folder = home / FOLDER
    if not folder.is_dir():
        return {}
    files = sorted(one for one in folder.glob("*.toml") if one.is_file() and not one.is_symlink())
    return {one.stem: one for one in files[:MOST]}


def _words(file: Path) -> str:
    from rig.synthesis.recipe_file import read_recipe

    try:
        return _steps(read_recipe(file))
    except UserError as error:
        return f"cannot be used: {error}"


def _steps(recipe: Any) -> str:
    return ", ".join(step.transform.replace("_", " ") for step in recipe.steps)


def recipe_of(home: Path, name: str, level: int) -> Any:
    """The recipe called *name*; those of the release at *level*, those of people as written.

    Raises:
        NotFoundError: there is none.
        SynthesisError: what somebody wrote is wrong.
    """
    from rig.synthesis.recipe_file import read_recipe
    from rig.synthesis.recipes import RECIPES

    if name in RECIPES:
        return RECIPES[name].at_level(level)
    return read_recipe(_file(home, name))


def text_of(home: Path, name: str) -> str:
    """The text of the recipe *name* that somebody kept here.

    Raises:
        NotFoundError: there is none.
        SynthesisError: its file is no text.
    """
    from rig.synthesis.transform import SynthesisError

    try:
        return _file(home, name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SynthesisError(f"The recipe {name[:80]} cannot be read: {error}.") from error


def _file(home: Path, name: str) -> Path:
    file = _own(home).get(name.removeprefix(OWN)) if name.startswith(OWN) else None
    if file is None:
        raise NotFoundError(f"No recipe is called {name[:80]!r}.")
    return file


def single(name: str, level: int) -> Any:
    """A recipe of one transform.

    Raises:
        SynthesisError: there is no such transform.
    """
    from rig.synthesis.recipes import Recipe, Step

    return Recipe(name[:40], (Step(name, level),))


def transforms() -> list[str]:
    """Names of all transforms, in the order of `rig synthesize --preview`."""
    from rig.synthesis.registry import TRANSFORMS

    return list(TRANSFORMS)


def keep_recipe(rig: Controller, text: str) -> str:
    """Keep the recipe that *text* is; its name here.

    Raises:
        SynthesisError: it is wrong; the sentence names the line.
        Problem: 409 there is one of its name, 422 it has none.
    """
    from rig.synthesis.recipe_file import parse_recipe

    recipe = parse_recipe(text, where="The recipe", default_name="unnamed")
    if recipe.name == "unnamed":
        raise Problem(422, 'Give the recipe a name: its first line is name = "…".')
    file = rig.home / FOLDER / f"{recipe.name}.toml"
    if recipe.name in _own(rig.home):
        raise Problem(409, f"A recipe called {recipe.name} is here already: give it another name.")
    write_atomic(file, text.encode())
    return OWN + recipe.name


def maker(
    file: Path, sha256: str, recipe: Any, *, seed: int, key: str, size: Size
) -> Callable[[], bytes]:
    """What makes the picture of an x-ray after *recipe* (None: as it is), within *size*."""

    def make() -> bytes:
        from rig.synthesis.recipes import apply_recipe
        from rig.synthesis.transform import SynthesisError

        try:
            pixels = _pixels(str(file), sha256, SIDES[size])
            made = (
                pixels if recipe is None else apply_recipe(pixels, recipe, seed=seed, key=key).image
            )
        except OSError as error:
            raise NoPictureError("The x-ray is gone from the controller's disk.") from error
        except SynthesisError as error:
            raise NoPictureError(f"The picture cannot be made: {error}") from error
        return encoded(Image.fromarray(made))

    return make


@functools.lru_cache(_KEPT_PIXELS)
def _pixels(file: str, sha256: str, side: int) -> Any:
    """The x-ray fitted in a square of *side* pixels; the grid asks for it again and again."""
    from rig.synthesis.image import decode

    data = Path(file).read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise NoPictureError("The x-ray on the disk is not the one that was imported.")
    small = Image.fromarray(decode(data))
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.array(small, dtype=np.uint8)
