"""`rig room`: what a person tries before a session, with statuses that scripts can use."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rig.cli import main


@pytest.fixture
def room(tmp_path: Path, device: Any, fakes: SimpleNamespace) -> Any:
    """A file with a relay board and a light sensor; `room.board`, `room.meter` are its devices."""
    board = fakes.kmtronic()
    far = device(board)
    meter = device(lambda data: (len(data), b"300\r\n"))
    file = tmp_path / "room.toml"
    file.write_text(
        f'[actuator.lamp]\ndriver = "kmtronic"\nport = "{far.port}"\nsafe = "dark"\n'
        'levels = { bright = "on", dark = "off" }\n'
        'verify = { sensor = "meter", bands = { bright = "200-450", dark = "0-20" } }\n'
        f'[actuator.meter]\ndriver = "lux"\nport = "{meter.port}"\nrequest = "?"\nseconds = 0.2\n'
    )
    return SimpleNamespace(file=str(file), board=board, far=far, meter=meter)


def test_a_level_is_set_read_back_and_left_so(room: Any, capsys: Any) -> None:
    """No safe state afterwards: a person wanted it."""
    assert main(["room", "apply", room.file, "lamp", "bright", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["confirmed"], told["readback"]) == (True, "1:on, 300 lux")
    assert room.board.state[1] == 1


def test_what_is_not_so_has_its_own_status(room: Any, capsys: Any) -> None:
    """The relay is off, the light is not."""
    assert main(["room", "apply", room.file, "lamp", "dark"]) == 1
    out = capsys.readouterr().out
    assert "NOT SO" in out
    assert "make the room darker" in out


def test_a_wrong_name_lists_what_there_is(room: Any, capsys: Any) -> None:
    """Actuator or level."""
    assert main(["room", "apply", room.file, "fan", "on"]) == 2
    assert "it has: lamp, meter" in capsys.readouterr().err
    assert main(["room", "apply", room.file, "lamp", "dim"]) == 2
    assert "it knows: bright, dark" in capsys.readouterr().err


def test_a_check_sets_nothing(room: Any, capsys: Any) -> None:
    """And says what answers."""
    assert main(["room", "check", room.file, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert [row["name"] for row in told["actuators"]] == ["lamp", "meter"]
    assert "300 lux" in told["actuators"][1]["says"]
    assert room.far.heard == b""


def test_a_check_finds_what_is_unplugged(room: Any, capsys: Any) -> None:
    """The others are looked at all the same."""
    room.far.unplug()
    assert main(["room", "check", room.file]) == 1
    out = capsys.readouterr().out
    assert "BAD  lamp" in out
    assert "ok   meter" in out


def test_every_byte_can_be_traced(room: Any, tmp_path: Path) -> None:
    """Where the file asks for it."""
    file = Path(room.file)
    file.write_text(file.read_text().replace("[actuator.meter]", "trace = true\n[actuator.meter]"))
    assert main(["room", "apply", room.file, "lamp", "bright", "--trace", str(tmp_path / "t")]) == 0
    assert "FF 01 01" in (tmp_path / "t" / "lamp.txt").read_text()


def test_ports_are_listed(capsys: Any) -> None:
    """As JSON for scripts."""
    assert main(["room", "ports", "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out)["ports"], list)


def test_a_state_that_the_device_does_not_know_is_found_at_once(room: Any, capsys: Any) -> None:
    """Also by `rig serve`, before it listens."""
    file = Path(room.file)
    file.write_text(file.read_text().replace('dark = "off"', 'dark = "dim"', 1))
    assert main(["room", "check", room.file]) == 2
    assert "actuator.lamp: 'dim' is not a relay state" in capsys.readouterr().err
    assert main(["serve", "--home", str(file.parent / "home"), "--room", room.file]) == 2
    assert "actuator.lamp" in capsys.readouterr().err


def test_an_option_that_makes_no_sense_is_a_sentence(room: Any, capsys: Any) -> None:
    """Not a traceback."""
    file = Path(room.file)
    file.write_text(file.read_text() + 'pattern = "("\n')
    assert main(["room", "check", room.file]) == 1
    assert "meter: a value of its configuration cannot be used" in capsys.readouterr().out
