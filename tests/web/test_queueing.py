"""The queue at work over HTTP: sessions start by themselves; a station that is away is awaited."""

from __future__ import annotations

import asyncio

import pytest


async def view(ready, sid):
    return await asyncio.to_thread(ready.running.get, f"/api/sessions/{sid}")


async def until(ready, sid, good):
    async with asyncio.timeout(20):
        while not good(seen := await view(ready, sid)):
            await asyncio.sleep(0.02)
    return seen


@pytest.fixture
def shot(ready, agent, jpeg, shoot):
    """`await shot(one)`: a session of three, all shot and completed; its id."""

    async def begin(one):
        session = ready.new_session()
        sid = session["id"]
        await asyncio.to_thread(
            ready.running.post, f"/api/sessions/{sid}/start", confirm=True, name="anna"
        )
        await one.command("load")
        await one.command("start")
        seq = await shoot(one, session, {i: jpeg(i) for i in (1, 2, 3)}, ready.photo)
        await one.event(sid, seq + 1, "completed", count=3, chain="ab")
        await one.acked(sid, seq + 1)
        return sid

    return begin


async def test_two_runs_start_one_after_the_other(ready, agent, shot):
    """Without another click: the second as soon as the station said that the first is done."""
    async with agent(ready) as one:
        sid = await shot(one)
        body = {"indices": [1, 3], "start": True, "confirm": True, "name": "anna"}
        made = await asyncio.to_thread(ready.running.post, f"/api/sessions/{sid}/reshoot", **body)
        first, second = (each["id"] for each in made["sessions"])
        for this in (first, second):
            assert (await one.command("load"))["session"] == this
            assert (await one.command("start"))["session"] == this
            await until(ready, this, lambda seen: seen["state"] == "loading")
            if this == first:
                assert (await view(ready, second))["queue"]["waiting"]
            await one.event(this, 1, "armed", first=1, last=1)
            await one.event(this, 2, "completed", count=1, chain="cd")
            await one.acked(this, 2)
    assert (await view(ready, second))["state"] == "completed"


async def test_a_station_that_is_away_is_waited_for(ready, agent, shot):
    """It is no reason to give up: the session starts when the display agent is back."""
    async with agent(ready) as one:
        sid = await shot(one)
    body = {"last": 1, "start": True, "confirm": True, "name": "anna"}
    made = await asyncio.to_thread(ready.running.post, f"/api/sessions/{sid}/reshoot", **body)
    seen = await view(ready, made["id"])
    assert (seen["state"], seen["queue"]["waiting"]) == ("created", True)
    async with agent(ready) as one:
        assert (await one.command("load"))["session"] == made["id"]


async def test_what_nobody_vouches_for_is_not_started(ready, agent, shot, monkeypatch):
    """The room was not looked at for so long: the queue ends with the sentence of the checklist."""
    monkeypatch.setattr("rig.capture.queue.ASK_AGAIN_NS", -1)
    async with agent(ready) as one:
        sid = await shot(one)
        body = {"indices": [1, 3], "start": True, "name": "anna"}
        made = await asyncio.to_thread(ready.running.post, f"/api/sessions/{sid}/reshoot", **body)
        first, second = (each["id"] for each in made["sessions"])
        seen = await until(ready, first, lambda seen: not seen["queue"]["waiting"])
        assert "onfirm it" in seen["queue"]["why"]
        seen = await until(ready, second, lambda seen: not seen["queue"]["waiting"])
        assert "was not started by itself either" in seen["queue"]["why"]
        with ready.running.operator() as client:
            page = await asyncio.to_thread(
                lambda: client.get(f"/sessions/{first}", headers={"accept": "text/html"}).text
            )
    assert "Not started by itself." in page


async def test_a_person_takes_it_out(ready, agent, shot):
    """By name; it stays to be started by hand."""
    async with agent(ready) as one:
        sid = await shot(one)
    body = {"last": 1, "start": True, "confirm": True, "name": "anna"}
    made = await asyncio.to_thread(ready.running.post, f"/api/sessions/{sid}/reshoot", **body)
    path = f"/api/sessions/{made['id']}/unqueue"
    seen = await asyncio.to_thread(ready.running.post, path, name="bo")
    assert seen["queue"] == {**seen["queue"], "waiting": False, "why": "bo took it out."}
    with ready.running.operator() as client:
        assert (await asyncio.to_thread(client.post, path)).status_code == 409
