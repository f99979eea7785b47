"""What is in a dataset: CheXphoto's Table 1 and Table 3, environments, label balance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rig.catalog.model import OBSERVATIONS
from rig.dataset import layout
from rig.dataset.captures import read_captures
from rig.dataset.labels import read_rows

ALL = "all"
"""The pseudo-split that holds every image."""
_MEANING = {"1.0": "positive", "-1.0": "uncertain", "0.0": "negative", "": "blank"}


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


@dataclass(slots=True)
class Amount:
    """Patients, studies and images of one set."""

    patients: set[str] = field(default_factory=set)
    studies: set[tuple[str, str]] = field(default_factory=set)
    images: int = 0

    def add(self, place: layout.Place) -> None:
        """Count one image."""
        self.patients.add(place.patient)
        self.studies.add((place.patient, place.study))
        self.images += 1

    def as_json(self) -> dict[str, int]:
        """The three counts."""
        return {
            "patients": len(self.patients),
            "studies": len(self.studies),
            "images": self.images,
        }


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
    """

    name: str
    observations: dict[str, dict[str, Observation]]
    sets: dict[str, dict[str, Amount]]
    xrays: dict[str, int]
    overlap: tuple[str, ...]
    environments: dict[str, dict[str, int]]
    balance: dict[str, float | None]
    gaps: int

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
        }


def statistics(root: Path) -> Statistics:
    """Read the dataset at *root*; rows are streamed, only its x-rays are held.

    Raises:
        DatasetError: it is not a readable dataset.
    """
    labels: dict[str, dict[tuple[str, str, str], tuple[str, ...]]] = defaultdict(dict)
    sets: dict[str, dict[str, Amount]] = defaultdict(lambda: defaultdict(Amount))
    twins: set[tuple[str, tuple[str, str, str]]] = set()
    splits: dict[str, set[str]] = defaultdict(set)
    for row in read_rows(root):
        place = layout.place_of(row.path)
        labels[row.split].setdefault(place.xray, row.labels)
        splits[place.patient].add(row.split)
        sets[row.split][place.source].add(place)
        if place.origin == "synthetic" and (row.split, place.xray) not in twins:
            twins.add((row.split, place.xray))
            sets[row.split]["synthetic"].add(place)
    captures = read_captures(root)
    return Statistics(
        name=root.resolve().name,
        observations=_observations(labels),
        sets={split: dict(sorted(table.items())) for split, table in sets.items()},
        xrays=_counted(labels),
        overlap=tuple(sorted(who for who, found in splits.items() if len(found) > 1)),
        environments=_environments(captures),
        balance=_balance(captures),
        gaps=sum(row["gap"] is not None for row in captures),
    )


_Labels = Mapping[str, Mapping[tuple[str, str, str], tuple[str, ...]]]


def _observations(labels: _Labels) -> dict[str, dict[str, Observation]]:
    tables = {split: _table(found.values()) for split, found in labels.items()}
    return tables | {ALL: _table(row for found in labels.values() for row in found.values())}


def _table(rows: Iterable[Sequence[str]]) -> dict[str, Observation]:
    counts = [Counter[str]() for _ in OBSERVATIONS]
    for row in rows:
        for counter, value in zip(counts, row, strict=True):
            counter[_MEANING.get(value, "blank")] += 1
    return {
        name: Observation(c["positive"], c["uncertain"], c["negative"], c["blank"])
        for name, c in zip(OBSERVATIONS, counts, strict=True)
    }


def _counted(labels: _Labels) -> dict[str, int]:
    found = {split: len(table) for split, table in labels.items()}
    return found | {ALL: sum(found.values())}


def _environments(captures: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in captures:
        if row["gap"] is None:
            found[row["environment"]][row["device"]] += 1
    return {name: dict(sorted(found[name].items())) for name in sorted(found)}


def _balance(captures: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    photos = [row for row in captures if row["gap"] is None]
    if not photos:
        return {}
    environments = sorted({row["environment"] for row in photos})
    result: dict[str, float | None] = {}
    for column, name in enumerate(OBSERVATIONS, start=5):
        table = np.zeros((len(environments), 2))
        for row in photos:
            positive = row["source_row"][column] == "1.0"
            table[environments.index(row["environment"]), int(positive)] += 1
        result[name] = cramers_v(table)
    return result


def cramers_v(table: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    """Cramer's V of a contingency *table* (rows x columns of counts), None when undefined.

    With few images per cell it is above 0 by chance alone: compare campaigns of one size.
    """
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    smaller = min(table.shape) - 1
    if smaller < 1:
        return None
    total = table.sum()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / total
    chi_square = float(((table - expected) ** 2 / expected).sum())
    return round(float(np.sqrt(chi_square / (total * smaller))), 4)
