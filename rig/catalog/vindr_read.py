"""Reading one of VinDr-CXR's tables, row by row.

A row is told by its line and never quoted: before de-identification an image_id may be a SOP
Instance UID, and in a row that is out of step any cell may hold it.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rig.catalog.vindr_model import Box, Columns, Edges, Labels, RowProblem
from rig.catalog.vindr_names import GLOBAL, NO_FINDING, finding
from rig.errors import UserError

_EDGES = ("x_min", "y_min", "x_max", "y_max")
_ID = 128  # characters of an image_id or rad_id
_BITS = {"0": False, "1": True, "0.0": False, "1.0": True}


class _Bad(ValueError):
    """The row cannot be used; the message is the reason."""


@dataclass(slots=True)
class Places:
    """In which split, file and line each image came first, over all files."""

    first: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def check(self, image: str, split: str, file: Path, line: int) -> Iterator[RowProblem]:
        """Note an image; a problem when it is in another split, too, once for each image."""
        before, other, at = self.first.setdefault(image, (split, file.name, line))
        if before != split and image not in self.told:
            self.told.add(image)
            reason = f"Its image is in {before} ({other}, line {at}) and in {split}."
            yield RowProblem(file.name, line, reason)


def read_annotations(
    file: Path,
    split: str,
    problems: list[RowProblem],
    places: Places,
    *,
    any_finding: bool = False,
) -> tuple[list[Box], bool]:
    """Rows of an `annotations_*.csv`, and whether it has a rad_id; bad rows go to *problems*.

    Args:
        file: the table.
        split: what its rows are of.
        problems: gets the rows that cannot be used.
        places: of the images of all files that are read together.
        any_finding: take findings that are none of VinDr-CXR's 28, too, as they are spelled, and
            local ones without a box.

    Raises:
        UserError: the file cannot be read or lacks a column.
    """
    boxes = []
    named = False
    for line, row in _rows(file, ("image_id", "class_name", *_EDGES), problems):
        named = "rad_id" in row
        try:
            boxes.append(_box(row, split, any_finding=any_finding))
        except _Bad as error:
            problems.append(RowProblem(file.name, line, str(error)))
        else:
            problems += places.check(boxes[-1].image, split, file, line)
    return boxes, named


def read_labels(
    file: Path,
    split: str,
    problems: list[RowProblem],
    places: Places,
    *,
    any_finding: bool = False,
) -> tuple[list[Labels], Columns]:
    """Rows of an `image_labels_*.csv`, and its columns; bad rows go to *problems*.

    The arguments are those of `read_annotations`.

    Raises:
        UserError: the file cannot be read, or has no column of a finding.
    """
    columns: Columns | None = None
    labels = []
    seen: dict[tuple[str, str], int] = {}
    for line, row in _rows(file, ("image_id",), problems):
        columns = columns or _columns(file, row, problems, any_finding=any_finding)
        try:
            one = Labels(_id(row, "image_id"), _reader(row), _positive(row, columns), split)
            before = seen.setdefault((one.image, one.reader), line)
            if before != line:
                raise _Bad(f"The same image and reader as on line {before}.")
            labels.append(one)
        except _Bad as error:
            problems.append(RowProblem(file.name, line, str(error)))
        else:
            problems += places.check(one.image, split, file, line)
    return labels, columns or Columns((), (), readers=False)


def _columns(
    file: Path, row: dict[str, str], problems: list[RowProblem], *, any_finding: bool
) -> Columns:
    names = [name for name in row if name not in {"image_id", "rad_id"}]
    meant = {name: finding(name) or (name if any_finding else None) for name in names}
    known = [(name, found) for name, found in meant.items() if found]
    problems += [
        RowProblem(file.name, 1, f"Column {at} is none of VinDr-CXR's 28 findings.")
        for at, name in enumerate(row, 1)
        if name in meant and not meant[name]
    ]
    findings = tuple(found for _, found in known)
    if not findings:
        raise UserError(f"{file} has no column of a finding.")
    if double := next((f for f in findings if findings.count(f) > 1), None):
        raise UserError(f"{file} has two columns for {double!r}.")
    return Columns(tuple(name for name, _ in known), findings, readers="rad_id" in row)


def _box(row: dict[str, str], split: str, *, any_finding: bool) -> Box:
    name = finding(row["class_name"]) or (row["class_name"].strip() if any_finding else None)
    if not name:
        raise _Bad("Its class is none of VinDr-CXR's 28 findings.")
    edges = _edges(row)
    if edges is None and name not in GLOBAL and not any_finding:
        raise _Bad(f"{name} has no box.")
    if edges is not None and name == NO_FINDING:
        raise _Bad("No finding has a box.")
    return Box(_id(row, "image_id"), _reader(row), name, edges, split)


def _edges(row: dict[str, str]) -> Edges | None:
    cells = [row[name].strip() for name in _EDGES]
    if not any(cells):
        return None
    try:
        left, top, right, bottom = (float(cell) for cell in cells)
    except ValueError:
        raise _Bad("Its box is none: four numbers are wanted.") from None
    if not all(map(math.isfinite, (left, top, right, bottom))):
        raise _Bad("Its box is none: the numbers must be finite.")
    if left < 0 or top < 0:
        raise _Bad("Its box is none: it begins outside the image.")
    if right <= left or bottom <= top:
        raise _Bad("Its box is none: it has no area.")
    return left, top, right, bottom


def _positive(row: dict[str, str], columns: Columns) -> frozenset[str]:
    found = set()
    for name, meant in zip(columns.names, columns.findings, strict=True):
        value = _BITS.get(row[name].strip())
        if value is None:
            raise _Bad(f"{meant} is neither 0 nor 1.")
        if value:
            found.add(meant)
    return frozenset(found)


def _reader(row: dict[str, str]) -> str:
    return _id(row, "rad_id") if "rad_id" in row else ""


def _id(row: dict[str, str], column: str) -> str:
    value = row[column].strip()
    if not value or len(value) > _ID or not value.isprintable():
        raise _Bad(f"{column} is empty, longer than {_ID} characters or not printable.")
    return value


def _rows(
    file: Path, needed: tuple[str, ...], problems: list[RowProblem]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells of every row that has as many cells as the header."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.reader(handle, strict=True)
            header = [name.strip() for name in next(reader, [])]
            if missing := [name for name in needed if name not in header]:
                raise UserError(f"{file} has no column {missing[0]!r}.")
            if twice := next((at for at, n in enumerate(header) if n in header[:at]), None):
                first = header.index(header[twice]) + 1
                raise UserError(f"{file} has one name for columns {first} and {twice + 1}.")
            for cells in reader:
                if len(cells) == len(header):
                    yield reader.line_num, dict(zip(header, cells, strict=True))
                elif cells:
                    reason = f"The row has {len(cells)} cells, the header {len(header)}."
                    problems.append(RowProblem(file.name, reader.line_num, reason))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} cannot be read as CSV: {error}.") from error
