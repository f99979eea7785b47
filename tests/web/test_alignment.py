"""The alignment shot over HTTP, with an agent made of nothing and a photo that is none."""

from __future__ import annotations

import asyncio
import hashlib
from urllib.parse import quote

import pytest

from rig.planning.card import CARD_KEY, CARD_SHA256, FIRST_NUMBER
from rig.protocol.names import PhotoName, encode_name


def ask(ready, path, **body):
    """A POST that may be refused."""
    with ready.running.operator() as client:
        return client.post(path, json=body)


def upload(ready, shot, name, data):
    with ready.running.client(ready.phone_token) as client:
        answer = client.patch(
            f"/api/sessions/{shot}/photos/{quote(name)}",
            content=data,
            headers={
                "Content-Type": "application/partial-upload",
                "Upload-Offset": "0",
                "Upload-Length": str(len(data)),
                "X-Content-SHA256": hashlib.sha256(data).hexdigest(),
            },
        )
    assert answer.is_success, answer.text


def page(ready, path):
    with ready.running.operator() as client:
        return client.get(path, headers={"Accept": "text/html"}, follow_redirects=False)


async def begun(ready, one, sid, **body):
    """A shot that the agent has begun: its id and its plan."""
    path = f"/api/sessions/{sid}/align"
    answer = await asyncio.to_thread(ask, ready, path, name="anna", **body)
    assert answer.status_code == 202, answer.text
    load = await one.command("load")
    await one.command("start")
    return answer.json()["shot"]["id"], load["plan"]


async def until(ready, sid, wanted):
    async with asyncio.timeout(60):
        while True:
            view = await asyncio.to_thread(ready.running.get, f"/api/sessions/{sid}/alignment")
            if wanted(view):
                return view
            await asyncio.sleep(0.05)


async def test_the_card_is_a_plan_and_a_broken_photo_is_rejected_in_words(ready, agent):
    """The agent gets one picture under its own number; its photo goes another way than x-rays."""
    sid = ready.new_session()["id"]
    data = b"\xff\xd8 not a whole picture"
    async with agent(ready) as one:
        shot, plan = await begun(ready, one, sid, width_mm=527)
        assert plan["subset"] == FIRST_NUMBER + 1
        (item,) = plan["items"]
        assert (item["key"], item["sha256"], item["index"]) == (CARD_KEY, CARD_SHA256, 1)
        name = encode_name(PhotoName(
            campaign=ready.campaign["id"], subset=plan["subset"], index=1, attempt=1, env="e01",
            key=CARD_KEY, meta16="0" * 16, photo16=hashlib.sha256(data).hexdigest()[:16],
        ))  # fmt: skip
        await one.event(shot, 1, "armed", first=1, last=1)
        await one.event(shot, 2, "painted", index=1, attempt=1, rect=[0, 0, 800, 600])
        await one.event(
            shot, 3, "committed", index=1, attempt=1, size=len(data), name=name,
            sha256=hashlib.sha256(data).hexdigest(), source_sha256=CARD_SHA256,
        )  # fmt: skip
        await one.event(shot, 4, "completed", count=1, chain="c" * 64)
        await one.acked(shot, 4)
        view = await until(ready, sid, lambda v: v["shot"]["state"] == "completed")
        assert view["shot"]["words"] == "The photo is taken; it is still on the phone"
        await asyncio.to_thread(upload, ready, shot, name, data)
        view = await until(ready, sid, lambda v: v["result"])
    assert view["result"]["verdict"] == "reject"
    assert view["result"]["words"] == ["The photo is not a picture."]
    assert view["may"] == {
        "align": True, "take_back": False, "accept": False, "waive": True, "needs_reason": True,
    }  # fmt: skip
    photo = ready.running.get(f"/api/sessions/{shot}/photos")[0]
    assert photo["verified"] is False

    shown = page(ready, f"/sessions/{sid}/alignment")
    assert "Take alignment shot" in shown.text
    assert view["result"]["words"][0] in shown.text
    assert 'value="527.0"' in shown.text
    session = page(ready, f"/sessions/{sid}")
    assert "Look at the alignment shot" in session.text or "Take an alignment shot" in session.text
    for path in (f"/sessions/{shot}", f"/sessions/{shot}/alignment"):
        led = page(ready, path)
        assert (led.status_code, led.headers["location"]) == (303, f"/sessions/{sid}/alignment")
    reshoot = ask(ready, f"/api/sessions/{shot}/reshoot", last=1)
    assert reshoot.status_code == 409
    nothing = page(ready, f"/api/sessions/{sid}/alignment/{'0' * 64}")
    assert nothing.status_code == 404


