"""Import of a CheXpert-format CSV (Irvin et al. 2019): every row checked, every file decoded.

Nothing is left out in silence: a row that cannot be used is a `Problem`. Whether problems refuse
the whole import or only their rows is the caller's choice.
"""

from __future__ import annotations

import csv as csv_module
import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rig.catalog.images import BadImage, ImageFacts, inspect
from rig.catalog.model import COLUMNS, SPLITS, Xray
from rig.catalog.order import ORDERS, Order, arrange
from rig.catalog.rows import BadRow, Row, locate, parse
from rig.errors import UserError

Progress = Callable[[int, int], None]

_HEADER = 1
_AHEAD = 256  # files handed to the threads at a time: bounds memory and makes Ctrl-C quick


class CatalogError(UserError):
    """The CSV, the data folder or an option cannot be used at all."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row (or on line 1 the header) is not usable: line from 1, its `Path`, the reason."""

    line: int
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class CatalogImport:
    """The x-rays of the good rows, indices 1..N, and one problem per bad row in file order."""

    xrays: tuple[Xray, ...]
    problems: tuple[Problem, ...]


def import_csv(
    csv: Path,
    data_dir: Path,
    *,
    order: Order = "csv",
    seed: int = 0,
    progress: Progress | None = None,
) -> CatalogImport:
    """Read a CheXpert-format CSV and look at every file it names.

    Columns are found by name; a nameless index column in front, a byte order mark and CRLF are
    accepted. `Path` is resolved below *data_dir* with and without its first part. The split comes
    from the path, else from the CSV's name (`valid.csv`), else it is `train`. The first of two
    rows with the same `Path` or key counts, the second is a problem; equal bytes under two keys
    are allowed. Missing, doubled or unknown columns are problems of line 1; without all 19 columns
    no row is read.

    Args:
        csv: the CSV file, UTF-8.
        data_dir: folder that holds the images.
        order: `csv` (index *i* is row *i*), `patient` or `shuffle`; see `rig.catalog.order`.
        seed: for `shuffle`, any whole number.
        progress: called as (files done, files in all) after each file, in the calling thread.

    Raises:
        CatalogError: the CSV or the folder cannot be read, or *order* is unknown.
    """
    if order not in ORDERS:
        raise CatalogError(f"There is no order {order!r}; use one of {', '.join(ORDERS)}.")
    if not data_dir.is_dir():
        raise CatalogError(f"The data folder {data_dir} does not exist or is not a folder.")
    text = _text(csv)
    split = next((s for s in SPLITS if csv.stem.startswith(s)), "train")
    rows, problems = _rows(text, split)
    found: dict[str, tuple[Path, ImageFacts]] = {}
    for row, outcome in _look(rows, data_dir.resolve(), progress):
        if isinstance(outcome, str):
            problems.append(Problem(row.line, row.path, outcome))
        else:
            found[row.key] = outcome
    good = arrange([row for row in rows if row.key in found], order, seed)
    xrays = tuple(_xray(i, row, *found[row.key]) for i, row in enumerate(good, 1))
    return CatalogImport(xrays, tuple(sorted(problems, key=lambda p: p.line)))


def _xray(index: int, row: Row, file: Path, facts: ImageFacts) -> Xray:
    return Xray(
        index=index,
        key=row.key,
        path=row.path,
        file=file,
        sha256=facts.sha256,
        width=facts.width,
        height=facts.height,
        split=row.split,
        row=row.values,
    )


def _text(csv: Path) -> str:
    try:
        return csv.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CatalogError(f"{csv} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise CatalogError(
            f"{csv} is not UTF-8 text at byte {error.start}; save it as 'CSV UTF-8' and try again."
        ) from error


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """(first line, cells) of each record; blank lines are passed over."""
    reader = csv_module.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv_module.Error as error:
            # What follows a broken quote cannot be told apart any more.
            raise _Broken(Problem(line, "", f"the CSV is broken here ({error})")) from error
        if cells:
            yield line, cells


class _Broken(Exception):
    """Carries a problem from the reader to the report."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.reason)
        self.problem = problem


def _rows(text: str, split: str) -> tuple[list[Row], list[Problem]]:
    rows: list[Row] = []
    problems: list[Problem] = []
    try:
        records = _records(text)
        header = [cell.strip() for cell in next(records, (_HEADER, []))[1]]
        usable, header_problems = _check_header(header)
        problems += header_problems
        if usable:
            _sort_out(records, header, split, rows, problems)
    except _Broken as broken:
        problems.append(broken.problem)
    return rows, problems


def _check_header(header: Sequence[str]) -> tuple[bool, list[Problem]]:
    """Can rows be read at all, and what is wrong with the header."""
    missing = [name for name in COLUMNS if name not in header]
    doubled = [name for name in COLUMNS if header.count(name) > 1]
    # Data-frame libraries write their row numbers as a nameless first column.
    rest = (
        header[1:]
        if header[:1]
        in (
            [
                "",
            ],
            ["Unnamed: 0"],
        )
        else header
    )
    unknown = [name for name in rest if name not in COLUMNS]
    reasons = [
        *([] if header else ["the file is empty; CheXpert's 19 columns are expected"]),
        *([f"the column {name!r} is missing" for name in missing] if header else []),
        *(f"the column {name!r} is there more than once" for name in doubled),
        *(f"the column {name!r} is not one of CheXpert's" for name in unknown),
    ]
    return not missing and not doubled, [Problem(_HEADER, "", reason) for reason in reasons]


def _sort_out(
    records: Iterator[tuple[int, list[str]]],
    header: Sequence[str],
    split: str,
    rows: list[Row],
    problems: list[Problem],
) -> None:
    """Put each record into *rows* or *problems*."""
    path_at = header.index("Path")
    paths: dict[str, int] = {}  # Path -> the line that has it first
    keys: dict[str, int] = {}
    for line, cells in records:
        path = cells[path_at] if path_at < len(cells) else ""
        try:
            if len(cells) != len(header):
                raise BadRow(f"the row has {len(cells)} values, the header {len(header)}")
            if path in paths:
                raise BadRow(f"the same Path as on line {paths[path]}")
            row = parse(line, dict(zip(header, cells, strict=True)), split)
            if row.key in keys:
                raise BadRow(f"the same patient, study and view as on line {keys[row.key]}")
        except BadRow as error:
            problems.append(Problem(line, path, str(error)))
        else:
            rows.append(row)
            paths[path] = keys[row.key] = line


def _look(
    rows: Sequence[Row], data_dir: Path, progress: Progress | None
) -> Iterator[tuple[Row, tuple[Path, ImageFacts] | str]]:
    """Each row with its file and facts, or with the reason why not; in order."""

    def one(row: Row) -> tuple[Path, ImageFacts] | str:
        try:
            file = locate(row.path, data_dir)
            if file is None:
                return "there is no such file in the data folder"
            return file, inspect(file)
        except BadImage as error:
            return str(error)
        except OSError as error:
            return f"the file cannot be looked for ({error.strerror or error})"

    # Hashing and decoding release the interpreter lock, so threads use all cores.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1), "catalog") as pool:
        for start in range(0, len(rows), _AHEAD):
            part = rows[start : start + _AHEAD]
            for done, (row, outcome) in enumerate(
                zip(part, pool.map(one, part), strict=True), start + 1
            ):
                if progress is not None:
                    progress(done, len(rows))
                yield row, outcome
