"""The CSV files: CheXpert's 19 columns, labels copied from the source row."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

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


def row_of(xray: Xray, root: str, path: PurePosixPath | str) -> tuple[str, ...]:
    """The 19 values for the image at *path* of dataset *root*: the x-ray's own but for `Path`."""
    if len(xray.row) != len(COLUMNS):
        raise DatasetError(
            f"Index {xray.index}: its row has {len(xray.row)} values, not {len(COLUMNS)}."
        )
    return (f"{root}/{path}", *xray.row[1:])


class CsvWriter:
    """Writes a CSV with Unix line ends row by row; durable when the block ends."""

    def __init__(self, file: Path, header: tuple[str, ...]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            self._writer = csv.writer(stack.enter_context(write_durably(file)), lineterminator="\n")
            self._writer.writerow(header)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def add(self, row: Sequence[str]) -> None:
        """Append one row."""
        self._writer.writerow(row)


def write_csv(file: Path, rows: Iterable[Sequence[str]], header: tuple[str, ...]) -> None:
    """Write *header* and *rows* durably with Unix line ends."""
    with CsvWriter(file, header) as writer:
        for row in rows:
            writer.add(row)


def _other_columns(header: Sequence[str]) -> str | None:
    """What is wrong with a header; None for CheXpert's own."""
    for place, (found, wanted) in enumerate(zip(header, COLUMNS, strict=False), start=1):
        if found != wanted:
            return f"column {place} is {found!r}, not {wanted!r}"
    if len(header) != len(COLUMNS):
        return f"there are {len(header)}"
    return None


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
            if (wrong := _other_columns(next(reader, []))) is not None:
                raise DatasetError(
                    f"{file.name} has not CheXpert's 19 columns in their order: {wrong}."
                )
            for values in reader:
                if len(values) != len(COLUMNS):
                    raise DatasetError(
                        f"{file.name}, line {reader.line_num}: {len(values)} values, not 19."
                    )
                yield Row(split, reader.line_num, tuple(values))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{file} cannot be read as CSV: {error}.") from error
