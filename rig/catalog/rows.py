"""One row of a CheXpert CSV: are its values what CheXpert allows, and which x-ray does it name?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rig.catalog.model import COLUMNS, OBSERVATIONS, SPLITS

LABELS: dict[str, str] = {
    "": "",
    "1.0": "1.0",
    "0.0": "0.0",
    "-1.0": "-1.0",
    "1": "1.0",
    "0": "0.0",
    "-1": "-1.0",
}
"""Label as found -> label as kept: always CheXpert's own form."""

_ALLOWED: dict[str, tuple[str, ...]] = {
    "Sex": ("", "Male", "Female", "Unknown"),  # CheXpert itself has one "Unknown"
    "Frontal/Lateral": ("", "Frontal", "Lateral"),
    "AP/PA": ("", "AP", "PA", "LL", "RL"),
}
_AGE = re.compile(r"(\d{1,3})(\.0)?", re.ASCII)
_OLDEST = 120
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # patient, study, view become folder names


@dataclass(frozen=True, slots=True)
class Row:
    """A row whose values are sound; its file has not been looked at."""

    line: int
    key: str
    path: str
    split: str
    values: tuple[str, ...]


class BadRow(ValueError):
    """The row cannot be used; the message is the reason, for a person."""


def parse(line: int, cells: dict[str, str], default_split: str) -> Row:
    """Check the *cells* (column -> text) of the row that starts on *line*.

    Raises:
        BadRow: with every reason there is, joined by semicolons.
    """
    reasons = [*_bad_values(cells)]
    path = cells["Path"]
    try:
        key, split = key_and_split(path, default_split)
    except BadRow as error:
        raise BadRow("; ".join([str(error), *reasons])) from None
    if reasons:
        raise BadRow("; ".join(reasons))
    values = tuple(LABELS[cells[c]] if c in OBSERVATIONS else cells[c] for c in COLUMNS)
    return Row(line, key, path, split, values)


def _bad_values(cells: dict[str, str]) -> list[str]:
    reasons = [
        f"{column} is {cells[column]!r}; allowed are {', '.join(filter(None, allowed))} or nothing"
        for column, allowed in _ALLOWED.items()
        if cells[column] not in allowed
    ]
    age = cells["Age"]
    years = _AGE.fullmatch(age)
    if age and (years is None or int(years[1]) > _OLDEST):
        reasons.append(f"Age is {age!r}; allowed are whole years from 0 to {_OLDEST} or nothing")
    reasons += [
        f"{column} is {cells[column]!r}; allowed are 1.0, 0.0, -1.0 or nothing"
        for column in OBSERVATIONS
        if cells[column] not in LABELS
    ]
    return reasons


def key_and_split(path: str, default_split: str) -> tuple[str, str]:
    """`patient/study/view` and the split that a `Path` cell names.

    The split is the folder above the patient when that is one of `SPLITS`, else *default_split*.

    Raises:
        BadRow: the path is absolute, climbs out with `..`, or does not end in three plain names.
    """
    if not path:
        raise BadRow("Path is empty")
    if "\\" in path or not path.isprintable():
        raise BadRow("Path may hold only printable characters, with / between folders")
    parts = path.split("/")
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        raise BadRow("Path is absolute; it must be relative to the data folder")
    if any(part in {"", ".", ".."} for part in parts):
        raise BadRow("Path leaves the data folder or has an empty part; '..' is not allowed")
    tail = (*parts[-3:-1], PurePosixPath(parts[-1]).stem)
    if len(parts) < 3 or not all(_PART.fullmatch(part) for part in tail):
        raise BadRow(
            "Path must end in patient/study/view.jpg, each of letters, digits, '.', '_' and '-'"
        )
    folder = parts[-4] if len(parts) > 3 else ""
    return "/".join(tail), folder if folder in SPLITS else default_split


def locate(path: str, data_dir: Path) -> Path | None:
    """The file a checked `Path` cell means: below *data_dir* with, else without, its first part.

    Links inside the data folder are followed: whoever keeps the folder put them there.
    """
    parts = path.split("/")
    for tail in (parts, parts[1:]):
        file = data_dir.joinpath(*tail)
        if file.exists():
            return file
    return None
