"""A station whose phone runs the original app, in the service of a controller."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import io
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import pytest
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from display_agent import cli
from display_agent.connected import ConnectedStation
from display_agent.images import LocalImages
from display_agent.screens.null import NullScreen
from display_agent.station import Station, StationConfig
from rig.planning.plan import SubsetPlan, to_json
from rig.protocol.legacy import WEAKER_DISPLAY

SESSION = "s" + "7" * 16


def _load(folder: str, name: str) -> ModuleType:
    path = Path(__file__).parents[1] / folder / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{name}_for_legacy_connected", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


peers = _load("protocol", "legacy_peers")
connected = _load("display_agent", "test_connected")


class Controller(connected.FakeController):  # type: ignore[name-defined, misc]
    """Knows what it has: after a reconnection nothing is sent to it again. Waits for events."""

    def __init__(self) -> None:
        super().__init__()
        self.hellos: list[dict[str, Any]] = []

    async def handle(self, socket: Any) -> None:
        self._socket = socket
        hello = json.loads(await socket.recv())
        self.hellos.append(hello)
        for session in hello["sessions"]:
            await self._ack(socket, session)
        phone = {"url": "http://c", "token": "t"}
        await socket.send(json.dumps({"type": "welcome", "station": "s", "phone": phone}))
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "event":
                    if message["seq"] > self._seq(message["session"]):
                        self.events.append(message)
                    await self._ack(socket, message["session"])
                elif message["type"] == "reply":
                    await self.replies.put(message)
                elif message["type"] == "pairing":
                    await self.pairings.put(message["url"])

    async def _ack(self, socket: Any, session: str) -> None:
        ack = {"type": "ack", "session": session, "seq": self._seq(session)}
        await socket.send(json.dumps(ack))

    def _seq(self, session: str) -> int:
        return max((e["seq"] for e in self.events if e["session"] == session), default=0)

    def kinds(self) -> list[str]:
        return [event["event"] for event in self.events]

    async def until(self, kind: str, count: int = 1) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while self.kinds().count(kind) < count:
                await asyncio.sleep(0.01)
        return [event for event in self.events if event["event"] == kind][count - 1]


@pytest.fixture
async def controller() -> AsyncIterator[tuple[Controller, str]]:
    fake = Controller()
    async with serve(fake.handle, "127.0.0.1", 0) as server:
        yield fake, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


class App(asyncio.DatagramProtocol):
    """The original app behind a socket; it can be told to answer nobody."""

    def __init__(self) -> None:
        self.app = peers.OriginalApp(1, look=self._look)
        self.screen: Any = None
        self.transport: Any = None
        self.mute = False
        self.held: list[tuple[bytes, Any]] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self.mute:
            self.held.append((data, addr))
            return
        self.app.receive(data, addr)
        while self.app.exposing:
            self.app.photo_done()
        for answer, to in self.app.take_sent():
            self.transport.sendto(answer, to)

    def _look(self) -> bytes:
        out = io.BytesIO()
        self.screen.frame().save(out, "JPEG")
        return out.getvalue()


@pytest.fixture
async def phone() -> AsyncIterator[App]:
    on_air = App()
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: on_air, local_addr=("127.0.0.1", 0))
    yield on_air
    on_air.transport.close()
    await asyncio.sleep(0)


class Running:
    """One life of the station; `stop` ends it as a restart would."""

    def __init__(self, folder: Path, url: str, plan: SubsetPlan, phone: App | None) -> None:
        peer = None if phone is None else phone.transport.get_extra_info("sockname")[:2]
        config = StationConfig(folder / "state", ("127.0.0.1", 0), legacy=peer)
        self.station = Station(config, NullScreen((160, 90)), LocalImages(plan))
        self.folder, self.url, self.phone = folder, url, phone

    async def __aenter__(self) -> Self:
        await self.station.open()
        if self.phone is not None:
            self.phone.screen = self.station.screen
        one = ConnectedStation(self.station, self.folder / "state", self.url, "token")
        self.task = asyncio.create_task(one.run(), name="station")
        async with asyncio.timeout(10):
            while not one.link.connected:
                await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *ended: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.station.close()


@pytest.fixture
def plan(tmp_path: Path) -> SubsetPlan:
    made: SubsetPlan = connected.plan_of(tmp_path, SESSION, 3)
    return made


Told = tuple[Controller, str]


async def begin(fake: Controller, plan: SubsetPlan) -> None:
    assert (await fake.order("load", plan=to_json(plan)))["ok"]
    assert (await fake.order("start", session=plan.session))["ok"]


async def test_a_session_is_claimed_and_every_event_says_legacy(
    tmp_path: Path, controller: Told, phone: App, plan: SubsetPlan
) -> None:
    """Guarantees before anything is shown; a claim per photo; no commit and no pairing."""
    fake, url = controller
    async with Running(tmp_path, url, plan, phone) as running:
        await begin(fake, plan)
        await fake.until("completed")
        assert running.station.session is not None
        assert running.station.session.status()["legacy"] is True
    hello = fake.hellos[0]
    assert (hello["mode"], hello["weaker"]) == ("legacy", list(WEAKER_DISPLAY))
    assert fake.pairings.empty()
    assert fake.kinds() == [
        "guarantees", "armed", *["painted", "answered"] * 3, "claimed", "completed",
    ]  # fmt: skip
    assert all(event["legacy"] is True for event in fake.events)
    assert fake.events[0]["start_number"] == 1
    assert f"rig batch import {SESSION}" in fake.events[-2]["why"]
    assert (fake.events[-1]["claimed"], fake.events[-1]["chain"]) == (True, "")
    assert [event["name"] for event in fake.events if event["event"] == "answered"] == list(
        phone.app.files
    )


async def test_pause_and_resume(
    tmp_path: Path, controller: Told, phone: App, plan: SubsetPlan
) -> None:
    """The photo in flight is claimed first; resume goes on behind it."""
    fake, url = controller
    phone.mute = True
    async with Running(tmp_path, url, plan, phone):
        await begin(fake, plan)
        async with asyncio.timeout(10):
            while not phone.held:
                await asyncio.sleep(0.01)
        assert (await fake.order("pause", session=SESSION))["ok"]
        phone.mute = False
        phone.datagram_received(*phone.held.pop())
        paused = await fake.until("paused")
        assert (paused["code"], paused["doubt"]) == ("OPERATOR_PAUSE", None)
        assert fake.kinds().count("answered") == 1
        assert (await fake.order("resume", session=SESSION))["ok"]
        await fake.until("completed")
    assert fake.kinds().count("answered") == 3
    assert "resumed" in fake.kinds()


async def test_resume_of_a_session_that_never_stopped_only_says_so(
    tmp_path: Path, controller: Told, phone: App, plan: SubsetPlan
) -> None:
    """A restarted controller has lost sight of it."""
    fake, url = controller
    phone.mute = True
    async with Running(tmp_path, url, plan, phone):
        await begin(fake, plan)
        await fake.until("painted")
        assert (await fake.order("resume", session=SESSION))["ok"]
        await fake.until("resumed")
        assert fake.kinds().count("painted") == 1


async def test_abort_and_rearm_by_id(
    tmp_path: Path, controller: Told, phone: App, plan: SubsetPlan
) -> None:
    """Latched through a restart; another id is refused; the right one goes on."""
    fake, url = controller
    phone.mute = True
    async with Running(tmp_path, url, plan, phone):
        await begin(fake, plan)
        await fake.until("painted")
        assert (await fake.order("abort", session=SESSION))["ok"]
        aborted = await fake.until("aborted")
        assert (aborted["code"], aborted["by"]) == ("OPERATOR", "display")
    async with Running(tmp_path, url, plan, phone):
        refused = await fake.order("rearm", session=SESSION, abort_id="00" * 8)
        assert aborted["abort_id"] in refused["error"]
        nonsense = await fake.order("rearm", session=SESSION, abort_id="no hex")
        assert "is not an abort id" in nonsense["error"]
        phone.mute = False
        good = await fake.order("rearm", session=SESSION, abort_id=aborted["abort_id"])
        assert good["ok"]
        await fake.until("completed")
    assert fake.kinds().count("aborted") == 1


@pytest.mark.parametrize("answer", ["taken", "missing"])
async def test_a_doubt_is_resolved_by_a_person(
    tmp_path: Path, controller: Told, phone: App, plan: SubsetPlan, answer: str
) -> None:
    """Asked in one life, MISMATCH in the next: ambiguous until someone has read the app's log."""
    fake, url = controller
    phone.mute = True
    async with Running(tmp_path, url, plan, phone):
        await begin(fake, plan)
        async with asyncio.timeout(10):
            while not phone.held:
                await asyncio.sleep(0.01)
    if answer == "taken":
        phone.app.receive(*phone.held[0])
        phone.app.photo_done()  # taken, and the OK is lost
        phone.app.take_sent()
    else:
        phone.app.expected = 9
    phone.mute = False
    async with Running(tmp_path, url, plan, phone):
        paused = await fake.until("paused")
        assert paused["doubt"] == 1
        assert "--legacy-resolve" not in paused["why"]
        assert "answer taken" in (await fake.order("resume", session=SESSION))["error"]
        wrong = await fake.order("resolve", session=SESSION, answer="perhaps")
        assert "either taken or missing" in wrong["error"]
    async with Running(tmp_path, url, plan, phone):  # the doubt survives a restart
        await fake.until("paused", 2)
        if answer == "missing":
            phone.app.stop_and_start(1)
        assert (await fake.order("resolve", session=SESSION, answer=answer))["ok"]
        await fake.until("completed")
    claims = [event for event in fake.events if event["event"] == "answered"]
    assert [event["index"] for event in claims] == [1, 2, 3]
    assert claims[0]["by"] == ("operator" if answer == "taken" else "phone")
    # The photo may lie under any name that was asked for: the controller is told them all.
    assert {claims[0]["name"], *claims[0]["earlier"]} & set(phone.app.files)


