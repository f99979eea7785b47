"""A light sensor has the last word on a lamp; the file says which and within what."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rig.environment.config import RoomFile, load_room, parse_room
from rig.environment.listing import list_all
from rig.environment.model import ActuatorError
from rig.environment.room import Room
from rig.environment.verified import apply_verified

SWITCH = {"bright": "on", "dark": "off"}
BANDS = {"sensor": "meter", "bands": {"bright": "200-450", "dark": "0-20"}}


def room_of(**actuators: dict[str, Any]) -> tuple[Room, RoomFile]:
    file = parse_room({"actuator": actuators}, "room.toml")
    return Room(file.actuators), file


def meter(port: str, **more: Any) -> dict[str, Any]:
    return {"driver": "lux", "port": port, "request": "?", "seconds": 0.3, **more}


@pytest.mark.parametrize(
    ("lux", "level", "confirmed", "why"),
    [
        (b"300\r\n", "bright", True, None),
        (b"200\r\n", "bright", True, None),
        (
            b"199.9\r\n",
            "bright",
            False,
            "light is 199.9 lux, the plan wants 200-450: make",
        ),
        (b"21\r\n", "dark", False, "make the room darker"),
        (b"20\r\n", "dark", True, None),
    ],
)
async def test_the_light_says_whether_the_lamp_is_on(
    device: Any, fakes: SimpleNamespace, lux: bytes, level: str, confirmed: bool, why: str | None
) -> None:
    """Both ends of the band belong to it."""
    lamp, sensor = device(fakes.deaf), device(lambda data: (len(data), lux))
    room, file = room_of(
        lamp={"driver": "lcus", "port": lamp.port, "levels": SWITCH, "verify": BANDS},
        meter=meter(sensor.port),
    )
    done = await apply_verified(room, file, "lamp", level)
    assert done.applied.confirmed is confirmed
    assert (done.why is None) if why is None else (why in str(done.why))
    await room.close()


async def test_a_relay_that_objects_is_not_overruled_by_light(
    device: Any, fakes: SimpleNamespace
) -> None:
    """Light in the band with the relay off comes from somewhere else."""
    board = fakes.kmtronic(lambda _: b"\xff\x01\x00")
    lamp, sensor = device(board), device(lambda data: (len(data), b"300\r\n"))
    room, file = room_of(
        lamp={"driver": "kmtronic", "port": lamp.port, "levels": SWITCH, "verify": BANDS},
        meter=meter(sensor.port),
    )
    done = await apply_verified(room, file, "lamp", "bright")
    assert done.applied.confirmed is False
    assert done.applied.readback == "1:off, 300 lux"
    assert "says 1:off" in str(done.why)
    await room.close()


@pytest.mark.parametrize("answer", [b"", b"over range\r\n", b"30"])
async def test_a_sensor_that_says_nothing_of_use_confirms_nothing(
    device: Any, fakes: SimpleNamespace, answer: bytes
) -> None:
    """Missing, garbled, cut off: the lamp was set, and somebody has to look."""
    lamp, sensor = device(fakes.deaf), device(lambda data: (len(data), answer))
    room, file = room_of(
        lamp={"driver": "lcus", "port": lamp.port, "levels": SWITCH, "verify": BANDS},
        meter=meter(sensor.port, seconds=0.05),
    )
    done = await apply_verified(room, file, "lamp", "bright")
    assert done.applied.confirmed is None
    assert "could not be checked" in str(done.why)
    await room.close()


async def test_a_sensor_alone_looks_at_what_a_person_set(device: Any) -> None:
    """Its bands are its levels."""
    sensor = device(lambda data: (len(data), b"12\r\n"))
    room, file = room_of(meter=meter(sensor.port, levels={"bright": "200-450", "dark": "0-20"}))
    assert (await apply_verified(room, file, "meter", "dark")).applied.confirmed is True
    done = await apply_verified(room, file, "meter", "bright")
    assert (done.applied.confirmed, done.applied.readback) == (False, "12 lux")
    assert done.why == "light is 12 lux, the plan wants 200-450: make the room brighter"
    assert file.band("meter", "dim") is None
    assert file.band("nobody", "dim") is None
    await room.close()


async def test_a_room_is_looked_at_without_setting_anything(
    device: Any, fakes: SimpleNamespace
) -> None:
    """The port is opened, a sensor is read, no byte goes to a relay."""
    lamp, sensor = device(fakes.deaf), device(lambda data: (len(data), b"7\r\n"))
    room, _ = room_of(
        lamp={"driver": "lcus", "port": lamp.port, "levels": SWITCH, "safe": "dark"},
        meter=meter(sensor.port),
        none={"driver": "dry_run"},
    )
    assert "can be opened" in await room.look("lamp")
    assert "7 lux" in await room.look("meter")
    assert "dry run" in await room.look("none")
    await room.close(safe=False)
    assert lamp.heard == b""


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (
            "verify = { sensor = 'x', bands = { on = '1-2' } }",
            "'x' is no light sensor (meter, far)",
        ),
        ("verify = { sensor = 'meter', bands = {} }", "verify.bands"),
        ("verify = { sensor = 'meter', bands = { on = '9-2' } }", "verify.bands.on: '9-2'"),
        (
            "levels = { on = 'on' }\nverify = { sensor = 'meter', bands = { off = '1-2' } }",
            "'off' is not one of its levels",
        ),
        ("verify = { sensor = 'far', bands = { on = '1-2' } }", "far belongs to room-2"),
        ("[watch]\nseconds = 0", "watch.seconds"),
        ("[watch]\nminutes = 1", "watch.minutes"),
    ],
)
def test_a_bad_band_is_named_with_its_key(tmp_path: Path, lines: str, says: str) -> None:
    """Before any session, not during one."""
    file = tmp_path / "room.toml"
    file.write_text(
        "[actuator.meter]\ndriver = 'lux'\nport = 'A'\n"
        "[actuator.far]\ndriver = 'lux'\nport = 'B'\nstation = 'room-2'\n"
        f"[actuator.lamp]\ndriver = 'lcus'\nport = 'C'\n{lines}\n"
    )
    with pytest.raises(ActuatorError) as caught:
        load_room(file)
    assert says in str(caught.value)


def test_a_room_file_has_stations_and_a_pace(tmp_path: Path) -> None:
    """Left out: every station's, five seconds."""
    file = tmp_path / "room.toml"
    file.write_text("[actuator.a]\ndriver = 'dry_run'\nstation = 'room-1'\n[watch]\nseconds = 2\n")
    room = load_room(file)
    assert room.watch_s == 2
    assert [room.actuators["a"].serves(one) for one in ("room-1", "room-2")] == [True, False]
    file.write_text("[actuator.a]\ndriver = 'dry_run'\n")
    room = load_room(file)
    assert (room.watch_s, room.actuators["a"].serves("any")) == (5, True)


def test_ports_are_listed_as_the_file_names_them(tmp_path: Path) -> None:
    """Vendor and product in hex, and the names that stay the same."""
    port = tmp_path / "ttyUSB7"
    port.touch()
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    (by_id / "usb-1a86_USB2.0-Serial-if00").symlink_to(port)
    there = [
        SimpleNamespace(
            device=str(port), vid=0x1A86, pid=0x7523, serial_number="", description="USB Serial"
        ),
        SimpleNamespace(
            device="/dev/ttyS0", vid=None, pid=None, serial_number=None, description="n/a"
        ),
    ]
    rows = {row["device"]: row for row in list_all(lambda: there, by_id)}
    assert rows[str(port)]["usb"] == "usb:1A86:7523"
    assert rows[str(port)]["by_id"] == [str(by_id / "usb-1a86_USB2.0-Serial-if00")]
    assert rows["/dev/ttyS0"]["usb"] is None
    assert rows["/dev/ttyS0"]["by_id"] == []
    assert list_all(list, tmp_path / "none") == []
