"""`manifest.jsonl`: how every image came to be, one JSON object a line.

Fields: `key`, `recipe`, `seed`, `quality`, `source`, `source_sha256`, `output`,
`output_sha256`, `size` (of the source as it is shown, [width, height]), `steps` ([{`transform`,
`level`, `params`, and `overrides` when the recipe sets some of them}]), `homography` (3x3, source
to output, pixel-edge; null when a step bends lines), `versions`; `reference_size` and `colour`
when they are not the usual. A failed row has `key`, `source`, `output` and `failed`, the reason.
"""

from __future__ import annotations

import functools
import json
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import PIL
import simplejpeg

from rig import __version__
from rig.durable import write_atomic
from rig.synthesis.image import Colour
from rig.synthesis.recipes import Applied, Recipe, Step, Twin
from rig.synthesis.transform import Pixels, params_to_json, plain, size_of

NAME = "manifest.jsonl"
"""File name, beside the images."""

ALGORITHM = "2"
"""Counted up when the same parameters come to make other bytes."""

Row = dict[str, Any]
"""One line of the manifest."""


@functools.cache
def _versions() -> dict[str, str]:
    return {
        "rig": __version__,
        "synthesis": ALGORITHM,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pillow": PIL.__version__,
        "simplejpeg": simplejpeg.__version__,
    }


def versions() -> dict[str, str]:
    """Versions of what decides the pixels."""
    return dict(_versions())


def request(key: str, recipe: Recipe, *, seed: int, quality: int, colour: Colour = "source") -> Row:
    """The part of a row that is known beforehand: what was asked for."""
    row: Row = {"key": key, "recipe": recipe.name, "seed": seed, "quality": quality}
    if recipe.reference_size:
        row["reference_size"] = recipe.reference_size
    if colour != "source":
        row["colour"] = colour
    return row


def made(twin: Twin, source: Pixels) -> Row:
    """The part of a row that making the image adds."""
    return {
        "size": list(size_of(source)),
        "steps": [step_row(applied) for applied in twin.steps],
        "homography": None if twin.homography is None else twin.homography.tolist(),
        "versions": versions(),
    }


def step_row(applied: Applied) -> Row:
    """A step as the manifest writes it."""
    row: Row = {
        "transform": applied.step.transform,
        "level": applied.step.level,
        "params": params_to_json(applied.params),
    }
    if applied.step.overrides:
        row["overrides"] = _overrides(applied.step)
    return row


def _overrides(step: Step) -> Row:
    return {name: plain(value) for name, value in step.overrides.items()}


def asks_the_same(row: Row, asked: Row, recipe: Recipe) -> bool:
    """Whether *row* is of an image made as *asked*, with the steps of *recipe*."""
    try:
        steps = [(s["transform"], s["level"], s.get("overrides", {})) for s in row["steps"]]
    except (KeyError, TypeError, AttributeError):
        return False
    same = [(s.transform, s.level, _overrides(s)) for s in recipe.steps]
    return steps == same and agrees(row, asked)


def agrees(row: Row, asked: Row) -> bool:
    """Whether *row* has all that was *asked*, and nothing was asked of it that is not here."""
    unusual = {"reference_size", "colour"} & (row.keys() - asked.keys())
    return not unusual and all(row.get(name) == value for name, value in asked.items())


def read(path: Path) -> dict[str, Row]:
    """Rows by output path, the last one of each; empty when there is no file.

    A line that is torn or foreign is passed over: its image is merely made again.
    """
    rows: dict[str, Row] = {}
    try:
        with path.open("rb") as file:
            for row in map(parsed, file):
                if row is not None:
                    rows[row["output"]] = row
    except FileNotFoundError:
        pass
    return rows


def parsed(line: bytes) -> Row | None:
    """The row that *line* is; None for what no manifest writes."""
    try:
        row: Any = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("output"), str) else None


def done(row: Row | None) -> bool:
    """Whether *row* says that its image was made."""
    return row is not None and "output_sha256" in row


def append(file: BinaryIO, rows: Iterable[Row]) -> list[int]:
    """Note *rows* at once, so that a run that breaks off knows what it did; the lines' lengths.

    No fsync: a line lost to a power cut costs making its image again, nothing more.
    """
    lines = [_line(row) for row in rows]
    file.writelines(lines)
    file.flush()
    return [len(line) for line in lines]


def write(path: Path, rows: Iterable[Row]) -> None:
    """Replace the manifest by *rows*, ordered by key and output, durably."""
    ordered = sorted(rows, key=lambda row: (str(row.get("key")), row["output"]))
    write_atomic(path, map(_line, ordered))


def _line(row: Row) -> bytes:
    return json.dumps(row).encode("ascii") + b"\n"
