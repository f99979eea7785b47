"""Who did what, when, and what came of it: durable, in pages, and never changed."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from rig.store import audit
from rig.store.audit import Entry
from rig.store.events import Event, append
from rig.web.audit import audit_view


def test_every_command_is_noted_with_who_and_what_came_of_it(ready):
    """Done or refused, by whom, on what; nothing secret."""
    sid = ready.new_session()["id"]
    with ready.running.operator() as client:
        client.post(f"/api/sessions/{sid}/start", json={"name": "anna"})
        client.post(f"/api/sessions/{sid}/stop", headers={"X-Operator": "bo"})
        client.post("/api/campaigns/first/lock/take", json={"name": "bo"})
        client.post("/api/phone/pair", json={"code": "SECRETCODE"})
    rows = ready.running.get("/api/audit")
    told = [(one["who"], one["action"], one["status"]) for one in rows]
    assert told[:4] == [
        ("unnamed", "pair_phone", 403),
        ("bo", "take_campaign", 200),
        ("bo", "stop_session", 202),
        ("anna", "start_session", 409),
    ]
    start = rows[3]
    assert (start["session"], start["ok"], start["link"]) == (sid, False, f"/sessions/{sid}")
    assert "is not connected" in start["why"]
    assert rows[1]["campaign"] == "first"
    assert [one["action"] for one in rows[4:]] == [
        "create_session", "add_station", "create_campaign", "import_catalog",
    ]  # fmt: skip
    everything = repr(rows)
    for secret in ("SECRETCODE", ready.token, ready.running.rig.auth.token):
        assert secret not in everything


def test_the_log_comes_in_pages_and_can_be_narrowed(ready):
    """By session, campaign or person; the header leads on and ends."""
    sid = ready.new_session()["id"]
    with ready.running.operator() as client:
        for number in range(5):
            client.post(f"/api/sessions/{sid}/pause", json={"name": f"p{number % 2}"})
        seen, path, pages = [], "/api/audit?limit=2", 0
        while path:
            answer = client.get(path)
            seen += [one["seq"] for one in answer.json()]
            path = answer.links.get("next", {}).get("url")
            pages += 1
        assert seen == sorted(seen, reverse=True)
        assert (len(seen), pages) == (9, 5)
        assert len(client.get(f"/api/audit?session={sid}").json()) == 5
        assert {one["who"] for one in client.get("/api/audit?who=p1").json()} == {"p1"}
        assert client.get("/api/audit?campaign=first").json()[0]["action"] == "create_session"
        assert client.get("/api/audit?cursor=x").status_code == 422
    view = ready.running.rig.database.query(lambda c: audit_view(c, limit=3))
    assert len(view["rows"]) == 3
    assert view["following"] == view["rows"][-1]["seq"]
    assert set(view["names"]) == {"unnamed", "p0", "p1"}
    assert view["rows"][0]["words"] == "Pause after this image"


@pytest.mark.parametrize("change", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
def test_nobody_changes_the_log(running, change):
    """Neither by mistake: the database refuses."""
    database = running.rig.database
    database.write_now(lambda c: audit.append(c, Entry(1, "operator:anna", "stop_session")))
    with pytest.raises(IntegrityError, match="only ever appended to"):
        database.write_now(lambda c: c.execute(text(change)))


def test_commands_and_the_rig_itself_stand_in_it_too(running):
    """What did not come through the API."""

    def write(connection):
        append(connection, Event("campaign_created", 1, 1, "command", body={"name": "c"}))
        append(connection, Event("requested", 2, 2, "controller", body={"do": "pause"}))
        append(connection, Event("painted", 3, 3, "station:a"))

    running.rig.database.write_now(write)
    rows = running.get("/api/audit")
    assert [(one["who"], one["status"]) for one in rows] == [("rig", None), ("command line", None)]
    assert rows[0]["words"] == "Asks for: pause after this image"
    assert running.get("/api/audit", who="rig") == rows[:1]


def test_sign_ins_are_noted_and_wrong_ones_too(running):
    """With the address and the kind of browser, and no token."""
    with running.client() as client:
        origin = {"Origin": running.url, "User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/130.0"}
        client.post("/sign-in", data={"token": "wrong-one"}, headers=origin)
        token = running.rig.auth.token
        client.post("/sign-in", data={"token": token, "name": "anna"}, headers=origin)
        client.post("/sign-out", headers=origin)
    rows = running.get("/api/audit")
    told = [(one["who"], one["action"], one["device"]) for one in rows]
    assert told == [
        ("anna", "sign_out", "Firefox, Linux"),
        ("anna", "sign_in", "Firefox, Linux"),
        ("nobody", "sign_in_refused", None),
    ]
    assert rows[2]["target"] == "127.0.0.1"
    assert "wrong-one" not in repr(rows)
