"""Factors and environments come from TOML, and mistakes there are told by file and key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rig.planning.factors import Factor, load_environments, load_factors
from rig.planning.model import Environment, PlanningError, slug


@pytest.fixture
def toml(tmp_path: Path) -> Callable[[str], Path]:
    """Write the text to room.toml."""

    def write(text: str) -> Path:
        (tmp_path / "room.toml").write_text(text, encoding="utf-8")
        return tmp_path / "room.toml"

    return write


LIGHT = '[[factor]]\nname = "light"\nlevels = ["on", "off"]\n'


def test_the_default_factors_are_the_papers() -> None:
    """What CheXphoto varied, each with at least two levels that can stand in a name."""
    factors = load_factors()
    assert [f.name for f in factors] == [
        "room",
        "room_light",
        "blinds",
        "orientation",
        "tripod",
        "cursor",
        "colour_temperature",
        "finish",
    ]
    by_name = {f.name: f.levels for f in factors}
    assert by_name["orientation"] == ("portrait", "landscape")
    assert by_name["cursor"] == ("hidden", "centre", "moved")
    assert by_name["finish"] == ("matte", "glossy")
    assert all(len(f.levels) > 1 and all(map(slug, f.levels)) for f in factors)
    assert all(f.minutes > 0 for f in factors if f.set_by == "operator")


def test_a_file_of_factors(toml: Callable[[str], Path]) -> None:
    """Order is kept; set_by and minutes have defaults."""
    file = toml(
        LIGHT + '[[factor]]\nname = "blinds"\nlevels = ["up"]\nset_by = "relay"\nminutes = 2\n'
    )
    assert load_factors(file) == (
        Factor("light", ("on", "off"), "operator", 1.0),
        Factor("blinds", ("up",), "relay", 2.0),
    )
    assert load_environments(file) == ()


def test_a_file_of_environments(toml: Callable[[str], Path]) -> None:
    """Named environments are taken as they stand, and the factors are those that occur."""
    file = toml(
        '[[environment]]\nname = "day"\nlevels = {light = "on", blinds = "open"}\n'
        '[[environment]]\nname = "night"\nlevels = {blinds = "open", light = "off"}\n'
    )
    found = load_environments(file)
    assert found == (
        Environment("day", {"light": "on", "blinds": "open"}),
        Environment("night", {"light": "off", "blinds": "open"}),
    )
    assert [list(e.levels) for e in found] == [["light", "blinds"]] * 2
    assert load_factors(file) == (Factor("light", ("on", "off")), Factor("blinds", ("open",)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["[[factor]]"]),
        ("factor = [}", ["not valid TOML", "line 1"]),
        ('[[factor]]\nname = "x"\n', ["factor[1].levels", "missing"]),
        ('[[factor]]\nname = "x"\nlevels = []\n', ["factor[1].levels"]),
        (LIGHT + '[[factor]]\nname = "Big"\nlevels = ["a"]\n', ["factor[2].name"]),
        ('[[factor]]\nname = "x"\nlevels = ["a", 2]\n', ["factor[1].levels[2]"]),
        ('[[factor]]\nname = "x"\nlevels = ["a", "a"]\n', ["factor[1].levels", "twice"]),
        ('[[factor]]\nname = "x"\nlevels = [" a"]\n', ["factor[1].levels", "' a'"]),
        ('[[factor]]\nname = "x"\nlevels = ["a"]\nminute = 1\n', ["factor[1].minute", "no such"]),
        ('[[factor]]\nname = "x"\nlevels = ["a"]\nminutes = -1\n', ["factor[1].minutes"]),
        ('[[factor]]\nname = "x"\nlevels = ["a"]\nminutes = nan\n', ["factor[1].minutes"]),
        (LIGHT + LIGHT, ["factor[2].name", "two factors 'light'"]),
        ('[[environments]]\nname = "x"\n', ["environments", "no such"]),
        ('[[environment]]\nname = "x"\nlevels = {}\n', ["environment[1].levels"]),
        ('[[environment]]\nname = "X y"\nlevels = {a = "b"}\n', ["environment[1].name", "'X y'"]),
        ('[[environment]]\nname = "x"\nlevels = {a = true}\n', ["environment[1].levels.a"]),
        (
            (
                '[[environment]]\nname = "x"\nlevels = {a = "1"}\n'
                '[[environment]]\nname = "x"\nlevels = {a = "2"}\n'
            ),
            ["environment[2].name", "same"],
        ),
        (
            (
                '[[environment]]\nname = "x"\nlevels = {a = "1"}\n'
                '[[environment]]\nname = "y"\nlevels = {a = "1"}\n'
            ),
            ["environment[2].levels", "same as in 'x'"],
        ),
        (
            (
                '[[environment]]\nname = "x"\nlevels = {a = "1"}\n'
                '[[environment]]\nname = "y"\nlevels = {b = "1"}\n'
            ),
            ["environment[2].levels", "a, b"],
        ),
        (
            LIGHT + '[[environment]]\nname = "x"\nlevels = {light = "dim"}\n',
            ["environment[1].levels.light", "'dim'", "on, off"],
        ),
        (LIGHT + '[[environment]]\nname = "x"\nlevels = {b = "1"}\n', ["b, light"]),
    ],
)
def test_mistakes_are_told_with_file_and_key(
    toml: Callable[[str], Path], text: str, words: list[str]
) -> None:
    """A person can find the place."""
    with pytest.raises(PlanningError) as caught:
        load_environments(toml(text))
    for word in ["room.toml", *words]:
        assert word in str(caught.value)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    """Missing, or not text."""
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("nope.toml", "x.toml"):
        with pytest.raises(PlanningError, match=name):
            load_factors(tmp_path / name)