async def test_an_interrupted_session_goes_on_and_tells_nothing_twice(
    tmp_path: Path, controller: Told, phone: App, plan: SubsetPlan
) -> None:
    """Killed between claims: the next life goes on by the journal."""
    fake, url = controller
    async with Running(tmp_path, url, plan, phone):
        await begin(fake, plan)
        await fake.until("answered")
    async with Running(tmp_path, url, plan, phone):
        async with asyncio.timeout(10):
            while not {"completed", "paused"} & set(fake.kinds()):
                await asyncio.sleep(0.01)
        if "completed" not in fake.kinds():  # stopped between request and answer
            assert (await fake.order("resolve", session=SESSION, answer="taken"))["ok"]
            await fake.until("completed")
    claims = [event["index"] for event in fake.events if event["event"] == "answered"]
    assert claims == [1, 2, 3]
    assert len(phone.app.files) == 3


async def test_a_session_keeps_to_the_mode_it_was_begun_in(
    tmp_path: Path, controller: Told, phone: App, plan: SubsetPlan
) -> None:
    """Photos of two protocols in one session could not be told apart later."""
    fake, url = controller
    async with Running(tmp_path, url, plan, phone):
        await begin(fake, plan)
        await fake.until("completed")
    (tmp_path / "state" / "current").unlink()
    async with Running(tmp_path, url, plan, None):
        refused = await fake.order("load", plan=to_json(plan))
        assert "was begun in legacy mode" in refused["error"]
        other = connected.plan_of(tmp_path, "s" + "8" * 16)
        assert (await fake.order("load", plan=to_json(other)))["ok"]
        told = await fake.order("resolve", session=other.session, answer="taken")
        assert "only a session in legacy mode" in told["error"]
    (tmp_path / "state" / "current").unlink()
    async with Running(tmp_path, url, plan, phone):
        refused = await fake.order("load", plan=to_json(other))
        assert "holds an XCAP/1 run" in refused["error"]


