"""The re-shoot list over HTTP: the list, one click, a plain page."""

from __future__ import annotations

import hashlib
import time
from urllib.parse import quote

import pytest

from rig.capture import photos


@pytest.fixture
async def rejected(ready, agent, shoot, jpeg):
    """A session of three, of which the photo of index 2 came back and was rejected."""
    session = ready.new_session()
    made = {index: jpeg(index) for index in (1, 2, 3)}
    async with agent(ready) as one:
        seq = await shoot(one, session, made, ready.photo)
        await one.acked(session["id"], seq)
    database = ready.running.rig.database
    name = ready.photo(2, made[2])

    def write(connection):
        photos.received(
            connection, session["id"], name=name, index=2, attempt=1, size=1, now_ns=time.time_ns(),
            sha256=hashlib.sha256(made[2]).hexdigest(), actor="test",
        )  # fmt: skip
        photos.verified(
            connection, session["id"], name=name, verified=False, reason="It shows a hand.",
            now_ns=time.time_ns(),
        )  # fmt: skip

    database.write_now(write)
    return ready, session["id"]


async def test_the_list_says_every_index_and_why(rejected):
    """Of the session and of the campaign."""
    ready, session = rejected
    told = ready.running.get(f"/api/sessions/{session}/reshoot")
    assert [row["index"] for row in told["reshoot"]] == [1, 2, 3]
    assert {row["kind"] for row in told["reshoot"]} == {"missing", "rejected"}
    whole = ready.running.get("/api/campaigns/first/reshoot")
    assert whole["reshoot"] == told["reshoot"]
    assert (whole["shot"], whole["unshot"]) == (3, 3)


async def test_one_click_makes_the_sessions_and_a_second_makes_none(rejected):
    """Or one index alone."""
    ready, session = rejected
    one = ready.running.post(f"/api/sessions/{session}/reshoot/listed", indices=[2], name="anna")
    assert [(s["first"], s["last"]) for s in one["sessions"]] == [(2, 2)]
    rest = ready.running.post("/api/campaigns/first/reshoot/listed")
    assert [(s["first"], s["last"]) for s in rest["sessions"]] == [(1, 1), (3, 3)]
    assert ready.running.post("/api/campaigns/first/reshoot/listed")["sessions"] == []


async def test_the_page_has_a_button_for_all_and_one_for_each(rejected):
    """With the reason beside the pictures; the session's page leads there."""
    ready, session = rejected
    with ready.running.operator() as client:
        for path in (f"/sessions/{session}/reshoot", "/campaigns/first/reshoot"):
            page = client.get(path)
            assert page.status_code == 200
            assert "Make the sessions for all 3" in page.text
            assert "It shows a hand." in page.text
        assert f"/sessions/{session}/reshoot" in client.get(f"/sessions/{session}").text
        assert client.get("/campaigns/none/reshoot").status_code == 404
    with ready.running.client(ready.token) as client:
        assert client.get(f"/api/sessions/{session}/reshoot").status_code in {401, 403}


async def test_a_photo_that_arrives_is_handed_on_at_once(ready, jpeg):
    """Once for each photo, not again when it is sent twice."""
    came = []
    ready.running.rig.on_photo = lambda _, session: came.append(session)
    session = ready.new_session()["id"]
    data = jpeg(1)
    digest = hashlib.sha256(data).hexdigest()
    headers = {"Upload-Offset": "0", "Upload-Length": str(len(data)), "X-Content-SHA256": digest}
    path = f"/api/sessions/{session}/photos/{quote(ready.photo(1, data))}"
    with ready.running.operator() as client:
        for _ in range(2):
            assert client.patch(path, content=data, headers=headers).is_success
            assert client.head(path).is_success
    assert came == [session]
