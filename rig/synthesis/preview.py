"""One picture of all transforms at all levels."""

from __future__ import annotations

from collections.abc import Sequence

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
    small = Image.fromarray(image)
    small.thumbnail((cell, cell), Image.Resampling.LANCZOS)
    pixels = np.array(small, dtype=np.uint8)
    wide, high = cell + _MARGIN, cell + _MARGIN + _LABEL
    ink = 255 if image.ndim == 2 else (255, 255, 255)
    sheet = Image.new(small.mode, (wide * len(LEVELS) + _MARGIN, high * len(names) + _MARGIN), 0)
    draw = ImageDraw.Draw(sheet)
    for row, name in enumerate(names):
        for column, level in enumerate(LEVELS):
            corner = (_MARGIN + column * wide, _MARGIN + row * high)
            draw.text((corner[0] + 2, corner[1] + 2), f"{name} {level}", fill=ink)
            recipe = Recipe(name, (Step(name, level),))
            twin = Image.fromarray(apply_recipe(pixels, recipe, seed=seed, key="preview").image)
            twin.thumbnail((cell, cell), Image.Resampling.LANCZOS)
            sheet.paste(twin, (corner[0], corner[1] + _LABEL))
    return np.array(sheet, dtype=np.uint8)
