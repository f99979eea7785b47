"""The monitor's white over a bus that carries real DDC/CI bytes, well and badly."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from display_agent.monitor_white import MonitorWhite, Reached
from rig.errors import UserError

PRESET, REQUEST, INCREMENT = 0x14, 0x0C, 0x0B


@pytest.fixture
def panel(plug_in: Any) -> Any:
    """The only monitor of this computer."""
    return plug_in(1)[0]


@pytest.fixture
def make(panel: Any, tmp_path: Path) -> Callable[..., MonitorWhite]:
    """The white of the panel; waits take no time."""

    def white(**more: Any) -> MonitorWhite:
        words: dict[str, Any] = {"sleep": lambda s: None}
        return MonitorWhite(1, tmp_path / "monitor.json", **(words | more))

    return white


async def test_a_preset_is_set_read_back_and_given_back(
    make: Callable[..., MonitorWhite], panel: Any, tmp_path: Path
) -> None:
    """5000 K is preset 4; before it was 6500 K, which it is again afterwards."""
    white = make()
    assert await white.reach(5000) == Reached(True, "preset 4 (5000 K)", set_anew=False)
    assert panel.values[PRESET] == 4
    assert panel.sets == [(PRESET, 4)]
    assert (tmp_path / "monitor.json").exists()
    assert await white.give_back() == "it is at preset 5 (6500 K) again, as before"
    assert panel.values[PRESET] == 5
    assert not (tmp_path / "monitor.json").exists()
    assert await white.give_back() is None


async def test_a_monitor_that_is_there_already_is_only_asked(
    make: Callable[..., MonitorWhite], panel: Any
) -> None:
    """Nothing is set, and nothing given back."""
    white = make()
    assert (await white.reach(6500)).confirmed is True
    assert await white.give_back() is None
    assert panel.sets == []


async def test_a_temperature_without_a_preset_is_asked_for_in_steps(
    make: Callable[..., MonitorWhite], panel: Any
) -> None:
    """5600 K is 26 steps of 100 K above 3000 K; request and preset are both given back."""
    white = make()
    assert await white.reach(5600) == Reached(True, "colour_request 26")
    assert panel.values[REQUEST] == 26
    await white.give_back()
    assert (panel.values[REQUEST], panel.values[PRESET]) == (35, 5)


async def test_from_one_temperature_to_the_next_the_first_setting_is_remembered(
    make: Callable[..., MonitorWhite], panel: Any
) -> None:
    """Preset, steps, preset: what is given back is what stood there before the first."""
    white = make()
    for kelvin in (5000, 5600, 9300):
        assert (await white.reach(kelvin)).confirmed is True
    await white.give_back()
    assert (panel.values[REQUEST], panel.values[PRESET]) == (35, 5)


@pytest.mark.parametrize("fault", ["garbled", "busy", "stale"])
async def test_bad_answers_are_asked_again(
    make: Callable[..., MonitorWhite], panel: Any, fault: str
) -> None:
    """Flipped bits, the null message of a busy monitor, an answer to the question before."""
    setattr(panel, fault, 2)
    assert (await make().reach(5000)).confirmed is True
    assert panel.values[PRESET] == 4


@pytest.mark.parametrize("fault", ["garbled", "busy"])
async def test_a_monitor_that_never_answers_well_ends_as_it_was(
    make: Callable[..., MonitorWhite], panel: Any, fault: str
) -> None:
    """No setting is believed, and none is left behind in silence."""
    setattr(panel, fault, 10**6)
    reached = await make().reach(5000)
    assert reached.confirmed is False
    assert reached.why
    assert panel.sets == []


async def test_answers_that_are_always_one_behind_are_told_apart_by_their_code(
    make: Callable[..., MonitorWhite], panel: Any
) -> None:
    """An answer to another question is asked for again; one to the same question is old."""
    panel.stale = 10**6
    panel.stubborn = True
    assert (await make().reach(5000)).confirmed is False
    panel.stubborn = False
    assert (await make().reach(5000)).confirmed is True
    assert panel.values[PRESET] == 4


async def test_a_silent_monitor_is_never_set(make: Callable[..., MonitorWhite], panel: Any) -> None:
    """Nobody could tell afterwards what it does."""
    panel.silent = True
    reached = await make().reach(5000)
    assert reached.confirmed is False
    assert "cannot be opened" in (reached.why or "")
    assert panel.sets == []


async def test_a_monitor_without_colour_presets_is_never_set(
    make: Callable[..., MonitorWhite], panel: Any
) -> None:
    """It answers: unsupported code."""
    del panel.values[PRESET]
    assert await make().reach(5000) == Reached(False, why="the monitor tells no colour preset")
    assert panel.sets == []


async def test_a_monitor_that_accepts_and_does_not_change_is_not_believed(
    make: Callable[..., MonitorWhite], panel: Any, tmp_path: Path
) -> None:
    """Three tries; it is as it was before, so the pixels may be tinted."""
    panel.stubborn = True
    reached = await make().reach(5000)
    assert reached.confirmed is False
    assert reached.readback == "preset 5 (6500 K)"
    assert reached.why == "the monitor says 5 instead of 4; it is as it was before"
    assert panel.sets[:3] == [(PRESET, 4)] * 3
    assert not (tmp_path / "monitor.json").exists()


async def test_a_preset_that_does_not_exist_is_not_believed(
    make: Callable[..., MonitorWhite], panel: Any
) -> None:
    """4000 K is no preset of this monitor."""
    reached = await make().reach(4000)
    assert (reached.confirmed, panel.values[PRESET]) == (False, 5)


@pytest.mark.parametrize(("kelvin", "increment"), [(5650, 100), (5600, 0), (2000, 100)])
async def test_a_temperature_that_cannot_be_asked_for_leaves_everything(
    make: Callable[..., MonitorWhite], panel: Any, kelvin: int, increment: int
) -> None:
    """Between two steps, without steps, below 3000 K."""
    panel.values[INCREMENT] = increment
    reached = await make().reach(kelvin)
    assert reached.confirmed is False
    assert reached.why
    assert panel.sets == []


async def test_a_monitor_that_falls_silent_when_it_is_set_is_in_doubt(
    make: Callable[..., MonitorWhite], panel: Any, tmp_path: Path
) -> None:
    """It may have changed: not True, not False; what was there is remembered for later."""
    panel.deaf = True
    white = make()
    reached = await white.reach(5000)
    assert reached.confirmed is None
    assert not reached.stands
    assert "could not be put back" in (reached.why or "")
    assert json.loads((tmp_path / "monitor.json").read_text())["before"] == {"20": 5}
    panel.deaf = panel.silent = False
    assert panel.values[PRESET] == 4
    await white.give_back()
    assert panel.values[PRESET] == 5


async def test_silence_after_a_confirmation_leaves_it_standing(
    make: Callable[..., MonitorWhite], panel: Any
) -> None:
    """Tinting now would tint twice."""
    white = make()
    await white.reach(5000)
    panel.silent = True
    reached = await white.reach(5000)
    assert (reached.confirmed, reached.stands) == (None, True)
    panel.silent = False
    assert await white.reach(5000) == Reached(True, "preset 4 (5000 K)")


async def test_a_monitor_that_lost_its_setting_is_set_anew_and_says_so(
    make: Callable[..., MonitorWhite], panel: Any
) -> None:
    """Switched off and on; at the end it gets what it came back with."""
    white = make()
    await white.reach(5000)
    panel.values[PRESET] = 8
    assert await white.reach(5000) == Reached(True, "preset 4 (5000 K)", set_anew=True)
    await white.give_back()
    assert panel.values[PRESET] == 8


async def test_what_a_person_set_meanwhile_is_left(
    make: Callable[..., MonitorWhite], panel: Any
) -> None:
    """The next session's monitor may be set by hand already."""
    white = make()
    await white.reach(5000)
    panel.values[PRESET] = 8
    said = await white.give_back()
    assert said == "somebody has set it to preset 8 (9300 K) meanwhile: it stays so"
    assert panel.values[PRESET] == 8


