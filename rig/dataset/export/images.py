"""Every image of a split with all that the dataset knows of it, streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from rig.catalog.model import OBSERVATIONS
from rig.dataset import layout
from rig.dataset.box_table import iter_boxes
from rig.dataset.captures import FACTOR, iter_captures
from rig.dataset.errors import DatasetError
from rig.dataset.labels import Row, read_split, splits_of

BoxRow = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image.

    Attributes:
        row: of the CSV.
        place: what its `Path` says.
        path: relative to the dataset.
        capture: its row of the captures; None for what is no photo.
        findings: its rows of the table of boxes: with a box, dropped, or `No finding`.
    """

    row: Row
    place: layout.Place
    path: str
    capture: Mapping[str, Any] | None
    findings: tuple[BoxRow, ...]

    @property
    def boxes(self) -> tuple[BoxRow, ...]:
        """Its findings with a box."""
        return tuple(row for row in self.findings if row["x_min"] is not None)

    @property
    def labels(self) -> dict[str, float | None]:
        """Observation -> 1.0, 0.0, -1.0, or None where the source says nothing."""
        pairs = zip(OBSERVATIONS, self.row.labels, strict=True)
        return {name: self._number(name, value) for name, value in pairs}

    @property
    def age(self) -> float | None:
        """In years; None when unknown."""
        return self._number("Age", self.row.values[2])

    def _number(self, name: str, value: str) -> float | None:
        try:
            return float(value) if value else None
        except ValueError as error:
            raise DatasetError(
                f"{self.row.split}.csv, line {self.row.line}: {name} is {value!r}, no number."
            ) from error


def count(root: Path) -> int:
    """Rows of the dataset at *root*.

    Raises:
        DatasetError: it is no dataset.
    """
    if not splits_of(root):
        raise DatasetError(f"{root} is no dataset: it has no train.csv, valid.csv or test.csv.")
    return sum(1 for split in splits_of(root) for _ in read_split(root, split))


def factors(root: Path) -> list[str]:
    """The columns of the captures that hold levels of factors."""
    file = root / layout.CAPTURES
    if not file.is_file():
        return []
    return [name for name in pq.read_schema(file).names if name.startswith(FACTOR)]


def has_boxes(root: Path) -> bool:
    """Whether the dataset has a table of boxes."""
    return (root / layout.BOXES).is_file()


def images(root: Path, split: str) -> Iterator[ImageRow]:
    """The images of *split* in the order of its CSV.

    Raises:
        DatasetError: a file cannot be read, an image is missing, or the tables are not in the
            order in which they are built; `rig dataset check` says more.
    """
    captures = _Follow(_captures(root, split), "path")
    boxes = _Follow(_boxes(root, split), "path")
    for row in read_split(root, split):
        place = layout.place_of(row.path)
        path = row.path.partition("/")[2]
        if ".." in path.split("/") or not (root / path).is_file():
            raise DatasetError(
                f"{split}.csv, line {row.line}: {row.path} has no file; rig dataset check says "
                "what else is wrong."
            )
        found = captures.of(path)
        yield ImageRow(row, place, path, found[0] if found else None, tuple(boxes.of(path)))
    for rest, name in ((captures, layout.CAPTURES), (boxes, layout.BOXES)):
        if rest.left():
            raise DatasetError(
                f"{name} is not in the order of {split}.csv; rig dataset check says what is wrong."
            )


def _captures(root: Path, split: str) -> Iterator[Mapping[str, Any]]:
    rows = iter_captures(root)
    return (row for row in rows if row["split"] == split and row["gap"] is None)


def _boxes(root: Path, split: str) -> Iterator[Mapping[str, Any]]:
    copies = layout.RECTIFIED + "/"
    for row in iter_boxes(root):
        if row["split"] == split and not row["path"].startswith(copies):
            yield row


class _Follow:
    """Walks along a table that is in the order of the images."""

    def __init__(self, rows: Iterator[Mapping[str, Any]], key: str) -> None:
        self._groups = groupby(rows, key=lambda row: row[key])
        self._next: tuple[str, list[Mapping[str, Any]]] | None = None
        self._step()

    def _step(self) -> None:
        found = next(self._groups, None)
        self._next = None if found is None else (found[0], list(found[1]))

    def of(self, path: str) -> Sequence[Mapping[str, Any]]:
        """The rows of *path*, which come next or not at all."""
        if self._next is None or self._next[0] != path:
            return ()
        rows = self._next[1]
        self._step()
        return rows

    def left(self) -> bool:
        """Whether rows were passed by."""
        return self._next is not None
