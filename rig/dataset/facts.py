"""What a build counts for its card, in memory that does not grow with the dataset."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from rig.catalog.model import Xray
from rig.dataset.model import CapturedPhoto, Gap
from rig.dataset.partition import Partition

TOLD = 1000
"""Gaps and failures a report lists; the others are counted."""
_STEPS = 1000
"""Scores are kept to a thousandth."""


@dataclass(slots=True)
class Amount:
    """Patients, studies and images of one set."""

    patients: int = 0
    studies: int = 0
    images: int = 0

    def as_json(self) -> dict[str, int]:
        """The three counts."""
        return {"patients": self.patients, "studies": self.studies, "images": self.images}


@dataclass(slots=True)
class Amounts:
    """Adds up amounts by split and set; every patient's images have to come in one group."""

    found: dict[tuple[str, str], Amount] = field(default_factory=dict)

    def add(self, group: Iterable[tuple[str, str, str, str]]) -> None:
        """Count a group of (split, set, patient, study), one each image."""
        patients: dict[tuple[str, str], set[str]] = defaultdict(set)
        studies: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
        for split, name, patient, study in group:
            one = self.found.setdefault((split, name), Amount())
            one.images += 1
            patients[split, name].add(patient)
            studies[split, name].add((patient, study))
        for where, those in patients.items():
            self.found[where].patients += len(those)
            self.found[where].studies += len(studies[where])


class Facts:
    """Tallies of one build.

    Attributes:
        natural: photos stored.
        gaps: the first `TOLD` gaps.
        missing: all gaps, counted.
        first_ns, last_ns: Unix times of the first and the last photo; 0 when unknown.
    """

    def __init__(self, scratch: Path) -> None:
        self._sets = Partition(scratch=scratch)
        self._scores = Counter[int]()
        self.lowest, self.highest = 1.0, -1.0
        self.natural = self.missing = 0
        self.gaps: list[Gap] = []
        self.first_ns = self.last_ns = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sets.__exit__(None, None, None)

    def add(self, name: str, xray: Xray) -> None:
        """Count one image of the set *name*."""
        self._sets.add(xray.patient, (xray.split, name, xray.patient, xray.study))

    def add_photo(self, photo: CapturedPhoto) -> None:
        """Count one photo's score and time."""
        self.natural += 1
        self._scores[round(photo.score * _STEPS)] += 1
        self.lowest = min(self.lowest, photo.score)
        self.highest = max(self.highest, photo.score)
        if photo.t_trigger_ns:
            self.first_ns = min(self.first_ns or photo.t_trigger_ns, photo.t_trigger_ns)
            self.last_ns = max(self.last_ns, photo.t_trigger_ns)

    def add_gap(self, gap: Gap) -> None:
        """Count one gap."""
        self.missing += 1
        if len(self.gaps) < TOLD:
            self.gaps.append(gap)

    def amounts(self) -> dict[tuple[str, str], Amount]:
        """(split, set) -> amounts."""
        total = Amounts()
        for group in self._sets.groups():
            total.add(group)
        return total.found

    def score(self, share: float) -> float:
        """The score below which *share* of the photos are, to a thousandth; there must be one."""
        below, wanted = 0, share * (self.natural - 1)
        for step in sorted(self._scores):
            below += self._scores[step]
            if below > wanted:
                return step / _STEPS
        return self.highest
