"""Two operators: one has a session in hand, the other is told so, and may take it over in time."""

from __future__ import annotations

import pytest

from rig.capture import locks, projections
from rig.store import events, tables
from rig.web.operators import Presence


@pytest.fixture
def people(ready):
    """`people(name)` is a client that acts under this name."""
    opened = []

    def client(name):
        made = ready.running.client(ready.running.rig.auth.token)
        made.headers["X-Operator"] = name
        opened.append(made)
        return made

    yield client
    for one in opened:
        one.close()


@pytest.fixture
def silent(ready):
    """`silent(seconds)`: so long ago was the last sign of everybody."""

    def since(seconds):
        now = [0.0]
        ready.running.rig.presence = Presence(lambda: now[0])
        now[0] = seconds

    return since


def commands(session):
    """Every command of a session that is not for everybody."""
    at = f"/api/sessions/{session}"
    plain = ("start", "pause", "pause-now", "resume", "stop", "unqueue", "align")
    return [(f"{at}/{one}", {}) for one in plain] + [
        (f"{at}/rearm", {"abort_id": "a"}),
        (f"{at}/resolve", {"answer": "taken"}),
        (f"{at}/reshoot", {"last": 1}),
        (f"{at}/reshoot/listed", {}),
        (f"{at}/release", {"allow": True}),
        (f"{at}/align/take-back", {}),
        (f"{at}/alignment/accept", {"why": "x"}),
        (f"{at}/alignment/waive", {"why": "x"}),
        (f"{at}/conditions", {"confirm_all": True, "name": "bo"}),
        (f"{at}/conditions/apply", {}),
        (f"{at}/conditions/room_light", {"confirm": True, "name": "bo"}),
    ]


def test_who_has_a_session_in_hand_keeps_it_from_others(ready, people):
    """Each command is refused with a sentence that names the holder; an abort never is."""
    sid = ready.new_session()["id"]
    anna, bo = people("Anna"), people("bo")
    assert anna.post(f"/api/sessions/{sid}/lock/take").json()["mine"]
    for path, body in commands(sid):
        answer = bo.post(path, json=body)
        assert answer.status_code == 409, path
        told = answer.json()
        assert told["detail"].startswith(f"Anna has session {sid} in hand. Ask Anna"), path
        assert (told["holder"], told["may_take_over"]) == ("Anna", False)
    put = bo.put(f"/api/sessions/{sid}/conditions/room_light/evidence", content=b"x")
    assert put.status_code == 409
    assert "not" not in bo.get(f"/api/sessions/{sid}").json()["state"]
    refused = bo.post(f"/api/sessions/{sid}/abort").json()["detail"]
    assert "cannot abort" in refused  # because of its state, not because of Anna
    assert anna.post(f"/api/sessions/{sid}/stop").json()["state"] == "stopped"


def test_a_name_is_the_same_in_any_case_and_nobody_is_anybody(ready, people):
    """`anna` is Anna; who says no name is not."""
    sid = ready.new_session()["id"]
    assert people("Anna").post(f"/api/sessions/{sid}/lock/take").is_success
    with ready.running.operator() as nobody:
        assert nobody.post(f"/api/sessions/{sid}/stop").status_code == 409
        unnamed = nobody.post(f"/api/sessions/{sid}/lock/take")
        assert (unnamed.status_code, "who you are" in unnamed.json()["detail"]) == (422, True)
    assert people("anna").post(f"/api/sessions/{sid}/stop").is_success


def test_it_is_handed_over_asked_for_and_let_go(ready, people):
    """Visibly: each of it is an event of the session, with both names."""
    sid = ready.new_session()["id"]
    at = f"/api/sessions/{sid}/lock"
    anna, bo = people("anna"), people("bo")
    assert bo.post(f"{at}/ask").status_code == 409  # nobody has it
    anna.post(f"{at}/take")
    assert bo.post(f"{at}/give", json={"to": "bo"}).status_code == 409
    seen = bo.post(f"{at}/ask").json()
    assert (seen["holder"], seen["asked"], seen["may_ask"]) == ("anna", ["bo"], True)
    assert "bo would like to have it" in anna.get(at).json()["words"]
    given = anna.post(f"{at}/give", json={"to": "bo"}).json()
    assert (given["holder"], given["mine"], given["asked"]) == ("bo", False, [])
    assert anna.post(f"/api/sessions/{sid}/stop").status_code == 409
    assert bo.post(f"{at}/release").json()["holder"] is None
    assert anna.post(f"{at}/release").status_code == 409
    told = ready.running.get(f"/api/sessions/{sid}/events")
    kinds = [one["event"] for one in told if one["event"].startswith("lock_")]
    assert kinds == ["lock_taken", "lock_asked", "lock_given", "lock_released"]
    given = next(one for one in told if one["event"] == "lock_given")
    assert (given["actor"], given["body"]["holder"]) == ("operator:anna", "bo")


