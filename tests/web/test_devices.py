"""Before a resume the station is asked anew; only answers to this very question count."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from rig.web import devices
from rig.web.phones import PhoneStatus


@pytest.fixture
def paused(ready, agent, jpeg, shoot):
    """`await paused(one)`: a session that shot one x-ray and holds still; id and last number."""

    async def begin(one):
        session = ready.new_session()
        sid, first = session["id"], session["first"]
        await asyncio.to_thread(
            ready.running.post, f"/api/sessions/{sid}/start", confirm=True, name="anna"
        )
        await one.command("load")
        await one.command("start")
        seq = await shoot(one, session, {first: jpeg(1)}, ready.photo)
        await one.event(sid, seq + 1, "paused", code="OPERATOR_PAUSE", why="")
        await one.acked(sid, seq + 1)
        return sid, seq + 1

    return begin


async def resume(ready, sid):
    with ready.running.operator() as client:
        return await asyncio.to_thread(client.post, f"/api/sessions/{sid}/resume")


async def test_a_resume_asks_anew_and_goes_on(ready, agent, paused):
    """Each start and resume is a question of its own; the answers are shown with their age."""
    async with agent(ready) as one:
        sid, _ = await paused(one)
        assert one.asked == 1
        assert (await resume(ready, sid)).status_code == 202
        assert one.asked == 2
        await one.command("load")
        await one.command("resume")
        seen = await asyncio.to_thread(ready.running.get, f"/api/sessions/{sid}")
    told = seen["devices"]
    assert told["for"] == "resume"
    assert 0 <= told["age_ms"] < 60_000
    assert {"screen", "phone"} == {one["device"] for one in told["answers"]}
    with ready.running.operator() as client:
        page = client.get(f"/sessions/{sid}", headers={"accept": "text/html"}).text
    assert "Screen and phone" in page
    assert "A round trip takes" in page or "a round trip takes" in page


async def test_a_resume_is_refused_with_the_device_and_the_remedy(ready, agent, paused):
    """409, nothing is asked of the session, and the log has what was answered."""
    async with agent(ready) as one:
        sid, _ = await paused(one)
        one.report = {
            "screen": {"error": "the window is gone"},
            "phone": {"link": "silent", "heard_ms": 40_000, "rtt_ms": 3.0},
        }
        answer = await resume(ready, sid)
        seen = await asyncio.to_thread(ready.running.get, f"/api/sessions/{sid}")
    assert answer.status_code == 409
    why = answer.json()["detail"]
    assert "The screen of station room-1 gave no report: The window is gone." in why
    assert "The phone of station room-1 has not answered the display for 40 s." in why
    assert (seen["state"], seen["requested"]) == ("paused", None)
    assert [one["blocks"] for one in seen["devices"]["answers"]][:2] == [True, True]


async def test_an_answer_that_never_comes_is_not_taken_as_one(ready, agent, paused, monkeypatch):
    """A number of another question answers nothing; after the deadline it is said."""
    async with agent(ready) as one:
        sid, _ = await paused(one)
        well, one.report = one.report, None
        monkeypatch.setattr(devices, "ANSWER_S", 0.3)
        asked = asyncio.create_task(resume(ready, sid))
        await one.send(type="reply", id=999, ok=True, error=None, report=well)
        answer = await asked
    assert answer.status_code == 409
    assert "did not answer within 0 s" in answer.json()["detail"]


async def test_another_monitor_is_noticed(ready, agent, paused):
    """The session's x-rays were shown on 800x600."""
    async with agent(ready) as one:
        sid, _ = await paused(one)
        one.report["screen"]["width"] = 1024
        answer = await resume(ready, sid)
    assert answer.status_code == 409
    assert "was begun on one of 800x600" in answer.json()["detail"]


async def test_a_station_cannot_vouch_for_itself_by_an_event(ready, agent, paused):
    """An event of this kind that comes from an agent is kept and means nothing."""
    async with agent(ready) as one:
        sid, seq = await paused(one)
        fake = {"for": "resume", "screen": {"width": 1}, "answers": [], "took_ms": 0}
        await one.event(sid, seq + 1, "devices", **fake)
        await one.acked(sid, seq + 1)
        assert (await resume(ready, sid)).status_code == 202
        seen = await asyncio.to_thread(ready.running.get, f"/api/sessions/{sid}")
    assert seen["devices"]["answers"]


