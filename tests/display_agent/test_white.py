"""Who makes the white of a session's screen: the monitor, the pixels, or somebody else."""

from __future__ import annotations

import argparse
import asyncio
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from display_agent import ddc
from display_agent.cli import build_parser
from display_agent.colour import NEUTRAL, gains_of
from display_agent.ddc_options import monitor_white
from display_agent.images import LocalImages
from display_agent.legacy_session import LegacySettings
from display_agent.look import PLAIN, look_of
from display_agent.monitor_white import MonitorWhite
from display_agent.pairing import pairing_url
from display_agent.screens.null import NullScreen
from display_agent.station import Station, StationConfig
from display_agent.white import WhiteKeeper
from phone_agent.agent import AgentConfig, PhoneAgent
from phone_agent.cameras.loopback import LoopbackCamera
from phone_agent.status import Status
from rig.errors import UserError
from rig.planning.model import Environment
from rig.planning.plan import SubsetPlan, from_json, to_json
from rig.protocol.keys import parse_pairing

PRESET = 0x14
WARM = "5000K"


class Room:
    """A station with its monitor, the events of its session, and a phone if asked for."""

    def __init__(self, folder: Path, plan: SubsetPlan, monitor: MonitorWhite | None) -> None:
        self.folder = folder
        self.plan = plan
        config = StationConfig(
            folder / "station", ("127.0.0.1", 0), frames=("127.0.0.1", 0), monitor=monitor
        )
        self.station = Station(config, NullScreen((640, 480)), LocalImages(plan))
        self.events: list[dict[str, Any]] = []
        self.session: Any = None
        self._came = asyncio.Event()
        self._phone: PhoneAgent | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self.at_event: Callable[[dict[str, Any]], None] = lambda event: None

    def told(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self._came.set()
        self.at_event(event)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind]

    async def load(self) -> None:
        await self.station.open()
        self.session = await self.station.load(self.plan, self.folder / "s", self.told)

    async def until(self, kind: str, count: int = 1) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while len(self.of(kind)) < count:
                self._came.clear()
                await self._came.wait()
        return self.of(kind)[count - 1]

    def start(self) -> None:
        """Begin, with a phone that photographs the frame server."""
        url = pairing_url(self.station.psk, self.station.hosts, campaign=self.plan.campaign_id)
        camera = LoopbackCamera(str(self.station.frames_url))
        config = AgentConfig(parse_pairing(url), self.folder / "phone")
        self._phone = PhoneAgent(config, camera, Status(io.StringIO()), None)
        self._tasks.append(asyncio.create_task(self._phone.run()))
        self.session.start()

    @property
    def look(self) -> Any:
        prefetch = self.station._prefetch
        assert prefetch is not None
        return prefetch.look

    async def close(self) -> None:
        if self._phone is not None:
            self._phone.stop()
        await asyncio.gather(*self._tasks)
        await self.station.close()


@pytest.fixture
async def make_room(
    tmp_path: Path, make_plan: Any, make_item: Any, plug_in: Any
) -> AsyncIterator[Callable[..., Any]]:
    """A station with one monitor that speaks DDC/CI; closed at the end."""
    rooms: list[Room] = []

    def make(level: str = WARM, *, monitor: bool = True, **more: Any) -> tuple[Room, Any]:
        panel = plug_in(1)[0]
        levels = {"colour_temperature": level} if level else {}
        plan = make_plan(*(make_item(index) for index in (1, 2, 3)))
        plan = replace(plan, environment=Environment("e01", levels), settle_ms=0, **more)
        memory = tmp_path / "monitor.json"
        white = MonitorWhite(None, memory, sleep=lambda s: None) if monitor else None
        rooms.append(Room(tmp_path / str(len(rooms)), plan, white))
        return rooms[-1], panel

    yield make
    for room in rooms:
        await room.close()


async def test_a_confirmed_monitor_leaves_the_pixels_alone(make_room: Callable[..., Any]) -> None:
    """It is told at load, and given back when the session is closed."""
    room, panel = make_room()
    await room.load()
    said = await room.until("white")
    assert (said["requested"], said["by"], said["confirmed"]) == (WARM, "ddc", True)
    assert said["readback"] == "preset 4 (5000 K)"
    assert said["at_ns"] > 0
    assert room.look.gains == NEUTRAL
    assert panel.values[PRESET] == 4
    await room.station.unload()
    assert panel.values[PRESET] == 5
    assert "as before" in room.of("white")[-1]["text"]


