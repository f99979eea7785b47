"""A command that is sent twice with one key is carried out once."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from rig.store import answers, tables
from rig.web import idempotency

KEY = {"Idempotency-Key": "k-1"}


def stations(running):
    return [one["name"] for one in running.get("/api/stations")]


def test_the_same_command_is_answered_the_same_also_after_a_restart(tmp_path, serve):
    """Even a token that is kept nowhere; the second time says that it is one."""
    home = tmp_path / "home"
    first = serve(home)
    with first.operator() as client:
        one = client.post("/api/stations", json={"name": "a"}, headers=KEY)
        two = client.post("/api/stations", json={"name": "a"}, headers=KEY)
    assert (one.status_code, one.headers.get("idempotency-replayed")) == (201, None)
    assert (two.status_code, two.headers["idempotency-replayed"]) == (201, "true")
    assert two.content == one.content
    assert two.headers["content-type"] == one.headers["content-type"]
    first.stop()
    again = serve(home)
    with again.operator() as client:
        three = client.post("/api/stations", json={"name": "a"}, headers=KEY)
        assert (three.content, three.status_code) == (one.content, 201)
    assert stations(again) == ["a"]
    assert len(again.get("/api/audit", who="unnamed")) == 1


def test_a_refusal_is_an_answer_too(running):
    """What was refused once under a key is refused again; a new key asks anew."""
    with running.operator() as client:
        path = "/api/campaigns/none/lock/take"
        body = {"name": "anna"}
        first = client.post(path, json=body, headers=KEY)
        assert first.status_code == 404
        assert client.post(path, json=body, headers=KEY).content == first.content


def test_another_body_under_the_key_is_refused(running):
    """422 with a sentence, and nothing is done."""
    with running.operator() as client:
        client.post("/api/stations", json={"name": "a"}, headers=KEY)
        other = client.post("/api/stations", json={"name": "b"}, headers=KEY)
        assert other.status_code == 422
        assert "with another body" in other.json()["detail"]
        assert client.post("/api/sign-in-links", headers=KEY).status_code == 201
    assert stations(running) == ["a"]


def test_a_key_belongs_to_who_uses_it(running):
    """Another person's script that happens to choose the same key is not answered ours."""
    with running.operator() as client:
        made = client.post("/api/devices", json={"name": "bo"}).json()
        client.post("/api/stations", json={"name": "a"}, headers=KEY)
    with running.client(made["token"]) as other:
        answer = other.post("/api/stations", json={"name": "a"}, headers=KEY)
    assert answer.status_code == 409  # the station exists: it was carried out, not repeated


def test_what_was_cut_short_is_said_to_be(running):
    """The controller died in the middle: nobody knows, so nobody says it was done."""
    with running.operator() as client:
        client.post("/api/stations", json={"name": "a"}, headers=KEY)

        def forget_answer(connection):
            connection.execute(tables.answer.update().values(status=None, sealed=None))

        running.rig.database.write_now(forget_answer)
        answer = client.post("/api/stations", json={"name": "a"}, headers=KEY)
    assert answer.status_code == 409
    assert "look what became of it" in answer.json()["detail"]


@pytest.mark.parametrize("key", ["", "x" * 201, "a b"])
def test_a_key_that_is_none_is_refused(running, key):
    """Before anything is done."""
    with running.operator() as client:
        answer = client.post("/api/stations", json={"name": "a"}, headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert stations(running) == []


def test_kept_answers_are_sealed_and_forgotten_in_time(running):
    """The token that was shown is not to be read in the database; after a week the row is gone."""
    with running.operator() as client:
        token = client.post("/api/stations", json={"name": "a"}, headers=KEY).json()["token"]
    database = running.rig.database
    (row,) = database.query(lambda c: c.execute(select(tables.answer)).mappings().all())
    assert token.encode() not in row["sealed"]
    auth = running.rig.auth
    assert token.encode() in idempotency.unseal(auth, row["key"], row["sealed"])
    with pytest.raises(ValueError, match="changed"):
        idempotency.unseal(auth, row["key"], row["sealed"][:-1] + b"x")
    later = row["created_ns"] + idempotency.KEEP_NS + 1
    found = database.write_now(
        lambda c: answers.begin(c, row["key"], "f", later, idempotency.KEEP_NS)
    )
    assert found is None


def test_sealing_any_length_comes_back(running):
    """Blocks of 32 bytes are no limit."""
    auth = running.rig.auth
    for length in (0, 1, 31, 32, 33, 1000):
        data = bytes(i % 251 for i in range(length))
        sealed = idempotency.seal(auth, f"n{length}", data)
        assert idempotency.unseal(auth, f"n{length}", sealed) == data
