"""Simulated devices speak to the real drivers, misbehave as told, and are mended by a person."""

from __future__ import annotations

import random

import pytest

from rig.environment.model import ActuatorError
from rig.planning.factors import load_factors
from rig.simulation.campaign_room import FACTORS, OUTSIDE, StationRoom, environments_file


@pytest.fixture
def room() -> StationRoom:
    return StationRoom(lambda: 7)


def test_every_level_of_the_plan_is_set_and_read_back(room: StationRoom, tmp_path) -> None:
    """By relays that a light meter verifies, and by a stage that tells its position."""
    factors = {one.name: one for one in load_factors(environments_file(tmp_path))}
    for factor, device in FACTORS.items():
        assert factors[factor].set_by == device
        for level in factors[factor].levels:
            done = room.set(device, level)
            assert done.applied.confirmed is True
            assert done.why is None
    assert room.set("lamp", "bright").applied.readback == "1:on, 2:on, 304 lux"
    assert room.set("stage", "left").applied.readback == "X-120 Y0 Z0"


@pytest.mark.parametrize("trouble", ["silent", "garbled"])
def test_a_relay_that_says_nothing_sensible_fails_until_it_is_mended(
    room: StationRoom, trouble: str
) -> None:
    room._devices["lamp"].spoil(trouble, 1000)
    with pytest.raises(ActuatorError, match="lamp at sim://lamp"):
        room.set("lamp", "dim")
    room.mend()
    assert room.set("lamp", "dim").applied.confirmed is True


def test_a_late_answer_is_waited_for(room: StationRoom) -> None:
    """The driver asks again; nobody has to come."""
    room._devices["lamp"].spoil("late", 1000)
    assert room.set("lamp", "bright").applied.confirmed is True


def test_one_spoilt_answer_is_asked_for_again(room: StationRoom) -> None:
    room._devices["lamp"].spoil("garbled", 1)
    assert room.set("lamp", "bright").applied.confirmed is True


def test_an_alarm_stops_the_stage_until_somebody_homes_it(room: StationRoom) -> None:
    room.set("stage", "left")
    room._devices["stage"].spoil("alarm", 1)
    with pytest.raises(ActuatorError, match="ALARM:1"):
        room.set("stage", "right")
    with pytest.raises(ActuatorError, match=r"alarm|error:9|did not answer"):
        room.set("stage", "right")
    room.mend()
    assert room.set("stage", "right").applied.readback == "X120 Y0 Z0"


def test_a_meter_that_is_silent_leaves_it_to_the_relays(room: StationRoom) -> None:
    room._devices["meter"].spoil("silent", 1000)
    done = room.set("lamp", "bright")
    assert done.applied.confirmed is True
    assert done.why is not None
    assert "the light could not be checked" in done.why


def test_light_out_of_its_band_pauses_after_a_second_look(room: StationRoom) -> None:
    """A shadow is no lamp; what is known is not said again."""
    room.set("lamp", "dark")
    assert room.watch("dark") == ("in", None)
    room.shade()
    words = [room.watch("dark")[0] for _ in range(OUTSIDE + 2)]
    assert words == ["out", "pause", "still", "still"]
    room.mend()
    assert room.watch("dark")[0] == "in"
    room._devices["meter"].spoil("silent", 1000)
    assert [room.watch("dark")[0] for _ in range(2)] == ["silent", "still"]


def test_mischief_is_drawn_by_the_seed(room: StationRoom) -> None:
    """The same dice spoil the same device in the same way."""
    other = StationRoom(lambda: 7)
    room.spoil(random.Random(3))
    other.spoil(random.Random(3))
    seen = [{n: (d.trouble, d.answers) for n, d in one._devices.items()} for one in (room, other)]
    assert seen[0] == seen[1]
    assert sum(trouble is not None for trouble, _ in seen[0].values()) == 1
