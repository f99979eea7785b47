"""Subsets cover every index once; environments are dealt fairly and never twice in a row."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.planning.factors import Factor, load_factors
from rig.planning.model import NAME_LENGTH, Environment, PlanningError
from rig.planning.subsets import environments, plan_subsets, subset_count


def rooms(count: int) -> list[Environment]:
    return [Environment(f"e{n:02d}", {"room": str(n)}) for n in range(1, count + 1)]


sizes = st.tuples(st.integers(1, 60), st.integers(0, 60)).map(lambda t: (t[0], t[0] + t[1]))


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 3000), st.integers(1, 12), sizes, st.integers())
def test_every_index_is_in_exactly_one_subset(
    n: int, count: int, size: tuple[int, int], seed: int
) -> None:
    """Consecutive from 1 to n without gap or overlap; ids count from 1."""
    subsets = plan_subsets(n, rooms(count), size_min=size[0], size_max=size[1], seed=seed)
    assert [i for s in subsets for i in range(s.first, s.last + 1)] == list(range(1, n + 1))
    assert [s.id for s in subsets] == list(range(1, len(subsets) + 1))


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 3000), st.integers(1, 12), sizes)
def test_sizes_are_in_range_whenever_any_cut_is(n: int, count: int, size: tuple[int, int]) -> None:
    """And differ by at most one; else only the minimum gives way, by as little as possible."""
    low, high = size
    got = [s.size for s in plan_subsets(n, rooms(count), size_min=low, size_max=high)]
    assert max(got) - min(got) <= 1
    assert max(got) <= high
    if any(k * low <= n <= k * high for k in range(1, n + 1)):
        assert min(got) >= low
    else:
        assert len(got) == math.ceil(n / high)


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 2000), st.integers(2, 9), sizes, st.integers())
def test_neighbours_never_share_an_environment(
    n: int, count: int, size: tuple[int, int], seed: int
) -> None:
    """And all are used equally often, give or take one."""
    subsets = plan_subsets(n, rooms(count), size_min=size[0], size_max=size[1], seed=seed)
    names = [s.environment.name for s in subsets]
    assert all(a != b for a, b in itertools.pairwise(names))
    uses = Counter({e.name: 0 for e in rooms(count)})
    uses.update(names)
    assert max(uses.values()) - min(uses.values()) <= 1


@pytest.mark.parametrize(
    ("n", "low", "high", "expected"),
    [
        (10_507, 250, 500, 22),
        (500, 250, 500, 1),
        (501, 250, 500, 2),
        (100, 250, 500, 1),  # fewer than the minimum: one subset
        (600, 400, 500, 2),  # one would be too large, two are too small: the maximum holds
        (48, 1, 1, 48),
    ],
)
def test_the_number_of_subsets(n: int, low: int, high: int, expected: int) -> None:
    """As few as the maximum allows."""
    assert subset_count(n, size_min=low, size_max=high) == expected
    assert len(plan_subsets(n, rooms(1), size_min=low, size_max=high)) == expected


def test_more_environments_make_more_subsets_while_sizes_allow() -> None:
    """1000 x-rays in 3 rooms: three subsets rather than two; in 9 rooms: four, not nine."""
    assert subset_count(1000, at_least=1) == 2
    assert subset_count(1000, at_least=3) == 3
    assert subset_count(1000, at_least=9) == 4
    assert [s.size for s in plan_subsets(1000, rooms(3))] == [334, 333, 333]


def test_a_small_catalog_is_one_subset() -> None:
    """Fewer x-rays than the minimum are not refused."""
    (only,) = plan_subsets(24, rooms(3))
    assert (only.id, only.first, only.last) == (1, 1, 24)


def test_plans_repeat_and_depend_on_the_seed() -> None:
    """Same seed, same plan."""
    plans = {
        tuple(s.environment.name for s in plan_subsets(3000, rooms(5), seed=seed))
        for seed in range(6)
    }
    assert len(plans) > 1
    assert plan_subsets(3000, rooms(5), seed=3) == plan_subsets(3000, rooms(5), seed=3)


def test_the_deal_is_frozen() -> None:
    """A change of method would change campaigns that are half shot."""
    names = [s.environment.name for s in plan_subsets(8, rooms(3), size_min=1, size_max=1, seed=1)]
    assert names == ["e02", "e03", "e01", "e03", "e01", "e02", "e01", "e02"]


@pytest.mark.parametrize(
    ("n", "count", "low", "high", "word"),
    [
        (0, 1, 1, 2, "0 x-rays"),
        (-1, 1, 1, 2, "-1 x-rays"),
        (5, 1, 0, 2, "from 0 to 2"),
        (5, 1, 3, 2, "from 3 to 2"),
        (5, 0, 1, 2, "no environment"),
    ],
)
def test_nonsense_is_refused(n: int, count: int, low: int, high: int, word: str) -> None:
    """In a sentence with the numbers."""
    with pytest.raises(PlanningError, match=word):
        plan_subsets(n, rooms(count), size_min=low, size_max=high)


def test_two_environments_of_one_name_are_refused() -> None:
    """Photos could not be told apart."""
    with pytest.raises(PlanningError, match="same name"):
        plan_subsets(5, [*rooms(2), *rooms(1)])


factors_ = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(
    lambda counts: [Factor(f"f{i}", tuple(f"l{j}" for j in range(n))) for i, n in enumerate(counts)]
)


@settings(deadline=None)  # a busy machine is no failure
@given(factors_, st.integers(), st.data())
def test_drawn_environments_are_distinct_and_complete(
    factors: list[Factor], seed: int, data: st.DataObject
) -> None:
    """Each sets every factor to one of its levels; no two are alike, up to the very last one."""
    count = data.draw(st.integers(1, math.prod(len(f.levels) for f in factors)))
    drawn = environments(factors, seed, count)
    assert len({tuple(e.levels.values()) for e in drawn}) == len(drawn) == count
    assert len({e.name for e in drawn}) == count
    for environment in drawn:
        assert list(environment.levels) == [f.name for f in factors]
        assert all(environment.levels[f.name] in f.levels for f in factors)
    assert environments(factors, seed, count) == drawn


@pytest.mark.parametrize("seed", range(5))
def test_levels_of_the_papers_factors_are_balanced(seed: int) -> None:
    """Over 12 environments each level of a factor comes up equally often, give or take one."""
    factors = load_factors()
    drawn = environments(factors, seed, 12)
    for factor in factors:
        uses = Counter(dict.fromkeys(factor.levels, 0))
        uses.update(e.levels[factor.name] for e in drawn)
        assert max(uses.values()) - min(uses.values()) <= 1


def test_names_tell_the_first_levels() -> None:
    """A number, then as many levels as fit into 33 characters."""
    drawn = environments(load_factors(), 0, 30)
    for number, environment in enumerate(drawn, 1):
        start = f"e{number:02d}-" + "-".join(list(environment.levels.values())[:3])
        assert environment.name.startswith(start)
        assert len(environment.name) <= NAME_LENGTH


def test_a_level_without_letters_is_left_out_of_the_name() -> None:
    """And a level that is too long ends it."""
    factors = [Factor("a", ("暗い",)), Factor("b", ("dark",)), Factor("c", ("x" * 40,))]
    assert environments(factors, 0, 1)[0].name == "e01-dark"


@pytest.mark.parametrize(
    ("factors", "count", "word"),
    [([Factor("a", ("x", "y"))], 3, "only 2"), ([], 1, "at least one"), (load_factors(), 0, "at")],
)
def test_too_many_environments_are_refused(factors: list[Factor], count: int, word: str) -> None:
    """The sentence says how many there can be."""
    with pytest.raises(PlanningError, match=word):
        environments(factors, 0, count)


def test_the_draw_is_frozen() -> None:
    """The same environments for the same seed, in every version."""
    drawn = environments([Factor("a", ("x", "y", "z")), Factor("b", ("p", "q"))], 1, 4)
    assert [e.name for e in drawn] == ["e01-x-q", "e02-z-p", "e03-y-p", "e04-y-q"]
