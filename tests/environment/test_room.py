"""A room's actuators share ports, come back after a cable, and end in a safe state."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rig.environment.config import load_actuators, parse_actuators
from rig.environment.model import ActuatorError, Applied
from rig.environment.room import Room


def tables(**actuators: dict[str, Any]) -> Any:
    return parse_actuators({"actuator": actuators}, "room.toml")


def kmtronic(port: str, **more: Any) -> dict[str, Any]:
    return {"driver": "kmtronic", "port": port, "levels": {"bright": "on", "dark": "off"}, **more}


async def test_two_actuators_share_a_board(device: Any, fakes: SimpleNamespace) -> None:
    """One port, one thread, one at a time."""
    board = fakes.kmtronic()
    far = device(board)
    room = Room(tables(lamp=kmtronic(far.port), blinds=kmtronic(far.port, channel=2)))
    done = await asyncio.gather(room.apply("lamp", "bright"), room.apply("blinds", "bright"))
    assert [one.readback for one in done] == ["1:on", "2:on"]
    await room.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("port ")]


async def test_safe_states_are_set_at_the_end_even_if_one_fails(
    device: Any, fakes: SimpleNamespace
) -> None:
    """A lamp that is gone does not keep the stage from parking."""
    board = fakes.kmtronic()
    gone, far = device(fakes.kmtronic()), device(board)
    room = Room(
        tables(
            lamp=kmtronic(gone.port, safe="dark"),
            fan=kmtronic(far.port, safe="off", levels={}),
            other=kmtronic(far.port, channel=5),
        )
    )
    await room.apply("lamp", "bright")
    await room.apply("fan", "on")
    gone.unplug()
    done = await room.make_safe()
    assert isinstance(done["lamp"], ActuatorError)
    assert isinstance(done["fan"], Applied)
    assert done["fan"].readback == "1:off"
    assert set(done) == {"lamp", "fan"}
    await room.close()


async def test_a_device_that_was_plugged_in_again_works_again(
    device: Any, fakes: SimpleNamespace, tmp_path: Path
) -> None:
    """The name below by-id stays the same, the port behind it does not."""
    first, second = device(fakes.kmtronic()), device(fakes.kmtronic())
    name = tmp_path / "by-id"
    name.symlink_to(first.port)
    room = Room(tables(lamp=kmtronic(str(name))))
    await room.apply("lamp", "bright")
    first.unplug()
    with pytest.raises(ActuatorError):
        await room.apply("lamp", "dark")
    name.unlink()
    name.symlink_to(second.port)
    assert (await room.apply("lamp", "dark")).confirmed is True
    await room.close()


async def test_a_light_sensor_is_read(device: Any) -> None:
    """And nothing else is."""
    far = device(lambda data: (len(data), b"212.5\r\n"))
    room = Room(
        tables(
            meter={"driver": "lux", "port": far.port, "request": "?"},
            lamp={"driver": "dry_run", "levels": {"bright": ""}},
        )
    )
    assert await room.read_lux("meter") == 212.5
    with pytest.raises(ActuatorError, match="no light sensor"):
        await room.read_lux("lamp")
    await room.close()


async def test_a_dry_run_notes_what_would_be_set() -> None:
    """Never confirmed."""
    room = Room(tables(lamp={"driver": "dry_run", "levels": {"bright": ""}}), clock_ns=lambda: 7)
    assert await room.apply("lamp", "bright") == Applied("bright", None, "dry run", 7)
    with pytest.raises(ActuatorError, match="no level"):
        await room.apply("lamp", "dark")
    with pytest.raises(ActuatorError, match=r"no actuator 'fan'; configured are: lamp"):
        await room.apply("fan", "on")
    await room.close()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[actuator.lamp]\ndriver = 'x'\n", r"room.toml: actuator.lamp.driver"),
        ("[actuator.lamp]\ndriver = 'lcus'\n", r"actuator.lamp.port: a lcus needs a port"),
        ("[actuator.operator]\ndriver = 'dry_run'\n", r"operator is no device"),
        ("[actuator.lamp\n", "not valid TOML"),
        ("[lamp]\n", r"lamp: Extra inputs"),
    ],
)
def test_a_bad_file_is_named_with_its_key(tmp_path: Path, text: str, says: str) -> None:
    """File and key."""
    file = tmp_path / "room.toml"
    file.write_text(text)
    with pytest.raises(ActuatorError, match=says):
        load_actuators(file)


def test_options_of_a_driver_are_passed_on(tmp_path: Path) -> None:
    """Keys that only one driver knows."""
    file = tmp_path / "room.toml"
    file.write_text('[actuator.stage]\ndriver = "grbl"\nport = "COM3"\nfeed = 500\nhome = true\n')
    table = load_actuators(file)["stage"]
    assert table.speed == 115200
    assert table.settings("stage").options == {"feed": 500, "home": True}
    with pytest.raises(ActuatorError, match="cannot be read"):
        load_actuators(tmp_path / "none.toml")
