"""Orders are cheap, never below their bound, and the same every time."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.planning.factors import Factor, load_factors
from rig.planning.order import change_minutes, costs, order, path_bound

ROOM = Factor("room", ("office", "ward"), minutes=15)
LIGHT = Factor("light", ("bright", "dark"), minutes=0.5)
FACTORS = (ROOM, LIGHT)


def environments(*rows: tuple[str, str]) -> list[dict[str, str]]:
    return [{"room": room, "light": light} for room, light in rows]


def test_a_change_costs_the_minutes_of_what_changes() -> None:
    """One after the other, by one person."""
    here, there = environments(("office", "bright"), ("ward", "dark"))
    assert change_minutes(here, there, FACTORS) == 15.5
    assert costs([here, there], FACTORS).tolist() == [[0, 15.5], [15.5, 0]]


def test_the_dear_factor_changes_once() -> None:
    """Rooms are visited one after the other, whatever order they are given in."""
    given_ = environments(
        ("office", "bright"), ("ward", "bright"), ("office", "dark"), ("ward", "dark")
    )
    found = order(given_, FACTORS)
    rooms = [given_[at]["room"] for at in found.order]
    assert len(list(itertools.groupby(rooms))) == 2
    assert found.minutes == pytest.approx(16)
    assert found.as_given == pytest.approx(45.5)
    assert found.gap == pytest.approx(0, abs=1e-6)


def test_the_same_environment_is_not_shot_twice_in_a_row() -> None:
    """That would be one longer subset; what costs nothing may still follow each other."""
    given_ = environments(("office", "bright"), ("office", "bright"), ("ward", "dark"))
    found = order(given_, FACTORS)
    assert [given_[at]["room"] for at in found.order] == ["office", "ward", "office"]
    free = (Factor("cursor", ("hidden", "centre"), minutes=0),)
    assert order([{"cursor": "hidden"}, {"cursor": "centre"}] * 2, free).minutes == 0


def best(minutes: np.ndarray) -> float:
    count = len(minutes)
    return min(
        sum(minutes[a, b] for a, b in itertools.pairwise(path))
        for path in itertools.permutations(range(count))
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 7), st.integers(0, 10_000))
def test_small_orders_are_the_best_and_bounds_hold(count: int, seed: int) -> None:
    """Compared with every permutation."""
    chance = random.Random(seed)
    factors = [Factor(f"f{n}", ("a", "b", "c"), minutes=chance.randint(0, 20)) for n in range(4)]
    every = list(itertools.product("abc", repeat=4))
    rows = [dict(zip("0123", row, strict=True)) for row in chance.sample(every, count)]
    levels = [{f"f{name}": level for name, level in row.items()} for row in rows]
    least = best(costs(levels, factors))
    found = order(levels, factors)
    assert sorted(found.order) == list(range(count))
    assert found.minutes == pytest.approx(least)
    assert found.bound <= least + 1e-6


def test_a_campaign_of_the_papers_size_is_near_its_bound() -> None:
    """42 environments of the paper's factors: within a few per cent, the same every time."""
    factors = load_factors()
    chance = random.Random(1)
    levels = [{f.name: chance.choice(f.levels) for f in factors} for _ in range(42)]
    found = order(levels, factors)
    assert found == order(levels, factors)
    assert found.bound <= found.minutes <= 1.05 * found.bound
    assert found.minutes < found.as_given / 3


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_change_costs_nothing(count: int) -> None:
    """No environments, or one."""
    found = order(environments(("office", "bright"))[:count], FACTORS)
    assert (found.minutes, found.bound, found.gap) == (0, 0, 0)
    assert path_bound(np.zeros((count, count))) == 0
