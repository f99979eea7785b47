"""A station in the service of a controller that comes and goes."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from websockets.asyncio.server import ServerConnection, serve

from display_agent.connected import ConnectedStation
from display_agent.images import LocalImages
from display_agent.outbox import Outbox
from display_agent.screens.null import NullScreen
from display_agent.station import Station, StationConfig
from rig.planning.model import Environment
from rig.planning.plan import PlanItem, SubsetPlan, to_json
from rig.protocol.keys import parse_pairing


def plan_of(folder: Path, session: str, count: int = 2) -> SubsetPlan:
    items = []
    for index in range(1, count + 1):
        file = folder / f"{index}.png"
        Image.new("L", (20, 30), index).save(file)
        sha = hashlib.sha256(file.read_bytes()).hexdigest()
        items.append(PlanItem(index, f"p{index}/s/v", sha, 20, 30, str(file)))
    return SubsetPlan(
        session, "c", "ab" * 8, 1, 1, count, "nokia", Environment("e01", {}), tuple(items), 0
    )


class FakeController:
    """Welcomes, acknowledges everything it hears, and sends commands."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.replies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.pairings: asyncio.Queue[str] = asyncio.Queue()
        self.acking = True
        self.phone: dict[str, Any] = {"url": "http://c", "token": "t"}
        self._socket: ServerConnection | None = None
        self._ids = 0

    async def handle(self, socket: ServerConnection) -> None:
        self._socket = socket
        hello = json.loads(await socket.recv())
        for session in hello["sessions"]:
            await socket.send(json.dumps({"type": "ack", "session": session, "seq": 0}))
        await self.welcome()
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "event":
                self.events.append(message)
                if self.acking:
                    ack = {"type": "ack", "session": message["session"], "seq": message["seq"]}
                    await socket.send(json.dumps(ack))
            elif message["type"] == "reply":
                await self.replies.put(message)
            elif message["type"] == "pairing":
                await self.pairings.put(message["url"])

    async def welcome(self) -> None:
        assert self._socket is not None
        message = {"type": "welcome", "station": "s", "phone": self.phone}
        await self._socket.send(json.dumps(message))

    async def order(self, do: str, **fields: Any) -> dict[str, Any]:
        assert self._socket is not None
        self._ids += 1
        command = {"type": "command", "id": self._ids, "do": do, **fields}
        await self._socket.send(json.dumps(command))
        async with asyncio.timeout(10):
            return await self.replies.get()


