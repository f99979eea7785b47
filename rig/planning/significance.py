"""Whether a label goes with a factor by more than chance: p-values of contingency tables.

Pearson's chi-squared with its degrees of freedom; where a table is too thin for that (an expected
count below 5: Cochran 1954, *Some methods for strengthening the common chi-squared tests*), the
share of tables drawn with the same margins that are as far from independent. Over all tables of a
plan Holm 1979, *A simple sequentially rejective multiple test procedure*.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Key = TypeVar("Key", bound=Hashable)
DRAWS = 9_999
"""Tables that are drawn; the smallest p is one in `DRAWS` + 1, small enough for 100 tables."""
FIRST = 499
"""So many are drawn first; more only where p may still turn out to be small."""
_SMALL = 0.1
THIN = 5.0
"""Expected count below which chi-squared's distribution is not to be believed."""
_TINY = 1e-9
"""Drawn tables that are the observed one but for rounding count as reaching it."""


@dataclass(frozen=True, slots=True)
class Significance:
    """What is known of one table.

    Attributes:
        chi2: Pearson's statistic, 0 or more.
        df: degrees of freedom, (rows - 1) x (columns - 1) of those that hold anything.
        p: how often chance alone is as far from independent, 0 to 1.
        drawn: tables that were drawn for it; 0: p is chi-squared's.
    """

    chi2: float
    df: int
    p: float
    drawn: int


def significance(counts: Sequence[Sequence[int]], *, seed: int = 0) -> Significance:
    """The significance of a table of *counts*, rows of equal length; the same for one seed.

    Rows and columns that hold nothing are left out; with one row or column left p is 1.
    """
    table = np.array(counts, dtype=np.int64).reshape(len(counts), -1)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return Significance(0.0, 0, 1.0, 0)
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    expected = np.outer(rows, columns) / table.sum()
    found = float(((table - expected) ** 2 / expected).sum())
    df = (table.shape[0] - 1) * (table.shape[1] - 1)
    if expected.min() >= THIN:
        return Significance(found, df, chi2_tail(found, df), 0)
    for draws in (FIRST, DRAWS):
        reached = _drawn(rows, columns, expected, draws, seed) >= found * (1 - _TINY) - _TINY
        p = (int(reached.sum()) + 1) / (draws + 1)
        if p > _SMALL:
            break
    return Significance(found, df, p, draws)


def _drawn(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    expected: NDArray[np.float64],
    draws: int,
    seed: int,
) -> NDArray[np.float64]:
    """Statistics of *draws* tables with these margins, as a permutation of the labels has them.

    Drawn cell by cell (hypergeometric), so that the number of x-rays does not matter.
    """
    rng = np.random.default_rng(seed)
    left = np.tile(rows, (draws, 1))
    total = np.zeros(draws)
    for column in range(len(columns) - 1):
        wanted = np.full(draws, columns[column])
        rest = left.sum(axis=1)
        for row in range(len(rows)):
            here = left[:, row]
            rest = rest - here
            cell = wanted if row == len(rows) - 1 else rng.hypergeometric(here, rest, wanted)
            total += (cell - expected[row, column]) ** 2 / expected[row, column]
            left[:, row] -= cell
            wanted = wanted - cell
    last: NDArray[np.float64] = ((left - expected[:, -1]) ** 2 / expected[:, -1]).sum(axis=1)
    return total + last


def chi2_tail(value: float, df: int) -> float:
    """Probability that chi-squared with *df* degrees of freedom (1 or more) reaches *value*.

    The finite sums for whole degrees of freedom: Abramowitz and Stegun, *Handbook of Mathematical
    Functions*, 26.4.4 and 26.4.5. Terms are added as logarithms, so that none overflows.
    """
    if value <= 0:
        return 1.0
    half = value / 2
    odd = df % 2
    first = math.erfc(math.sqrt(half)) if odd else 0.0
    steps = [at + odd / 2 for at in range((df - odd) // 2)]
    terms = [power * math.log(half) - half - math.lgamma(power + 1) for power in steps]
    return min(1.0, first + math.fsum(map(math.exp, terms)))


def holm(ps: Mapping[Key, float]) -> dict[Key, float]:
    """*ps* so corrected that 0.05 holds for all together: the chance of one false alarm at all."""
    ranked = sorted(ps.items(), key=lambda item: item[1])
    corrected: dict[Key, float] = {}
    highest = 0.0
    for at, (key, p) in enumerate(ranked):
        highest = max(highest, min(1.0, (len(ranked) - at) * p))
        corrected[key] = highest
    return {key: corrected[key] for key in ps}
