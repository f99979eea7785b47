"""Environments have names that fit into file names, and travel between processes."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.errors import UserError
from rig.planning.model import Environment, PlanningError, Subset, slug


@pytest.mark.parametrize("name", ["e01-dark-landscape", "0", "a.b", "e" * 33])
def test_good_names(name: str) -> None:
    """Up to 33 characters of a-z, 0-9, dot and minus."""
    assert Environment(name, {}).name == name


@pytest.mark.parametrize("name", ["", "e" * 34, "Dark", "a b", "-a", ".", "..", "a/b", "a\n", "é"])
def test_bad_names_are_refused(name: str) -> None:
    """Anything else could not be part of a file name everywhere."""
    with pytest.raises(PlanningError, match="environment name"):
        Environment(name, {})
    assert issubclass(PlanningError, UserError)


def test_an_environment_keeps_its_own_levels() -> None:
    """Changing the dict it was made from changes nothing."""
    levels = {"light": "dark"}
    environment = Environment("e01", levels)
    levels["light"] = "bright"
    assert environment.levels == {"light": "dark"}


def test_environments_compare_hash_and_pickle() -> None:
    """They go through process pools and into sets."""
    one = Environment("e01", {"light": "dark", "blinds": "open"})
    same = Environment("e01", {"blinds": "open", "light": "dark"})
    assert pickle.loads(pickle.dumps(one)) == one == same
    assert len({one, same, Environment("e01", {"light": "dim", "blinds": "open"})}) == 2


def test_a_subset_counts_both_ends() -> None:
    """first..last inclusive."""
    assert Subset(1, 11, 14, Environment("e01", {})).size == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [("6500 K", "6500-k"), ("Décor", "decor"), ("--a__b--", "a-b"), ("暗い", ""), ("1.5m", "1.5m")],
)
def test_slugs(text: str, expected: str) -> None:
    """Accents go, everything strange becomes a single minus."""
    assert slug(text) == expected


@settings(deadline=None)  # a busy machine is no failure
@given(st.text())
def test_a_slug_is_always_fit_for_a_name(text: str) -> None:
    """Whatever comes in."""
    assert re.fullmatch(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?", slug(text))
