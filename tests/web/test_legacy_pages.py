"""Legacy mode on the controller: marked for good, told on every page, resolved by a person."""

from __future__ import annotations

import asyncio
import html
import json
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from rig.protocol.legacy import WEAKER_DISPLAY

BANNER = "Legacy mode: weaker guarantees"


@pytest.fixture
def legacy_agent():
    """Connects a display agent that drives the original app."""

    @asynccontextmanager
    async def make(ready):
        url = ready.running.url.replace("http", "ws") + "/api/agent"
        headers = {"Authorization": f"Bearer {ready.token}"}
        async with connect(url, additional_headers=headers) as socket:
            one = _Agent(socket)
            reading = asyncio.create_task(one.pump())
            screen = {"backend": "null", "width": 800, "height": 600}
            hello = {"type": "hello", "version": 1, "screen": screen, "frames": None}
            await one.send(**hello, sessions={}, mode="legacy", weaker=list(WEAKER_DISPLAY))
            await one.until("welcome")
            try:
                yield one
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    return make


class _Agent:
    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.acks: dict[str, int] = {}
        self.seq = 0
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def pump(self) -> None:
        """Read everything; what screen and phone are like is answered at once."""
        async for text in self.socket:
            message = json.loads(text)
            if message.get("do") == "report":
                screen = {"backend": "null", "width": 800, "height": 600, "checks": []}
                told = {"screen": screen, "phone": {"link": "legacy"}}
                await self.send(type="reply", id=message["id"], ok=True, report=told)
            else:
                await self.inbox.put(message)

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def until(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while True:
                message: dict[str, Any] = await self.inbox.get()
                if message["type"] == "ack":
                    self.acks[message["session"]] = message["seq"]
                if message["type"] == kind:
                    return message

    async def obey(self, do: str, error: str | None = None) -> dict[str, Any]:
        message = await self.until("command")
        assert message["do"] == do, message
        await self.send(type="reply", id=message["id"], ok=error is None, error=error)
        return message

    async def say(self, session: str, event: str, **body: Any) -> None:
        self.seq += 1
        told = {"event": event, "session": session, "seq": self.seq, "time_ns": self.seq * 10**9}
        await self.send(type="event", legacy=True, **told, **body)
        while self.acks.get(session, 0) < self.seq:
            await self.until("ack")

    async def claim(self, session: str, index: int, **more: Any) -> None:
        await self.say(session, "painted", index=index, attempt=1)
        told = {"attempt": 1, "name": f"{index}__abc__x.jpg", "earlier": [], "by": "phone"}
        await self.say(session, "answered", index=index, rtt_ms=400.0, **told | more)


def page(ready: Any, path: str) -> str:
    with ready.running.operator() as client:
        answer = client.get(path)
    assert answer.is_success, answer.text
    return html.unescape(answer.text)


async def begun(ready: Any, one: _Agent) -> str:
    """A session that the station has begun in legacy mode."""
    sid: str = ready.new_session()["id"]
    await asyncio.to_thread(ready.running.post, f"/api/sessions/{sid}/start", confirm=True)
    await one.obey("load")
    await one.obey("start")
    told = {"weaker": list(WEAKER_DISPLAY), "start_number": 1, "app": "10.0.0.9:4445"}
    await one.say(sid, "guarantees", **told)
    await one.say(sid, "armed", first=1, last=3)
    return sid


async def test_an_xcap_session_has_no_banner(ready, agent):
    """The strong mode is not made to look weak."""
    sid = ready.new_session()["id"]
    async with agent(ready):
        for path in ("/", f"/sessions/{sid}"):
            assert BANNER not in await asyncio.to_thread(page, ready, path)
    assert ready.running.get(f"/api/sessions/{sid}")["legacy_view"] is None


async def test_the_banner_is_there_before_during_and_after(ready, legacy_agent):
    """From the station's hello on; then by the session's own events, whoever is connected."""
    sid = ready.new_session()["id"]
    async with legacy_agent(ready) as one:
        for path in ("/", f"/sessions/{sid}"):
            shown = await asyncio.to_thread(page, ready, path)
            assert BANNER in shown
            assert all(sentence in shown for sentence in WEAKER_DISPLAY)
        assert ready.running.get(f"/api/sessions/{sid}")["legacy"] is False
        sid = await begun(ready, one)
    assert ready.running.get(f"/api/sessions/{sid}")["legacy"] is True
    for path in ("/", f"/sessions/{sid}"):
        assert BANNER in await asyncio.to_thread(page, ready, path)


async def test_the_mark_survives_a_restart_of_the_controller(ready, legacy_agent, serve):
    """It is projected from the log."""
    async with legacy_agent(ready) as one:
        sid = await begun(ready, one)
        await one.claim(sid, 1)
    ready.running.stop()
    again = serve(ready.running.home)
    seen = again.get(f"/api/sessions/{sid}")
    assert (seen["legacy"], seen["claimed"], seen["committed"]) == (True, 1, 0)
    with again.operator() as client:
        assert BANNER in client.get(f"/sessions/{sid}").text


async def test_claims_and_suspects_are_counted_and_nothing_is_kept(ready, legacy_agent):
    """Completed means only claimed, and what to do about it is said."""
    async with legacy_agent(ready) as one:
        sid = await begun(ready, one)
        for index in (1, 2, 3):
            more = {"suspect": "a <b>window</b> popped up"} if index == 2 else {}
            await one.claim(sid, index, **more)
        running = await asyncio.to_thread(ready.running.get, f"/api/sessions/{sid}")
        assert (running["state"], running["committed"], running["claimed"]) == ("running", 0, 3)
        await one.say(sid, "completed", count=3, chain="", claimed=True)
    seen = ready.running.get(f"/api/sessions/{sid}")
    assert seen["state"] == "completed"
    assert seen["words"] == "Completed, but only claimed: 0 of 3 photos are proved"
    assert f"rig batch import {sid} FOLDER" in seen["next_step"]
    assert seen["legacy_view"]["suspects"] == [{"index": 2, "why": "a <b>window</b> popped up"}]
    with ready.running.operator() as client:
        raw = client.get(f"/sessions/{sid}").text
    assert "3 of 3 photos are claimed, 0 proved by the optical check." in raw
    assert "words-completed" not in raw
    assert "only claimed" in raw.split("</title>")[0]
    assert "<b>window</b>" not in raw
    assert "a &lt;b&gt;window&lt;/b&gt; popped up" in raw
    needs = await asyncio.to_thread(page, ready, "/")
    assert "copy the phone's CheXpeditor folder here and import it" in needs
    subsets = ready.running.get("/api/campaigns/first")["subsets"]
    assert [one["state"] for one in subsets] == ["claimed", "planned"]


async def test_a_doubt_has_its_buttons_and_no_resume(ready, legacy_agent):
    """The answer reaches the station and is confirmed by what it tells next."""
    async with legacy_agent(ready) as one:
        sid = await begun(ready, one)
        await one.say(sid, "paused", code="RETRIES", why="number 1: answer taken", doubt=1)
        seen = await asyncio.to_thread(ready.running.get, f"/api/sessions/{sid}")
        assert "resolve" in seen["may"]
        assert "resume" not in seen["may"]
        assert seen["next_step"].startswith("Number 1 is in doubt")
        shown = await asyncio.to_thread(page, ready, f"/sessions/{sid}")
        assert "do-resolve-taken" in shown
        assert "do-resolve-missing" in shown
        path = f"/api/sessions/{sid}/resolve"
        asked = await asyncio.to_thread(ready.running.post, path, answer="taken")
        assert asked["requested"] == "resolve"
        await one.obey("load")
        assert (await one.obey("resolve"))["answer"] == "taken"
        await one.say(sid, "resumed")
        seen = await asyncio.to_thread(ready.running.get, f"/api/sessions/{sid}")
        assert (seen["state"], seen["requested"]) == ("running", None)
        assert "do-resolve" not in await asyncio.to_thread(page, ready, f"/sessions/{sid}")


async def test_what_the_station_refuses_is_told(ready, legacy_agent):
    """Its own sentence, on the page."""
    async with legacy_agent(ready) as one:
        sid = await begun(ready, one)
        await one.say(sid, "paused", code="OPERATOR_PAUSE", why="somebody paused", doubt=None)
        path = f"/api/sessions/{sid}/resolve"
        await asyncio.to_thread(ready.running.post, path, answer="missing")
        await one.obey("load")
        await one.obey("resolve", error="no request is in doubt, so there is nothing to resolve")
        async with asyncio.timeout(20):
            while True:
                seen = await asyncio.to_thread(ready.running.get, f"/api/sessions/{sid}")
                if seen["refused"]:
                    break
                await asyncio.sleep(0.01)
        assert "no request is in doubt" in seen["refused"]
        assert "resume" in seen["may"]


async def test_senseless_answers_never_reach_the_station(ready, agent, legacy_agent):
    """A word that is no answer, a session that is not paused or not in legacy mode."""
    xcap = ready.new_session(2)["id"]
    async with legacy_agent(ready) as one:
        sid = await begun(ready, one)

        def resolve(session: str, answer: str) -> httpx.Response:
            with ready.running.operator() as client:
                return client.post(f"/api/sessions/{session}/resolve", json={"answer": answer})

        assert (await asyncio.to_thread(resolve, sid, "perhaps")).status_code == 422
        running = await asyncio.to_thread(resolve, sid, "taken")
        assert running.status_code == 409
        assert "it cannot resolve now" in running.json()["detail"]
        await one.say(sid, "completed", count=3, chain="", claimed=True)
    async with agent(ready) as two:
        await two.event(xcap, 1, "armed", first=4, last=6)
        await two.event(xcap, 2, "paused", code="RETRIES", why="w")
        await two.acked(xcap, 2)
        refused = await asyncio.to_thread(resolve, xcap, "taken")
        assert refused.status_code == 409
        assert "does not run in legacy mode" in refused.json()["detail"]


async def test_problems_of_the_export_are_listed(ready, legacy_agent):
    """What the audit found stands on the page until the next audit."""
    from rig.capture import photos

    async with legacy_agent(ready) as one:
        sid = await begun(ready, one)
        await one.say(sid, "completed", count=3, chain="", claimed=True)
    audit = {
        "passed": False, "expected": 3, "found": 2, "suspects": [], "others": 0,
        "problems": [{"index": 2, "kind": "missing", "why": "no file '2__abc__<x>.jpg'"}],
    }  # fmt: skip
    rig = ready.running.rig
    await rig.database.awrite(lambda c: photos.exported(c, sid, audit, now_ns=9, actor="command"))
    shown = await asyncio.to_thread(page, ready, f"/sessions/{sid}")
    assert "1 problems of the app's folder" in shown
    assert "2, missing: no file" in shown
    with ready.running.operator() as client:
        assert "__<x>" not in client.get(f"/sessions/{sid}").text


async def test_a_malformed_claim_is_refused(ready, legacy_agent):
    """What comes from a station is checked at the edge."""
    async with legacy_agent(ready) as one:
        sid = await begun(ready, one)
        bad = {"event": "answered", "session": sid, "seq": one.seq + 1, "time_ns": 1, "index": 1}
        await one.send(type="event", attempt=1, name="n" * 300, **bad)
        refused = await one.until("refused")
        assert "name" in refused["error"]


async def test_an_abort_says_that_the_app_knows_nothing_of_it(ready, legacy_agent):
    """Re-arming is honest only after the app's start number was set."""
    async with legacy_agent(ready) as one:
        sid = await begun(ready, one)
        told = {"code": "INDEX_MISMATCH", "why": "another number", "expected": 2, "got": None}
        await one.say(sid, "aborted", abort_id="ab" * 8, by="phone", **told)
        shown = await asyncio.to_thread(page, ready, f"/sessions/{sid}")
        assert "set its start number to 2 first" in shown
        assert "Both sides are latched" not in shown
