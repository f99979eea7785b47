"""What VinDr-CXR's Table 2 and Figure 4 tell of a collection, as far as a dataset knows it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rig.catalog.model import SPLITS
from rig.dataset.balance import Rooms
from rig.dataset.box_table import iter_boxes
from rig.dataset.files import files_below
from rig.dataset.partition import Partition
from rig.dataset.vindr import NO_FINDING


@dataclass(slots=True)
class People:
    """Counts sex and age of the source x-rays; unknown ones apart."""

    xrays: int = 0
    sexes: Counter[str] = field(default_factory=Counter)
    ages: Counter[int] = field(default_factory=Counter)

    def add(self, sex: str, age: str) -> None:
        """Count one x-ray."""
        self.xrays += 1
        self.sexes[sex] += 1
        years = age.removesuffix(".0")
        if years.isdecimal():
            self.ages[int(years)] += 1


@dataclass(frozen=True, slots=True)
class Collection:
    """One column of Table 2.

    Attributes:
        years: first and last year of the photos; None when unknown.
        xrays: source x-rays.
        images: rows of the CSVs.
        size: median width and median height of the photos, pixels; None when unknown.
        age: median over the x-rays whose age is known; None when it is of none.
        ages_known: of how many it is.
        male, female: share in percent of the x-rays whose sex is known; None when it is of none.
        sexes_known: of how many it is.
        gigabytes: of all pictures, 10^9 bytes.
    """

    years: tuple[int, int] | None
    xrays: int
    images: int
    size: tuple[float, float] | None
    age: float | None
    ages_known: int
    male: float | None
    female: float | None
    sexes_known: int
    gigabytes: float

    def as_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class ReaderFindings:
    """What the readers drew in the x-rays.

    Attributes:
        readers: readers per x-ray: number -> x-rays.
        xrays: finding -> x-rays in which more than half of the x-ray's readers drew it.
        boxes: finding -> boxes in all pictures.
        dropped: boxes that fall out of their picture.
    """

    readers: dict[int, int]
    xrays: dict[str, int]
    boxes: dict[str, int]
    dropped: int

    def as_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {name: getattr(self, name) for name in self.__slots__}


def collection(root: Path, people: People, rooms: Rooms, images: int) -> Collection:
    """Put the figures together; every picture's size on disk is looked up."""
    known = people.sexes["Male"] + people.sexes["Female"]
    years = None
    if rooms.first_ns:
        years = (_year(rooms.first_ns), _year(rooms.last_ns))
    return Collection(
        years=years,
        xrays=people.xrays,
        images=images,
        size=(middle(rooms.widths), middle(rooms.heights)) if rooms.widths else None,
        age=middle(people.ages) if people.ages else None,
        ages_known=people.ages.total(),
        male=round(100 * people.sexes["Male"] / known, 2) if known else None,
        female=round(100 * people.sexes["Female"] / known, 2) if known else None,
        sexes_known=known,
        gigabytes=round(_bytes(root) / 1e9, 6),
    )


def _year(time_ns: int) -> int:
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).year


def _bytes(root: Path) -> int:
    return sum(file.stat().st_size for split in SPLITS for file in files_below(root / split))


def middle(counts: Counter[int]) -> float:
    """The median of numbers, each with how often it comes; there must be one."""
    half = (counts.total() - 1) / 2
    found: list[int] = []
    below = 0
    for value in sorted(counts):
        below += counts[value]
        while len(found) < 2 and below > (int(half) if not found else int(half + 0.5)):
            found.append(value)
    return sum(found) / 2


def findings(root: Path, *, scratch: Path | None = None) -> ReaderFindings | None:
    """The readers' findings, each x-ray counted once; None without boxes."""
    boxes, dropped = Counter[str](), 0
    readers, positive = Counter[int](), Counter[str]()
    some = False
    with Partition(scratch=scratch) as images:
        for row in iter_boxes(root):
            some = True
            dropped += row["dropped"] is not None
            if row["x_min"] is not None:
                boxes[row["class_name"]] += 1
            images.add(row["image_id"], (row["image_id"], row["rad_id"] or "", row["class_name"]))
        for group in images.groups():
            _vote(group, readers, positive)
    if not some:
        return None
    positive.pop(NO_FINDING, None)
    return ReaderFindings(dict(sorted(readers.items())), _ranked(positive), _ranked(boxes), dropped)


def _vote(group: list[tuple[Any, ...]], readers: Counter[int], positive: Counter[str]) -> None:
    """Count readers and majorities of the x-rays in *group*."""
    drew: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    who: dict[str, set[str]] = defaultdict(set)
    for image, reader, name in group:
        who[image].add(reader)
        drew[image][name].add(reader)
    for image, all_readers in who.items():
        readers[len(all_readers)] += 1
        for name, some in drew[image].items():
            positive[name] += 2 * len(some) > len(all_readers)


def _ranked(counts: Counter[str]) -> dict[str, int]:
    return dict(
        sorted(((n, c) for n, c in counts.items() if c), key=lambda pair: (-pair[1], pair[0]))
    )
