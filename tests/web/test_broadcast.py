"""One reader of the log for all streams: order, laggards, idleness, failure."""

import asyncio
import json

import pytest

from rig.store import events
from rig.store.events import Event
from rig.web import broadcast
from rig.web.broadcast import Broadcast, wire
from rig.web.controller import Controller


@pytest.fixture
def rig(tmp_path):
    one = Controller.open(tmp_path / "home")
    yield one
    one.database.close()


@pytest.fixture
async def going(rig):
    """A broadcast that runs, and its controller."""
    rig.start()
    one = Broadcast(rig)
    task = asyncio.create_task(one.run())
    yield one
    rig.feed.close()
    await asyncio.wait_for(task, 20)


def write(rig, count, session=None):
    for number in range(count):
        rig.database.write_now(
            lambda c, n=number: events.append(c, Event("x", n, n, "controller", session=session))
        )


class Listener:
    """Takes a stream apart."""

    def __init__(self, stream):
        self.stream = stream
        self.seen = []
        self.kinds = []
        self.told = {}

    async def until(self, condition):
        async with asyncio.timeout(20):
            while not condition(self):
                for one in (await anext(self.stream)).decode().split("\n\n"):
                    self._take(one)
        return self

    def _take(self, text):
        lines = dict(line.split(": ", 1) for line in text.split("\n") if line)
        if not lines:
            return
        kind = lines.get("event", "message")
        self.kinds.append(kind)
        self.told[kind] = json.loads(lines["data"])
        if kind == "message":
            assert int(lines["id"]) == self.told[kind]["seq"]
            self.seen.append(self.told[kind]["seq"])


async def test_a_stream_begins_with_tick_position_and_numbers(rig, going):
    """In that order; the position has an id, so that a cut at once resumes there."""
    write(rig, 3)
    one = Listener(going.follow(3))
    await one.until(lambda has: "numbers" in has.kinds)
    assert one.kinds[:3] == ["tick", "begin", "numbers"]
    assert one.told["begin"] == {"seq": 3}
    assert one.told["numbers"]["sessions"] == []
    assert one.told["numbers"]["attention"]["count"] == 0
    assert one.told["tick"]["streams"] == 1


async def test_laggards_and_the_quick_hear_the_same(rig, going, monkeypatch):
    """From before what is kept, from within it, and from now; each number once, in order."""
    monkeypatch.setattr(broadcast, "KEPT", 8)
    monkeypatch.setattr(broadcast, "PAGE", 5)
    write(rig, 30)
    quick = Listener(going.follow(30))
    await quick.until(lambda has: "begin" in has.kinds)
    write(rig, 40)
    late, middle = Listener(going.follow(0)), Listener(going.follow(66))
    for one in (quick, late, middle):
        await one.until(lambda has: has.seen and has.seen[-1] == 70)
    write(rig, 2)
    for one in (quick, late, middle):
        await one.until(lambda has: has.seen[-1] == 72)
    assert quick.seen == list(range(31, 73))
    assert late.seen == list(range(1, 73))
    assert middle.seen == list(range(67, 73))


async def test_the_log_is_read_once_for_all(rig, going, monkeypatch):
    """However many listen."""
    read = []
    real = events.after
    monkeypatch.setattr(events, "after", lambda *a, **k: read.append(1) or real(*a, **k))
    streams = [Listener(going.follow(0)) for _ in range(12)]
    for one in streams:
        await one.until(lambda has: "begin" in has.kinds)
    read.clear()
    write(rig, 1)
    for one in streams:
        await one.until(lambda has: has.seen == [1])
    assert len(read) <= 3


async def test_nothing_is_read_while_nobody_listens_and_nothing_is_lost_then(
    rig, going, monkeypatch
):
    """A browser that comes back after a rest gets what was written meanwhile."""
    one = Listener(going.follow(0))
    write(rig, 2)
    await one.until(lambda has: has.seen == [1, 2])
    await one.stream.aclose()
    await asyncio.sleep(broadcast.TICK_SECONDS + 0.3)
    read = []
    real = events.after
    monkeypatch.setattr(events, "after", lambda *a, **k: read.append(1) or real(*a, **k))
    write(rig, 3)
    await asyncio.sleep(0.3)
    assert read == []
    again = Listener(going.follow(2))
    await again.until(lambda has: has.seen == [3, 4, 5])


async def test_one_session_only(rig, going):
    """Others' events are left out, of the kept ones and of the log."""
    write(rig, 4, "s" + "1" * 16)
    write(rig, 4, "s" + "2" * 16)
    one = Listener(going.follow(0, "s" + "2" * 16))
    await one.until(lambda has: has.seen and has.seen[-1] == 8)
    write(rig, 1, "s" + "1" * 16)
    write(rig, 1, "s" + "2" * 16)
    await one.until(lambda has: has.seen[-1] == 10)
    assert one.seen == [5, 6, 7, 8, 10]


async def test_a_failure_to_read_is_told_and_got_over(rig, going, monkeypatch, caplog):
    """The streams go on when the database does."""
    monkeypatch.setattr(broadcast, "AFTER_FAILURE_S", 0.01)
    real, failed = events.after, []

    def sick(*args, **more):
        if len(failed) < 3:
            failed.append(1)
            raise OSError("disk")
        return real(*args, **more)

    one = Listener(going.follow(0))
    await one.until(lambda has: "begin" in has.kinds)
    monkeypatch.setattr(events, "after", sick)
    write(rig, 2)
    await one.until(lambda has: has.seen == [1, 2])
    assert len(failed) == 3


async def test_who_is_not_allowed_any_more_hears_nothing_further(rig, going):
    """Within a tick; the others go on."""
    good, yes = asyncio.Event(), asyncio.Event()

    async def allowed():
        yes.set()
        return not good.is_set()

    one, other = Listener(going.follow(0, None, allowed)), Listener(going.follow(0))
    for listener in (one, other):
        await listener.until(lambda has: has.kinds.count("tick") == 2)
    assert yes.is_set()
    good.set()
    with pytest.raises(StopAsyncIteration):
        await one.until(lambda has: has.kinds.count("tick") == 9)
    await other.until(lambda has: has.kinds.count("tick") == 3)


def test_the_wire_form_is_one_line_of_json():
    """Line breaks within an event cannot break the stream."""
    told = wire({"why": "a\nb\rc\N{LINE SEPARATOR}d"}, event="tick", number=7, retry_ms=1000)
    assert told.endswith(b"\n\n")
    lines = told.decode().rstrip("\n").split("\n")
    assert lines[:3] == ["event: tick", "id: 7", "retry: 1000"]
    assert json.loads(lines[3].removeprefix("data: ")) == {"why": "a\nb\rc\N{LINE SEPARATOR}d"}
    assert "\r" not in told.decode()
