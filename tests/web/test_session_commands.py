"""Stop, pause at once, shooting again, suspending: over HTTP, with an agent made of nothing."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from rig.capture.watch import Limits
from rig.store import events
from rig.web.watching import Watcher


async def until(ready, sid, state):
    async with asyncio.timeout(20):
        while True:
            seen = await asyncio.to_thread(ready.running.get, f"/api/sessions/{sid}")
            if seen["state"] == state:
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


async def test_a_stop_hands_over_the_plan_and_waits_for_the_station(ready, agent, started):
    """Asked for, stopping, stopped; the page says what comes next."""
    post = ready.running.post
    async with agent(ready) as one:
        sid, seq = await started(one)
        asked = await asyncio.to_thread(post, f"/api/sessions/{sid}/stop", name="bo")
        assert (asked["state"], asked["requested"]) == ("running", "stop")
        assert "not confirmed" in asked["asked"]
        await one.command("load")
        await one.command("stop")
        await one.event(sid, seq + 1, "stopping")
        await one.acked(sid, seq + 1)
        assert (await until(ready, sid, "stopping"))["requested"] is None
        await one.event(sid, seq + 2, "stopped", count=1, chain="ab")
        await one.acked(sid, seq + 2)
        seen = await until(ready, sid, "stopped")
    assert seen["finish"]["by"] == "operator:bo"
    assert seen["words"] == "Stopped with 1 of 3"
    rest = ready.new_session()
    assert (rest["first"], rest["last"], rest["run"]) == (2, 3, 1)


async def test_who_asks_is_in_the_log_by_body_or_header(ready, agent, started):
    """The body's name counts before the header's."""
    async with agent(ready) as one:
        sid, _ = await started(one)

        def ask(body: dict[str, str]) -> httpx.Response:
            with ready.running.operator() as client:
                return client.post(
                    f"/api/sessions/{sid}/pause-now", json=body, headers={"X-Operator": "bo"}
                )

        assert (await asyncio.to_thread(ask, {})).json()["state"] == "pausing"
        await one.command("pause_now")
        assert (await asyncio.to_thread(ask, {"name": "anna"})).is_success
        bad = await asyncio.to_thread(ask, {"name": "x" * 60})
    assert bad.status_code == 422
    assert "short name" in bad.json()["detail"]
    with ready.running.rig.database.read() as connection:
        asked = events.latest(connection, session=sid, kinds=frozenset({"requested"}))
    assert [one.actor for one in asked] == ["operator:anna", "operator:bo", "operator:anna"]


async def test_shooting_again_makes_sessions(ready, agent, started):
    """And refuses what was never shot, and an order for nothing or for both."""
    async with agent(ready) as one:
        sid, _ = await started(one)
    made = ready.running.post(f"/api/sessions/{sid}/reshoot", indices=[1], name="anna")
    (again,) = made["sessions"]
    assert (again["first"], again["last"], again["reshoots"]) == (1, 1, sid)
    assert made["id"] == again["id"]
    with ready.running.operator() as client:
        path = f"/api/sessions/{sid}/reshoot"
        assert client.post(path, json={"indices": [2]}).status_code == 409
        assert client.post(path, json={}).status_code == 422
        assert client.post(path, json={"indices": [1], "last": 1}).status_code == 422
        page = client.get(f"/sessions/{sid}", headers={"accept": "text/html"}).text
    for word in ("do-pause_now", "ask-stop", "do-reshoot", "Shot again: 1"):
        assert word in page


async def test_a_session_without_a_station_is_stopped_by_the_controller(ready):
    """It never began: nobody needs to be connected."""
    sid = ready.new_session()["id"]
    seen = await asyncio.to_thread(ready.running.post, f"/api/sessions/{sid}/stop")
    assert (seen["state"], seen["finish"]["count"]) == ("stopped", 0)


async def test_three_bad_photos_in_a_row_pause_the_session(ready, agent, started, jpeg):
    """The station is asked with the reason; the code stays with the controller."""
    from rig.capture import photos

    rig = ready.running.rig
    async with agent(ready) as one:
        sid, seq = await started(one)
        for index in (1, 2, 3):

            def verdict(connection, index=index):
                name = ready.photo(index, jpeg(index))
                photos.received(
                    connection, sid, name=name, index=index, attempt=1, sha256=f"{index:064x}",
                    size=9, now_ns=time.time_ns(), actor="phone:room-1",
                )  # fmt: skip
                photos.verified(
                    connection, sid, name=name, verified=False, reason="glare",
                    now_ns=time.time_ns(),
                )  # fmt: skip

            await asyncio.to_thread(rig.database.write_now, verdict)
        told = await one.command("pause")
        assert "3 photos in a row" in told["why"]
        await one.event(sid, seq + 1, "paused", code="OPERATOR_PAUSE", why=told["why"])
        await one.acked(sid, seq + 1)
        seen = await until(ready, sid, "paused")
    assert seen["paused"]["code"] == "REJECTED"
    assert "rejected photos" in seen["next_step"]


async def test_a_stall_is_seen_by_the_clock_of_the_controller(ready, agent, started):
    """No capture for long; a station that is away is not blamed."""
    rig = ready.running.rig
    ahead = [0]
    clock = rig.clock_ns
    async with agent(ready) as one:
        sid, seq = await started(one)
        watcher = Watcher(rig, Limits(patience_s=5))
        await on_loop(ready, watcher.look)
        for n in range(1, 9):
            body = {"sha256": f"{n:064x}", "size": 9, "name": f"n{n}", "index": 1, "attempt": n}
            await one.event(sid, seq + n, "committed", time_ns=(seq + n) * 10**9, **body)
        await one.acked(sid, seq + 8)
        await on_loop(ready, watcher.look)
        assert (await until(ready, sid, "running"))["requested"] is None
        rig.clock_ns = lambda: clock() + ahead[0]
        ahead[0] = 60 * 10**9
        await on_loop(ready, watcher.look)
        told = await one.command("pause")
    assert "Nothing was captured for" in told["why"]


async def on_loop(ready, look):
    """Run *look* on the controller's own loop."""
    loop = next(iter(ready.running.rig._tasks)).get_loop()
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(look(), loop))
