"""Everything a dataset says about its images, brought together by patient for a check.

The records are tuples that begin with one of the letters below; see `rig.dataset.compare`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rig.catalog.model import SPLITS
from rig.dataset import layout
from rig.dataset.box_table import iter_boxes
from rig.dataset.captures import iter_captures
from rig.dataset.errors import DatasetError
from rig.dataset.files import files_below
from rig.dataset.findings import Findings
from rig.dataset.labels import read_split, splits_of
from rig.dataset.partition import Partition

ROW, COPY, FILE, CAPTURE, TWIN, BOX = "rcfptb"
"""Row of a CSV, row of a rectified CSV, picture on disk, row of the captures, row of the manifest,
row of the boxes."""

_PICTURES = frozenset({".jpg", ".jpeg", ".png"})
_WANTED = (
    "index", "key", "path", "gap", "file_sha256", "source_sha256", "source_row",
)  # fmt: skip
_COPY = "rectified_sha256"


@dataclass(slots=True)
class Gathered:
    """What was counted on the way.

    Attributes:
        images: rows of the CSVs.
        gaps: x-rays without a photo.
        captures: whether there is a readable `captures.parquet`.
        manifest: whether there is a `manifest.jsonl`.
        unread: folders of pictures whose CSV could not be read to its end; what is in no CSV there
            may well have been.
    """

    images: int = 0
    gaps: int = 0
    captures: bool = False
    manifest: bool = False
    unread: set[str] = field(default_factory=set)


def gather(root: Path, into: Partition, photos: Partition, found: Findings) -> Gathered:
    """Read the dataset at *root* once.

    Args:
        root: the dataset.
        into: gets every record by patient.
        photos: gets (digest, path) of every photo by digest.
        found: gets what is wrong with whole files and with rows of no patient.
    """
    told = Gathered()
    for split in splits_of(root):
        told.images += _csv(root, split, ROW, into, found, told)
    copies = root / layout.RECTIFIED
    for split in splits_of(copies):
        told.images += _csv(copies, split, COPY, into, found, told)
    for path in _pictures(root):
        place = _place(path)
        if place is None:
            found.add("stray", path, 0, f"{path} is on disk but in no CSV.")
        else:
            into.add(place.patient, (FILE, path))
    told.captures = _captures(root, into, photos, found, told)
    told.manifest = _manifest(root, into, found)
    _boxes(root, into, found)
    return told


def _csv(
    root: Path, split: str, letter: str, into: Partition, found: Findings, told: Gathered
) -> int:
    count = 0
    try:
        for row in read_split(root, split):
            count += 1
            try:
                place = layout.place_of(_uncopied(row.path) if letter == COPY else row.path)
            except DatasetError as error:
                found.add("csv", f"{split}.csv", row.line, str(error))
            else:
                into.add(place.patient, (letter, split, row.line, row.values))
    except DatasetError as error:
        folder = "" if letter == ROW else f"{layout.RECTIFIED}/"
        told.unread.add(f"{folder}{split}/")
        text = f"{error} What it should list further was not compared."
        found.add("csv", f"{folder}{split}.csv", 0, text)
    return count


def _uncopied(path: str) -> str:
    """The `Path` of a rectified copy without that folder."""
    name, _, tail = path.partition("/")
    return f"{name}/{tail.removeprefix(layout.RECTIFIED + '/')}"


def _place(path: str) -> layout.Place | None:
    try:
        return layout.place_of(f"-/{path.removeprefix(layout.RECTIFIED + '/')}")
    except DatasetError:
        return None


def _pictures(root: Path) -> Iterator[str]:
    """Pictures in the folders of the splits and of the copies, relative to the dataset."""
    for top in (*SPLITS, layout.RECTIFIED):
        for file in files_below(root / top):
            if file.suffix.lower() in _PICTURES:
                yield file.relative_to(root).as_posix()


def _captures(
    root: Path, into: Partition, photos: Partition, found: Findings, told: Gathered
) -> bool:
    try:
        for line, row in enumerate(iter_captures(root, _WANTED, also=(_COPY,)), start=1):
            values = tuple(row[name] for name in _WANTED)
            if row["key"] is None or (row["gap"] is None and row["path"] is None):
                text = "the row says neither what it shows nor why there is no photo."
                found.add("captures", layout.CAPTURES, line, text)
                continue
            into.add(row["key"].split("/")[0], (CAPTURE, line, *values, row.get(_COPY)))
            if row["gap"] is not None:
                told.gaps += 1
            elif row["file_sha256"] is not None:
                photos.add(row["file_sha256"], (row["file_sha256"], row["path"], line))
    except DatasetError as error:
        found.add("captures", layout.CAPTURES, 0, str(error))
        return False
    return (root / layout.CAPTURES).is_file()


def _manifest(root: Path, into: Partition, found: Findings) -> bool:
    file = root / layout.MANIFEST
    if not file.is_file():
        return False
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            row = _object(line)
            place = _place(row["output"]) if row and isinstance(row.get("output"), str) else None
            if row is None or place is None:
                found.add("manifest", layout.MANIFEST, number, "it is no row of a synthetic image.")
            elif "failed" not in row:
                into.add(place.patient, (TWIN, number, row["output"], row.get("output_sha256")))
    return True


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _boxes(root: Path, into: Partition, found: Findings) -> None:
    try:
        for line, row in enumerate(iter_boxes(root), start=1):
            place = _place(row["path"] or "")
            if place is None:
                found.add("box", layout.BOXES, line, f"{row['path']} is no image of this layout.")
                continue
            edges = tuple(row[name] for name in ("x_min", "y_min", "x_max", "y_max"))
            size = (row["width"], row["height"])
            into.add(place.patient, (BOX, line, row["path"], row["class_name"], edges, size))
    except DatasetError as error:
        found.add("box", layout.BOXES, 0, str(error))
