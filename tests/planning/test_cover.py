"""Every pair of levels that can be met is met, levels are balanced, constraints are kept."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.planning.constraints import Constraint, allowed
from rig.planning.cover import Cover, cover
from rig.planning.factors import Factor, load_constraints, load_factors
from rig.planning.model import PlanningError

DARK = Constraint({"light": ("dark",)}, {"blinds": ("closed",)}, (), "dark only with blinds closed")


def factor(name: str, *levels: str) -> Factor:
    return Factor(name, levels)


LIGHT = factor("light", "bright", "dim", "dark")
BLINDS = factor("blinds", "open", "closed")
TURN = factor("turn", "portrait", "landscape")


def levels_of(found: Cover, factors: tuple[Factor, ...]) -> list[dict[str, str]]:
    return [dict(zip((f.name for f in factors), row, strict=True)) for row in found.rows]


def met(rows: list[dict[str, str]]) -> set[tuple[tuple[str, str], ...]]:
    return {pair for row in rows for pair in itertools.combinations(row.items(), 2)}


@pytest.mark.parametrize("count", [18, 21, 42])
def test_the_papers_factors_are_covered_pair_by_pair(count: int) -> None:
    """With a subset for every environment of a pairwise cover nothing is missing."""
    factors, constraints = load_factors(), load_constraints()
    found = cover(factors, constraints, count, seed=7)
    rows = levels_of(found, factors)
    assert len(set(found.rows)) == count
    assert found.missing == ()
    assert all(allowed(constraints, row) for row in rows)
    assert len(met(rows)) == found.possible == 191  # 192 pairs; dark with open blinds cannot be


@pytest.mark.parametrize("count", [42, 60])
def test_levels_are_balanced(count: int) -> None:
    """Without constraints every level occurs equally often, give or take one."""
    factors = load_factors()
    rows = levels_of(cover(factors, (), count, seed=3), factors)
    for one in factors:
        times = [sum(row[one.name] == level for row in rows) for level in one.levels]
        assert max(times) - min(times) <= 1, one.name


def test_too_few_rows_say_which_pairs_they_miss() -> None:
    """And those that are there meet as many pairs as they can."""
    found = cover([LIGHT, BLINDS, TURN], (), 2, seed=0)
    rows = levels_of(found, (LIGHT, BLINDS, TURN))
    assert len(rows) == 2
    assert len(found.missing) == found.possible - 6
    assert set(found.missing).isdisjoint(met(rows))
    assert found.met == 6


def test_a_pair_that_a_constraint_forbids_is_not_asked_for() -> None:
    """Dark with open blinds is neither possible nor missing."""
    found = cover([LIGHT, BLINDS], [DARK], 5, seed=1)
    assert found.possible == 5
    assert found.missing == ()
    assert ("dark", "open") not in found.rows


def test_more_rows_than_combinations_come_again() -> None:
    """There are no others; each comes equally often."""
    found = cover([BLINDS, TURN], (), 8, seed=2)
    assert sorted(found.rows) == sorted(itertools.product(BLINDS.levels, TURN.levels)) * 2 or all(
        found.rows.count(row) == 2 for row in set(found.rows)
    )


def test_a_lone_factor_takes_its_levels_in_turn() -> None:
    """It has no pairs."""
    found = cover([LIGHT], (), 3, seed=5)
    assert {row[0] for row in found.rows} == set(LIGHT.levels)
    assert found.possible == 0


def test_constraints_that_exclude_everything_are_named() -> None:
    """Nothing can be planned with them."""
    never = [
        Constraint({"light": LIGHT.levels}, {"blinds": ("open",)}, (), "a"),
        Constraint({"turn": TURN.levels}, {"blinds": ("closed",)}, (), "b"),
    ]
    with pytest.raises(PlanningError, match="exclude each other"):
        cover([LIGHT, BLINDS, TURN], never, 4, seed=0)


@pytest.mark.parametrize(("factors", "count"), [([], 3), ([LIGHT], 0)])
def test_nonsense_is_refused(factors: list[Factor], count: int) -> None:
    """No factors, or no environment."""
    with pytest.raises(PlanningError, match="at least one"):
        cover(factors, (), count, seed=0)


def test_many_factors_are_sampled_and_still_covered() -> None:
    """4**12 combinations are not listed."""
    factors = [factor(f"f{n}", "a", "b", "c", "d") for n in range(12)]
    found = cover(factors, (), 60, seed=1)
    assert found.missing == ()
    assert len(set(found.rows)) == 60


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    count=st.integers(1, 40),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
def test_whatever_the_factors(sizes: list[int], count: int, seed: int, data: st.DataObject) -> None:
    """As many rows as asked, all allowed; the same again; what is missing is truly not met."""
    factors = [factor(f"f{n}", *(f"l{k}" for k in range(size))) for n, size in enumerate(sizes)]
    constraints = []
    if len(factors) > 1:
        one, other = data.draw(st.permutations(factors))[:2]
        constraints.append(
            Constraint({one.name: (one.levels[0],)}, {other.name: (other.levels[-1],)}, (), "so")
        )
    found = cover(factors, constraints, count, seed)
    rows = levels_of(found, tuple(factors))
    assert len(rows) == count
    assert all(allowed(constraints, row) for row in rows)
    assert found == cover(factors, constraints, count, seed)
    assert set(found.missing).isdisjoint(met(rows))
    assert len(met(rows)) + len(found.missing) == found.possible