async def test_the_phone_is_waited_for_while_it_is_alive(ready, agent, paused):
    """What it said before the question vouches for nothing: a newer word is awaited."""
    phones = ready.running.rig.phones
    tell = partial(phones.tell, "room-1")
    async with agent(ready) as one:
        sid, _ = await paused(one)
        empty = {"battery_pct": 8, "charging": False, "state": "armed", "camera": "x"}
        tell(PhoneStatus(**empty, free_bytes=10**9))
        asked = asyncio.create_task(resume(ready, sid))
        while one.asked < 2:
            await asyncio.sleep(0.01)
        tell(PhoneStatus(**{**empty, "charging": True}, free_bytes=10**9))
        assert (await asked).status_code == 202
        await one.command("load")
        seen = await asyncio.to_thread(ready.running.get, f"/api/sessions/{sid}")
    battery = next(a for a in seen["devices"]["answers"] if a["name"] == "battery")
    assert "and charging" in battery["text"]


async def test_an_empty_phone_refuses_and_a_silent_one_is_said_to_be(
    ready, agent, paused, monkeypatch
):
    """No fresher word within the deadline: the last one counts, with its age."""
    monkeypatch.setattr(devices, "PHONE_S", 0.2)
    async with agent(ready) as one:
        sid, _ = await paused(one)
        ready.running.rig.phones.tell(
            "room-1", PhoneStatus(battery_pct=8, charging=False, free_bytes=10**9, camera="x")
        )
        answer = await resume(ready, sid)
        seen = await asyncio.to_thread(ready.running.get, f"/api/sessions/{sid}")
    assert answer.status_code == 409
    assert "battery is at 8 %, 15 % are needed: plug it in" in answer.json()["detail"]
    status = next(a for a in seen["devices"]["answers"] if a["name"] == "status")
    assert "has not reported for" in status["text"]


async def test_a_phone_that_is_starting_is_waited_for_at_a_resume_too(
    ready, agent, paused, monkeypatch
):
    """As at a start: asked for and not confirmed until the phone is there; then it goes on."""
    monkeypatch.setattr(devices, "PHONE_S", 0.2)
    tell = partial(ready.running.rig.phones.tell, "room-1")
    starts = {"state": "starting", "free_bytes": 10**9, "camera": None}
    async with agent(ready) as one:
        sid, _ = await paused(one)
        tell(PhoneStatus(**starts))
        one.report["phone"] = {"link": "silent", "heard_ms": 9000, "rtt_ms": None}
        answer = await resume(ready, sid)
        assert answer.status_code == 202, answer.text
        assert (answer.json()["state"], answer.json()["requested"]) == ("paused", "resume")
        one.report["phone"] = {"link": "answered", "heard_ms": 3, "rtt_ms": 1.5}
        tell(PhoneStatus(**{**starts, "state": "ready", "camera": "loopback"}))
        ready.running.rig.feed.notify()
        await one.command("load")
        await one.command("resume")


@pytest.mark.parametrize("end", ["time", "stop"])
async def test_waiting_for_a_phone_ends(ready, agent, paused, monkeypatch, end):
    """In a sentence when it takes too long; quietly when a person asks for something else."""
    monkeypatch.setattr(devices, "PHONE_S", 0.1)
    monkeypatch.setattr(devices, "BEGIN_S", 0.5 if end == "time" else 60.0)
    tell = partial(ready.running.rig.phones.tell, "room-1")
    async with agent(ready) as one:
        sid, _ = await paused(one)
        tell(PhoneStatus(state="checking", free_bytes=10**9))
        assert (await resume(ready, sid)).status_code == 202
        if end == "time":
            async with asyncio.timeout(20):
                while (seen := await asyncio.to_thread(show, ready, sid))["refused"] is None:
                    await asyncio.sleep(0.05)
            assert "was still starting after" in seen["refused"]
            assert (seen["state"], seen["requested"]) == ("paused", None)
        else:
            await asyncio.to_thread(ready.running.post, f"/api/sessions/{sid}/stop")
            await one.command("load")
            await one.command("stop")
            tell(PhoneStatus(state="ready", free_bytes=10**9, camera="x"))
            ready.running.rig.feed.notify()
            seen = await asyncio.to_thread(show, ready, sid)
            assert seen["requested"] == "stop"


def show(ready, sid):
    return ready.running.get(f"/api/sessions/{sid}")


async def test_a_starting_phone_that_is_empty_is_refused_at_once(ready, agent, paused, monkeypatch):
    """Time mends a start, not a battery."""
    monkeypatch.setattr(devices, "PHONE_S", 0.1)
    async with agent(ready) as one:
        sid, _ = await paused(one)
        status = PhoneStatus(state="starting", battery_pct=3, charging=False, free_bytes=10**9)
        ready.running.rig.phones.tell("room-1", status)
        assert (await resume(ready, sid)).status_code == 409
