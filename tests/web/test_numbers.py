"""Live numbers of sessions, what calls for a person, and the series that plots are drawn of."""

import pytest
from sqlalchemy import insert
from sqlalchemy.event import listen

from rig.store import tables
from rig.web.numbers import numbers
from rig.web.series import series


def told(ready, changed=(), now_ns=0):
    database = ready.running.rig.database
    return database.query(lambda c: numbers(c, ready.running.rig.hub, changed, now_ns))


async def test_open_sessions_are_told_and_ended_ones_when_they_changed(ready, agent, shoot, jpeg):
    """With the counts that the session's row has."""
    session = ready.new_session()
    sid = session["id"]
    (one,) = told(ready)["sessions"]
    assert (one["id"], one["state"], one["committed"]) == (sid, "created", 0)
    assert (one["left"], one["percent"], one["eta_s"]) == (one["total"], 0, None)
    jpegs = {n: jpeg(n) for n in range(session["first"], session["last"] + 1)}
    async with agent(ready) as display:
        seq = await shoot(display, session, jpegs, ready.photo) + 1
        await display.event(sid, seq, "completed", count=len(jpegs), chain="ab" * 32)
        await display.acked(sid, seq)
    now = ready.running.get(f"/api/sessions/{sid}")
    assert now["state"] == "completed"
    assert told(ready)["sessions"] == []
    (one,) = told(ready, {sid, "s" + "0" * 16})["sessions"]
    assert (one["committed"], one["left"], one["percent"]) == (now["committed"], 0, 100)
    assert one["words"] == "Completed"
    assert told(ready)["attention"] == {
        "count": 0, "calls": [], "words": "", "grave": False, "link": "/"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "called"),
    [
        ({"state": "aborted"}, True),
        ({"state": "interrupted"}, True),
        ({"state": "paused", "paused": {"code": "OPERATOR_PAUSE"}}, False),
        ({"state": "paused", "paused": {"code": "LINK_LOST", "why": "gone"}}, True),
        ({"state": "created"}, False),
        ({"state": "created", "refused": "No."}, True),
        ({"state": "running"}, True),  # nobody is connected
    ],
)
def test_a_person_is_called_for_what_does_not_mend_itself(ready, changes, called):
    """One's own pause calls nobody."""
    sid = ready.new_session()["id"]
    table = tables.session
    ready.running.rig.database.write_now(
        lambda c: c.execute(table.update().where(table.c.id == sid).values(**changes))
    )
    attention = told(ready)["attention"]
    assert attention["count"] == len(attention["calls"]) == int(called)
    assert attention["grave"] == (changes["state"] == "aborted")
    assert attention["link"] == (f"/sessions/{sid}" if called else "/")


def test_a_failed_job_calls_for_an_hour(ready):
    """Then only its page shows it."""
    hour = 3600 * 10**9
    row = {
        "id": "j1",
        "kind": "build",
        "state": "failed",
        "done": 0,
        "total": 0,
        "created_ns": 100 * hour,
        "updated_ns": 100 * hour,
    }
    ready.running.rig.database.write_now(lambda c: c.execute(insert(tables.job).values(**row)))
    assert told(ready, now_ns=100 * hour + hour // 2)["attention"]["link"] == "/jobs"
    assert told(ready, now_ns=102 * hour)["attention"]["count"] == 0


def test_a_series_adds_up_whatever_its_length(ready):
    """Photos per minute times the time is the photos; gaps are zeros, not nothing."""
    sid = ready.new_session()["id"]
    begin, second = 10**18, 10**9
    # 60 photos in a minute, ten minutes of nothing, 60 in a minute.
    times = [begin + n * second for n in range(60)] + [
        begin + (660 + n) * second for n in range(60)
    ]
    rows = [
        {
            "session": sid,
            "idx": n + 1,
            "attempt": 1,
            "committed": True,
            "retakes": 0,
            "time_ns": at,
            "rtt_ms": 5.0 + n % 2,
            "size": 1000,
        }
        for n, at in enumerate(times)
    ]
    database = ready.running.rig.database
    database.write_now(lambda c: c.execute(insert(tables.capture), rows))
    for points in (10, 60, 240, 1000):
        found = database.query(lambda c, p=points: series(c, sid, p))
        columns = [found.time, found.rate, found.rtt, found.rtt_max, found.bytes]
        assert len({len(one) for one in columns}) == 1
        assert len(found.time) <= points + 1
        assert found.time == sorted(found.time)
        assert found.bytes[-1] == 120_000
        assert found.bytes == sorted(found.bytes)
        known = [one for one in found.rtt if one is not None]
        assert all(5 <= one <= 6 for one in known)
        assert max(one for one in found.rtt_max if one is not None) == 6
        if points >= 60:
            assert found.rate.count(0) > len(found.rate) / 2
            assert 50 <= max(found.rate) <= 75
    with ready.running.operator() as client:
        answer = client.get(f"/api/sessions/{sid}/series", params={"points": 60})
        assert answer.json()["bytes"][-1] == 120_000
        assert client.get(f"/api/sessions/{sid}/series", params={"points": 1}).status_code == 422
        assert client.get(f"/api/sessions/s{'0' * 16}/series").status_code == 404


def test_no_photo_is_an_empty_series(ready):
    """And one photo is one point."""
    sid = ready.new_session()["id"]
    database = ready.running.rig.database
    assert database.query(lambda c: series(c, sid)).time == []
    row = {
        "session": sid,
        "idx": 1,
        "attempt": 1,
        "committed": True,
        "retakes": 0,
        "time_ns": 10**18,
    }
    database.write_now(lambda c: c.execute(insert(tables.capture).values(**row)))
    found = database.query(lambda c: series(c, sid))
    assert (len(found.time), found.rtt, found.bytes) == (1, [None], [0])
    assert found.rate[0] > 0


def test_open_sessions_are_found_by_an_index(ready):
    """After years there are tens of thousands of ended ones; they are not looked through."""
    ready.new_session()
    database, plans = ready.running.rig.database, []

    def look(connection):
        def explain(_c, cursor, statement, parameters, *_):
            if "FROM session" in statement and "station IN" in statement:
                plans.extend(
                    cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
                )

        listen(connection, "before_cursor_execute", explain)
        return numbers(connection, ready.running.rig.hub, (), 0)

    assert len(database.query(look)["sessions"]) == 1
    assert any("ix_session_station_state" in str(row) for row in plans), plans
    assert not any("SCAN session" in str(row) for row in plans), plans
