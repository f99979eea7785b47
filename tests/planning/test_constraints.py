"""Constraints say what cannot go together, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.planning.constraints import Constraint, allowed, completion, stations_for
from rig.planning.factors import load_constraints
from rig.planning.model import PlanningError

DARK = Constraint({"light": ("dark",)}, {"blinds": ("closed",)}, (), "dark only with blinds closed")
MATTE = Constraint({"finish": ("matte",)}, {}, ("monitor-2",), "the matte screen is monitor-2")
FACTORS = [("light", ("bright", "dark")), ("blinds", ("open", "closed"))]


def test_only_a_sure_breach_counts() -> None:
    """Levels that are not chosen yet break nothing."""
    assert allowed([DARK], {"light": "dark"})
    assert allowed([DARK], {"light": "dark", "blinds": "closed"})
    assert not allowed([DARK], {"light": "dark", "blinds": "open"})
    assert allowed([DARK], {"light": "bright", "blinds": "open"})


def test_a_completion_keeps_what_is_fixed() -> None:
    """Or there is none."""
    assert completion(FACTORS, [DARK], {"light": "dark"}) == {"light": "dark", "blinds": "closed"}
    assert completion(FACTORS, [DARK], {"light": "dark", "blinds": "open"}) is None


def test_a_level_may_need_a_station() -> None:
    """Two needs that no station meets leave none."""
    assert stations_for([MATTE], {"finish": "glossy"}) is None
    assert stations_for([MATTE], {"finish": "matte"}) == {"monitor-2"}
    other = Constraint({"light": ("dark",)}, {}, ("monitor-1",), "only room 1 gets dark")
    assert stations_for([MATTE, other], {"finish": "matte", "light": "dark"}) == frozenset()


FILE = """
[[factor]]
name = "finish"
levels = ["matte", "glossy"]
[[factor]]
name = "blinds"
levels = ["open", "closed"]
"""


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "room.toml"
    file.write_text(FILE + text)
    return file


def test_constraints_are_read_beside_the_factors(tmp_path: Path) -> None:
    """One level needs no list."""
    file = write(
        tmp_path,
        '[[constraint]]\nwhen = {finish = "matte"}\nthen = {blinds = ["closed"]}\n'
        'stations = ["monitor-2"]\nwhy = "matte needs the other monitor"\n',
    )
    (found,) = load_constraints(file)
    assert found == Constraint(
        {"finish": ("matte",)}, {"blinds": ("closed",)}, ("monitor-2",),
        "matte needs the other monitor",
    )  # fmt: skip


def test_a_file_without_any_has_none(tmp_path: Path) -> None:
    """The paper's constraints belong to the paper's factors."""
    assert load_constraints(write(tmp_path, "")) == ()
    assert [one.why for one in load_constraints()] == ["a room is dark only with its blinds closed"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('when = {colour = "x"}\nthen = {blinds = "open"}\nwhy = "w"', r"when.colour.*no such"),
        ('when = {finish = "x"}\nthen = {blinds = "open"}\nwhy = "w"', r"'x' is not a level"),
        ('when = {finish = "matte"}\nwhy = "w"', "give `then` levels"),
        ('when = {finish = "matte"}\nthen = {blinds = "open"}', "why"),
        ('then = {blinds = "open"}\nwhy = "w"', "when"),
    ],
)
def test_a_bad_constraint_is_named_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    """File, table and key."""
    with pytest.raises(PlanningError, match=says):
        load_constraints(write(tmp_path, f"[[constraint]]\n{text}\n"))
