"""Setting a monitor that answers as badly as real ones do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from monitorcontrol import Monitor
from monitorcontrol.vcp import VCP, VCPError, VCPIOError, VCPPermissionError

from display_agent import ddc
from display_agent.ddc import Applied, Feature, apply, read
from rig.errors import UserError


class Bus(VCP):
    """The bus to a made-up monitor, below the package's own `Monitor`.

    *gets* and *sets* are what goes wrong with the next calls, one by one: an exception is raised, a
    pair is answered, "lost" swallows a set, "failed" applies it and reports an error; None is well.
    """

    def __init__(self, *, gets=(), sets=(), opens=None, increment=100):
        self.values = {0x10: 30, 0x12: 50, 0x14: 5, 0x16: 90, 0x18: 90, 0x1A: 90, 0x0C: 35}
        self.values[0x0B] = increment
        self.calls: list[tuple[str, int]] = []
        self.gets = list(gets)
        self.sets = list(sets)
        self.opens = opens
        self.open = False

    def __enter__(self):
        if self.opens is not None:
            raise self.opens
        self.open = True

    def __exit__(self, *about):
        self.open = False
        return False

    def set_vcp_feature(self, code, value):
        assert self.open
        self.calls.append(("set", code))
        fault = self.sets.pop(0) if self.sets else None
        if isinstance(fault, Exception):
            raise fault
        if fault != "lost" and code in self.values:
            self.values[code] = value
        if fault == "failed":
            raise VCPIOError("unable write to I2C bus")

    def get_vcp_feature(self, code):
        assert self.open
        self.calls.append(("get", code))
        fault = self.gets.pop(0) if self.gets else None
        if isinstance(fault, Exception):
            raise fault
        if fault is not None:
            return fault
        if code not in self.values:
            raise VCPIOError("received unexpected response code: 1")
        return self.values[code], {0x14: 11, 0x0B: 0, 0x0C: 100}.get(code, 100)

    def get_vcp_capabilities(self):
        raise VCPError("none")


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def put(waits) -> Callable:
    """Set features of a bus without waiting for real."""

    async def run(bus: Bus, wanted=None, **more) -> tuple[Applied, ...]:
        return await apply(Monitor(bus), wanted or {}, sleep=waits.append, **more)

    return run


async def test_a_value_counts_when_the_monitor_says_so_200_ms_later(put, waits):
    """Set, wait, get, compare."""
    bus = Bus()
    [done] = await put(bus, {Feature.LUMINANCE: 70})
    assert done == Applied(Feature.LUMINANCE, 70, True, 70)
    assert bus.values[0x10] == 70
    assert bus.calls == [("get", 0x10), ("set", 0x10), ("get", 0x10)]
    assert waits == [ddc.PACE, 0.2, ddc.PACE]
    assert not bus.open


async def test_a_random_zero_is_asked_again(put):
    """Zero of zero is what a busy monitor answers."""
    [done] = await put(Bus(gets=[None, (0, 0), (0, 0)]), {Feature.LUMINANCE: 70})
    assert done.confirmed is True


async def test_a_random_zero_with_a_maximum_is_set_again(put):
    """It cannot be told from a setting that was lost."""
    bus = Bus(gets=[None, (0, 100)])
    [done] = await put(bus, {Feature.CONTRAST: 60})
    assert done.confirmed is True
    assert [kind for kind, _ in bus.calls] == ["get", "set", "get", "set", "get"]


async def test_a_lost_setting_is_repeated(put):
    """Twice lost, the third holds."""
    [done] = await put(Bus(sets=["lost", "lost"]), {Feature.RED: 80})
    assert done.confirmed is True


async def test_a_setting_reported_as_failed_counts_when_it_was_applied(put):
    """The monitor's word afterwards decides."""
    [done] = await put(Bus(sets=["failed"]), {Feature.LUMINANCE: 70})
    assert done.confirmed is True


async def test_three_times_lost_is_not_confirmed_and_no_error(put):
    """Requested and read back are told; the run goes on."""
    bus = Bus(sets=["lost"] * 9)
    [done] = await put(bus, {Feature.LUMINANCE: 70})
    assert (done.confirmed, done.requested, done.readback) == (False, 70, 30)
    assert done.why == "the monitor says 30 instead of 70"
    assert [kind for kind, _ in bus.calls].count("set") == 3


async def test_no_answer_means_that_nobody_knows(put):
    """None, not False: it may well have been applied."""
    [done] = await put(
        Bus(gets=[VCPIOError("unable to read from I2C bus")] * 99), {Feature.LUMINANCE: 70}
    )
    assert (done.confirmed, done.readback) == (None, None)
    assert done.why == "the monitor does not answer"


