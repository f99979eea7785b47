"""Each reason for which a session suspends itself, through the engine: reason, remedy, resume."""

from __future__ import annotations

import asyncio

import pytest

from rig.capture.watch import RESUMES, Limits
from rig.web import remote
from rig.web.watching import Watcher

FOUND_BY_AGENTS = (
    "DISK_LOW", "BATTERY_LOW", "THERMAL", "LINK_LOST", "DISPLAY_TROUBLE", "RETRIES",
    "CAMERA_BACKGROUND",
)  # fmt: skip
FOUND_BY_THE_RIG = ("LIGHT", "ROOM", "STALLED", "THROUGHPUT", "REJECTED", "DRIFT")


async def state(ready, sid, wanted):
    async with asyncio.timeout(20):
        while True:
            seen = await asyncio.to_thread(ready.running.get, f"/api/sessions/{sid}")
            if seen["state"] == wanted:
                return seen
            await asyncio.sleep(0.02)


@pytest.fixture
def started(ready, agent, jpeg, shoot):
    """`await started(one)`: a session of which the first x-ray is shot; id and last number."""

    async def begin(one):
        session = ready.new_session()
        sid, first = session["id"], session["first"]
        await asyncio.to_thread(
            ready.running.post, f"/api/sessions/{sid}/start", confirm=True, name="anna"
        )
        await one.command("load")
        await one.command("start")
        seq = await shoot(one, session, {first: jpeg(1)}, ready.photo)
        await one.acked(sid, seq)
        return sid, seq

    return begin


async def on_loop(ready, work):
    """Run *work* on the controller's own loop."""
    loop = next(iter(ready.running.rig._tasks)).get_loop()
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


async def resumes(ready, one, sid, seq):
    """A person resumes; the station goes on; the reason is gone."""
    with ready.running.operator() as client:
        answer = await asyncio.to_thread(
            client.post, f"/api/sessions/{sid}/resume", json={"confirm": True, "name": "anna"}
        )
    assert answer.status_code == 202, answer.text
    await one.command("load")
    await one.command("resume")
    await one.event(sid, seq, "resumed")
    await one.acked(sid, seq)
    seen = await state(ready, sid, "running")
    assert (seen["paused"], seen["requested"]) == (None, None)


@pytest.mark.parametrize("code", FOUND_BY_AGENTS)
async def test_what_phone_or_display_pause_for(ready, agent, started, code):
    """Told with their sentence; the page says what resumes it; then it goes on."""
    async with agent(ready) as one:
        sid, seq = await started(one)
        await one.event(sid, seq + 1, "paused", code=code, why="it is at 9")
        await one.acked(sid, seq + 1)
        seen = await state(ready, sid, "paused")
        assert seen["paused"]["code"] == code
        assert "Reason: it is at 9." in seen["next_step"]
        assert RESUMES[code] in seen["next_step"]
        assert "It goes on at 2" in seen["next_step"]
        await resumes(ready, one, sid, seq + 2)


@pytest.mark.parametrize("code", FOUND_BY_THE_RIG)
async def test_what_the_rig_pauses_for(ready, agent, started, code):
    """The station is asked with the sentence; the code stays with the controller."""
    async with agent(ready) as one:
        sid, seq = await started(one)
        asked = remote.suspend(ready.running.rig, sid, code=code, why="it went wrong.")
        assert await on_loop(ready, asked)
        assert (await one.command("pause"))["why"] == "it went wrong."
        seen = await state(ready, sid, "pausing")
        assert seen["asked_by"]["by"] == "controller"
        again = remote.suspend(ready.running.rig, sid, code=code, why="it went wrong.")
        assert not await on_loop(ready, again), "asked for once"
        await one.event(sid, seq + 1, "paused", code="OPERATOR_PAUSE", why="it went wrong.")
        await one.acked(sid, seq + 1)
        seen = await state(ready, sid, "paused")
        assert (seen["paused"]["code"], seen["paused"]["by"]) == (code, "controller")
        assert RESUMES[code] in seen["next_step"]
        await resumes(ready, one, sid, seq + 2)


async def test_captures_that_get_slow_pause_by_themselves(ready, agent, started):
    """From events alone: twenty usual intervals, then five that are ten times as long."""
    async with agent(ready) as one:
        sid, seq = await started(one)
        watcher = Watcher(ready.running.rig, Limits())
        await on_loop(ready, watcher.look())
        at = seq * 10**9
        for n, gap in enumerate([2.0] * 22 + [20.0] * 5, 1):
            at += round(gap * 1e9)
            body = {"sha256": f"{n:064x}", "size": 9, "name": f"n{n}", "index": 1, "attempt": n}
            await one.event(sid, seq + n, "committed", time_ns=at, **body)
        await one.acked(sid, seq + 27)
        told = await one.command("pause")
        assert "A capture takes 20.0 s by now; 2.0 s were usual" in told["why"]
        await one.event(sid, seq + 28, "paused", code="OPERATOR_PAUSE", why=told["why"])
        await one.acked(sid, seq + 28)
        seen = await state(ready, sid, "paused")
    assert seen["paused"]["code"] == "THROUGHPUT"


def test_no_code_is_forgotten():
    """Every code that a pause can have is in one of the lists, or is a person's or the plan's."""
    assert set(RESUMES) == {*FOUND_BY_AGENTS, *FOUND_BY_THE_RIG, "OPERATOR_PAUSE", "META_TOO_BIG"}
