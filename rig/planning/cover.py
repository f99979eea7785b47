"""Which environments to shoot in: every pair of levels is met, and every level equally often.

Pairwise cover by `allpairspy` (greedy, in the manner of PICT: Czerwonka 2006, *Pairwise Testing in
Real World*); what is left of the wanted number is filled with the rows that balance levels, then
pairs, best.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from allpairspy import AllPairs
from numpy.typing import NDArray

from rig.planning.constraints import Constraint, allowed, completion
from rig.planning.factors import Factor
from rig.planning.model import PlanningError

Row = tuple[str, ...]
"""One level for each factor, in the order of the factors."""
Pair = tuple[tuple[str, str], tuple[str, str]]
"""Two levels of two factors: ((factor, level), (factor, level))."""
_POOL = 4096
"""Combinations that are weighed against each other when rows are filled up."""


@dataclass(frozen=True, slots=True)
class Cover:
    """Rows, and which pairs of levels that could be met are not met by any row."""

    rows: tuple[Row, ...]
    possible: int
    missing: tuple[Pair, ...]

    @property
    def met(self) -> int:
        """How many pairs are met."""
        return self.possible - len(self.missing)


def cover(
    factors: Sequence[Factor], constraints: Sequence[Constraint], count: int, seed: int
) -> Cover:
    """*count* rows, all different as long as there are enough combinations; the same every time.

    With fewer rows than a cover needs, those that meet most pairs are taken and `missing` lists the
    rest.

    Raises:
        PlanningError: no factors, count < 1, or constraints that no combination keeps.
    """
    if not factors or count < 1:
        raise PlanningError("Give at least one factor and ask for at least one environment.")
    named = [(factor.name, factor.levels) for factor in factors]
    if completion(named, constraints, {}) is None:
        raise PlanningError("The constraints exclude each other: no combination of levels is left.")
    wanted = _possible_pairs(factors, constraints)
    rows = _most_pairs(pairwise_rows(factors, constraints, seed), count, wanted)
    if len(rows) < count:
        rows += _fill(factors, constraints, rows, count - len(rows), seed)
    names = [factor.name for factor in factors]
    met = {pair for row in rows for pair in _pairs(names, row)}
    return Cover(tuple(rows), len(wanted), tuple(pair for pair in wanted if pair not in met))


def _possible_pairs(factors: Sequence[Factor], constraints: Sequence[Constraint]) -> list[Pair]:
    """Every pair of levels that some allowed combination has."""
    named = [(factor.name, factor.levels) for factor in factors]
    return [
        ((one.name, this), (other.name, that))
        for one, other in itertools.combinations(factors, 2)
        for this, that in itertools.product(one.levels, other.levels)
        if completion(named, constraints, {one.name: this, other.name: that}) is not None
    ]


def _pairs(names: Sequence[str], row: Row) -> Iterator[Pair]:
    return itertools.combinations(zip(names, row, strict=True), 2)


def pairwise_rows(
    factors: Sequence[Factor], constraints: Sequence[Constraint], seed: int
) -> list[Row]:
    """A few rows that meet every pair of levels that can be met; the same for the same seed."""
    names = [factor.name for factor in factors]
    if len(factors) == 1:
        return [(level,) for level in _shuffled(factors[0].levels, seed)]
    columns = [_shuffled(factor.levels, seed, factor.name) for factor in factors]

    def keep(row: Sequence[str]) -> bool:
        return allowed(constraints, dict(zip(names, row, strict=False)))

    rows = [tuple(row) for row in AllPairs(columns, filter_func=keep, n=2)]
    # The library gives up a pair when its greedy choice runs into a constraint: we do not.
    met = {pair for row in rows for pair in _pairs(names, row)}
    named = list(zip(names, columns, strict=True))
    for pair in _possible_pairs(factors, constraints):
        if pair not in met:
            levels = completion(named, constraints, dict(pair))
            if levels is not None:
                rows.append(tuple(levels[name] for name in names))
                met.update(_pairs(names, rows[-1]))
    return list(dict.fromkeys(rows))


def _most_pairs(rows: list[Row], count: int, wanted: list[Pair]) -> list[Row]:
    """At most *count* of *rows*: each time the one that meets most pairs not met so far."""
    names = list(dict.fromkeys(name for pair in wanted for name, _ in pair))
    left, taken, rest = set(wanted), list[Row](), list(rows)
    while rest and len(taken) < count:
        gains = [len(left.intersection(_pairs(names, row))) if names else 0 for row in rest]
        row = rest.pop(gains.index(max(gains)))
        left.difference_update(_pairs(names, row) if names else ())
        taken.append(row)
    return taken


def _fill(
    factors: Sequence[Factor],
    constraints: Sequence[Constraint],
    rows: Sequence[Row],
    more: int,
    seed: int,
) -> list[Row]:
    """*more* rows beside *rows* that even out how often levels, then pairs of levels, occur."""
    pool = _pool(factors, constraints, len(rows) + more, seed)
    codes = {factor.name: {lv: n for n, lv in enumerate(factor.levels)} for factor in factors}
    sizes = [len(factor.levels) for factor in factors]
    table = np.array(
        [[codes[f.name][lv] for f, lv in zip(factors, row, strict=True)] for row in pool]
    )
    counts = [np.zeros(size) for size in sizes]
    pairs = {(i, j): np.zeros((sizes[i], sizes[j])) for i, j in _columns(len(sizes))}

    def add(row: Row) -> None:
        at = [codes[f.name][lv] for f, lv in zip(factors, row, strict=True)]
        for i, code in enumerate(at):
            counts[i][code] += 1
        for (i, j), seen in pairs.items():
            seen[at[i], at[j]] += 1

    used = dict.fromkeys(rows, 1)
    times = np.array([used.get(row, 0) for row in pool], dtype=float)
    for row in rows:
        add(row)
    filled: list[Row] = []
    for _ in range(more):
        best = int(np.argmin(_weights(table, sizes, counts, pairs) + times * 1e9))
        times[best] += 1
        filled.append(pool[best])
        add(pool[best])
    return filled


def _weights(
    table: NDArray[np.int64],
    sizes: Sequence[int],
    counts: Sequence[NDArray[np.float64]],
    pairs: dict[tuple[int, int], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """How often what each row holds has occurred; counts are comparable between factors."""
    weight = np.zeros(len(table))
    for i, size in enumerate(sizes):
        weight += counts[i][table[:, i]] * size * 1000
    for (i, j), seen in pairs.items():
        weight += seen[table[:, i], table[:, j]] * (sizes[i] * sizes[j])
    return weight


def _columns(count: int) -> Iterator[tuple[int, int]]:
    return itertools.combinations(range(count), 2)


def _pool(
    factors: Sequence[Factor], constraints: Sequence[Constraint], needed: int, seed: int
) -> list[Row]:
    """Allowed combinations in an order drawn from *seed*: all, or a sample when they are many."""
    names = [factor.name for factor in factors]
    size = max(_POOL, 4 * needed)
    if math.prod(len(factor.levels) for factor in factors) <= size:
        every = itertools.product(*(factor.levels for factor in factors))
        rows = [row for row in every if allowed(constraints, dict(zip(names, row, strict=True)))]
        return sorted(rows, key=lambda row: _draw(seed, "pool", *row))
    found: dict[Row, None] = {}
    for turn in range(8 * size):
        row = tuple(
            factor.levels[int.from_bytes(_draw(seed, turn, factor.name)) % len(factor.levels)]
            for factor in factors
        )
        if allowed(constraints, dict(zip(names, row, strict=True))):
            found[row] = None
        if len(found) == size:
            break
    if not found:
        levels = completion([(f.name, f.levels) for f in factors], constraints, {}) or {}
        found[tuple(levels[name] for name in names)] = None
    return list(found)


def _shuffled(levels: Sequence[str], seed: int, *what: object) -> list[str]:
    return sorted(levels, key=lambda level: _draw(seed, "levels", *what, level))


def _draw(seed: int, *what: object) -> bytes:
    """A random-looking value that is the same on every platform and Python version."""
    text = "/".join(map(str, (seed, *what)))
    return hashlib.blake2b(text.encode(), digest_size=16, person=b"cover").digest()
