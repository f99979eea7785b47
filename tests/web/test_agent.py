"""The display agent's conversation with the controller."""

import asyncio
import hashlib
import re
from functools import partial

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


async def wait_for_state(ready, session, state):
    """Read the session until it says *state*."""
    async with asyncio.timeout(20):
        while True:
            seen = await asyncio.to_thread(ready.running.get, f"/api/sessions/{session}")
            if seen["state"] == state:
                return seen
            await asyncio.sleep(0.01)


async def test_a_display_agent_drives_a_session_to_completed(ready, agent, jpeg, shoot):
    """Create, start, shoot, complete: the session's state follows the agent's events only."""
    session = ready.new_session()
    sid = session["id"]
    jpegs = {i: jpeg(i) for i in range(session["first"], session["last"] + 1)}
    async with agent(ready) as one:
        asked = await asyncio.to_thread(
            ready.running.post, f"/api/sessions/{sid}/start", confirm=True
        )
        assert (asked["state"], asked["requested"]) == ("loading", "start")
        load = await one.command("load")
        assert load["plan"]["session"] == sid
        assert [item["index"] for item in load["plan"]["items"]] == list(jpegs)
        assert all(item["file"] is None for item in load["plan"]["items"])
        await one.command("start")
        seq = await shoot(one, session, jpegs, ready.photo)
        await one.acked(sid, seq)
        running = await asyncio.to_thread(ready.running.get, f"/api/sessions/{sid}")
        assert (running["state"], running["committed"]) == ("running", len(jpegs))
        assert running["requested"] is None
        await one.event(sid, seq + 1, "completed", count=len(jpegs), chain="ab" * 32)
        await one.acked(sid, seq + 1)
    done = ready.running.get(f"/api/sessions/{sid}")
    assert (done["state"], done["words"]) == ("completed", "Completed")
    shown = ready.running.get("/api/campaigns/first")
    assert [one["state"] for one in shown["subsets"]] == ["completed", "planned"]
    captures = ready.running.get(f"/api/sessions/{sid}/captures")
    assert [one["index"] for one in captures] == list(jpegs)


async def test_welcome_gives_the_phone_its_address_and_stable_token(ready, agent):
    """The phone's token is the same at every connection."""
    tokens = []
    for _ in range(2):
        async with agent(ready) as one:
            assert one.welcome["station"] == "room-1"
            assert one.welcome["phone"]["url"] == ready.running.url
            tokens.append(one.welcome["phone"]["token"])
    assert tokens == [ready.phone_token] * 2


async def test_hello_is_answered_with_what_is_durable(ready, agent):
    """After a reconnection the agent learns from where to send again."""
    sid = ready.new_session()["id"]
    async with agent(ready) as one:
        await one.event(sid, 1, "connected", boot_id="1")
        await one.event(sid, 2, "armed", first=1, last=3)
        await one.acked(sid, 2)
    async with agent(ready, sessions={sid: 5}) as one:
        assert one.acks == {sid: 2}


async def test_known_events_are_acknowledged_and_ignored_and_gaps_refused(ready, agent):
    """Sending again is harmless; skipping a number is answered with the last durable one."""
    sid = ready.new_session()["id"]
    async with agent(ready) as one:
        await one.event(sid, 1, "armed", first=1, last=3)
        await one.acked(sid, 1)
        one.acks.clear()
        await one.event(sid, 1, "aborted", abort_id="x", why="another body")
        await one.acked(sid, 1)
        await one.event(sid, 3, "link_lost")
        assert (await one.until("ack"))["seq"] == 1
        await one.event(sid, 2, "painted", index=1, attempt=1)
        await one.acked(sid, 2)
    kinds = [e["event"] for e in ready.running.get(f"/api/sessions/{sid}/events")]
    assert kinds == ["session_created", "armed", "painted"]


async def test_events_of_a_foreign_session_are_refused_in_words(ready, agent):
    """A station cannot write into another station's session, nor into none."""
    ready.running.post("/api/stations", name="room-2")
    body = {"campaign": "first", "subset": 1, "station": "room-2"}
    sid = ready.running.post("/api/sessions", **body)["id"]
    async with agent(ready) as one:
        await one.event(sid, 1, "armed", first=1, last=3)
        await one.until("refused")
        await one.event("s" + "0" * 16, 1, "armed", first=1, last=3)
        await one.until("refused")
    assert all("not one of station room-1" in r["error"] for r in one.refused)
    assert ready.running.get(f"/api/sessions/{sid}")["state"] == "created"