async def test_a_reply_to_another_question_is_asked_again(put):
    """As monitors do under load."""
    wrong = VCPIOError("received unexpected opcode: 18")
    [done] = await put(Bus(gets=[wrong, None, wrong, wrong]), {Feature.LUMINANCE: 70})
    assert done.confirmed is True


async def test_beyond_the_maximum_is_not_even_tried(put):
    """A sentence with the maximum."""
    bus = Bus()
    [done] = await put(bus, {Feature.LUMINANCE: 300})
    assert done.confirmed is False
    assert "maximum of 100" in (done.why or "")
    assert bus.values[0x10] == 30


async def test_one_feature_that_is_missing_does_not_stop_the_others(put):
    """Each has its own result."""
    bus = Bus()
    del bus.values[0x16]
    red, blue = await put(bus, {Feature.RED: 50, Feature.BLUE: 40})
    assert red.confirmed is None
    assert blue.confirmed is True


@pytest.mark.parametrize(("kelvin", "code"), [(4000, 3), (5000, 4), (6500, 5), (9300, 8)])
async def test_a_temperature_with_a_preset_uses_it(put, kelvin, code):
    """The codes of MCCS."""
    bus = Bus()
    [done] = await put(bus, kelvin=kelvin)
    assert done == Applied(Feature.COLOUR_PRESET, code, True, code)
    assert bus.values[0x14] == code


async def test_another_temperature_is_asked_for_in_steps_above_3000_kelvin(put):
    """5600 K in steps of 100 K: 26."""
    bus = Bus(increment=100)
    [done] = await put(bus, kelvin=5600)
    assert done == Applied(Feature.COLOUR_REQUEST, 26, True, 26)


@pytest.mark.parametrize(("kelvin", "increment"), [(5650, 100), (2000, 100), (5600, 0)])
async def test_a_temperature_that_cannot_be_asked_for_is_told(put, kelvin, increment):
    """Between steps, below 3000 K, or no steps at all; nothing is set."""
    bus = Bus(increment=increment)
    [done] = await put(bus, kelvin=kelvin)
    assert not done.confirmed
    assert done.why
    assert bus.values[0x0C] == 35


async def test_a_monitor_that_may_not_be_opened_is_a_result(put):
    """For every setting, with the reason."""
    denied = VCPPermissionError("permission error for /dev/i2c-4")
    results = await put(Bus(opens=denied), {Feature.LUMINANCE: 1, Feature.RED: 2}, kelvin=5650)
    assert {r.feature for r in results} == {
        Feature.LUMINANCE, Feature.RED, Feature.COLOUR_REQUEST,
    }  # fmt: skip
    assert all(r.confirmed is None and "permission" in (r.why or "") for r in results)


async def test_require_readback_raises_with_every_reason(put):
    """Only when it is asked for."""
    bus = Bus(sets=["lost"] * 3)
    with pytest.raises(UserError, match="luminance: the monitor says 30 instead of 70"):
        await put(bus, {Feature.LUMINANCE: 70}, require_readback=True)
    [done] = await put(Bus(), {Feature.LUMINANCE: 70}, require_readback=True)
    assert done.confirmed


async def test_reading_gives_what_the_monitor_answers_for(waits):
    """Value and maximum."""
    bus = Bus()
    del bus.values[0x1A]
    found = await read(Monitor(bus), sleep=waits.append)
    assert found[Feature.LUMINANCE] == (30, 100)
    assert found[Feature.COLOUR_PRESET] == (5, 11)
    assert Feature.BLUE not in found


async def test_reading_a_monitor_that_cannot_be_opened_gives_nothing(waits):
    """No error."""
    assert await read(Monitor(Bus(opens=VCPIOError("gone"))), sleep=waits.append) == {}


def test_no_monitor_is_a_sentence_with_the_remedy(monkeypatch):
    """As on a machine without a bus."""
    monkeypatch.setattr("monitorcontrol.get_monitors", list)
    with pytest.raises(UserError, match="i2c-dev"):
        ddc.find_monitors()


def test_a_listing_that_fails_is_a_sentence(monkeypatch):
    """A driver may raise anything."""

    def broken():
        raise RuntimeError("udev")

    monkeypatch.setattr("monitorcontrol.get_monitors", broken)
    with pytest.raises(UserError, match="udev"):
        ddc.find_monitors()


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    """The package is optional."""
    monkeypatch.setitem(__import__("sys").modules, "monitorcontrol", None)
    with pytest.raises(UserError, match=r"capture-rig\[ddc\]"):
        ddc.find_monitors()
