"""Box annotations in CSV, in VinDr-CXR's columns or CheXpert's `Path`, carried to the twins."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rig.durable import write_atomic
from rig.synthesis.boxes import Box, carry
from rig.synthesis.making import Item
from rig.synthesis.manifest import Row
from rig.synthesis.replay import steps_of
from rig.synthesis.transform import SynthesisError

SIDES = ("x_min", "y_min", "x_max", "y_max")
"""Columns of a box; all four empty is a row without one."""
ADDED = ("output", "visible_fraction", "box_status")
"""Columns that are added: the twin, how much of the hull is inside it, and what became of it."""


@dataclass(frozen=True, slots=True)
class Annotations:
    """A CSV of boxes as read; `owner` is the column that names the image."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    owner: str


@dataclass(frozen=True, slots=True)
class BoxCount:
    """What became of the boxes; `unmatched` rows name no image, or one that was not made."""

    kept: int
    dropped: int
    unmatched: int


def read_annotations(path: Path) -> Annotations:
    """Read the CSV at *path*.

    Raises:
        SynthesisError: it cannot be read, or lacks a column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        lines = [tuple(cells) for cells in csv.reader(io.StringIO(text, newline=""), strict=True)]
    except OSError as error:
        raise SynthesisError(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SynthesisError(f"{path} is not a UTF-8 CSV file: {error}.") from error
    header = lines[0] if lines else ()
    owner = next((name for name in ("Path", "image_id") if name in header), None)
    missing = [name for name in SIDES if name not in header]
    if owner is None or missing:
        wanted = ", ".join(missing or ["Path or image_id"])
        raise SynthesisError(f"{path} has no column {wanted}; it needs {', '.join(SIDES)} too.")
    rows = [cells for cells in lines[1:] if cells]
    for number, cells in enumerate(rows, start=1):
        if len(cells) != len(header):
            raise SynthesisError(
                f"{path}, row {number}: {len(cells)} cells where the header has {len(header)}."
            )
    return Annotations(header, tuple(rows), owner)


def carry_table(
    annotations: Annotations,
    items: Sequence[Item],
    made: Mapping[str, Row],
    *,
    least_visible: float,
    target: Path,
) -> BoxCount:
    """Write *annotations* with the boxes of the twins to *target*.

    Every row is there again. A box of which less than *least_visible* (0..1) is inside the twin
    has empty sides, and `box_status` says `dropped`; so does a row whose image was not made.

    Args:
        annotations: what `read_annotations` gave.
        items: the images of the run.
        made: rows of the manifest by output.
        least_visible: the visible fraction below which a box is dropped.
        target: the CSV to write.

    Raises:
        OSError: it cannot be written.
    """
    owners = _owners(items, annotations.owner)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*annotations.header, *ADDED])
    counts = {"kept": 0, "dropped": 0, "unmatched": 0, "no box": 0}
    for cells in annotations.rows:
        row = dict(zip(annotations.header, cells, strict=True))
        found = owners.get(_name(row[annotations.owner], annotations.owner))
        sides, added, state = _carried(row, found, made, least_visible)
        counts[state] += 1
        row |= dict(zip(SIDES, sides, strict=True))
        writer.writerow([*(row[name] for name in annotations.header), *added])
    write_atomic(target, text.getvalue().encode("utf-8"))
    return BoxCount(counts["kept"], counts["dropped"], counts["unmatched"])


_NOTHING = ("", "", "", "")
_Line = tuple[Sequence[str], Sequence[str], str]


def _carried(
    row: Mapping[str, str], found: Item | None, made: Mapping[str, Row], least: float
) -> _Line:
    """Sides, added cells and state of one row."""
    if found is None:
        return _NOTHING, ("", "", "dropped: no image of this run has that name"), "unmatched"
    output = str(found.output)
    image = made.get(output, {})
    if "output_sha256" not in image:
        return _NOTHING, (output, "", "dropped: the image was not made"), "unmatched"
    if not any(row[name].strip() for name in SIDES):
        return _NOTHING, (output, "", "no box"), "no box"
    try:
        box = _box(row)
    except SynthesisError as error:
        return _NOTHING, (output, "", f"dropped: {error}"), "dropped"
    carried = carry(box, steps_of(image), (image["size"][0], image["size"][1]))
    share = f"{carried.visible:.4f}"
    if carried.box is None:
        return _NOTHING, (output, share, "dropped: outside the image"), "dropped"
    if carried.visible < least:
        said = f"dropped: visible {share}, less than {least:g}"
        return _NOTHING, (output, share, said), "dropped"
    return [f"{side:.3f}" for side in carried.box], (output, share, "kept"), "kept"


def _box(row: Mapping[str, str]) -> Box:
    try:
        x0, y0, x1, y1 = (float(row[name]) for name in SIDES)
    except ValueError:
        raise SynthesisError("a side is no number") from None
    if not all(map(math.isfinite, (x0, y0, x1, y1))) or x1 <= x0 or y1 <= y0:
        raise SynthesisError("the box spans no area")
    return x0, y0, x1, y1


def _owners(items: Sequence[Item], owner: str) -> dict[str, Item | None]:
    """Images by the name that rows give them; None for a name that several have."""
    found: dict[str, Item | None] = {}
    for item in items:
        name = item.key if owner == "Path" else item.source.stem
        found[name] = None if name in found else item
    return found


def _name(written: str, owner: str) -> str:
    if owner == "image_id":
        return written
    path = PurePosixPath(written)
    parts = path.with_suffix("").parts if path.name else ()
    splits = [n for n, part in enumerate(parts[:-1]) if part in {"train", "valid", "test"}]
    return "/".join(parts[splits[-1] + 1 :] if splits else parts)