@pytest.mark.parametrize("fault", ["silent", "stubborn", "no preset", "garbled", "missing"])
async def test_without_a_confirmation_the_pixels_are_tinted_and_it_is_said(
    make_room: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Whatever the monitor does instead; it is at what it was."""
    room, panel = make_room("4000K" if fault == "no preset" else WARM)
    if fault == "missing":
        monkeypatch.setitem(__import__("sys").modules, "monitorcontrol", None)
    elif fault == "garbled":
        panel.garbled = 10**6
    elif fault != "no preset":
        setattr(panel, fault, True)
    await room.load()
    said = await room.until("white")
    assert (said["by"], said["confirmed"]) == ("gains", True)
    assert "pixels are tinted, because" in said["text"]
    assert ("capture-rig[ddc]" in said["text"]) == (fault == "missing")
    assert room.look.gains == gains_of(4000 if fault == "no preset" else 5000)
    assert panel.values[PRESET] == 5


async def test_a_monitor_that_hangs_is_waited_for_only_so_long(
    tmp_path: Path, make_room: Callable[..., Any]
) -> None:
    """The load itself waits for nothing; the first painting waits until the deadline."""
    import threading

    room, panel = make_room()
    room.station._config = replace(room.station._config, monitor=MonitorWhite(None, deadline_s=0.2))
    panel.hang = threading.Event()
    await room.load()
    assert room.events == []
    room.start()
    said = await room.until("white")
    assert (said["by"], said["confirmed"]) == ("gains", None)
    assert "within 0.2 s" in said["text"]
    assert "in doubt" in said["text"]
    await room.until("completed")
    assert {tuple(e["gains"]) for e in room.of("painted")} == {gains_of(5000)}
    panel.hang.set()


async def test_without_the_option_pixels_are_tinted_and_no_monitor_is_touched(
    make_room: Callable[..., Any],
) -> None:
    """By default."""
    room, panel = make_room(monitor=False)
    await room.load()
    room.start()
    said = (await room.until("painted"))["white"]
    assert (said["by"], said["confirmed"], room.look.gains) == ("gains", True, gains_of(5000))
    assert room.of("white") == []
    assert panel.opened == 0


@pytest.mark.parametrize("monitor", [True, False])
async def test_what_a_person_sets_is_not_tinted_once_more(
    make_room: Callable[..., Any], monitor: bool
) -> None:
    """The plan says who: pixels neutral, monitor untouched, and nothing claimed."""
    room, panel = make_room(monitor=monitor, set_by={"colour_temperature": "operator"})
    await room.load()
    said = await room.until("white")
    assert (said["by"], said["confirmed"]) == ("elsewhere", None)
    assert "set by operator" in said["text"]
    assert room.look.gains == NEUTRAL
    assert panel.sets == []


@pytest.mark.parametrize("level", ["", "warm"])
async def test_a_plan_that_wants_no_temperature_touches_nothing(
    make_room: Callable[..., Any], level: str
) -> None:
    """Words are a person's; no word is nobody's."""
    room, panel = make_room(level)
    await room.load()
    room.start()
    await room.until("completed")
    assert room.of("white") == []
    assert [e["white"] for e in room.of("painted")] == [None] * 3
    assert panel.sets == []


async def test_every_painted_event_tells_the_white_and_the_end_gives_it_back(
    make_room: Callable[..., Any],
) -> None:
    """A whole run: neutral pixels at 5000 K, and 6500 K again once the last photo is decided."""
    room, panel = make_room()
    seen: list[int] = []
    room.at_event = lambda e: seen.append(panel.values[PRESET]) if e["event"] == "painted" else None
    await room.load()
    room.start()
    await room.until("completed")
    assert seen == [4, 4, 4]
    for event in room.of("painted"):
        assert event["gains"] == [1.0, 1.0, 1.0]
        assert event["white"]["by"] == "ddc"
        assert event["white"]["readback"] == "preset 4 (5000 K)"
    await room.until("white", 2)
    assert panel.values[PRESET] == 5


async def test_a_resume_looks_at_the_monitor_first(make_room: Callable[..., Any]) -> None:
    """Switched off and on in a pause it came back at 9300 K: no photo is taken at that."""
    room, panel = make_room()
    at: list[int] = []

    def pause(event: dict[str, Any]) -> None:
        if event["event"] == "committed":
            at.append(panel.values[PRESET])
        if event["event"] == "committed" and event["index"] == 1:
            room.session.operator("pause")

    room.at_event = pause
    await room.load()
    room.start()
    await room.until("paused")
    panel.values[PRESET] = 8
    room.session.operator("resume")
    await room.until("completed")
    kinds = [event["event"] for event in room.events]
    assert kinds.index("white", kinds.index("paused")) < kinds.index("resumed")
    assert at == [4, 4, 4]


async def test_a_disturbed_screen_is_a_reason_to_ask_the_monitor(
    make_room: Callable[..., Any],
) -> None:
    """A cable pulled and put back: the retake is shown at the right temperature."""
    room, panel = make_room()
    at: list[int] = []

    def pull(event: dict[str, Any]) -> None:
        if event["event"] == "accepted" and not room.of("retake"):
            panel.values[PRESET] = 8
            screen = room.station.screen
            assert screen.on_disturbed is not None
            screen.on_disturbed("the monitor went away")
        if event["event"] == "painted":
            at.append(panel.values[PRESET])

    room.at_event = pull
    await room.load()
    room.start()
    await room.until("completed")
    assert at == [4, 4, 4, 4]
    assert len(room.of("retake")) == 1
    assert "set anew" not in room.of("retake")[0]["why"]


async def test_a_monitor_that_stops_answering_in_mid_run_is_in_doubt_but_not_tinted(
    make_room: Callable[..., Any],
) -> None:
    """It was confirmed before: gains on top would tint twice."""
    room, panel = make_room()

    def mute(event: dict[str, Any]) -> None:
        if event["event"] == "committed" and event["index"] == 1:
            panel.silent = True
            room.session.operator("pause")

    room.at_event = mute
    await room.load()
    room.start()
    await room.until("paused")
    room.session.operator("resume")
    await room.until("completed")
    last = room.of("painted")[-1]
    assert (last["white"]["by"], last["white"]["confirmed"]) == ("ddc", None)
    assert last["gains"] == [1.0, 1.0, 1.0]
    assert "in doubt" in room.of("white")[1]["text"]
    await room.station.unload()
    assert "look at it" in room.of("white")[-1]["text"]


async def test_an_abort_gives_the_monitor_back(make_room: Callable[..., Any]) -> None:
    """Whoever comes next finds the monitor as it was."""
    room, panel = make_room()
    await room.load()
    await room.until("white")
    room.session.start()
    room.session.operator("abort")
    await room.until("white", 2)
    assert panel.values[PRESET] == 5


async def test_a_crash_is_made_good_by_the_next_run(make_room: Callable[..., Any]) -> None:
    """Killed with the monitor at 5000 K; the next plan wants nothing: it gets 6500 K again."""
    room, _ = make_room()
    await room.load()
    await room.until("white")
    memory = room.station._config.monitor
    assert memory is not None
    kept = memory._memory._path
    assert kept is not None
    left = kept.read_bytes()
    await room.station.unload()
    kept.write_bytes(left)
    again, panel = make_room("")
    panel.values[PRESET] = 4
    await again.load()
    async with asyncio.timeout(20):
        while panel.values[PRESET] != 5:
            await asyncio.sleep(0.01)
    assert panel.values[PRESET] == 5


class Ear:
    """Hears a keeper, and composes for it."""

    def __init__(self) -> None:
        self.look = PLAIN
        self.told: list[dict[str, Any]] = []
        self.changed: list[str] = []

    def prepare(self, item: Any) -> None:
        """Nothing is composed."""

    def white_told(self, body: dict[str, Any]) -> None:
        self.told.append(body)

    def white_changed(self, why: str) -> None:
        self.changed.append(why)


@pytest.fixture
def keep(make_plan: Any, make_item: Any, plug_in: Any) -> Callable[..., Any]:
    """A keeper of 5000 K, its ear, and the panel."""

    def make(level: str = WARM, **more: Any) -> tuple[WhiteKeeper, Ear, Any]:
        panel, ear = plug_in(1)[0], Ear()
        environment = Environment("e01", {"colour_temperature": level})
        plan = replace(make_plan(make_item(1)), environment=environment, **more)
        white = MonitorWhite(None, sleep=lambda s: None)

        def look(monitor_set: bool) -> Any:
            return look_of(environment.levels, seed=1, monitor_set=monitor_set)

        return WhiteKeeper(plan, look, ear, white), ear, panel

    return make


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_white_that_changed_under_an_exposure_spoils_it(
    keep: Callable[..., Any], stubborn: bool
) -> None:
    """Whether the monitor could be set anew, or pixels have to be tinted from now on."""
    keeper, ear, panel = keep()
    keeper.begin(ear)
    await keeper.ready()
    assert ear.changed == []
    panel.values[PRESET] = 8
    panel.stubborn = stubborn
    keeper.doubt()
    await keeper.ready()
    assert len(ear.changed) == 1
    assert ear.look.gains == (gains_of(5000) if stubborn else NEUTRAL)
    assert [body["by"] for body in ear.told] == ["ddc", "gains" if stubborn else "ddc"]


async def test_a_monitor_that_is_as_it_was_spoils_nothing_and_is_not_told_again(
    keep: Callable[..., Any],
) -> None:
    """Nor is it asked without a doubt."""
    keeper, ear, panel = keep()
    keeper.begin(ear)
    await keeper.ready()
    asked = len(panel.written)
    await keeper.ready()
    assert len(panel.written) == asked
    keeper.doubt()
    await keeper.ready()
    assert len(panel.written) > asked
    assert (len(ear.told), ear.changed) == (1, [])


async def test_a_rearm_after_an_abort_sets_it_and_tells_it_again(keep: Callable[..., Any]) -> None:
    """It was given back meanwhile."""
    keeper, ear, panel = keep()
    keeper.begin(ear)
    await keeper.ready()
    await keeper.release()
    assert panel.values[PRESET] == 5
    await keeper.ready()
    assert panel.values[PRESET] == 4
    assert [body.get("given_back", False) for body in ear.told] == [False, True, False]


def test_a_temperature_that_pixels_cannot_show_is_refused_unless_others_set_it(
    keep: Callable[..., Any],
) -> None:
    """900 K is outside the formula; a person's lamp of a monitor may do it."""
    with pytest.raises(UserError, match="900 K cannot be shown"):
        keep("900K")
    keep("900K", set_by={"colour_temperature": "operator"})


async def test_legacy_mode_sets_the_monitor_too(
    tmp_path: Path, make_room: Callable[..., Any]
) -> None:
    """The original app photographs the same screen."""
    room, panel = make_room()
    await room.station.open()
    settings = LegacySettings(("127.0.0.1", 9))
    await room.station.load_legacy(room.plan, tmp_path / "legacy", room.told, settings)
    assert (await room.until("white"))["by"] == "ddc"
    assert panel.values[PRESET] == 4
    await room.station.unload()
    assert panel.values[PRESET] == 5


def test_a_plan_says_who_sets_what_only_where_it_is_not_the_display(
    make_plan: Any, make_item: Any
) -> None:
    """Such plans are new; all others read as ever, also by their hash."""
    plan = make_plan(make_item(1))
    assert "set_by" not in to_json(plan)
    theirs = replace(plan, set_by={"colour_temperature": "operator"})
    assert from_json(to_json(theirs)) == theirs
    assert theirs.manifest_sha256 == plan.manifest_sha256
    assert hash(theirs) == hash(plan)


@pytest.mark.parametrize(("words", "number"), [([], None), (["--ddc"], 0), (["--ddc", "2"], 2)])
@pytest.mark.parametrize(
    "command",
    [["run", "plan.json"], ["connect", "http://h:1", "--token", "t"],
     ["manual", "--folder", "d", "--out", "o"]],
)  # fmt: skip
def test_every_command_that_shows_a_plan_has_the_option(
    command: list[str], words: list[str], number: int | None
) -> None:
    """Off by default."""
    assert build_parser().parse_args(command + words).ddc == number


def test_the_number_of_a_monitor_is_kept(tmp_path: Path) -> None:
    """None at all, the only one, or the second."""
    made = [monitor_white(argparse.Namespace(ddc=n), tmp_path) for n in (None, 0, 2)]
    assert made[0] is None
    assert [one._number for one in made[1:] if one] == [None, 2]
    assert ddc.WAIT > 0
