"""Drivers send the data sheets' bytes and believe only what devices answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from rig.environment.driver import Driver, Settings
from rig.environment.generic import Generic, parse_exchange
from rig.environment.grbl import Grbl, parse_target
from rig.environment.lights import DmxEnttecPro, Lux, parse_channels
from rig.environment.model import ActuatorError, Applied
from rig.environment.port import SerialLine
from rig.environment.relays import Kmtronic, Lcus, Numato

Make = Callable[..., Any]


@pytest.fixture
def make(device: Any) -> Iterator[Make]:
    """make(driver, answer, levels=..., ...) -> (driver on a real port, the stand-in)."""
    lines: list[SerialLine] = []

    def build(kind: type[Driver], answer: Any, **settings: Any) -> tuple[Any, Any]:
        far = device(answer)
        lines.append(SerialLine(far.port))
        return kind(Settings("lamp", **settings), lines[-1], lambda: 42), far

    yield build
    for line in lines:
        line.close()


ON_OFF = {"bright": "on", "dark": "off"}


def test_lcus_sends_the_sheets_bytes_and_claims_nothing(make: Make, fakes: SimpleNamespace) -> None:
    """It never answers, so it is never confirmed."""
    lamp, far = make(Lcus, fakes.deaf, levels=ON_OFF | {"both": "1:off,2:on"})
    assert lamp.apply("bright") == Applied("bright", None, None, 42)
    lamp.apply("dark")
    lamp.apply("both")
    while len(far.heard) < 16:
        assert far.wrote.wait(10)
        far.wrote.clear()
    assert far.heard.hex(" ") == "a0 01 01 a2 a0 01 00 a1 a0 01 00 a1 a0 02 01 a3"


def test_kmtronic_is_read_back(make: Make, fakes: SimpleNamespace) -> None:
    """Confirmed by the board's own word."""
    lamp, _ = make(Kmtronic, fakes.kmtronic(), levels=ON_OFF, channel=3)
    assert lamp.apply("bright") == Applied("bright", True, "3:on", 42)
    assert lamp.apply("dark") == Applied("dark", True, "3:off", 42)


def test_a_relay_that_did_not_switch_is_not_confirmed(make: Make, fakes: SimpleNamespace) -> None:
    """A welded contact says so."""
    lamp, _ = make(Kmtronic, fakes.kmtronic(lambda a: a[:2] + b"\x00"), levels=ON_OFF)
    assert lamp.apply("bright").confirmed is False


def test_garbled_answers_are_asked_for_again(make: Make, fakes: SimpleNamespace) -> None:
    """The third one is good."""
    answers = iter([b"\xff\x01\x77", b"\x00", b"\xff\x01\x01"])
    lamp, _ = make(Kmtronic, fakes.kmtronic(lambda _: next(answers)), levels=ON_OFF)
    assert lamp.apply("bright").confirmed is True


def test_a_late_answer_is_not_taken_for_the_next(make: Make, fakes: SimpleNamespace) -> None:
    """What lies in the buffer answers an earlier question."""
    board = fakes.kmtronic()
    lamp, far = make(Kmtronic, board, levels=ON_OFF)
    lamp.apply("bright")
    far.say(b"\xff\x01\x00")
    far.say(b"\xff\x01\x00")
    assert lamp.apply("bright").confirmed is True


@pytest.mark.parametrize("kind", [Kmtronic, Numato])
def test_silence_is_an_error_that_says_what_to_do(
    make: Make, fakes: SimpleNamespace, kind: type[Driver]
) -> None:
    """With the name of the lamp and its port."""
    lamp, far = make(kind, fakes.deaf, levels=ON_OFF)
    with pytest.raises(ActuatorError, match=rf"lamp at {far.port} did not answer.*cable"):
        lamp.apply("bright")


