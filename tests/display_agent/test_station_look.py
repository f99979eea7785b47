"""A station shows what the plan's environment asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from display_agent.images import LocalImages
from display_agent.look import look_of
from display_agent.screens.null import NullScreen
from display_agent.station import Station, StationConfig
from rig.errors import UserError
from rig.planning.model import Environment


def _plan(make_plan, make_item, **levels):
    return replace(make_plan(make_item(1), make_item(2)), environment=Environment("e01", levels))


@pytest.fixture
async def station_of(tmp_path):
    made = []

    async def make(plan, **more):
        config = StationConfig(tmp_path / "station", ("127.0.0.1", 0), **more)
        station = Station(config, NullScreen((640, 480)), LocalImages(plan))
        made.append(station)
        await station.open()
        return station

    yield make
    for station in made:
        await station.close()


async def test_levels_of_the_plan_become_the_look(station_of, make_plan, make_item, tmp_path):
    """Cursor seeded by the campaign, gains, and a marker only when it was asked for."""
    levels = {"cursor": "moved", "colour_temperature": "5000K"}
    plan = _plan(make_plan, make_item, **levels)
    station = await station_of(plan)
    await station.load(plan, tmp_path / "one", lambda event: None)
    assert station._prefetch.look == look_of(levels, seed=int(plan.campaign_id, 16))
    plain = replace(_plan(make_plan, make_item), session="s" + "f" * 16)
    await station.load(plain, tmp_path / "two", lambda event: None)
    assert station._prefetch.look == look_of({}, seed=0)


async def test_the_marker_is_in_every_frame_when_asked_for(
    station_of, make_plan, make_item, tmp_path
):
    """The station's word, not the environment's."""
    plan = _plan(make_plan, make_item)
    station = await station_of(plan, marker=True)
    await station.load(plan, tmp_path / "one", lambda event: None)
    assert station._prefetch.look.marker


async def test_a_level_that_means_nothing_leaves_the_session_before_alone(
    station_of, make_plan, make_item, tmp_path
):
    """Refused before anything is closed."""
    good = _plan(make_plan, make_item)
    station = await station_of(good)
    session = await station.load(good, tmp_path / "one", lambda event: None)
    with pytest.raises(UserError, match="cursor"):
        await station.load(
            _plan(make_plan, make_item, cursor="left"), tmp_path / "two", lambda event: None
        )
    assert station.session is session
