"""CheXpert-format CSV in and out: only `Path` matters here, the rest is carried along."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rig.durable import write_atomic
from rig.synthesis.runner import Item
from rig.synthesis.transform import SynthesisError

SPLITS = frozenset({"train", "valid", "test"})
"""Folder names that begin the tail of a path."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row whose path is usable: its line in the file, its cells, and the image to make."""

    line: int
    cells: tuple[str, ...]
    item: Item
    split: str | None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that names no usable file, and why."""

    line: int
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV as read: header, good rows and bad rows, in the order of the file."""

    header: tuple[str, ...]
    rows: tuple[TableRow, ...]
    bad: tuple[BadRow, ...]


def read_table(path: Path, data_dir: Path) -> Table:
    """Read the CSV at *path*, its images lying below *data_dir*.

    A `Path` may begin with the name of the dataset's folder; it is looked for with and without
    that. A row with an unsafe or missing path, or a wrong number of cells, is a bad row.

    Raises:
        SynthesisError: the file cannot be read, or has no `Path` column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = tuple(next(reader, ()))
        if "Path" not in header:
            raise SynthesisError(f"{path} has no column named Path; is it a CheXpert-format CSV?")
        lines = [(reader.line_num, tuple(cells)) for cells in reader if cells]
    except OSError as error:
        raise SynthesisError(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SynthesisError(f"{path} is not a UTF-8 CSV file: {error}.") from error
    return _sort_out(header, lines, data_dir)


def _sort_out(
    header: tuple[str, ...], lines: Iterable[tuple[int, tuple[str, ...]]], data_dir: Path
) -> Table:
    column = header.index("Path")
    good, bad = [], []
    for line, cells in lines:
        written = cells[column] if column < len(cells) else ""
        try:
            if len(cells) != len(header):
                raise SynthesisError(
                    f"The row has {len(cells)} cells where the header has {len(header)}."
                )
            item, split = _locate(written, data_dir)
            good.append(TableRow(line, cells, item, split))
        except SynthesisError as error:
            bad.append(BadRow(line, written, str(error)))
    return Table(header, tuple(good), tuple(bad))


def _locate(written: str, data_dir: Path) -> tuple[Item, str | None]:
    """The image that a `Path` means, and its split when the path names one."""
    whole = _checked(written)
    short = PurePosixPath(*whole.parts[1:]) if len(whole.parts) > 1 else whole
    found = next((p for p in (whole, short) if _is_file(data_dir / p)), None)
    tail, split = _tail(found or whole)
    # A missing file keeps its item: the run reports it as a failed row of the manifest.
    item = Item(
        key=_key(tail, split),
        source=data_dir / (found or whole),
        output=tail.with_suffix(".jpg"),
    )
    return item, split


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # an unreadable folder, a name too long: reading it will say so
        return False


def _checked(written: str) -> PurePosixPath:
    """*written* as a path that stays below the folder it is joined to."""
    path = PurePosixPath(written)
    if not path.name:
        raise SynthesisError("The Path is empty.")
    unsafe = path.is_absolute() or ".." in path.parts
    if unsafe or any(c in written for c in "\\:\0"):
        raise SynthesisError(
            f"The Path {written!r} could lead out of the data folder; write it relative, with "
            "forward slashes and without '..'."
        )
    return path


def _tail(path: PurePosixPath) -> tuple[PurePosixPath, str | None]:
    """From the last split folder on, or all of *path* when it names no split."""
    at = next((i for i in reversed(range(len(path.parts) - 1)) if path.parts[i] in SPLITS), None)
    if at is None:
        return path, None
    return PurePosixPath(*path.parts[at:]), path.parts[at]


def _key(tail: PurePosixPath, split: str | None) -> str:
    inside = PurePosixPath(*tail.parts[1:]) if split else tail
    return inside.with_suffix("").as_posix()


def split_tables(table: Table, own_name: str) -> dict[str, list[TableRow]]:
    """Rows by the file they belong in: `<split>.csv`, or *own_name* for rows without a split.

    Of rows with the same output only the first is kept.
    """
    files: dict[str, list[TableRow]] = {}
    seen: set[PurePosixPath] = set()
    for row in table.rows:
        if row.item.output not in seen:
            seen.add(row.item.output)
            files.setdefault(f"{row.split}.csv" if row.split else own_name, []).append(row)
    return files


def write_table(path: Path, header: Sequence[str], rows: Iterable[TableRow]) -> None:
    """Write *rows* as they were read, but for `Path`: the output, relative to the CSV's folder."""
    column = header.index("Path")
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        cells = list(row.cells)
        cells[column] = row.item.output.as_posix()
        writer.writerow(cells)
    write_atomic(path, text.getvalue().encode("utf-8"))