async def test_a_display_agent_that_knows_no_card_is_a_sentence(ready, agent):
    """The refusal stands on the page, and the station is free again."""
    sid = ready.new_session()["id"]
    async with agent(ready) as one:
        answer = await asyncio.to_thread(ask, ready, f"/api/sessions/{sid}/align")
        assert answer.status_code == 202
        await one.command("load", ok=False, error="this screen is too small for the test card")
        view = await until(ready, sid, lambda v: v["shot"]["refused"])
    assert "too small for the test card" in view["shot"]["words"]
    assert view["may"]["align"]
    assert "too small" in page(ready, f"/sessions/{sid}/alignment").text


async def test_waiving_takes_a_name_and_lets_the_session_start(ready, agent):
    """Refused, waived, started."""
    sid = ready.new_session()["id"]
    path = f"/api/sessions/{sid}"
    async with agent(ready) as one:
        await asyncio.to_thread(ask, ready, f"{path}/conditions", confirm_all=True, name="anna")
        refused = await asyncio.to_thread(ask, ready, f"{path}/start", name="anna")
        assert refused.status_code == 409
        assert "No alignment shot" in refused.json()["detail"]
        assert (await asyncio.to_thread(ask, ready, f"{path}/alignment/accept")).status_code == 409
        nameless = await asyncio.to_thread(ask, ready, f"{path}/alignment/waive", why="no card")
        assert nameless.status_code == 422
        waived = await asyncio.to_thread(ask, ready, f"{path}/alignment/waive", name="anna")
        assert waived.json()["good"]
        started = await asyncio.to_thread(ask, ready, f"{path}/start", name="anna")
        assert started.status_code == 202
        await one.command("load")
        await one.command("start")
    log = ready.running.get(f"{path}/events")
    (event,) = [one for one in log if one["event"] == "alignment_waived"]
    assert event["actor"] == "operator:anna"


def test_a_station_that_is_away_takes_no_shot(ready):
    """And nobody takes back what was not begun."""
    sid = ready.new_session()["id"]
    answer = ask(ready, f"/api/sessions/{sid}/align")
    assert answer.status_code == 409
    assert "not connected" in answer.json()["detail"]
    answer = ask(ready, f"/api/sessions/{sid}/align/take-back")
    assert answer.json()["detail"] == "No alignment shot is under way."
    assert ready.running.get(f"/api/sessions/{sid}")["state"] == "created"


@pytest.mark.parametrize("width", [0, -5, "wide", 1e9])
def test_an_impossible_monitor_is_refused(ready, width):
    """Before anything is asked of the station."""
    sid = ready.new_session()["id"]
    assert ask(ready, f"/api/sessions/{sid}/align", width_mm=width).status_code == 422


def test_only_an_operator_asks(ready):
    """Neither a phone nor a station, nor a stranger."""
    sid = ready.new_session()["id"]
    for token in (None, ready.token, ready.phone_token):
        with ready.running.client(token) as client:
            for path in ("align", "alignment/waive"):
                answer = client.post(f"/api/sessions/{sid}/{path}", json={"name": "x"})
                assert answer.status_code in {401, 403}
            assert client.get(f"/api/sessions/{sid}/alignment").status_code in {401, 403}
