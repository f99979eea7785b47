"""What the levels of an environment ask of the display."""

from __future__ import annotations

import pytest

from display_agent.colour import gains_of
from display_agent.cursor import CursorSpec
from display_agent.look import PLAIN, Look, look_of
from rig.errors import UserError
from rig.planning.factors import load_factors


def test_no_levels_ask_for_nothing():
    """The plain frame."""
    assert look_of({}, seed=1) == PLAIN == Look()


def test_every_level_of_the_papers_factors_is_understood():
    """Of those that the display sets; the others are not its business."""
    for factor in load_factors():
        for level in factor.levels:
            look_of({factor.name: level}, seed=1)


def test_the_cursor_level_is_drawn():
    """Hidden is none; the seed is the campaign's."""
    assert look_of({"cursor": "hidden"}, seed=5).cursor is None
    assert look_of({"cursor": "centre"}, seed=5).cursor == CursorSpec("centre", 5)
    assert look_of({"cursor": "moved"}, seed=5).cursor == CursorSpec("moved", 5)


@pytest.mark.parametrize("level", ["5000K", "5000 K", " 5000k "])
def test_kelvin_becomes_gains(level):
    """However it is written."""
    assert look_of({"colour_temperature": level}, seed=0).gains == gains_of(5000)


@pytest.mark.parametrize("level", ["6500K", "warm", "native"])
def test_the_reference_and_words_change_no_pixel(level):
    """What has no number is set at the monitor by a person."""
    assert look_of({"colour_temperature": level}, seed=0) == PLAIN


def test_a_monitor_that_was_set_is_not_tinted_once_more():
    """Its own white is warm already."""
    assert look_of({"colour_temperature": "5000K"}, seed=0, monitor_set=True) == PLAIN


def test_the_marker_is_off_unless_asked_for():
    """A visible mark is a shortcut that a model would learn."""
    assert not look_of({"cursor": "centre"}, seed=0).marker
    assert look_of({}, seed=0, marker=True).marker


@pytest.mark.parametrize(
    ("levels", "word"),
    [
        ({"cursor": "left"}, "cursor"),
        ({"colour_temperature": "65OOK"}, "colour_temperature"),
        ({"colour_temperature": "900K"}, "900 K"),
    ],
)
def test_a_level_that_means_nothing_is_named(levels, word):
    """Better than photos in the wrong environment."""
    with pytest.raises(UserError, match=word):
        look_of(levels, seed=0)
