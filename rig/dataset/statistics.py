"""What is in a dataset: CheXphoto's Table 1 and Table 3, environments, label balance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.catalog.model import OBSERVATIONS, SPLITS
from rig.dataset import layout
from rig.dataset.balance import NEEDED, USED, Rooms
from rig.dataset.captures import iter_captures
from rig.dataset.collection import Collection, People, ReaderFindings, collection, findings
from rig.dataset.facts import Amount, Amounts
from rig.dataset.labels import read_rows
from rig.dataset.partition import Partition

ALL = "all"
"""The pseudo-split that holds every image."""
_MEANING = frozenset({"1.0", "-1.0", "0.0", ""})


@dataclass(frozen=True, slots=True)
class Observation:
    """Counts of one observation over x-rays (each counted once, however many images show it)."""

    positive: int
    uncertain: int
    negative: int
    blank: int

    @property
    def total(self) -> int:
        """All x-rays."""
        return self.positive + self.uncertain + self.negative + self.blank

    def as_json(self, *, blanks: bool = False) -> dict[str, Any]:
        """Counts and percentages; a blank is a negative unless *blanks* lists them apart."""
        counts = {"positive": self.positive, "uncertain": self.uncertain}
        if blanks:
            counts |= {"negative": self.negative, "blank": self.blank}
        else:
            counts["negative"] = self.negative + self.blank
        percent = {name: round(100 * n / max(self.total, 1), 2) for name, n in counts.items()}
        return counts | {"percent": percent}


@dataclass(frozen=True, slots=True)
class Statistics:
    """The figures of a dataset.

    Attributes:
        name: of its folder.
        observations: split (and `all`) -> observation -> counts (Table 1).
        sets: split -> `natural/<device>`, `synthetic/<kind>`, `synthetic` (an x-ray with several
            twins counted once) -> amounts (Table 3).
        xrays: split (and `all`) -> source x-rays.
        overlap: patients in more than one split; none is right.
        environments: environment -> device -> photos.
        balance: observation -> Cramer's V between environment and label, 0 (independent) to 1;
            None where the label never changes. A label that goes with an environment is a
            shortcut a model will learn.
        gaps: rows of `captures.parquet` without a photo.
        collection: what there is of VinDr-CXR's Table 2.
        findings: of the readers' boxes; None without boxes.
    """

    name: str
    observations: dict[str, dict[str, Observation]]
    sets: dict[str, dict[str, Amount]]
    xrays: dict[str, int]
    overlap: tuple[str, ...]
    environments: dict[str, dict[str, int]]
    balance: dict[str, float | None]
    gaps: int
    collection: Collection
    findings: ReaderFindings | None

    def as_json(self, *, blanks: bool = False) -> dict[str, Any]:
        """One JSON object; *blanks* lists blank labels apart from negative ones."""
        return {
            "name": self.name,
            "xrays": self.xrays,
            "observations": {
                split: {o: c.as_json(blanks=blanks) for o, c in table.items()}
                for split, table in self.observations.items()
            },
            "sets": {
                split: {name: amount.as_json() for name, amount in table.items()}
                for split, table in self.sets.items()
            },
            "patient_overlap": len(self.overlap),
            "patients_in_two_splits": list(self.overlap),
            "environments": self.environments,
            "balance": self.balance,
            "gaps": self.gaps,
            "collection": self.collection.as_json(),
            "findings": None if self.findings is None else self.findings.as_json(),
        }


def statistics(root: Path, *, scratch: Path | None = None) -> Statistics:
    """Read the dataset at *root*, streamed, in memory that does not grow with it.

    Raises:
        DatasetError: it is not a readable dataset.
    """
    counts = _Counts()
    with Partition(scratch=scratch) as rows:
        for row in read_rows(root):
            place = layout.place_of(row.path)
            record = (row.split, place.source, place.patient, place.study, place.view, row.values)
            rows.add(place.patient, record)
        for group in rows.groups():
            counts.add(group)
    rooms = Rooms()
    for capture in iter_captures(root, NEEDED, also=USED):
        rooms.add(capture)
    return Statistics(
        name=root.resolve().name,
        observations=counts.tables(),
        sets=counts.sets(),
        xrays=counts.xrays(),
        overlap=tuple(sorted(counts.overlap)),
        environments=rooms.environments(),
        balance=rooms.balance(),
        gaps=rooms.gaps,
        collection=collection(root, counts.people, rooms, counts.total),
        findings=findings(root, scratch=scratch),
    )


class _Counts:
    """Tallies over groups of rows; all rows of a patient come in one group."""

    def __init__(self) -> None:
        self.overlap: list[str] = []
        self.people = People()
        self.total = 0
        self._labels: dict[str, list[Counter[str]]] = {}
        self._xrays = Counter[str]()
        self._amounts = Amounts()

    def add(self, group: Sequence[tuple[Any, ...]]) -> None:
        """Count a group of (split, set, patient, study, view, values)."""
        seen: set[tuple[str, ...]] = set()
        twins: set[tuple[str, ...]] = set()
        splits: dict[str, set[str]] = defaultdict(set)
        images: list[tuple[str, str, str, str]] = []
        for split, source, patient, study, view, values in group:
            images.append((split, source, patient, study))
            splits[patient].add(split)
            xray = (split, patient, study, view)
            if source.startswith("synthetic") and xray not in twins:
                twins.add(xray)
                images.append((split, "synthetic", patient, study))
            if xray not in seen:
                seen.add(xray)
                self._label(split, values)
        self.total += len(group)
        self._amounts.add(images)
        self.overlap += [who for who, found in splits.items() if len(found) > 1]

    def _label(self, split: str, values: Sequence[str]) -> None:
        self._xrays[split] += 1
        self.people.add(values[1], values[2])
        if split not in self._labels:
            self._labels[split] = [Counter() for _ in OBSERVATIONS]
        tables = self._labels[split]
        for counter, value in zip(tables, values[5:], strict=True):
            counter[value if value in _MEANING else ""] += 1

    def tables(self) -> dict[str, dict[str, Observation]]:
        """Split (and `all`) -> Table 1."""
        splits = {split: self._labels[split] for split in SPLITS if split in self._labels}
        every = [Counter[str]() for _ in OBSERVATIONS]
        for found in splits.values():
            for total, counter in zip(every, found, strict=True):
                total.update(counter)
        return {split: _table(found) for split, found in (splits | {ALL: every}).items()}

    def sets(self) -> dict[str, dict[str, Amount]]:
        """Split -> set -> amounts, in order."""
        found: dict[str, dict[str, Amount]] = {split: {} for split in self._ordered()}
        for split, name in sorted(self._amounts.found):
            found[split][name] = self._amounts.found[split, name]
        return found

    def xrays(self) -> dict[str, int]:
        """Split (and `all`) -> source x-rays."""
        return {split: self._xrays[split] for split in self._ordered()} | {ALL: self._xrays.total()}

    def _ordered(self) -> list[str]:
        return [split for split in SPLITS if split in self._xrays]


def _table(counters: Sequence[Counter[str]]) -> dict[str, Observation]:
    return {
        name: Observation(c["1.0"], c["-1.0"], c["0.0"], c[""])
        for name, c in zip(OBSERVATIONS, counters, strict=True)
    }
