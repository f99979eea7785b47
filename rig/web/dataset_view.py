"""What the pages of datasets show: figures as rows and bars, samples, exports."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rig.catalog.model import OBSERVATIONS
from rig.web.controller import Controller
from rig.web.exports import DATASETS
from rig.web.problems import Problem

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}", re.ASCII)
_PART: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,200}", re.ASCII)
FORMS: Final = {
    "hf": ("Hugging Face", "A folder for datasets.load_dataset, with the tables as Parquet."),
    "webdataset": ("WebDataset", "Tar shards that are read in order while training."),
    "vindr": ("VinDr-CXR", "DICOM and boxes as torchxrayvision reads them; needs boxes."),
    "coco": ("COCO", "Boxes as JSON; only for datasets that were built with boxes."),
    "croissant": ("Croissant", "A description for machines, inside the dataset."),
}
"""Export -> its name and what it is for."""
SAMPLES: Final = 6
LOOKED: Final = 4000
"""Rows of the tables that samples are chosen of."""
_KEPT: dict[tuple[str, int], Figures] = {}
_KEPT_MOST: Final = 8


@dataclass(frozen=True, slots=True)
class Figures:
    """The statistics of a dataset as `rig dataset stats` has them, and labels by environment."""

    stats: Any
    rooms: dict[str, dict[str, int]]
    """Environment -> observation -> photos of x-rays in which it is positive."""
    photos: dict[str, int]
    """Environment -> photos."""


@dataclass(slots=True)
class Sample:
    """An x-ray of a dataset: what shows it -> the picture's path inside the dataset."""

    name: str
    sources: dict[str, str] = field(default_factory=dict)

    @property
    def twins(self) -> list[tuple[str, str]]:
        """Two pictures of it that lie over each other, for the slider; none when there are not."""
        over = ("synthetic/digital", "synthetic/photographic")
        found = [(one, self.sources[one]) for one in over if one in self.sources]
        return found if len(found) == 2 else []


def root_of(rig: Controller, name: str) -> Path:
    """The folder of the dataset *name*.

    Raises:
        Problem: 404, there is none of this name.
    """
    from rig.dataset.labels import splits_of

    root = rig.home / DATASETS / name
    if not NAME.fullmatch(name) or root.is_symlink() or not splits_of(root):
        raise Problem(404, f"No dataset is named {name[:80]!r}; build one first.")
    return root


def names(rig: Controller) -> list[str]:
    """All datasets, the newest first."""
    from rig.dataset.labels import splits_of

    home = rig.home / DATASETS
    if not home.is_dir():
        return []
    here = [one for one in home.iterdir() if NAME.fullmatch(one.name) and splits_of(one)]
    return [one.name for one in sorted(here, key=lambda p: (-p.stat().st_mtime_ns, p.name))]


def built_ns(root: Path) -> int:
    """When its tables were written."""
    return max(one.stat().st_mtime_ns for one in root.iterdir() if one.is_file())


def figures(root: Path) -> Figures:
    """All figures; computed once for a build.

    Raises:
        DatasetError: it cannot be read.
    """
    from rig.dataset.statistics import statistics

    key = (str(root), built_ns(root))
    if key not in _KEPT:
        found = Figures(statistics(root), *_rooms(root))
        while len(_KEPT) >= _KEPT_MOST:
            _KEPT.pop(next(iter(_KEPT)), None)
        _KEPT[key] = found
    return _KEPT[key]


def _rooms(root: Path) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    from rig.dataset.captures import iter_captures

    photos = Counter[str]()
    positive: dict[str, Counter[str]] = {}
    for row in iter_captures(root, ("gap", "environment", "source_row")):
        room = row["environment"]
        if row["gap"] is not None or room is None:
            continue
        photos[room] += 1
        counter = positive.setdefault(room, Counter())
        for name, value in zip(OBSERVATIONS, (row["source_row"] or ())[5:], strict=False):
            counter[name] += value == "1.0"
    return {room: dict(positive[room]) for room in sorted(positive)}, dict(photos)


def samples(root: Path, count: int = SAMPLES) -> list[Sample]:
    """A few x-rays that are shown in as many ways as any, spread over the tables.

    Raises:
        DatasetError: a table cannot be read.
    """
    from rig.dataset import layout
    from rig.dataset.labels import read_rows

    found: dict[tuple[str, ...], Sample] = {}
    for number, row in enumerate(read_rows(root)):
        if number >= LOOKED:
            break
        place = layout.place_of(row.path)
        one = found.setdefault((row.split, *place.xray), Sample("/".join(place.xray)))
        one.sources[place.source] = row.path.partition("/")[2]
    most = max((len(one.sources) for one in found.values()), default=0)
    best = [one for one in found.values() if len(one.sources) == most]
    step = max(len(best) // count, 1)
    return best[::step][:count]


def picture(root: Path, path: str) -> Path:
    """The picture at *path* inside the dataset.

    Raises:
        Problem: 404, there is no picture at this path.
    """
    parts = path.split("/")
    file = root.joinpath(*parts)
    plain = 2 <= len(parts) <= 8 and all(_PART.fullmatch(one) for one in parts)
    if not plain or file.suffix not in {".jpg", ".jpeg", ".png"}:
        raise Problem(404, "There is no picture at this path of the dataset.")
    if not file.resolve().is_relative_to(root.resolve()) or not file.is_file():
        raise Problem(404, "There is no picture at this path of the dataset.")
    return file


def mark_of(file: Path) -> tuple[str, int, int]:
    """What changes when the file does."""
    found = file.stat()
    return str(file), found.st_size, found.st_mtime_ns


def exports(root: Path) -> list[dict[str, Any]]:
    """Each form: its words, and whether it is here."""
    found = []
    for form, (name, words) in FORMS.items():
        at = (
            root / "croissant.json"
            if form == "croissant"
            else root.with_name(f"{root.name}-{form}")
        )
        found.append({"form": form, "name": name, "words": words, "here": at.exists()})
    return found


def folder_of(root: Path, form: str | None) -> Path:
    """The folder that is downloaded: the dataset, or an export of it.

    Raises:
        Problem: 404, it was not exported so.
    """
    if form is None:
        return root
    known = form in FORMS and form != "croissant"
    found = root.with_name(f"{root.name}-{form}") if known else root
    if not known or found.is_symlink() or not found.is_dir():
        raise Problem(404, f"There is no export {form[:40]!r} of this dataset: make it first.")
    return found


def shares(counts: Iterable[int]) -> list[tuple[float, float]]:
    """Begin and width in percent of each part of a bar."""
    every = list(counts)
    total = max(sum(every), 1)
    found, at = [], 0.0
    for one in every:
        width = 100 * one / total
        found.append((round(at, 2), round(width, 2)))
        at += width
    return found
