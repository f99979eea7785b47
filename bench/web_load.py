"""A station that tells events at a steady rate, and browsers that listen: one controller between.

The browsers read the stream off a bare socket and note when each piece of it came and how far it
goes; what an event's way took is worked out afterwards, so that measuring costs next to nothing.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import statistics
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from bench.programs import BenchError
from bench.store_rows import body

_ID = re.compile(rb"^id: (\d+)\n", re.MULTILINE)
EVERY_S = 0.01
"""The station tells what is due this often; a slow rate is told one by one."""
PATIENCE_S = 300.0


@dataclass(slots=True)
class Browser:
    """One open stream: when something came, and the last event's number in it."""

    at: list[float] = field(default_factory=list)
    upto: list[int] = field(default_factory=list)
    bytes: int = 0
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, host: str, port: int, token: str, ready: asyncio.Event) -> None:
        """Read until cancelled."""
        reader, writer = await asyncio.open_connection(host, port, limit=2**20)
        head = [
            "GET /api/events HTTP/1.0", f"Host: {host}:{port}", f"Authorization: Bearer {token}",
            "Accept: text/event-stream",
        ]  # fmt: skip
        writer.write("\r\n".join([*head, "", ""]).encode())
        try:
            if b" 200 " not in await reader.readline():
                raise BenchError("the controller did not open a stream.")
            await reader.readuntil(b"\r\n\r\n")
            ready.set()
            rest = b""
            while data := await reader.read(2**18):
                now = time.monotonic()
                self.bytes += len(data)
                rest += data
                whole = rest.rfind(b"\n\n") + 2
                found = _ID.findall(rest, 0, whole)
                rest = rest[whole:]
                if found:
                    self.at.append(now)
                    self.upto.append(int(found[-1]))
                    self.came.set()
        finally:
            writer.close()

    async def until(self, number: int) -> None:
        """Wait for event *number*."""
        while self.upto[-1] < number:
            await self.came.wait()
            self.came.clear()

    def when(self, number: int) -> float | None:
        """When event *number* had come."""
        place = bisect_left(self.upto, number)
        return self.at[place] if place < len(self.at) else None


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be put on.

    Attributes:
        rate: events a second.
        seconds: for so long.
        browsers: so many listen.
    """

    rate: float
    seconds: float
    browsers: int


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it: latencies in milliseconds, events a second that were really told."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    told_per_s: float
    bytes_per_browser_s: float

    @classmethod
    def of(cls, sent: dict[int, float], browsers: list[Browser], load: Load) -> Found:
        """From when each event was sent, and when each browser had it."""
        took = []
        for number, began in sent.items():
            for one in browsers:
                came = one.when(number)
                if came is None:
                    raise BenchError(f"event {number} did not reach every browser.")
                took.append((came - began) * 1000)
        took.sort()
        times = sorted(sent.values())
        return cls(
            statistics.median(took),
            took[math.ceil(0.99 * len(took)) - 1],
            took[-1],
            (len(times) - 1) / (times[-1] - times[0]),
            statistics.mean(one.bytes for one in browsers) / load.seconds,
        )


@dataclass(slots=True)
class Station:
    """A display agent as far as the controller can tell; its events are made up."""

    socket: ClientConnection
    session: str
    sent: list[float] = field(default_factory=list)
    acked: int = 0
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def greet(self) -> None:
        """Say hello."""
        hello = {"type": "hello", "version": 1, "screen": {}, "frames": None, "sessions": {}}
        await self.socket.send(json.dumps(hello))

    async def hear(self) -> None:
        """Note how far the controller has kept the events."""
        async for text in self.socket:
            message = json.loads(text)
            if message["type"] == "ack" and message["session"] == self.session:
                self.acked = message["seq"]
                self.heard.set()

    async def tell(self, load: Load) -> None:
        """Tell events at the rate; each is one of a capture's three."""
        began = time.monotonic()
        count = round(load.rate * load.seconds)
        first = len(self.sent)
        while (done := len(self.sent) - first) < count:
            due = min(count, int((time.monotonic() - began) * load.rate) + 1)
            for _ in range(due - done):
                await self._one()
            ahead = began + due / load.rate - time.monotonic()
            await asyncio.sleep(max(ahead, EVERY_S if load.rate > 1 / EVERY_S else 0))
        async with asyncio.timeout(PATIENCE_S):
            while self.acked < len(self.sent):
                await self.heard.wait()
                self.heard.clear()

    async def _one(self) -> None:
        seq = len(self.sent) + 1
        index, kind = seq // 3 + 1, ("painted", "accepted", "committed")[seq % 3]
        more: dict[str, Any] = body(index) if kind == "committed" else {"prefetch_hit": True}
        event = {
            "type": "event", "event": kind, "session": self.session, "seq": seq,
            "time_ns": time.time_ns(), "index": index, "attempt": 1, **more,
        }  # fmt: skip
        self.sent.append(time.monotonic())
        await self.socket.send(json.dumps(event))


async def put_on(
    host: str,
    port: int,
    operator: str,
    station: str,
    session: str,
    loads: Sequence[Load],
    note: Callable[[Found], None],
) -> None:
    """Put the *loads* on, one after the other, in one session of one station.

    Args:
        host: the controller's address.
        port: its port.
        operator: token that opens the streams.
        station: token of the station.
        session: id of a session of it that nobody shoots.
        loads: what to put on.
        note: called with what came of each, as soon as it is done.

    Raises:
        BenchError: an event did not arrive.
    """
    headers = {"Authorization": f"Bearer {station}"}
    url = f"ws://{host}:{port}/api/agent"
    async with connect(url, additional_headers=headers, max_queue=None) as socket:
        here = Station(socket, session)
        await here.greet()
        hearing = asyncio.create_task(here.hear())
        try:
            for one in loads:
                note(await _one_load(here, one, host, port, operator))
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)


async def _one_load(here: Station, load: Load, host: str, port: int, token: str) -> Found:
    browsers = [Browser() for _ in range(load.browsers)]
    ready = [asyncio.Event() for _ in browsers]
    listening = [
        asyncio.create_task(one.listen(host, port, token, set_))
        for one, set_ in zip(browsers, ready, strict=True)
    ]
    try:
        async with asyncio.timeout(PATIENCE_S):
            for one in ready:
                await one.wait()
        await asyncio.sleep(0.5)
        before, began = len(here.sent), browsers[0].upto[-1]
        await here.tell(load)
        count = len(here.sent) - before
        async with asyncio.timeout(PATIENCE_S):
            for browser in browsers:
                await browser.until(began + count)
        sent = {began + 1 + n: at for n, at in enumerate(here.sent[before:])}
        return Found.of(sent, browsers, load)
    finally:
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
