"""A plan of the test card: drawn here, shown alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from display_agent.images import LocalImages
from display_agent.look import PLAIN
from display_agent.screens.null import NullScreen
from display_agent.station import Station, StationConfig
from display_agent.testcard import alignment_card
from rig.errors import UserError
from rig.planning.card import card_item
from rig.planning.model import Environment

SCREEN = (640, 480)


@pytest.fixture
async def station_of(tmp_path):
    """Opens stations; *size* is their screen's."""
    made = []

    async def make(plan, size=SCREEN):
        config = StationConfig(tmp_path / "station", ("127.0.0.1", 0), marker=True)
        station = Station(config, NullScreen(size), LocalImages(plan))
        made.append(station)
        await station.open()
        return station

    yield make
    for station in made:
        await station.close()


def _plan(make_plan, *items):
    levels = {"cursor": "moved", "colour_temperature": "5000K"}
    return replace(make_plan(*items), environment=Environment("e01", levels))


async def test_the_card_is_drawn_for_the_screen_and_no_file_is_asked_for(
    station_of, make_plan, tmp_path
):
    """Plain, whatever cursor and colours the environment has; stocking it ahead fetches nothing."""
    plan = _plan(make_plan, card_item())
    station = await station_of(plan)
    await station.load(plan, tmp_path / "one", lambda event: None)
    await station.stock(plan)
    shown, _ = await station._prefetch.get(plan.items[0])
    assert station._prefetch.look == PLAIN
    assert shown.rect == (0, 0, *SCREEN)
    assert np.array_equal(np.asarray(shown.frame), np.asarray(alignment_card(SCREEN).frame))


async def test_a_card_among_xrays_is_refused(station_of, make_plan, make_item, tmp_path):
    """It would end up in a dataset; the session before stays."""
    good = _plan(make_plan, make_item(1))
    station = await station_of(good)
    session = await station.load(good, tmp_path / "one", lambda event: None)
    mixed = _plan(make_plan, card_item(), make_item(2))
    with pytest.raises(UserError, match="test card alone"):
        await station.load(mixed, tmp_path / "two", lambda event: None)
    assert station.session is session


async def test_a_screen_too_small_for_the_card_is_refused(station_of, make_plan, tmp_path):
    """In words, before anything is armed."""
    plan = _plan(make_plan, card_item())
    station = await station_of(plan, (90, 60))
    with pytest.raises(UserError, match="too small for the test card"):
        await station.load(plan, tmp_path / "one", lambda event: None)