def test_numato_speaks_ascii_with_echo_and_prompt(make: Make, fakes: SimpleNamespace) -> None:
    """Channels count from 0, from 10 on as letters."""
    lamp, far = make(Numato, fakes.numato(), levels={"bright": "0:on,10:on", "dark": "0:off"})
    assert lamp.apply("bright") == Applied("bright", True, "0:on, 10:on", 42)
    assert b"relay on A\r" in far.heard
    assert lamp.apply("dark") == Applied("dark", True, "0:off", 42)


def test_a_stage_has_arrived_when_it_stands_at_the_target(
    make: Make, fakes: SimpleNamespace
) -> None:
    """`ok` alone means that the line was understood."""
    grbl = fakes.grbl(moves=3)
    stage, _ = make(Grbl, grbl, levels={"left": "X0 Y5", "right": "X120.5"}, options={"home": True})
    assert stage.apply("right") == Applied("right", True, "X120.5 Y0 Z0", 42)
    assert grbl.lines == ["$H", "G90 G1 X120.5 F1000", "G4 P0.01"]
    assert stage.apply("left").readback == "X0 Y5 Z0"


def test_a_stage_that_was_awake_prints_no_banner(make: Make, fakes: SimpleNamespace) -> None:
    """A board without a reset on opening is asked for its status instead."""
    stage, _ = make(Grbl, fakes.grbl(awake=True))
    stage.line.read_until = _short(stage.line.read_until)
    assert stage.apply("X3").confirmed is True


def _short(read: Callable[[bytes, float], bytes]) -> Callable[[bytes, float], bytes]:
    return lambda end, seconds: read(end, min(seconds, 0.5))


def test_a_stage_that_stops_short_is_not_confirmed(make: Make, fakes: SimpleNamespace) -> None:
    """Lost steps show in its position."""
    grbl = fakes.grbl()
    grbl.stuck_at = 80.0
    stage, _ = make(Grbl, grbl, options={"tolerance": 0.5})
    done = stage.apply("X120")
    assert (done.confirmed, done.readback) == (False, "X80 Y0 Z0")


def test_an_alarm_stops_with_the_remedy_and_the_stage_can_be_used_again(
    make: Make, fakes: SimpleNamespace
) -> None:
    """After homing."""
    grbl = fakes.grbl(awake=False)
    stage, _ = make(Grbl, grbl)
    stage.apply("X1")
    grbl.alarm = b"ALARM:1\r\n"
    grbl.awake = False
    with pytest.raises(ActuatorError, match=r"ALARM:1.*home it"):
        stage.apply("X2")
    assert stage.apply("home").confirmed is True
    assert stage.apply("X2").confirmed is True


def test_a_position_beyond_the_travel_is_refused_in_words(
    make: Make, fakes: SimpleNamespace
) -> None:
    """Grbl's own error number is in the sentence."""
    stage, _ = make(Grbl, fakes.grbl())
    with pytest.raises(ActuatorError, match=r"error:15.*inside its travel"):
        stage.apply("X900")


def test_a_late_ok_of_the_wake_up_accepts_no_move(make: Make, fakes: SimpleNamespace) -> None:
    """It would be taken for the move's own, and the refusal that follows would be lost."""
    stage, _ = make(Grbl, fakes.grbl(late=True))
    with pytest.raises(ActuatorError, match=r"error:15.*inside its travel"):
        stage.apply("X900")


def test_dmx_keeps_the_channels_that_are_not_named(make: Make, fakes: SimpleNamespace) -> None:
    """Framed as the widget wants it: label 6, start code 0, at least 24 channels."""
    lamp, far = make(DmxEnttecPro, fakes.deaf, levels={"bright": "1=255", "warm": "3=128"})
    lamp.apply("bright")
    assert lamp.apply("warm").confirmed is None
    frame = 4 + 25 + 1
    while len(far.heard) < 2 * frame:
        assert far.wrote.wait(10)
        far.wrote.clear()
    second = far.heard[frame:]
    assert second[:5] == bytes([0x7E, 6, 25, 0, 0])
    assert second[5:8] == bytes([255, 0, 128])
    assert second[-1] == 0xE7