def test_a_silent_holder_is_taken_over_from_with_confirmation(ready, people, silent):
    """Not before two minutes, not without saying so, and it stands in the log."""
    sid = ready.new_session()["id"]
    at = f"/api/sessions/{sid}/lock"
    people("anna").post(f"{at}/take")
    silent(locks.SILENT_S - 1)
    bo = people("bo")
    early = bo.post(f"{at}/take", json={"confirm": True})
    assert (early.status_code, early.json()["may_take_over"]) == (409, False)
    silent(200)
    unsure = bo.post(f"{at}/take")
    assert (unsure.status_code, unsure.json()["may_take_over"]) == (409, True)
    assert "Nothing was heard of anna for 3 min" in unsure.json()["detail"]
    assert bo.get(at).json()["may_take_over"]
    sure = bo.post(f"{at}/take", json={"confirm": True})
    assert (sure.status_code, sure.json()["holder"]) == (200, "bo")
    with ready.running.rig.database.read() as connection:
        (last,) = events.latest(connection, session=sid, limit=1)
    assert (last.kind, last.body["before"], last.body["holder"]) == (
        "lock_taken_over", "anna", "bo",
    )  # fmt: skip
    assert people("anna").post(f"/api/sessions/{sid}/stop").status_code == 409


@pytest.mark.parametrize("sign", ["/api/me/here", "command", "navigate", "none"])
def test_a_sign_of_the_holder_keeps_the_lock(ready, people, silent, sign):
    """A touch of the page, a command, a page that is opened; a page that lies open is no sign."""
    sid = ready.new_session()["id"]
    at = f"/api/sessions/{sid}/lock"
    anna = people("anna")
    anna.post(f"{at}/take")
    silent(500)
    if sign == "command":
        anna.post(f"/api/sessions/{sid}/pause")
    elif sign == "navigate":
        anna.get("/api/me", headers={"Sec-Fetch-Mode": "navigate"})
    elif sign == "none":
        anna.get(f"/api/sessions/{sid}")
    else:
        assert anna.post(sign).status_code == 204
    taken = people("bo").post(f"{at}/take", json={"confirm": True})
    assert taken.status_code == (200 if sign == "none" else 409)


def test_a_campaigns_lock_counts_for_its_sessions(ready, people):
    """Unless a session has one of its own; and new sessions and plans are the holder's."""
    sid = ready.new_session()["id"]
    anna, bo = people("anna"), people("bo")
    assert bo.post(f"/api/sessions/{sid}/lock/take").is_success
    assert anna.post("/api/campaigns/first/lock/take").json()["mine"]
    assert anna.post(f"/api/sessions/{sid}/stop").status_code == 409
    assert bo.post(f"/api/sessions/{sid}/lock/release").json()["from_campaign"]
    refused = bo.post(f"/api/sessions/{sid}/stop")
    assert "anna has campaign first in hand" in refused.json()["detail"]
    assert bo.post(f"/api/sessions/{sid}/lock/take").status_code == 409
    body = {"campaign": "first", "subset": 2, "station": "room-1"}
    assert bo.post("/api/sessions", json=body).status_code == 409
    assert bo.post("/api/campaigns/first/replan", json={}).status_code == 409
    assert bo.post("/api/campaigns/first/dataset", json={}).status_code == 409
    assert anna.post("/api/sessions", json=body).status_code == 201
    assert anna.post("/api/campaigns/first/lock/give", json={"to": "bo"}).is_success
    assert bo.post(f"/api/sessions/{sid}/stop").is_success
    assert bo.get("/api/campaigns/none/lock").status_code == 404


def test_a_lock_survives_a_restart_and_a_rebuild(ready, people, serve):
    """The log is the truth; after a restart the holder has not been silent yet."""
    sid = ready.new_session()["id"]
    people("anna").post(f"/api/sessions/{sid}/lock/take")
    ready.running.stop()
    ready.running = again = serve(ready.running.home)
    bo = people("bo")
    assert bo.post(f"/api/sessions/{sid}/stop").status_code == 409
    seen = bo.get(f"/api/sessions/{sid}/lock").json()
    assert (seen["holder"], seen["silent"]) == ("anna", False)
    database = again.rig.database
    before = database.query(lambda c: c.execute(tables.lock.select()).all())
    database.write_now(projections.rebuild)
    assert database.query(lambda c: c.execute(tables.lock.select()).all()) == before
    assert len(before) == 1


async def test_a_station_can_take_nothing_in_hand(ready, agent, people):
    """An event of this kind from a display agent is kept and means nothing."""
    sid = ready.new_session()["id"]
    async with agent(ready) as one:
        body = {"target": f"session:{sid}", "campaign": "first", "holder": "eve", "before": None}
        await one.event(sid, 1, "lock_taken", **body)
        await one.acked(sid, 1)
    assert ready.running.get(f"/api/sessions/{sid}/lock")["holder"] is None
