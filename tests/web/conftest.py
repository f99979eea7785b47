"""A controller on a real socket, a small catalog, and a display agent made of nothing."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from rig.catalog.model import COLUMNS
from rig.protocol.names import PhotoName, encode_name
from rig.web.app import create_app
from rig.web.controller import Controller
from rig.web.server import make_server


@dataclass
class Running:
    """A controller that listens, and how to talk to it."""

    home: Path
    rig: Controller
    url: str
    stop: Callable[[], None]
    batches: list[str] = field(default_factory=list)

    def client(self, token: str | None = None, **more: Any) -> httpx.Client:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=20, **more)

    def operator(self) -> httpx.Client:
        return self.client(self.rig.auth.token)

    def post(self, path: str, **body: Any) -> Any:
        with self.operator() as client:
            answer = client.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def get(self, path: str, **params: Any) -> Any:
        with self.operator() as client:
            answer = client.get(path, params=params)
        assert answer.is_success, answer.text
        return answer.json()


class _Factory:
    def __init__(self) -> None:
        self.stops: list[Callable[[], None]] = []

    def __call__(self, home: Path, **more: Any) -> Running:
        batches: list[str] = []
        rig = Controller.open(home, on_batch=lambda _, session: batches.append(session), **more)
        listener = socket.create_server(("127.0.0.1", 0))
        ready = threading.Event()
        server = make_server(create_app(rig), rig, ready.set)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()

        def stop() -> None:
            server.should_exit = True
            thread.join(20)
            listener.close()
            assert not thread.is_alive(), "the server did not stop"

        self.stops.append(stop)
        assert ready.wait(20)
        port = listener.getsockname()[1]
        return Running(home, rig, f"http://127.0.0.1:{port}", stop, batches)


@pytest.fixture
def serve() -> Iterator[Callable[..., Running]]:
    """Starts controllers; stops them at the end."""
    factory = _Factory()
    yield factory
    for stop in factory.stops:
        stop()


@pytest.fixture
def running(tmp_path: Path, serve: Callable[..., Running]) -> Running:
    """A controller on an empty home."""
    return serve(tmp_path / "home")


@pytest.fixture
def csv_of(tmp_path: Path) -> Callable[[int], tuple[Path, Path]]:
    """Writes a CheXpert-format CSV with *n* small x-rays; returns it and its data folder."""

    def make(n: int) -> tuple[Path, Path]:
        data = tmp_path / "data"
        lines = [",".join(COLUMNS)]
        for i in range(1, n + 1):
            path = f"Tiny/train/patient{i:05d}/study1/view1_frontal.png"
            file = data / path
            file.parent.mkdir(parents=True)
            Image.effect_noise((48, 40), 10 + i).save(file)
            lines.append(",".join([path, "Female", "60", "Frontal", "AP", *[""] * 14]))
        csv = tmp_path / "train.csv"
        csv.write_text("\n".join(lines) + "\n")
        return csv, data

    return make


@dataclass
class Set:
    """A campaign of one subset and a station with its token."""

    running: Running
    campaign: dict[str, Any]
    station: str
    token: str

    @property
    def phone_token(self) -> str:
        return self.running.rig.auth.phone_token(self.station)

    def new_session(self, subset: int = 1) -> dict[str, Any]:
        body = {"campaign": self.campaign["name"], "subset": subset, "station": self.station}
        session: dict[str, Any] = self.running.post("/api/sessions", **body)
        return session

    def photo(self, index: int, data: bytes, attempt: int = 1) -> str:
        """The name that the phone gives to a photo with these bytes."""
        return encode_name(
            PhotoName(
                campaign=self.campaign["id"],
                subset=1,
                index=index,
                attempt=attempt,
                env="e01",
                key=f"patient{index:05d}/study1/view1_frontal",
                meta16="0" * 16,
                photo16=hashlib.sha256(data).hexdigest()[:16],
            )
        )


@pytest.fixture
def ready(running: Running, csv_of: Callable[[int], tuple[Path, Path]]) -> Set:
    """A controller with a campaign of six x-rays in two subsets and a station."""
    csv, data = csv_of(6)
    running.post("/api/catalogs", name="tiny", csv=str(csv), data_dir=str(data))
    body = {"name": "first", "catalog": "tiny", "device": "nokia", "size_min": 3, "size_max": 3}
    campaign = running.post("/api/campaigns", **body)
    token = running.post("/api/stations", name="room-1")["token"]
    return Set(running, campaign, "room-1", token)


@pytest.fixture
def jpeg() -> Callable[[int], bytes]:
    """Bytes of a small picture, different for every number."""

    def make(number: int) -> bytes:
        out = io.BytesIO()
        Image.effect_noise((64, 64), 20 + number).save(out, "JPEG")
        return out.getvalue()

    return make


def well(**phone: Any) -> dict[str, Any]:
    """What a display agent reports when nothing is wrong."""
    checks = [{"name": "window", "ok": True, "text": "the window has all pixels"}]
    screen = {"backend": "null", "width": 800, "height": 600, "checks": checks}
    return {
        "screen": screen,
        "phone": {"link": "answered", "heard_ms": 3, "rtt_ms": 1.5, **phone},
    }


@dataclass
class FakeAgent:
    """A display agent as far as the controller can tell; it answers `report` by itself."""

    socket: ClientConnection
    welcome: dict[str, Any]
    acks: dict[str, int]
    refused: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] | None = field(default_factory=well)
    """What `report` is answered; None: never."""
    asked: int = 0
    """How often it was asked."""
    _inbox: asyncio.Queue[dict[str, Any] | None] = field(default_factory=asyncio.Queue)

    async def pump(self) -> None:
        """Read until the connection ends."""
        try:
            async for text in self.socket:
                message = json.loads(text)
                if message.get("do") == "report":
                    self.asked += 1
                    if self.report is not None:
                        reply = {"type": "reply", "id": message["id"], "ok": True, "error": None}
                        await self.send(**reply, report=self.report)
                else:
                    await self._inbox.put(message)
        except ConnectionClosed:
            pass
        await self._inbox.put(None)

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        message = await self._inbox.get()
        if message is None:
            await self.socket.recv()  # raises why the connection ended
            raise AssertionError("the connection has ended")
        if message["type"] == "ack":
            self.acks[message["session"]] = message["seq"]
        if message["type"] == "refused":
            self.refused.append(message)
        return message

    async def until(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while (message := await self.receive())["type"] != kind:
                pass
        return message

    async def command(self, do: str, *, ok: bool = True, error: str | None = None) -> Any:
        """Wait for this command and answer it."""
        message = await self.until("command")
        assert message["do"] == do, message
        await self.send(type="reply", id=message["id"], ok=ok, error=error)
        return message

    async def event(self, session: str, seq: int, event: str, **body: Any) -> None:
        await self.send(
            type="event",
            event=event,
            session=session,
            seq=seq,
            **{"time_ns": seq * 10**9} | body,
        )

    async def acked(self, session: str, seq: int) -> None:
        async with asyncio.timeout(20):
            while self.acks.get(session, -1) < seq:
                await self.receive()


@pytest.fixture
def agent() -> Callable[..., Any]:
    """Connects fake display agents: `async with agent(ready) as one:`."""

    @asynccontextmanager
    async def make(ready: Set, sessions: dict[str, int] | None = None) -> AsyncIterator[FakeAgent]:
        url = ready.running.url.replace("http", "ws") + "/api/agent"
        headers = {"Authorization": f"Bearer {ready.token}"}
        async with connect(url, additional_headers=headers) as socket_:
            one = FakeAgent(socket_, {}, {})
            reading = asyncio.create_task(one.pump())
            screen = {"backend": "null", "width": 800, "height": 600}
            hello = {"type": "hello", "version": 1, "screen": screen, "frames": None}
            await one.send(**hello, sessions=sessions or {})
            one.welcome = await one.until("welcome")
            try:
                yield one
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    return make


@pytest.fixture
def shoot() -> Callable[..., Any]:
    """Plays the events of captures, from `connected` to the last `committed`."""

    async def make(
        one: FakeAgent, session: dict[str, Any], jpegs: dict[int, bytes], name: Any
    ) -> int:
        sid, seq = session["id"], 0

        async def say(event: str, **body: Any) -> None:
            nonlocal seq
            seq += 1
            await one.event(sid, seq, event, **body)

        await say(
            "connected",
            boot_id="00" * 8,
            camera="loopback",
            free_bytes=10**9,
            battery_pct=80,
            committed=0,
        )
        await say("armed", first=session["first"], last=session["last"])
        for index, data in jpegs.items():
            await say("painted", index=index, attempt=1, prefetch_hit=True, rect=[0, 0, 10, 10])
            await say(
                "committed",
                index=index,
                attempt=1,
                sha256=hashlib.sha256(data).hexdigest(),
                size=len(data),
                name=name(index, data),
                t_trigger_ns=1,
                t_done_ns=2,
                w=64,
                h=64,
                rtt_ms=0.4,
                source_sha256="a" * 64,
            )
        return seq

    return make