def lux(value: str) -> Callable[[bytes], tuple[int, bytes]]:
    return lambda data: (len(data), f"noise\r\nlux={value}\r\n".encode())


@pytest.mark.parametrize(("value", "inside"), [("312.5", True), ("12", False)])
def test_a_light_meter_confirms_a_band(make: Make, value: str, inside: bool) -> None:
    """It sets nothing."""
    options = {"request": r"R\r", "pattern": r"lux=([\d.]+)"}
    meter, far = make(Lux, lux(value), levels={"bright": "200-450"}, options=options)
    done = meter.apply("bright")
    assert (done.confirmed, done.readback) == (inside, f"{float(value):g} lux")
    assert far.heard == b"R\r"


def test_a_meter_that_sends_without_being_asked(make: Make) -> None:
    """A line that was cut in the middle does not count."""
    meter, far = make(Lux, lambda data: (len(data), b""), options={"seconds": 5})
    far.say(b"300\r\n" * 3)
    meter.line.drain = lambda: None
    assert meter.read() == 300


def test_generic_devices_are_described_by_their_bytes(make: Make) -> None:
    """An answer that fits confirms, another one does not, none at all is an error."""
    said = iter([b"OK 1\r\n", b"ERR\r\n", b""])
    levels = {"on": r"text:SET 1\r=>OK", "quiet": "hex:A0 FF"}
    lamp, far = make(Generic, lambda d: (len(d), next(said)), levels=levels,
                     options={"seconds": 0.5})  # fmt: skip
    assert lamp.apply("on") == Applied("on", True, "OK 1", 42)
    assert lamp.apply("on") == Applied("on", False, "ERR", 42)
    with pytest.raises(ActuatorError, match="did not answer"):
        lamp.apply("on")
    assert far.heard == b"SET 1\r" * 3


def test_an_unplugged_port_is_named(make: Make, fakes: SimpleNamespace) -> None:
    """And says to plug it in again."""
    lamp, far = make(Kmtronic, fakes.kmtronic(), levels=ON_OFF)
    lamp.apply("bright")
    far.unplug()
    with pytest.raises(ActuatorError, match=r"went away.*Plug the device in again"):
        lamp.apply("dark")


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_target, "up"), (parse_target, "X1 rapid"), (parse_channels, "1"),
        (parse_channels, "0=1"), (parse_channels, "1=256"), (Lux.band, "10"),
        (Lux.band, "20-10"), (parse_exchange, "on"), (parse_exchange, "hex:zz"),
        (parse_exchange, "hex:"), (parse_exchange, "text:a=>("),
    ],
)  # fmt: skip
def test_bad_states_are_refused_with_an_example(parse: Callable[[str], object], text: str) -> None:
    """In one sentence."""
    with pytest.raises(ActuatorError):
        parse(text)


def test_states_are_checked_before_the_first_use(make: Make, fakes: SimpleNamespace) -> None:
    """Not in the middle of a night."""
    with pytest.raises(ActuatorError, match="relay state"):
        make(Lcus, fakes.deaf, levels={"bright": "up"})
    with pytest.raises(ActuatorError, match="channels 1 to 8"):
        make(Lcus, fakes.deaf, levels={"bright": "9:on"})
    with pytest.raises(ActuatorError, match="no level 'safe'"):
        make(Lcus, fakes.deaf, levels={"bright": "on"}, safe="safe")


def test_a_level_that_is_not_configured_lists_those_that_are(
    make: Make, fakes: SimpleNamespace
) -> None:
    """So does a misspelt plan."""
    lamp, _ = make(Lcus, fakes.deaf, levels=ON_OFF)
    with pytest.raises(ActuatorError, match=r"no level 'dim'; it knows: bright, dark"):
        lamp.apply("dim")
