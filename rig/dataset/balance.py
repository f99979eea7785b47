"""Environments by images, and how far a label goes with the environment."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from rig.catalog.model import OBSERVATIONS

NEEDED = ("gap", "environment", "device", "source_row")
"""Columns of `captures.parquet` without which nothing can be counted."""
USED = ("width", "height", "t_trigger_ns")
"""Columns that are counted where they are."""


class Rooms:
    """Counts rows of `captures.parquet` (`NEEDED` and `USED`).

    Attributes:
        gaps: x-rays without a photo.
        widths, heights: sizes of the photos -> how many.
        years: in which photos were taken -> how many.
        bytes: of all photos.
    """

    def __init__(self) -> None:
        self.gaps = 0
        self.bytes = 0
        self.widths, self.heights = Counter[int](), Counter[int]()
        self.first_ns = self.last_ns = 0
        self._devices: dict[str, Counter[str]] = defaultdict(Counter)
        self._positive: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one row."""
        if row["gap"] is not None:
            self.gaps += 1
            return
        if row.get("width"):
            self.widths[row["width"]] += 1
            self.heights[row["height"]] += 1
        if time := row.get("t_trigger_ns"):
            self.first_ns = min(self.first_ns or time, time)
            self.last_ns = max(self.last_ns, time)
        room = row["environment"]
        if room is None:
            return  # the photo of a film
        self._devices[room][row["device"]] += 1
        if row["source_row"] is None:
            return
        for name, value in zip(OBSERVATIONS, row["source_row"][5:], strict=True):
            self._positive[room][name] += value == "1.0"

    def environments(self) -> dict[str, dict[str, int]]:
        """Environment -> device -> photos."""
        return {name: dict(sorted(self._devices[name].items())) for name in sorted(self._devices)}

    def balance(self) -> dict[str, float | None]:
        """Observation -> Cramer's V; empty without photos."""
        rooms = sorted(self._devices)
        if not rooms:
            return {}
        result: dict[str, float | None] = {}
        for name in OBSERVATIONS:
            table = np.zeros((len(rooms), 2))
            for place, room in enumerate(rooms):
                table[place, 1] = self._positive[room][name]
                table[place, 0] = self._devices[room].total() - table[place, 1]
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
