"""Is the plan balanced: x-rays per environment and level, and whether a label goes with one."""

from __future__ import annotations

import math
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rig.catalog.model import OBSERVATIONS, Xray
from rig.planning.model import Environment, Subset
from rig.planning.significance import Significance, holm, significance

Table = Mapping[tuple[str, str], int]
"""(row, column) -> count."""
WARN_AT = 0.1
"""Cramér's V above which a label goes with a condition noticeably (Cohen's small effect)."""
SURE_AT = 0.05
"""And p, corrected for the number of tables, below which that is not taken for chance."""


def balance(subsets: Sequence[Subset], xrays: Iterable[Xray]) -> dict[str, Any]:
    """Figures of a plan, see `balance_of`."""
    return balance_of(subsets, ((one.index, tuple(one.labels.values())) for one in xrays))


def balance_of(
    subsets: Sequence[Subset], labels: Iterable[tuple[int, Sequence[str]]]
) -> dict[str, Any]:
    """Figures of a plan.

    Args:
        subsets: of the plan.
        labels: index and labels, as `OBSERVATIONS` are ordered, of every x-ray.

    Returns:
        `environments`: name -> x-rays; `levels`: factor -> level -> x-rays; `cramers_v`:
        observation -> 0 (label and environment are independent) to 1 (one tells the other; an
        environment that goes with a label is a shortcut that a model will learn);
        `cramers_v_factors`: observation -> factor -> the same for a single factor, corrected for
        the size of the sample; `significance`: observation -> factor -> `chi2`, `df`, `p`, `p_holm`
        (corrected for the number of tables) and `method` (chi-squared, or permutation where an
        expected count is below 5); `warnings`: sentences about what is not balanced: a V above
        `WARN_AT` that is not chance.
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
    crossed = _crossed(of_index, labels)
    folded = _by_factor(crossed, {one.environment.name: one.environment for one in subsets})
    by_factor = {
        name: {factor: round(corrected_v(table), 4) for factor, table in tables.items()}
        for name, tables in folded.items()
    }
    sure = _significance(folded)
    return {
        "environments": dict(environments),
        "levels": {factor: dict(counts) for factor, counts in levels.items()},
        "cramers_v": {name: round(cramers_v(crossed[name]), 4) for name in OBSERVATIONS},
        "cramers_v_factors": by_factor,
        "significance": sure,
        "warnings": _warnings(by_factor, sure),
    }


def _crossed(
    of_index: Mapping[int, str], labels: Iterable[tuple[int, Sequence[str]]]
) -> dict[str, Counter[tuple[str, str]]]:
    """Observation -> (environment, label) -> x-rays; counted by columns, which is what is fast."""
    rows: defaultdict[str, list[Sequence[str]]] = defaultdict(list)
    for index, labelled in labels:
        rows[of_index[index]].append(labelled)
    crossed: dict[str, Counter[tuple[str, str]]] = {name: Counter() for name in OBSERVATIONS}
    for environment, labelled_rows in rows.items():
        for name, column in zip(OBSERVATIONS, zip(*labelled_rows, strict=True), strict=True):
            for label, count in Counter(column).items():
                crossed[name][environment, label] += count
    return crossed


def _by_factor(
    crossed: Mapping[str, Table], environments: Mapping[str, Environment]
) -> dict[str, dict[str, Table]]:
    """Observation -> factor -> (level, label) -> x-rays."""
    factors = dict.fromkeys(
        factor for environment in environments.values() for factor in environment.levels
    )
    found: dict[str, dict[str, Table]] = {}
    for name in OBSERVATIONS:
        found[name] = {}
        for factor in factors:
            folded: Counter[tuple[str, str]] = Counter()
            for (environment, label), count in crossed.get(name, {}).items():
                folded[environments[environment].levels[factor], label] += count
            found[name][factor] = folded
    return found


def _significance(
    tables: Mapping[str, Mapping[str, Table]],
) -> dict[str, dict[str, dict[str, Any]]]:
    alone = {
        (name, factor): _alone(name, factor, table)
        for name, of in tables.items()
        for factor, table in of.items()
    }
    # A table with one row or column tells nothing: it is no test that could fail.
    tested = {key: one.p for key, one in alone.items() if one.df}
    corrected = holm(tested)
    return {
        name: {
            factor: {
                "chi2": round((one := alone[name, factor]).chi2, 4),
                "df": one.df,
                "p": one.p,
                "p_holm": corrected.get((name, factor), 1.0),
                "method": "permutation" if one.drawn else "chi-squared",
            }
            for factor in of
        }
        for name, of in tables.items()
    }


def _alone(name: str, factor: str, table: Table) -> Significance:
    levels = sorted({level for level, _ in table})
    labels = sorted({label for _, label in table})
    counts = [[table.get((level, label), 0) for label in labels] for level in levels]
    return significance(counts, seed=zlib.crc32(f"{name}/{factor}".encode()))


def _warnings(
    by_factor: Mapping[str, Mapping[str, float]],
    sure: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> list[str]:
    return [
        f"{name} goes with {factor} (Cramér's V {value:.2f}, p {p_text(p)} after correction for "
        "the number of tables): a model could learn the room instead of the finding. Import the "
        "catalog again with --order patient or --order shuffle and another --seed."
        for name, factors in by_factor.items()
        for factor, value in factors.items()
        if value > WARN_AT and (p := sure[name][factor]["p_holm"]) < SURE_AT
    ]


def p_text(p: float) -> str:
    """A p-value for people."""
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def corrected_v(table: Table) -> float:
    """Cramér's V without what chance alone makes of a small sample.

    Source: Bergsma 2013, *A bias-correction for Cramér's V and Tschuprow's T*.
    """
    rows = len({row for row, _ in table})
    columns = len({column for _, column in table})
    total = sum(table.values())
    if min(rows, columns) < 2 or total < 2:
        return 0.0
    phi2 = cramers_v(table) ** 2 * (min(rows, columns) - 1)
    excess = max(0.0, phi2 - (rows - 1) * (columns - 1) / (total - 1))
    fewer = min(rows - (rows - 1) ** 2 / (total - 1), columns - (columns - 1) ** 2 / (total - 1))
    return math.sqrt(excess / (fewer - 1)) if fewer > 1 else 0.0


def cramers_v(table: Table) -> float:
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
