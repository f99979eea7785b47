"""Is a dataset whole and right? Every problem is a sentence; nothing is repaired."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.dataset import layout
from rig.dataset.captures import read_captures
from rig.dataset.errors import DatasetError
from rig.dataset.labels import VALUES, Row, read_split, splits_of

_PICTURES = frozenset({".jpg", ".jpeg", ".png"})


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found: images in the CSVs, gaps listed, and problems as sentences."""

    path: Path
    images: int
    gaps: int
    problems: tuple[str, ...]

    @property
    def well(self) -> bool:
        """No problem. A listed gap is none."""
        return not self.problems


def check(root: Path, *, progress: Callable[[int, int], None] | None = None) -> CheckReport:
    """Check the dataset at *root*: CSVs, files, captures, labels, digests, patients.

    Raises:
        DatasetError: it is no dataset at all.
    """
    if not splits_of(root):
        raise DatasetError(f"{root} is no dataset: it has no train.csv, valid.csv or test.csv.")
    problems: list[str] = []
    rows: dict[str, Row] = {}
    patients: dict[str, set[str]] = defaultdict(set)
    for row in _readable(root, problems):
        problems += _row_problems(root, row, rows)
        rows.setdefault(row.path, row)
        try:
            place = layout.place_of(row.path)
        except DatasetError as error:
            problems.append(f"{_where(row)}: {error}")
            continue
        patients[place.patient].add(row.split)
        if place.split != row.split:
            problems.append(f"{_where(row)}: {row.path} is in the folder of {place.split}.")
    problems += [
        f"Patient {who} is in more than one split: {', '.join(sorted(found))}."
        for who, found in sorted(patients.items())
        if len(found) > 1
    ]
    problems += _strays(root, rows)
    captures = _captures(root, problems)
    problems += _capture_problems(root, rows, captures, progress)
    gaps = sum(row["gap"] is not None for row in captures)
    return CheckReport(root, len(rows), gaps, tuple(problems))


def _where(row: Row) -> str:
    return f"{row.split}.csv, line {row.line}"


def _readable(root: Path, problems: list[str]) -> Iterator[Row]:
    """Rows of every CSV, as far as each can be read."""
    for split in splits_of(root):
        try:
            yield from read_split(root, split)
        except DatasetError as error:
            problems.append(str(error))


def _row_problems(root: Path, row: Row, before: Mapping[str, Row]) -> Iterator[str]:
    where = _where(row)
    name, _, tail = row.path.partition("/")
    if row.path in before:
        yield f"{where}: {row.path} is listed twice, first at {_where(before[row.path])}."
    if name != root.resolve().name:
        yield f"{where}: the Path begins with {name!r}, not with the dataset's folder."
    elif ".." not in tail.split("/") and not (root / tail).is_file():
        yield f"{where}: {row.path} has no file."
    for value in row.labels:
        if value not in VALUES:
            yield f"{where}: the label {value!r} is none of 1.0, 0.0, -1.0 and blank."


def _strays(root: Path, rows: Mapping[str, Row]) -> Iterator[str]:
    """Pictures in the split folders that no row lists."""
    name = root.resolve().name
    for split in splits_of(root):
        for file in sorted((root / split).rglob("*")):
            path = f"{name}/{file.relative_to(root).as_posix()}"
            if file.suffix.lower() in _PICTURES and path not in rows:
                yield f"{path} is on disk but in no CSV."


def _captures(root: Path, problems: list[str]) -> list[dict[str, Any]]:
    try:
        return read_captures(root)
    except DatasetError as error:
        problems.append(str(error))
        return []


def _capture_problems(
    root: Path,
    rows: Mapping[str, Row],
    captures: list[dict[str, Any]],
    progress: Callable[[int, int], None] | None,
) -> Iterator[str]:
    """Photos against their digests, and every row's labels against its x-ray's source row."""
    name = root.resolve().name
    sources: dict[tuple[str, ...], list[str]] = {}
    listed = set()
    for done, capture in enumerate(captures, start=1):
        if capture["source_row"] is not None:
            sources[tuple(capture["key"].split("/"))] = capture["source_row"]
        if capture["gap"] is None:
            listed.add(f"{name}/{capture['path']}")
            yield from _photo_problems(root, capture, rows)
        if progress:
            progress(done, len(captures))
    for row in rows.values():
        try:
            place = layout.place_of(row.path)
        except DatasetError:
            continue  # told already
        source = sources.get(place.xray)
        if source is not None and list(row.values[1:]) != source[1:]:
            yield f"{_where(row)}: {row.path} has other labels than its source row."
        if captures and place.origin == "natural" and row.path not in listed:
            yield f"{_where(row)}: {row.path} is not in {layout.CAPTURES}."


def _photo_problems(
    root: Path, capture: Mapping[str, Any], rows: Mapping[str, Row]
) -> Iterator[str]:
    path = str(capture["path"])
    what = f"{layout.CAPTURES}, index {capture['index']}"
    if f"{root.resolve().name}/{path}" not in rows:
        yield f"{what}: {path} is in no CSV."
    if ".." in path.split("/") or path.startswith("/"):
        yield f"{what}: {path} leads out of the dataset."
        return
    try:
        with (root / path).open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        yield f"{what}: {path} cannot be read: {error.strerror or error}."
        return
    if digest != capture["file_sha256"]:
        yield f"{what}: {path} is not the photo that was built (its SHA-256 differs)."
