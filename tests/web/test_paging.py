"""Lists page by page: every row once, in order, whatever comes meanwhile; and at any depth."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, text

from rig.store import captures, tables
from rig.web import paging


def add(connection, session, campaign, indices, **more):
    """A session with captures (and photos) of these indices."""
    row = dict(connection.execute(tables.session.select().limit(1)).mappings().one())
    row |= {"id": session, "campaign": campaign, "created_ns": row["created_ns"] + 1, **more}
    connection.execute(insert(tables.session).values(**row))
    for index in indices:
        common = {"session": session, "idx": index, "attempt": 1, "sha256": f"{index:064x}"}
        connection.execute(
            insert(tables.capture).values(
                **common, committed=True, retakes=0, time_ns=index, name=f"n{index}", size=9
            )
        )
        connection.execute(
            insert(tables.photo).values(**common, name=f"n{index}", size=9, received_ns=1)
        )


@pytest.fixture
def filled(ready):
    """Seven sessions of 5 captures each; two of them of another campaign."""
    ready.new_session()
    ready.running.post(
        "/api/campaigns", name="second", catalog="tiny", device="n", size_min=3, size_max=3
    )
    other = ready.running.get("/api/campaigns/second")["id"]
    for number in range(7):
        campaign = other if number % 3 == 2 else ready.campaign["id"]
        ready.running.rig.database.write_now(
            lambda c, n=number, of=campaign: add(c, f"s{n:016x}", of, range(1, 6))
        )
    return ready.running


def pages(running, path):
    """The pages of a list, following its headers."""
    found = []
    with running.operator() as client:
        while path:
            answer = client.get(path)
            assert answer.is_success, answer.text
            found.append(answer.json())
            path = answer.links.get("next", {}).get("url")
    return found


@pytest.mark.parametrize("limit", [1, 2, 5, 7, 35, 100])
def test_captures_of_everything_come_once_and_in_order(filled, limit):
    """Pages end anywhere: in a session, at its end, at the end of all."""
    found = pages(filled, f"/api/captures?limit={limit}")
    rows = [(one["session"], one["index"]) for page in found for one in page]
    assert rows == [(f"s{n:016x}", i) for n in range(7) for i in range(1, 6)]
    assert all(len(page) == limit for page in found[:-1])


@pytest.mark.parametrize("limit", [1, 3, 5, 10, 50])
def test_captures_of_a_campaign_leave_the_others_out(filled, limit):
    """The same, over the campaign's sessions only."""
    found = pages(filled, f"/api/captures?campaign=second&limit={limit}")
    rows = [(one["session"], one["index"]) for page in found for one in page]
    assert rows == [(f"s{n:016x}", i) for n in (2, 5) for i in range(1, 6)]


def test_lists_of_a_session_and_of_sessions_have_pages_too(filled):
    """Captures, photos, sessions; all rows once."""
    sid = f"s{3:016x}"
    for what, key in (("captures", "index"), ("photos", "index")):
        found = pages(filled, f"/api/sessions/{sid}/{what}?limit=2")
        assert [one[key] for page in found for one in page] == [1, 2, 3, 4, 5]
        assert len(found) == 3
    found = pages(filled, "/api/sessions?limit=3")
    ids = [one["id"] for page in found for one in page]
    assert len(ids) == len(set(ids)) == 8
    of = pages(filled, "/api/sessions?limit=1&campaign=second")
    assert [one["id"] for page in of for one in page] == [f"s{n:016x}" for n in (2, 5)]


def test_what_comes_meanwhile_moves_no_row(filled):
    """A cursor names a row, not a place in the list."""
    with filled.operator() as client:
        first = client.get("/api/sessions?limit=4")
        campaign = filled.get("/api/campaigns/first")["id"]
        filled.rig.database.write_now(
            lambda c: add(c, "s" + "f" * 16, campaign, (), created_ns=2**62)
        )
        second = client.get(first.links["next"]["url"])
    ids = [one["id"] for one in first.json() + second.json()]
    assert len(ids) == len(set(ids)) == 8


@pytest.mark.parametrize("path", ["/api/sessions", "/api/captures", "/api/jobs", "/api/audit"])
@pytest.mark.parametrize("place", ["x", [1, 2, 3], {"a": 1}, [-1, "s"], 1.5, True, ["s", -1]])
def test_a_cursor_that_is_none_is_refused(running, path, place):
    """Whatever somebody makes of it: 422 and a sentence."""
    with running.operator() as client:
        answer = client.get(path, params={"cursor": paging.encode(place)})
        assert answer.status_code == 422, answer.text
        assert "begin again without one" in answer.json()["detail"]
        assert client.get(path, params={"cursor": "%%%"}).status_code == 422


def test_a_page_is_a_walk_along_an_index(filled):
    """Nothing is sorted and no table is read whole: it costs the same at any size."""
    plans = []

    def explain(connection):
        real = connection.execute

        def spy(statement, *args, **more):
            told = str(statement.compile(connection, compile_kwargs={"literal_binds": True}))
            plans.append(real(text("EXPLAIN QUERY PLAN " + told.replace(":", r"\:"))).all())
            return real(statement, *args, **more)

        connection.execute = spy
        captures.across(connection, after=(f"s{3:016x}", 2), limit=3)
        captures.committed(connection, f"s{3:016x}", after=2, limit=2)
        captures.photos(connection, f"s{3:016x}", after=(2, 1, "n2"), limit=2)

    filled.rig.database.query(explain)
    details = [row[-1] for plan in plans for row in plan]
    assert len(plans) == 3
    for detail in details:
        assert detail.startswith("SEARCH"), details
        assert "TEMP B-TREE" not in detail, details
