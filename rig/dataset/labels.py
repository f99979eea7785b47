"""The CSV files: CheXpert's 19 columns, labels copied from the source row."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rig.catalog.model import COLUMNS, SPLITS, Xray
from rig.dataset.errors import DatasetError
from rig.dataset.files import write_durably

VALUES = frozenset({"1.0", "0.0", "-1.0", ""})
"""Positive, negative, uncertain, unmentioned."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a dataset CSV: the file, its line (from 2), and the 19 values."""

    split: str
    line: int
    values: tuple[str, ...]

    @property
    def path(self) -> str:
        """The `Path` cell."""
        return self.values[0]

    @property
    def labels(self) -> tuple[str, ...]:
        """The 14 label cells in the order of `OBSERVATIONS`."""
        return self.values[5:]


def row_of(xray: Xray, root: str, path: PurePosixPath) -> tuple[str, ...]:
    """The 19 values for the image at *path* of dataset *root*: the x-ray's own but for `Path`."""
    if len(xray.row) != len(COLUMNS):
        raise DatasetError(
            f"Index {xray.index}: its row has {len(xray.row)} values, not {len(COLUMNS)}."
        )
    return (f"{root}/{path}", *xray.row[1:])


def write_csv(file: Path, rows: Iterable[tuple[str, ...]], header: tuple[str, ...]) -> int:
    """Write *header* and *rows* durably with Unix line ends; returns the number of rows."""
    count = 0
    with write_durably(file) as raw:
        writer = csv.writer(raw, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count


def splits_of(root: Path) -> list[str]:
    """The splits that have a CSV, in the usual order."""
    return [split for split in SPLITS if (root / f"{split}.csv").is_file()]


def read_rows(root: Path) -> Iterator[Row]:
    """Every row of every split, streamed.

    Raises:
        DatasetError: other columns than the 19, a row of another length, or no CSV at all.
    """
    for split in splits_of(root):
        yield from read_split(root, split)


def read_split(root: Path, split: str) -> Iterator[Row]:
    """The rows of one split; raises as `read_rows`."""
    file = root / f"{split}.csv"
    try:
        with file.open(newline="", encoding="utf-8") as handle:
            reader = csv.reader(handle)
            if tuple(next(reader, ())) != COLUMNS:
                raise DatasetError(f"{file.name} has not CheXpert's 19 columns in their order.")
            for values in reader:
                if len(values) != len(COLUMNS):
                    raise DatasetError(
                        f"{file.name}, line {reader.line_num}: {len(values)} values, not 19."
                    )
                yield Row(split, reader.line_num, tuple(values))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{file} cannot be read as CSV: {error}.") from error
