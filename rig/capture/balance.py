"""Is the plan balanced: x-rays per environment and level, and whether a label goes with one."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rig.catalog.model import OBSERVATIONS, Xray
from rig.planning.model import Subset


def balance(subsets: Sequence[Subset], xrays: Iterable[Xray]) -> dict[str, Any]:
    """Figures of a plan.

    Returns:
        `environments`: name -> x-rays; `levels`: factor -> level -> x-rays; `cramers_v`:
        observation -> 0 (label and environment are independent) to 1 (one tells the other; an
        environment that goes with a label is a shortcut that a model will learn).
    """
    environments: Counter[str] = Counter()
    levels: defaultdict[str, Counter[str]] = defaultdict(Counter)
    of_index: dict[int, str] = {}
    for subset in subsets:
        environments[subset.environment.name] += subset.size
        for factor, level in subset.environment.levels.items():
            levels[factor][level] += subset.size
        for index in range(subset.first, subset.last + 1):
            of_index[index] = subset.environment.name
    crossed: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for xray in xrays:
        for observation, label in xray.labels.items():
            crossed[observation][of_index[xray.index], label] += 1
    return {
        "environments": dict(environments),
        "levels": {factor: dict(counts) for factor, counts in levels.items()},
        "cramers_v": {name: round(cramers_v(crossed[name]), 4) for name in OBSERVATIONS},
    }


def cramers_v(table: Mapping[tuple[str, str], int]) -> float:
    """Cramér's V of a contingency table (row, column) -> count; 0 where it has one row or column.

    Source: Cramér 1946, *Mathematical Methods of Statistics*, section 21.9 (no bias correction).
    """
    rows: Counter[str] = Counter()
    columns: Counter[str] = Counter()
    for (row, column), count in table.items():
        rows[row] += count
        columns[column] += count
    total = rows.total()
    smaller = min(len(rows), len(columns)) - 1
    if smaller < 1:
        return 0.0
    chi2 = sum(
        (table.get((row, column), 0) - rows[row] * columns[column] / total) ** 2
        / (rows[row] * columns[column] / total)
        for row in rows
        for column in columns
    )
    return math.sqrt(chi2 / (total * smaller))
