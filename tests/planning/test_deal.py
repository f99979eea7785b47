"""Dealt lists hold everything once, are even and cheap, and never below their bound."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.planning.constraints import Constraint
from rig.planning.deal import Dealing, deal
from rig.planning.factors import Factor
from rig.planning.model import Environment, PlanningError
from rig.planning.order import costs, path_bound, path_minutes
from rig.planning.scheme import load_scheme, make_plan, scheme_from_json

ROOM = Factor("room", ("office", "ward"), minutes=15)
LIGHT = Factor("light", ("bright", "dim", "dark"), minutes=1)
FACTORS = (ROOM, LIGHT)
ROWS = [(room, light) for light in LIGHT.levels for room in ROOM.levels]


def environments(rows: list[tuple[str, str]]) -> list[Environment]:
    return [
        Environment(f"e{n}", {"room": room, "light": light}) for n, (room, light) in enumerate(rows)
    ]


def check(dealing: Dealing, count: int) -> None:
    """Everything once, no list above its share, and no less than the bound."""
    assert sorted(itertools.chain(*dealing.lists.values())) == list(range(count))
    share = -(-count // len(dealing.lists))
    assert max(map(len, dealing.lists.values())) <= share
    assert dealing.total >= dealing.bound - 1e-6


def test_each_of_two_stations_has_a_room_of_its_own() -> None:
    """Six environments in two rooms, given so that each change is a change of room."""
    dealing = deal(environments(ROWS), FACTORS, (), ("a", "b"))
    check(dealing, 6)
    for positions in dealing.lists.values():
        assert len({ROWS[at][0] for at in positions}) == 1
    assert dict(dealing.minutes) == {"a": 2, "b": 2}
    # Taking the next one in turn happens to be the same here: each gets every other one.
    assert (dealing.total, dealing.in_turn) == (4, 4)


def test_the_next_one_in_turn_is_dear_where_the_list_is_cheap() -> None:
    """One list changes the room once; two stations that take turns both change it."""
    dealing = deal(environments(sorted(ROWS)), FACTORS, (), ("a", "b"))
    assert dealing.total == 4
    assert dealing.in_turn == 34


def test_an_environment_goes_only_to_a_station_that_can_set_it() -> None:
    """Even when that makes the lists uneven."""
    only = Constraint({"light": ("dark", "dim")}, {}, ("b",), "only b has shutters")
    dealing = deal(environments(ROWS), FACTORS, (only,), ("a", "b"))
    assert all(ROWS[at][1] == "bright" for at in dealing.lists["a"])
    assert len(dealing.lists["a"]) == 2
    assert sorted(itertools.chain(*dealing.lists.values())) == list(range(6))


def test_what_no_station_can_set_is_refused_with_the_reason() -> None:
    only = Constraint({"light": ("dark",)}, {}, ("c",), "only c has shutters")
    with pytest.raises(PlanningError, match=r"None of the stations a, b can set e4: only c has"):
        deal(environments(ROWS), FACTORS, (only,), ("a", "b"))


@pytest.mark.parametrize("stations", [(), ("a", "a")])
def test_stations_are_named_once(stations: tuple[str, ...]) -> None:
    with pytest.raises(PlanningError, match="Name each station once"):
        deal(environments(ROWS), FACTORS, (), stations)


def test_more_stations_than_environments_leave_some_without() -> None:
    dealing = deal(environments(ROWS[:2]), FACTORS, (), ("a", "b", "c"))
    assert [len(one) for one in dealing.lists.values()] == [1, 1, 0]
    assert (dealing.total, dealing.bound) == (0, 0)


def test_the_same_environment_is_not_shot_twice_in_a_row() -> None:
    """That would be one longer subset."""
    rows = [("office", "bright")] * 2 + [("office", "dim")] * 2 + [("ward", "bright")] * 4
    dealing = deal(environments(rows), FACTORS, (), ("a", "b"))
    check(dealing, 8)
    for positions in dealing.lists.values():
        assert all(rows[a] != rows[b] for a, b in itertools.pairwise(positions))


def best(minutes: np.ndarray, paths: int) -> float:
    """The cheapest cover by *paths* paths of any length, all tried."""
    count = len(minutes)
    found = np.inf
    for path in itertools.permutations(range(count)):
        for cuts in itertools.combinations(range(1, count), paths - 1):
            ends = [0, *cuts, count]
            parts = [path[a:b] for a, b in itertools.pairwise(ends)]
            found = min(found, sum(path_minutes(minutes, part) for part in parts))
    return found


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 6), st.integers(1, 3), st.integers(0, 10_000))
def test_no_dealing_is_below_the_bound(count: int, paths: int, seed: int) -> None:
    """Compared with every way of cutting every order."""
    chance = random.Random(seed)
    factors = [Factor(f"f{n}", ("a", "b", "c"), minutes=chance.randint(0, 20)) for n in range(4)]
    every = list(itertools.product("abc", repeat=4))
    rows = [dict(zip("0123", row, strict=True)) for row in chance.sample(every, count)]
    minutes = costs([{f"f{name}": level for name, level in row.items()} for row in rows], factors)
    assert path_bound(minutes, paths) <= best(minutes, paths) + 1e-6


@pytest.mark.parametrize("stations", [2, 3])
def test_a_campaign_of_the_papers_size_is_dealt_cheaply(stations: int) -> None:
    """36 environments: far below taking turns, not above one list, the same every time."""
    scheme = load_scheme().on([f"room-{n}" for n in range(stations)])
    plans = [
        make_plan([(1, 10_507)], scheme, size_min=250, size_max=500, seed=1, at_least=36)
        for _ in range(2)
    ]
    assert plans[0] == plans[1]
    plan = plans[0]
    assert plan.dealing is not None
    check(plan.dealing, 36)
    assert plan.dealing.total <= plan.design.minutes
    assert plan.dealing.total < 0.6 * plan.dealing.in_turn


def test_each_station_has_a_run_of_subsets_and_figures_of_its_own() -> None:
    """Subsets are numbered station by station; the index is covered once, in order."""
    scheme = load_scheme().on(["a", "b"])
    plan = make_plan([(1, 3000)], scheme, size_min=250, size_max=300, seed=2, first_id=5)
    figures = plan.figures()
    ids = [one["subsets"] for one in figures["stations"]]
    assert list(itertools.chain(*ids)) == [one.id for one in plan.subsets]
    assert ids[0][0] == 5
    assert sum(one["xrays"] for one in figures["stations"]) == 3000
    assert [one.first for one in plan.subsets[1:]] == [one.last + 1 for one in plan.subsets[:-1]]
    of = {one.id: one.environment.levels for one in plan.subsets}
    for one in figures["stations"]:
        minutes = costs([of[id_] for id_ in one["subsets"]], scheme.factors)
        assert path_minutes(minutes, range(len(minutes))) == pytest.approx(one["change_minutes"])
    assert figures["dealt_minutes"] == sum(one["change_minutes"] for one in figures["stations"])
    names = [one.environment.name for one in plan.subsets]
    assert names == sorted(names)
    assert scheme_from_json(scheme.to_json()) == scheme


def test_dealing_leaves_the_environments_as_they_were_drawn() -> None:
    """Only who shoots them and when changes: cover and balance stay."""
    alone = make_plan([(1, 3000)], load_scheme(), size_min=250, size_max=300, seed=2)
    both = make_plan([(1, 3000)], load_scheme().on(["a", "b"]), size_min=250, size_max=300, seed=2)

    def drawn(plan: object) -> list[tuple[str, ...]]:
        return sorted(tuple(one.environment.levels.values()) for one in plan.subsets)  # type: ignore[attr-defined]

    assert drawn(alone) == drawn(both)
    assert alone.figures()["change_minutes"] == both.figures()["change_minutes"]
    assert "stations" not in alone.figures()
