"""The light is watched while a session runs; devices on ptys."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rig.capture import conditions
from rig.web import light
from rig.web.light import LightWatch


@pytest.fixture
def suspended(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """What was suspended: session, code, sentence."""
    told: list[tuple[str, str, str]] = []

    async def suspend(_rig: Any, session: str, *, code: str, why: str) -> None:
        told.append((session, code, why))

    monkeypatch.setattr(light.remote, "suspend", suspend, raising=False)
    return told


async def test_light_out_of_its_band_twice_suspends_once(
    lit: Any, device: Any, fakes: Any, subset_with: Any, table: Any, meter: Any, suspended: Any
) -> None:
    """A shadow does not; back in band is noted and resumes nothing; silence is said once."""
    lamp, sensor = device(fakes.kmtronic()), device(meter)
    bands = {"sensor": "meter", "bands": {"bright": "200-450"}}
    one = await asyncio.to_thread(
        lit, lamp=table.kmtronic(lamp.port, verify=bands), meter=table.lux(sensor.port)
    )
    session = await asyncio.to_thread(one.session, subset_with(one, "bright"))
    await asyncio.to_thread(one.apply, session)
    watch = LightWatch(one.rig)
    meter.lux = 12
    await watch.look()  # nothing runs
    one.run(session)
    await watch.look()
    meter.lux = 300
    await watch.look()
    assert suspended == []
    meter.lux = 12
    for _ in range(4):
        await watch.look()
    why = "light is 12 lux, the plan wants 200-450: make the room brighter, then resume"
    assert suspended == [(session, "LIGHT", why)]
    assert [e["lux"] for e in one.events(session, "light_out")] == [12, 12, 12]
    meter.lux = None
    await watch.look()
    await watch.look()
    assert len(one.events(session, "light_silent")) == 1
    meter.lux = 300
    await watch.look()
    assert [e["lux"] for e in one.events(session, "light_back")] == [300, 300]
    assert len(suspended) == 1
    assert one.rig.room.light["meter"].lux == 300


async def test_a_level_that_was_withdrawn_suspends_a_running_session(
    lit: Any, device: Any, fakes: Any, subset_with: Any, table: Any, suspended: Any
) -> None:
    """Nothing is shot in a light that nobody has set."""
    far = device(fakes.kmtronic())
    one = await asyncio.to_thread(lit, lamp=table.kmtronic(far.port, safe="dark"))
    session = await asyncio.to_thread(one.session, subset_with(one, "bright"))
    await asyncio.to_thread(one.apply, session)
    one.run(session)
    watch = LightWatch(one.rig)
    await watch.look()
    assert suspended == []
    one.rig.database.write_now(
        lambda c: conditions.withdraw(c, session, ["room_light"], "somebody did", 1)
    )
    await watch.look()
    assert [(sid, code) for sid, code, _ in suspended] == [(session, "ROOM")]
