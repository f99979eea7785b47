"""The live stream: every event once, in order, from where the browser was."""

import asyncio
import json
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import pytest


class Stream:
    def __init__(self, reader):
        self.reader = reader

    async def next(self):
        """The next message as (event name, id, data)."""
        name, number, data = "message", None, None
        async with asyncio.timeout(20):
            while line := (await self.reader.readline()).decode().rstrip("\n"):
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("id: "):
                    number = int(line[4:])
                elif line.startswith("data: "):
                    data = json.loads(line[6:])
        if data is None:
            raise EOFError
        return name, number, data

    async def events(self, count):
        """The next *count* events, ticks left out."""
        found = []
        while len(found) < count:
            name, number, data = await self.next()
            if name == "message":
                assert number == data["seq"]
                found.append(data)
        return found


@pytest.fixture
def stream(ready):
    @asynccontextmanager
    async def open_stream(params=None, **headers):
        """A bare connection, so that it can be cut anywhere. HTTP/1.0: nothing comes in chunks."""
        host, port = ready.running.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        told = {"Host": host, "Authorization": f"Bearer {ready.running.rig.auth.token}", **headers}
        lines = [f"GET /api/events?{urlencode(params or {})} HTTP/1.0"]
        lines += [f"{name}: {value}" for name, value in told.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            assert " 200 " in head
            assert "content-type: text/event-stream" in head
            yield Stream(reader)
        finally:
            writer.close()
            await writer.wait_closed()

    return open_stream


async def test_the_stream_begins_with_a_tick_and_then_shows_what_happens(ready, stream):
    """The tick has no id, so that it never moves where a browser resumes."""
    async with stream() as live:
        name, number, data = await live.next()
        assert (name, number) == ("tick", None)
        assert data["stations"] == [{"name": "room-1", "connected": False, "heard_age_ms": None}]
        session = await asyncio.to_thread(ready.new_session)
        (event,) = await live.events(1)
    assert (event["event"], event["session"]) == ("session_created", session["id"])


async def test_last_event_id_resumes_without_gap_or_double(ready, stream, agent):
    """Cut anywhere, the pieces add up to the log."""
    session = ready.new_session()
    sid = session["id"]
    first = session["seq"]
    seen = []
    async with agent(ready) as one:
        for seq in range(1, 31):
            await one.event(sid, seq, "painted", index=seq, attempt=1)
        await one.acked(sid, 30)
        async with stream({"session": sid, "after": first}) as live:
            seen += await live.events(7)
        for seq in range(31, 41):
            await one.event(sid, seq, "painted", index=seq, attempt=1)
        while len(seen) < 40:
            last = {"Last-Event-ID": str(seen[-1]["seq"])}
            # `after` is the page's; what the browser saw last counts.
            async with stream({"session": sid, "after": first}, **last) as live:
                seen += await live.events(min(11, 40 - len(seen)))
    assert [e["index"] for e in seen] == list(range(1, 41))
    assert sorted({e["seq"] for e in seen}) == [e["seq"] for e in seen]


async def test_long_histories_come_in_pages(ready, stream, monkeypatch):
    """More than one page is no gap."""
    monkeypatch.setattr("rig.web.broadcast.PAGE", 3)
    for _ in range(4):
        await asyncio.to_thread(ready.new_session)
    async with stream({"after": 0}) as live:
        seen = await live.events(7)
    assert [e["seq"] for e in seen] == list(range(1, 8))


async def test_what_another_process_writes_comes_with_the_next_tick(ready, stream):
    """A command's events are seen although nobody wakes the stream."""
    from rig.store import events
    from rig.store.database import Database
    from rig.store.events import Event

    async with stream() as live:
        await live.next()
        with Database.open(ready.running.home / "rig.db") as other:
            other.write_now(lambda c: events.append(c, Event("foreign", 1, 1, "command")))
        (event,) = await live.events(1)
    assert event["event"] == "foreign"


async def test_bad_positions_and_sessions_are_problems(ready):
    """Before the stream begins."""
    with ready.running.operator() as client:
        wrong = client.get("/api/events", headers={"Last-Event-ID": "x"})
        assert (wrong.status_code, wrong.json()["status"]) == (400, 400)
        assert client.get("/api/events?session=s0").status_code == 422
        assert client.get(f"/api/events?session=s{'0' * 16}").status_code == 404


async def test_a_number_from_the_future_begins_now(ready, stream):
    """A browser that outlived its database does not wait for ever."""
    async with stream(None, **{"Last-Event-ID": "999999"}) as live:
        await live.next()
        await asyncio.to_thread(ready.new_session)
        assert (await live.events(1))[0]["event"] == "session_created"


async def test_a_browser_that_leaves_in_the_middle_is_no_error(ready, stream, caplog):
    """Nothing is logged as failed, however much was still to come."""
    for _ in range(30):
        await asyncio.to_thread(ready.new_session)
    for _ in range(10):
        async with stream({"after": 0}) as live:
            await live.events(1)
    await asyncio.to_thread(ready.running.stop)
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []


async def test_streams_end_when_the_controller_stops(ready, stream):
    """Nothing waits for a browser."""
    async with stream() as live:
        await live.next()
        await asyncio.to_thread(ready.running.stop)
        with pytest.raises(EOFError):
            await live.events(10**6)


async def test_a_session_tells_its_events_as_a_list_too(ready):
    """The newest, or those after a number; of some kinds."""
    sid = ready.new_session()["id"]
    path = f"/api/sessions/{sid}/events"
    (only,) = ready.running.get(path)
    assert ready.running.get(path, after=only["seq"]) == []
    assert ready.running.get(path, kind="paused") == []
    assert ready.running.get(path, after=0, kind="session_created") == [only]


async def test_a_page_of_some_kinds_is_full_as_long_as_more_follow(ready, agent):
    """What is left out takes no room on it: going on with `after` misses nothing."""
    sid = ready.new_session()["id"]
    async with agent(ready) as one:
        for seq in range(1, 21):
            kind = "accepted" if seq % 5 == 0 else "link_back"
            await one.event(sid, seq, kind, index=seq, attempt=1)
        await one.acked(sid, 20)
    path, after, seen = f"/api/sessions/{sid}/events", 0, []
    while page := ready.running.get(path, after=after, kind="accepted", limit=3):
        seen.append([event["index"] for event in page])
        after = page[-1]["seq"]
    assert seen == [[5, 10, 15], [20]]
