"""The event log as it grows, read once and given to every live stream.

However many browsers listen, each event is read from the log and put into its wire form once. A
stream that is further behind than what is kept here reads the log itself.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog

from rig.capture import stations
from rig.store import events
from rig.store.events import Event
from rig.web.controller import Controller
from rig.web.numbers import numbers

log = structlog.get_logger("rig.web")

TICK_SECONDS: Final = 2.0
PAGE = 500
"""Events that are read, and sent in one piece, at most."""
KEPT: Final = 4000
"""Events kept ready for streams that lag."""
SPACING_S: Final = 0.02
"""Between two looks at a log that grows; a lone event waits for nothing."""
NUMBERS_S: Final = 0.1
"""Between two tellings of numbers."""
RETRY_MS: Final = 1000
"""After this a browser that lost its stream calls again."""
AFTER_FAILURE_S: Final = 1.0


Allowed = Callable[[], Awaitable[bool]]


async def _always() -> bool:
    return True


class Broadcast:
    """Feeds the live streams of one controller. Everything happens on its event loop.

    Args:
        rig: the controller.
    """

    def __init__(self, rig: Controller) -> None:
        self._rig = rig
        self._ring: dict[int, tuple[str | None, bytes]] = {}
        self._floor = self._newest = 0  # the ring is complete for what follows the floor
        self._streams = 0
        self._someone = asyncio.Event()
        self._changed = asyncio.Event()
        self._dirty: set[str] = set()  # sessions whose numbers are to be told
        self._told_at = self._ticked_at = 0.0
        self._tick = self._numbers = b""
        self._told = self._ticks = 0

    async def run(self) -> None:
        """Read while somebody listens, until cancelled or the feed is closed."""
        feed = self._rig.feed
        try:
            while not feed.closed:
                if not self._streams:
                    self._someone.clear()
                    self._newest = -1
                    await self._someone.wait()
                version = feed.version
                try:
                    more = await self._look()
                except Exception:
                    log.exception("the live streams cannot read the log")
                    await asyncio.sleep(AFTER_FAILURE_S)
                    continue
                await asyncio.sleep(0 if more else SPACING_S)
                if not more:
                    # Other processes write to the log without waking us: the tick looks anyway.
                    await feed.wait(version, self._due() - time.monotonic())
        finally:
            self._wake()

    async def follow(
        self, seq: int, session: str | None = None, allowed: Allowed = _always
    ) -> AsyncIterator[bytes]:
        """Server-sent events from number *seq* on, of one *session* or all.

        Ends with the feed, and when the listener is not *allowed* any more, which is asked at every
        tick: a browser that signed out or whose sign-in was revoked hears nothing further.
        """
        with self._present():
            yield await self._hello(seq)
            ticks, told = self._ticks, self._told
            while not self._rig.feed.closed:
                changed = self._changed
                parts, seq, more = await self._following(seq, session)
                if told != self._told:
                    told = self._told
                    parts.append(self._numbers)
                if ticks != self._ticks:
                    ticks = self._ticks
                    if not await allowed():
                        return
                    parts.append(self._tick)
                if parts:
                    yield b"".join(parts)
                if not more:
                    await changed.wait()

    # -- for one stream ----------------------------------------------------------------------------

    @contextmanager
    def _present(self) -> Iterator[None]:
        self._streams += 1
        self._someone.set()
        try:
            yield
        finally:
            self._streams -= 1

    async def _hello(self, seq: int) -> bytes:
        """A tick, where the stream begins (so that it resumes there), and the numbers of now."""
        if time.monotonic() - self._ticked_at >= TICK_SECONDS:
            await self._make_tick()
        if not self._numbers or self._streams == 1:
            await self._make_numbers()
        begin = wire({"seq": seq}, event="begin", number=seq)
        return self._tick + begin + self._numbers

    async def _following(self, seq: int, session: str | None) -> tuple[list[bytes], int, bool]:
        """What follows *seq*, the number up to which that is, and whether there may be more."""
        if self._newest < 0:
            return [], seq, False  # nothing was read yet: `run` is about to
        if seq < self._floor:
            floor = self._floor
            page = await self._rig.database.aquery(
                lambda c: events.after(c, seq, session=session, limit=PAGE)
            )
            last = page[-1].seq if page else seq
            return (
                [encode(one) for one in page],
                last if len(page) == PAGE else max(last, floor),
                True,
            )
        newest = min(self._newest, seq + PAGE)
        kept = (self._ring.get(number) for number in range(seq + 1, newest + 1))
        parts = [one[1] for one in kept if one and session in {None, one[0]}]
        return parts, max(seq, newest), newest < self._newest

    # -- for all of them ---------------------------------------------------------------------------

    async def _look(self) -> bool:
        """Read what is new; True when there is more."""
        if self._newest < 0:
            self._ring.clear()
            self._floor = self._newest = await self._rig.database.aquery(events.last_seq)
            self._wake()
        page = await self._rig.database.aquery(lambda c: events.after(c, self._newest, limit=PAGE))
        for one in page:
            self._ring[one.seq] = (one.session, encode(one))
            self._newest = one.seq
            if one.session is not None:
                self._dirty.add(one.session)
        while len(self._ring) > KEPT:
            self._floor = next(iter(self._ring))
            del self._ring[self._floor]
        if page:
            self._wake()
        await self._tell()
        return len(page) == PAGE

    async def _tell(self) -> None:
        """Numbers and tick, when they are due."""
        now = time.monotonic()
        if self._dirty and now - self._told_at >= NUMBERS_S:
            await self._make_numbers()
            self._wake()
        if now - self._ticked_at >= TICK_SECONDS:
            await self._make_tick()
            await self._make_numbers()  # a station may be gone without an event of a session
            self._wake()

    def _due(self) -> float:
        tick = self._ticked_at + TICK_SECONDS
        return min(tick, self._told_at + NUMBERS_S) if self._dirty else tick

    async def _make_numbers(self) -> None:
        changed, self._dirty = self._dirty, set()
        self._told_at = time.monotonic()
        now = self._rig.clock_ns()
        told = await self._rig.database.aquery(lambda c: numbers(c, self._rig.hub, changed, now))
        fresh = wire(told, event="numbers")
        if fresh != self._numbers:
            self._numbers = fresh
            self._told += 1

    async def _make_tick(self) -> None:
        self._ticked_at = time.monotonic()
        self._tick = wire(
            {**await tick(self._rig), "streams": self._streams}, event="tick", retry_ms=RETRY_MS
        )
        self._ticks += 1

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def encode(event: Event) -> bytes:
    """An event as it goes over the wire; its `id` is where a browser resumes."""
    return wire(event.to_json(), number=event.seq)


def wire(
    data: Any, *, event: str | None = None, number: int | None = None, retry_ms: int | None = None
) -> bytes:
    """A server-sent event (WHATWG HTML, section 9.2)."""
    lines = [
        *([f"event: {event}"] if event else []),
        *([f"id: {number}"] if number is not None else []),
        *([f"retry: {retry_ms}"] if retry_ms is not None else []),
        # JSON has no line breaks of its own.
        f"data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}",
    ]
    return ("\n".join(lines) + "\n\n").encode()


async def tick(rig: Controller) -> dict[str, Any]:
    """What is fresh right now: the stations' links and their last status."""
    names = await rig.database.aquery(stations.names)
    return {"time_ns": rig.clock_ns(), "stations": [_station(rig, name) for name in names]}


def _station(rig: Controller, name: str) -> dict[str, Any]:
    pulse = rig.phones.pulse(name)
    return rig.hub.view(name) | ({"phone": pulse} if pulse else {})