async def test_a_malformed_event_is_refused_and_the_connection_goes_on(ready, agent):
    """What lacks a field is not half kept."""
    sid = ready.new_session()["id"]
    async with agent(ready) as one:
        await one.event(sid, 1, "committed", index=1, attempt=1, sha256="no")
        assert "sha256" in (await one.until("refused"))["error"]
        await one.event(sid, 1, "armed", first=1, last=3)
        await one.acked(sid, 1)


@pytest.mark.parametrize("message", ["nonsense", "[1]", '{"type":"dance"}', "[" * 5000])
async def test_what_is_no_message_ends_the_connection(ready, agent, message):
    """The close frame says why."""
    async with agent(ready) as one:
        await one.socket.send(message)
        with pytest.raises(ConnectionClosed) as error:
            await one.until("never")
    assert error.value.rcvd.code == 1008


async def test_only_stations_connect(ready):
    """Neither nobody, nor the operator, nor the phone."""
    url = ready.running.url.replace("http", "ws") + "/api/agent"
    for token in ("wrong", ready.running.rig.auth.token, ready.phone_token):
        headers = {"Authorization": f"Bearer {token}"}
        with pytest.raises(InvalidStatus) as error:
            async with connect(url, additional_headers=headers):
                pass
        assert error.value.response.status_code in {401, 403}


async def test_a_new_connection_of_a_station_ends_the_old_one(ready, agent):
    """Two display agents with one token cannot both be told to shoot."""
    async with agent(ready) as old, agent(ready):
        with pytest.raises(ConnectionClosed):
            await old.until("never")
        stations = await asyncio.to_thread(ready.running.get, "/api/stations")
        assert [s["connected"] for s in stations] == [True]


async def test_a_refused_start_goes_back_to_created_with_the_reason(ready, agent):
    """What was asked for and not done does not look done."""
    sid = ready.new_session()["id"]
    async with agent(ready) as one:
        await asyncio.to_thread(ready.running.post, f"/api/sessions/{sid}/start", confirm=True)
        await one.command("load", ok=False, error="the screen is gone")
        seen = await wait_for_state(ready, sid, "created")
    assert "the screen is gone" in seen["refused"]
    assert seen["requested"] is None


async def test_a_station_that_leaves_before_it_answers_refuses(ready, agent):
    """The request does not hang for ever."""
    sid = ready.new_session()["id"]
    async with agent(ready) as one:
        await asyncio.to_thread(ready.running.post, f"/api/sessions/{sid}/start", confirm=True)
        await one.until("command")
    seen = await wait_for_state(ready, sid, "created")
    assert "went away" in seen["refused"]


async def test_pause_looks_requested_until_the_rig_confirms(ready, agent, jpeg, shoot):
    """`pausing` is not `paused`; resume and the second pause behave as the first."""
    session = ready.new_session()
    sid, first = session["id"], session["first"]
    post = ready.running.post
    async with agent(ready) as one:
        await asyncio.to_thread(post, f"/api/sessions/{sid}/start", confirm=True)
        await one.command("load")
        await one.command("start")
        seq = await shoot(one, session, {first: jpeg(1)}, ready.photo)
        await one.acked(sid, seq)
        for _ in range(2):
            asked = await asyncio.to_thread(post, f"/api/sessions/{sid}/pause")
            assert (asked["state"], asked["requested"]) == ("pausing", "pause")
            await one.command("pause")
            await one.event(sid, seq + 1, "paused", code="OPERATOR", why="asked for")
            await one.acked(sid, seq + 1)
            await wait_for_state(ready, sid, "paused")
            asked = await asyncio.to_thread(post, f"/api/sessions/{sid}/resume")
            assert (asked["state"], asked["requested"]) == ("paused", "resume")
            await one.command("load")
            await one.command("resume")
            await one.event(sid, seq + 2, "resumed")
            await one.acked(sid, seq + 2)
            assert (await wait_for_state(ready, sid, "running"))["requested"] is None
            seq += 2


