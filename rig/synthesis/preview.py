"""Pictures to look at: all transforms at all levels, and x-rays beside their twins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from rig.synthesis.recipes import Recipe, Step, apply_recipe
from rig.synthesis.registry import TRANSFORMS
from rig.synthesis.transform import LEVELS, Pixels

CELL = 320
"""Side of the square that each image is fitted in, px; about the size of the small CheXpert."""
_MARGIN, _LABEL = 6, 18


def preview(
    image: Pixels, *, seed: int = 0, names: Sequence[str] = tuple(TRANSFORMS), cell: int = CELL
) -> Pixels:
    """A grid with one row per transform of *names* and one column per level.

    The image is fitted in *cell* x *cell* px first: the lengths of glare and moiré are in
    pixels, so they look as they would on images of that size.

    Returns:
        Grey `(H, W)` or RGB `(H, W, 3)`, as *image*.
    """
    pixels = _fitted(image, cell)
    rows = [
        [
            (f"{name} {level}", _twin(pixels, Recipe(name, (Step(name, level),)), seed, "preview"))
            for level in LEVELS
        ]
        for name in names
    ]
    return _sheet(rows, cell)


def contact_sheet(
    images: Mapping[str, Pixels], recipes: Sequence[Recipe], *, seed: int = 0, cell: int = CELL
) -> Pixels:
    """A row per image of *images* (key -> pixels): the image, then its twin by each recipe.

    The images are fitted in *cell* x *cell* px first, as `preview` does.
    """
    rows = []
    for key, image in images.items():
        pixels = _fitted(image, cell)
        twins = [(recipe.name, _twin(pixels, recipe, seed, key)) for recipe in recipes]
        rows.append([(key, pixels), *twins])
    return _sheet(rows, cell)


def _fitted(image: Pixels, cell: int) -> Pixels:
    small = Image.fromarray(image)
    small.thumbnail((cell, cell), Image.Resampling.LANCZOS)
    return np.array(small, dtype=np.uint8)


def _twin(pixels: Pixels, recipe: Recipe, seed: int, key: str) -> Pixels:
    return apply_recipe(pixels, recipe, seed=seed, key=key).image


def _sheet(rows: Sequence[Sequence[tuple[str, Pixels]]], cell: int) -> Pixels:
    """Labelled images in rows, in colour when one of them is."""
    mode = "RGB" if any(image.ndim == 3 for row in rows for _, image in row) else "L"
    wide, high = cell + _MARGIN, cell + _MARGIN + _LABEL
    width = wide * max(map(len, rows), default=0) + _MARGIN
    sheet = Image.new(mode, (width, high * len(rows) + _MARGIN), 0)
    draw = ImageDraw.Draw(sheet)
    for y, row in enumerate(rows):
        for x, (label, image) in enumerate(row):
            corner = (_MARGIN + x * wide, _MARGIN + y * high)
            text = label if len(label) * 6 < cell else f"...{label[-cell // 7 :]}"
            draw.text((corner[0] + 2, corner[1] + 2), text, fill="white")
            picture = Image.fromarray(image)
            picture.thumbnail((cell, cell), Image.Resampling.LANCZOS)
            sheet.paste(picture.convert(mode), (corner[0], corner[1] + _LABEL))
    return np.array(sheet, dtype=np.uint8)
