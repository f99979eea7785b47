"""A design gives each subset its environment; names count in the order of shooting."""

from __future__ import annotations

import itertools

import pytest

from rig.planning.constraints import Constraint
from rig.planning.design import arrange, design
from rig.planning.factors import Factor, load_constraints, load_factors
from rig.planning.model import Environment, PlanningError

LIGHT = Factor("light", ("bright", "dark"), minutes=1)
BLINDS = Factor("blinds", ("open", "closed"), minutes=2)
DARK = Constraint({"light": ("dark",)}, {"blinds": ("closed",)}, (), "dark only with blinds closed")


def test_a_design_of_the_papers_factors_meets_every_pair_cheaply() -> None:
    """And says so in figures."""
    made = design(load_factors(), load_constraints(), 21, seed=4)
    assert len(made.environments) == 21
    assert made.missing == ()
    assert made.bound <= made.minutes < made.unordered
    assert made.gap < 0.1
    assert [one.name[:4] for one in made.environments] == [f"e{n:02d}-" for n in range(1, 22)]
    assert made == design(load_factors(), load_constraints(), 21, seed=4)
    assert made != design(load_factors(), load_constraints(), 21, seed=5)


def test_an_environment_that_comes_again_keeps_its_name() -> None:
    """Two combinations for five subsets, never one twice in a row."""
    made = design([LIGHT], (), 5, seed=0)
    names = [one.name for one in made.environments]
    assert len(set(names)) == 2
    assert all(a != b for a, b in itertools.pairwise(names))


def test_listed_environments_are_used_equally_often() -> None:
    """Give or take one, in a cheap order."""
    listed = [
        Environment("a", {"light": "bright", "blinds": "open"}),
        Environment("b", {"light": "bright", "blinds": "closed"}),
        Environment("c", {"light": "dark", "blinds": "closed"}),
    ]
    made = arrange(listed, [LIGHT, BLINDS], [DARK], 7)
    names = [one.name for one in made.environments]
    assert sorted(names.count(name) for name in "abc") == [2, 2, 3]
    assert all(a != b for a, b in itertools.pairwise(names))
    assert made.minutes <= made.unordered


def test_a_listed_environment_that_cannot_be_is_refused_with_the_reason() -> None:
    """The sentence is the constraint's own."""
    odd = Environment("odd", {"light": "dark", "blinds": "open"})
    with pytest.raises(PlanningError, match=r"odd cannot be: dark only with blinds closed"):
        arrange([odd], [LIGHT, BLINDS], [DARK], 2)


@pytest.mark.parametrize("listed", [[], [Environment("a", {"light": "dark"})] * 2])
def test_no_environment_or_two_of_a_name_are_refused(listed: list[Environment]) -> None:
    """Nothing can be arranged."""
    with pytest.raises(PlanningError):
        arrange(listed, [LIGHT], (), 2)