async def test_an_abort_is_latched_and_rearmed_only_with_its_number(ready, agent):
    """Another number is refused before anything is told to the station."""
    sid = ready.new_session()["id"]
    async with agent(ready) as one:
        await one.event(sid, 1, "armed", first=1, last=3)
        body = {"abort_id": "00ff", "code": "INDEX_MISMATCH", "why": "index 2, not 1"}
        await one.event(sid, 2, "aborted", **body, expected=1, got=2, by="phone")
        await one.acked(sid, 2)
        seen = await wait_for_state(ready, sid, "aborted")
        assert (seen["abort"]["expected"], seen["abort"]["got"]) == (1, 2)
        with ready.running.operator() as client:
            post = partial(asyncio.to_thread, client.post)
            wrong = await post(f"/api/sessions/{sid}/rearm", json={"abort_id": "ffff"})
            assert wrong.status_code == 409
            assert "00ff" in wrong.json()["detail"]
            assert (await post(f"/api/sessions/{sid}/resume")).status_code == 409
            assert one.asked == 0
            unsure = await post(f"/api/sessions/{sid}/rearm", json={"abort_id": "00ff"})
            assert "then confirm it" in unsure.json()["detail"]
        confirmed = {"confirm_all": True, "name": "anna"}
        await asyncio.to_thread(ready.running.post, f"/api/sessions/{sid}/conditions", **confirmed)
        await asyncio.to_thread(ready.running.post, f"/api/sessions/{sid}/rearm", abort_id="00ff")
        await one.command("load")
        told = await one.command("rearm")
        assert told["abort_id"] == "00ff"
        await one.event(sid, 3, "rearmed", abort_id="00ff")
        await one.acked(sid, 3)
        seen = await wait_for_state(ready, sid, "interrupted")
        assert seen["abort"] is None


async def test_an_abort_waits_for_a_station_that_is_away(ready, agent):
    """It is told as soon as the station is back, even after a restart of neither."""
    sid = ready.new_session()["id"]
    async with agent(ready) as one:
        await one.event(sid, 1, "armed", first=1, last=3)
        await one.acked(sid, 1)
    asked = await asyncio.to_thread(ready.running.post, f"/api/sessions/{sid}/abort")
    assert asked["requested"] == "abort"
    async with agent(ready) as one:
        assert (await one.command("abort"))["session"] == sid


async def test_the_agent_fetches_the_images_of_the_plan(ready):
    """By hash, byte for byte, with the station's token; the hash is the entity tag."""
    with ready.running.rig.database.read() as connection:
        from rig.store import catalogs

        kept = catalogs.find(connection, "tiny")
        first = catalogs.xrays(connection, kept.id)[0]
    with ready.running.client(ready.token) as client:
        answer = client.get(f"/api/images/{first.sha256}")
        assert hashlib.sha256(answer.content).hexdigest() == first.sha256
        tag = answer.headers["etag"]
        again = client.get(f"/api/images/{first.sha256}", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert client.get(f"/api/images/{'0' * 64}").status_code == 404
        first.file.write_bytes(b"changed")
        assert client.get(f"/api/images/{first.sha256}").status_code == 409
    with ready.running.client(ready.phone_token) as client:
        assert client.get(f"/api/images/{first.sha256}").status_code == 403


async def test_status_and_pairing_stay_in_memory(ready, agent):
    """They are shown, never kept."""
    async with agent(ready) as one:
        with pytest.raises(httpx.HTTPStatusError), ready.running.operator() as client:
            client.get("/api/stations/room-1/pairing").raise_for_status()
        await one.send(type="pairing", url="xcap://pair?v=1&k=secret")
        await one.send(
            type="status", session=None, phase="idle", index=None, link_age_ms=None, rtt_ms=None
        )
        async with asyncio.timeout(20):
            while True:
                (station,) = await asyncio.to_thread(ready.running.get, "/api/stations")
                if station["status"]:
                    break
        assert station["status"]["phase"] == "idle"
        assert "secret" not in str(station)
        shown = await asyncio.to_thread(ready.running.get, "/api/stations/room-1/pairing")
        assert shown["url"].endswith("secret")
    log = ready.running.rig.database.query(
        lambda c: __import__("rig.store.events", fromlist=["x"]).after(c, 0)
    )
    assert "secret" not in str(log)


async def test_a_session_that_was_paused_before_a_phone_came_can_be_resumed(ready, agent):
    """It was started and never shot: neither start nor resume was allowed, only an abort."""
    sid = ready.new_session()["id"]
    async with agent(ready) as one:
        await asyncio.to_thread(ready.running.post, f"/api/sessions/{sid}/start", confirm=True)
        await one.command("load")
        await one.command("start")
        await one.event(sid, 1, "paused", code="OPERATOR_PAUSE", why="the phone was unpaired")
        await one.acked(sid, 1)
        await wait_for_state(ready, sid, "paused")
        assert "disabled" not in await asyncio.to_thread(button, ready, sid, "do-resume")
        asked = await asyncio.to_thread(ready.running.post, f"/api/sessions/{sid}/resume")
        assert asked["requested"] == "resume"
        await one.command("load")
        await one.command("resume")
        await one.event(sid, 2, "resumed")
        await wait_for_state(ready, sid, "running")


def button(ready, sid, name):
    with ready.running.operator() as client:
        return re.search(f'<button id="{name}"[^>]*>', client.get(f"/sessions/{sid}").text)[0]
