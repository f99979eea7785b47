"""A scheme becomes a plan: sizes first, then every pair of levels, cheaply ordered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rig.planning.constraints import allowed
from rig.planning.model import Environment, PlanningError
from rig.planning.scheme import Scheme, listed_scheme, load_scheme, make_plan, scheme_from_json

SIZES = {"size_min": 250, "size_max": 500}


def test_the_papers_set_is_planned_with_every_pair() -> None:
    """10,507 x-rays: all pairs of levels, constraints kept, close to the cheapest order."""
    scheme = load_scheme()
    plan = make_plan([(1, 10_507)], scheme, seed=1, **SIZES)
    figures = plan.figures()
    assert [i for s in plan.subsets for i in (s.first, s.last)][::43] == [1, 10_507]
    assert figures["pairs_missing"] == []
    assert figures["environments"] == len(plan.subsets) == 22
    assert figures["change_minutes_gap"] < 0.1
    assert figures["change_minutes"] < figures["change_minutes_unordered"]
    assert all(allowed(scheme.constraints, s.environment.levels) for s in plan.subsets)
    assert plan == make_plan([(1, 10_507)], scheme, seed=1, **SIZES)


def test_more_environments_on_request() -> None:
    """As sizes allow."""
    plan = make_plan([(1, 10_507)], load_scheme(), seed=1, at_least=35, **SIZES)
    assert plan.figures()["environments"] == len(plan.subsets) == 35


def test_a_scheme_survives_being_kept(tmp_path: Path) -> None:
    """As JSON, whole."""
    file = tmp_path / "rooms.toml"
    file.write_text(
        '[[factor]]\nname = "light"\nlevels = ["on", "off"]\nset_by = "lamp"\nminutes = 0.5\n'
        '[[constraint]]\nwhen = {light = "off"}\nstations = ["room-2"]\nwhy = "only there"\n'
        '[[environment]]\nname = "a"\nlevels = {light = "on"}\n'
    )
    for scheme in (load_scheme(), load_scheme(file)):
        assert scheme_from_json(json.loads(json.dumps(scheme.to_json()))) == scheme


def test_listed_environments_are_the_only_ones() -> None:
    """As many subsets as there are environments, if sizes allow."""
    listed = [Environment(name, {"light": name}) for name in ("on", "off", "dim")]
    plan = make_plan([(1, 900)], listed_scheme(listed), seed=0, **SIZES)
    assert sorted(s.environment.name for s in plan.subsets) == ["dim", "off", "on"]


def test_a_small_catalog_is_one_subset_and_says_what_it_misses() -> None:
    """Fewer x-rays than the minimum are not refused."""
    plan = make_plan([(1, 24)], load_scheme(), seed=0, **SIZES)
    (only,) = plan.subsets
    assert (only.id, only.first, only.last) == (1, 1, 24)
    assert len(plan.figures()["pairs_missing"]) > 100


def test_nothing_to_choose_from_is_refused() -> None:
    """In a sentence."""
    with pytest.raises(PlanningError, match="factor"):
        make_plan([(1, 24)], Scheme(()), seed=0, at_least=1, **SIZES)
