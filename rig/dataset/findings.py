"""What a check has to say: sentences with a kind and a place, the first thousand kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KEPT = 1000
"""Findings a report lists; a broken dataset of millions must not fill the memory."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        file: the file of the dataset that says or is it, relative to the dataset.
        line: its line or row, from 1; 0 where it has none.
        kind: one word for programs: `csv`, `missing`, `stray`, `doubled`, `label`, `split`,
            `digest`, `captures`, `manifest`, `box`, `croissant`, `swapped` or `optical`.
        text: the sentence, without the place.
    """

    file: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        where = f"{self.file}, line {self.line}" if self.line else self.file
        return f"{where}: {self.text}"

    def as_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {"kind": self.kind, "file": self.file, "line": self.line or None, "text": self.text}


@dataclass(slots=True)
class Findings:
    """Collects findings; `count` is that of all, `kept` the first of them."""

    kept: list[Finding] = field(default_factory=list)
    count: int = 0

    def add(self, kind: str, file: str, line: int, text: str) -> None:
        """Note one."""
        self.count += 1
        if len(self.kept) < KEPT:
            self.kept.append(Finding(file, line, kind, text))


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found.

    Attributes:
        path: the dataset.
        images: rows of its CSVs.
        gaps: x-rays listed as without a photo; no fault.
        findings: the first thousand, by file and line.
        count: all of them.
        looked: photos that were compared with their x-rays.
        unlooked: photos that could not be: no x-ray was at hand.
    """

    path: Path
    images: int
    gaps: int
    findings: tuple[Finding, ...]
    count: int
    looked: int = 0
    unlooked: int = 0

    @property
    def problems(self) -> tuple[str, ...]:
        """The findings as sentences."""
        return tuple(map(str, self.findings))

    @property
    def well(self) -> bool:
        """Nothing was found. A listed gap is no fault."""
        return not self.count