async def test_commands_before_the_start_are_refused(
    tmp_path: Path, controller: Told, phone: App, plan: SubsetPlan
) -> None:
    """Each with a sentence; the session can be started afterwards."""
    fake, url = controller
    async with Running(tmp_path, url, plan, phone):
        assert (await fake.order("load", plan=to_json(plan)))["ok"]
        for word in ("pause", "resolve"):
            refused = await fake.order(word, session=SESSION, answer="taken")
            assert "has not been started" in refused["error"]
        assert (
            "no abort is latched"
            in (await fake.order("rearm", session=SESSION, abort_id="00" * 8))["error"]
        )
        assert (await fake.order("start", session=SESSION))["ok"]
        await fake.until("completed")
    assert fake.kinds()[0] == "guarantees"


def test_the_command_line_of_a_legacy_station(capsys: pytest.CaptureFixture[str]) -> None:
    """`--legacy-phone` names the phone; `--help` says what is weaker."""
    words = ["connect", "http://c:8000", "--token", "t", "--legacy-phone", "127.0.0.1:5000",
             "--screen", "null"]  # fmt: skip
    args = cli.build_parser().parse_args(words)
    assert args.legacy_phone == ("127.0.0.1", 5000)
    station = cli._station(args, Path("state"), None)
    assert station.legacy == ("127.0.0.1", 5000)
    assert cli.main([*words, "--pairing", "pair.txt"]) == 2
    assert "cannot be paired" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.build_parser().parse_args(["connect", "--help"])
    assert "Weaker: nobody is authenticated" in capsys.readouterr().out
