"""Which x-rays manual mode shows, and in which order."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Literal

from PIL import Image

from rig.errors import UserError
from rig.planning.model import Environment
from rig.planning.plan import PlanItem, SubsetPlan

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
"""Endings of the files that are taken from a folder, in lower case."""
Order = Literal["random", "plan"]


def plan_of_folder(folder: Path) -> SubsetPlan:
    """The pictures in *folder* and below, in the order of their names, as a plan of index 1..N.

    Raises:
        UserError: no folder, no picture in it, or one that cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; name one with x-rays, or a plan by --plan")
    files = sorted(
        file for file in folder.rglob("*") if file.suffix.lower() in PICTURES and file.is_file()
    )
    if not files:
        raise UserError(f"{folder} holds no pictures ({', '.join(sorted(PICTURES))})")
    items = tuple(_item(index, file, folder) for index, file in enumerate(files, 1))
    digest = hashlib.sha256("".join(item.sha256 for item in items).encode("ascii")).hexdigest()
    return SubsetPlan(
        session=f"s{digest[:16]}",
        campaign="manual",
        campaign_id=digest[:16],
        subset=1,
        first=1,
        last=len(items),
        device="manual",
        environment=Environment("manual", {}),
        items=items,
    )


def chosen(
    items: tuple[PlanItem, ...], order: Order, seed: int, count: int | None
) -> tuple[PlanItem, ...]:
    """*items* in their own order or shuffled by *seed*, of these the first *count* (None: all)."""
    picked = list(items)
    if order == "random":
        # Python keeps this generator's shuffle the same between its versions.
        random.Random(seed).shuffle(picked)  # noqa: S311 - an order, not a secret
    return tuple(picked[:count])


def _item(index: int, file: Path, folder: Path) -> PlanItem:
    try:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        with Image.open(file) as picture:
            width, height = picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{file} cannot be read as a picture; mend or remove it") from error
    key = file.relative_to(folder).with_suffix("").as_posix()
    return PlanItem(index, key, digest, width, height, str(file.resolve()))