async def test_after_a_crash_the_setting_before_is_not_forgotten(
    make: Callable[..., MonitorWhite], panel: Any
) -> None:
    """Killed with the monitor at 5000 K: the next life goes on and gives 6500 K back."""
    await make().reach(5000)
    again = make()
    assert (await again.reach(5000)).confirmed is True
    assert panel.sets == [(PRESET, 4)]
    await again.give_back()
    assert panel.values[PRESET] == 5


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"before": 3}', '{"feature": 99}'])
async def test_a_memory_that_makes_no_sense_is_none(
    make: Callable[..., MonitorWhite], panel: Any, tmp_path: Path, kept: str
) -> None:
    """Damaged or of another version."""
    (tmp_path / "monitor.json").write_text(kept)
    white = make()
    assert await white.give_back() is None
    assert (await white.reach(5000)).confirmed is True


async def test_an_answer_that_comes_too_late_changes_nothing_in_the_end(
    make: Callable[..., MonitorWhite], panel: Any
) -> None:
    """The bus hangs in the middle of a set: the caller goes on, the thread takes it back."""
    white = make(deadline_s=0.3)
    assert (await white.reach(5000)).confirmed is True
    await white.give_back()
    panel.hang = threading.Event()
    reached = await white.reach(9300)
    assert (reached.confirmed, reached.stands) == (None, False)
    assert "no answer within 0.3 s" in (reached.why or "")
    assert (await white.reach(9300)).confirmed is None  # the bus is still busy
    hang, panel.hang = panel.hang, None
    hang.set()
    await _until(lambda: not _threads())
    assert panel.values[PRESET] == 5
    assert (await white.reach(9300)).confirmed is True


async def test_a_set_that_was_under_way_at_the_deadline_is_undone(
    make: Callable[..., MonitorWhite], panel: Any
) -> None:
    """The first write is done, the read-back hangs."""
    hang = threading.Event()

    def slow(seconds: float) -> None:
        if panel.values[PRESET] == 8 and panel.hang is None:
            panel.hang = hang

    white = make(deadline_s=0.5, sleep=slow)
    assert (await white.reach(9300)).confirmed is None
    assert panel.values[PRESET] == 8
    hang.set()
    await _until(lambda: not _threads())
    assert panel.values[PRESET] == 5


async def test_which_of_several_monitors_has_to_be_said(plug_in: Any) -> None:
    """The wrong one must not be set."""
    first, second = plug_in(2)
    for number, words in ((None, "say which with --ddc N"), (3, "none has number 3")):
        white = MonitorWhite(number, sleep=lambda s: None)
        reached = await white.reach(5000)
        assert reached.confirmed is False
        assert words in (reached.why or "")
    assert (await MonitorWhite(2, sleep=lambda s: None).reach(5000)).confirmed
    assert (first.sets, second.sets) == ([], [(PRESET, 4)])


async def test_without_the_package_it_is_a_sentence() -> None:
    """The extra is not installed."""

    def none() -> list[Any]:
        raise UserError("install capture-rig[ddc]")

    reached = await MonitorWhite(None, find=none).reach(5000)
    assert reached == Reached(False, why="install capture-rig[ddc]")


def _threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "monitor"]


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)