@pytest.fixture
async def controller() -> AsyncIterator[tuple[FakeController, str]]:
    fake = FakeController()
    async with serve(fake.handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield fake, f"http://127.0.0.1:{port}"


class Running:
    """One life of a connected station; `stop` ends it as a restart would."""

    def __init__(self, folder: Path, url: str, plan: SubsetPlan) -> None:
        config = StationConfig(folder / "state", ("127.0.0.1", 0))
        self.station = Station(config, NullScreen((160, 90)), LocalImages(plan))
        self.folder, self.url = folder, url

    async def start(self) -> None:
        await self.station.open()
        self.connected = ConnectedStation(
            self.station,
            self.folder / "state",
            self.url,
            "token",
            pairing_file=self.folder / "pair.txt",
        )
        self.task = asyncio.create_task(self.connected.run(), name="station")

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.station.close()


async def test_commands_are_answered_and_nonsense_refused(
    tmp_path: Path, controller: tuple[FakeController, str]
) -> None:
    """Load is idempotent; a second session waits for the first; unknown orders are refused."""
    fake, url = controller
    plan = plan_of(tmp_path, "s" + "1" * 16)
    running = Running(tmp_path, url, plan)
    await running.start()
    try:
        async with asyncio.timeout(10):
            assert (await fake.pairings.get()).startswith("xcap://pair?")
        assert (tmp_path / "pair.txt").stat().st_mode & 0o077 == 0
        refused = await fake.order("start", session=plan.session)
        assert not refused["ok"]
        assert "load it first" in refused["error"]
        assert (await fake.order("load", plan=to_json(plan)))["ok"]
        assert (await fake.order("load", plan=to_json(plan)))["ok"]
        assert (await fake.order("start", session=plan.session))["ok"]
        other = plan_of(tmp_path, "s" + "2" * 16)
        second = await fake.order("load", plan=to_json(other))
        assert "still under way" in second["error"]
        assert "does not know" in (await fake.order("dance", session=plan.session))["error"]
        assert (await fake.order("abort", session=plan.session))["ok"]
        async with asyncio.timeout(10):
            while "aborted" not in [e["event"] for e in fake.events]:
                await asyncio.sleep(0.01)
        assert (await fake.order("load", plan=to_json(other)))["ok"]
    finally:
        await running.stop()


async def test_a_pause_tells_its_reason_and_a_stop_outlives_the_agent(
    tmp_path: Path, controller: tuple[FakeController, str]
) -> None:
    """The controller's reason comes back; the next life ends the session instead of shooting on."""
    fake, url = controller
    plan = plan_of(tmp_path, "s" + "6" * 16)
    first = Running(tmp_path, url, plan)
    await first.start()
    try:
        async with asyncio.timeout(10):
            await fake.pairings.get()
        assert (await fake.order("load", plan=to_json(plan)))["ok"]
        assert (await fake.order("start", session=plan.session))["ok"]
        await _said(fake, "pause", plan.session, "paused", why="too dark")
        assert fake.events[-1]["why"] == "too dark"
        await _said(fake, "resume", plan.session, "resumed")
        await _said(fake, "pause_now", plan.session, "paused")
        await _said(fake, "stop", plan.session, "stopping")
    finally:
        await first.stop()
    second = Running(tmp_path, url, plan)
    await second.start()
    try:
        async with asyncio.timeout(10):
            await fake.pairings.get()
        session = second.station.session
        assert session is not None
        assert session.core.ledger.stopping
        await _said(fake, "resume", plan.session, "stopping")
    finally:
        await second.stop()


async def _said(fake: FakeController, do: str, session: str, event: str, **more: Any) -> None:
    """The order is taken, and one more of these events follows."""
    before = [e["event"] for e in fake.events].count(event)
    reply = await fake.order(do, session=session, **more)
    assert reply["ok"], reply
    async with asyncio.timeout(10):
        while [e["event"] for e in fake.events].count(event) == before:
            await asyncio.sleep(0.01)


async def _exists(path: Path) -> None:
    while not path.exists():
        await asyncio.sleep(0.02)


async def test_events_of_an_earlier_session_arrive_after_a_restart(
    tmp_path: Path, controller: tuple[FakeController, str]
) -> None:
    """Told to the outbox and never acknowledged: a later life of the agent sends them."""
    fake, url = controller
    old = "s" + "3" * 16
    folder = tmp_path / "state" / "sessions" / old
    box = Outbox(folder, old)
    box.append("completed", None, None, count=2, chain="00")
    box.close()
    running = Running(tmp_path, url, plan_of(tmp_path, "s" + "4" * 16))
    await running.start()
    try:
        async with asyncio.timeout(10):
            await _exists(folder / "delivered")
    finally:
        await running.stop()
    assert [(e["session"], e["event"]) for e in fake.events] == [(old, "completed")]
    again = Running(tmp_path, url, plan_of(tmp_path, "s" + "4" * 16))
    await again.start()
    try:
        async with asyncio.timeout(10):
            await fake.pairings.get()
            await fake.pairings.get()
    finally:
        await again.stop()
    assert len(fake.events) == 1


async def test_an_interrupted_session_goes_on_by_itself(
    tmp_path: Path, controller: tuple[FakeController, str]
) -> None:
    """Begun before the restart: the agent looks for the phone again without being told."""
    fake, url = controller
    plan = plan_of(tmp_path, "s" + "5" * 16)
    first = Running(tmp_path, url, plan)
    await first.start()
    async with asyncio.timeout(10):
        await fake.pairings.get()
    assert (await fake.order("load", plan=to_json(plan)))["ok"]
    assert (await fake.order("start", session=plan.session))["ok"]
    await first.stop()
    second = Running(tmp_path, url, plan)
    await second.start()
    try:
        async with asyncio.timeout(10):
            await fake.pairings.get()
        assert second.station.session is not None
        assert second.station.session.status()["phase"] == "hello"
    finally:
        await second.stop()


async def test_an_unpaired_phone_is_cut_off_and_the_session_waits_for_the_next(
    tmp_path: Path, controller: tuple[FakeController, str]
) -> None:
    """Another key before it is told; the session is begun again, paused, with a sentence."""
    fake, url = controller
    plan = plan_of(tmp_path, "s" + "6" * 16)
    running = Running(tmp_path, url, plan)
    await running.start()
    try:
        async with asyncio.timeout(10):
            first = parse_pairing(await fake.pairings.get())
            assert (await fake.order("load", plan=to_json(plan)))["ok"]
            assert (await fake.order("start", session=plan.session))["ok"]
            before = running.station.session
            fake.phone |= {"generation": 1, "token": "u"}
            await fake.welcome()
            second = parse_pairing(await fake.pairings.get())
            assert second.psk != first.psk
            assert second.upload_token == "u"
            assert running.station.session is not before
            assert running.station.psk == second.psk
            while "paused" not in [e["event"] for e in fake.events]:
                await asyncio.sleep(0.01)
            await fake.welcome()  # the same number again: nothing moves
            assert parse_pairing(await fake.pairings.get()).psk == second.psk
            fake.phone |= {"generation": "x"}
            await fake.welcome()
            assert (await fake.order("abort", session=plan.session))["ok"]
        assert [e["seq"] for e in fake.events] == list(range(1, len(fake.events) + 1))
        paused = next(e for e in fake.events if e["event"] == "paused")
        assert "Copy its photo folder to the next phone" in paused["why"]
        assert parse_pairing((tmp_path / "pair.txt").read_text()).psk == second.psk
        assert fake.pairings.empty()  # a number that is none pairs nobody
    finally:
        await running.stop()


async def test_unpairing_leaves_a_session_alone_that_was_not_begun(
    tmp_path: Path, controller: tuple[FakeController, str]
) -> None:
    """It is loaded with the new key; nothing is paused, nothing is started."""
    fake, url = controller
    plan = plan_of(tmp_path, "s" + "7" * 16)
    running = Running(tmp_path, url, plan)
    await running.start()
    try:
        async with asyncio.timeout(10):
            await fake.pairings.get()
            assert (await fake.order("load", plan=to_json(plan)))["ok"]
            fake.phone |= {"generation": 1}
            await fake.welcome()
            await fake.pairings.get()
            assert running.station.session is not None
            assert running.station.session.status()["phase"] == "idle"
            assert (await fake.order("start", session=plan.session))["ok"]
        assert "paused" not in [e["event"] for e in fake.events]
    finally:
        await running.stop()
