"""Lists page by page: every row once, in order, whatever comes meanwhile; and at any depth."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, text, update

from rig.capture import balance_rows
from rig.store import captures, events, hand, tables
from rig.store.events import Event
from rig.web import campaign_pages, paging


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


@pytest.mark.parametrize("limit", [1, 2, 3, 20])
def test_campaigns_come_once_oldest_first(filled, limit):
    """Each with its plan and figures, which are computed once for each revision."""
    for name in ("third", "fourth"):
        filled.post("/api/campaigns", name=name, catalog="tiny", device="n", size_min=3, size_max=3)
    found = pages(filled, f"/api/campaigns?limit={limit}")
    assert [one["name"] for page in found for one in page] == [
        "first", "second", "third", "fourth",
    ]  # fmt: skip
    assert all(len(page) == limit for page in found[:-1])
    assert found[0][0] == filled.get("/api/campaigns/first")
    with filled.rig.database.read() as connection:
        kept = connection.execute(tables.balance.select()).mappings().all()
    assert len(kept) == 4
    assert {row["revision"] for row in kept} == {1}


def test_figures_of_a_plan_are_computed_once_for_each_revision(filled, monkeypatch):
    """Page and API share them; after a new revision the old ones are not shown."""
    balanced, computed = balance_rows.balance_of, []

    def balance_of(*args):
        computed.append(1)
        return balanced(*args)

    monkeypatch.setattr(balance_rows, "balance_of", balance_of)
    made = filled.post(
        "/api/campaigns", name="third", catalog="tiny", device="n", size_min=3, size_max=3
    )
    for _ in range(2):
        assert filled.get("/api/campaigns/third")["balance"] == made["balance"]
        with filled.operator() as client:
            assert client.get("/campaigns/third/balance").status_code == 200
    assert len(computed) == 1
    again = filled.post("/api/campaigns/third/replan", size_min=1, size_max=2)
    assert again["revision"] == 2
    assert again["balance"] == filled.get("/api/campaigns/third")["balance"] != made["balance"]
    assert len(computed) == 2


@pytest.mark.parametrize("limit", [1, 2, 5, 50])
def test_devices_come_once_newest_first(filled, limit):
    """Also those that were made at the same time."""
    made = [filled.post("/api/devices", name="Ada", label=f"n{n}")["device"] for n in range(5)]
    same = made[0]["created_ns"]
    filled.rig.database.write_now(
        lambda c: c.execute(update(tables.device).values(created_ns=same))
    )
    found = pages(filled, f"/api/devices?limit={limit}")
    ids = [one["id"] for page in found for one in page]
    assert ids == sorted((one["id"] for one in made), reverse=True)
    assert all(len(page) == limit for page in found[:-1])


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
def test_photos_by_hand_come_once_by_device_and_name(filled, limit):
    """Of one standing too; a person's word counts."""
    ident = filled.get("/api/campaigns/first")["id"]
    base = {
        "campaign": ident, "size": 9, "taken_ns": None, "standing": "doubtful", "index": None,
        "key": None, "reason": "?", "evidence": [], "showing": None, "score": None,
        "homography": None, "candidates": [],
    }  # fmt: skip

    def say(kind, **body):
        event = Event(kind, 1, 1, "operator:ada", body=body)
        filled.rig.database.write_now(lambda c: events.append(c, event))

    for device, name, sha in (
        ("b", "2", "aa"),
        ("a", "9", "bb"),
        ("b", "1", "dd"),
        ("b", "1", "cc"),
    ):
        say(hand.PHOTO, **base, device=device, name=name, sha256=sha * 32)
    say(hand.PHOTO, **(base | {"campaign": "0" * 16}), device="b", name="0", sha256="ee" * 32)
    say(hand.DECIDED, campaign=ident, device="a", name="9", sha256="bb" * 32, decision="none",
        index=None, key=None, reason="said", score=None, homography=None)  # fmt: skip
    found = pages(filled, f"/api/campaigns/first/hand?limit={limit}")
    assert [one["sha256"][:2] for page in found for one in page] == ["bb", "cc", "dd", "aa"]
    assert found[0][0]["standing"] == "refused"
    doubtful = pages(filled, f"/api/campaigns/first/hand?limit={limit}&standing=doubtful")
    assert [one["sha256"][:2] for page in doubtful for one in page] == ["cc", "dd", "aa"]
    assert all(len(page) == limit for page in doubtful[:-1])


@pytest.mark.parametrize("what", ["campaigns", "devices", "campaigns/first/hand"])
def test_cursors_of_other_lists_are_refused(filled, what):
    """422 with a sentence."""
    with filled.operator() as client:
        for cursor in ("x", paging.encode([1]), paging.encode({"a": 1})):
            assert client.get(f"/api/{what}?cursor={cursor}").status_code == 422


def test_the_page_of_campaigns_goes_on(filled, monkeypatch):
    """Newest first; the rest one link further."""
    monkeypatch.setattr(campaign_pages, "LISTED", 1)
    with filled.operator() as client:
        first = client.get("/campaigns").text
        assert "/campaigns/second" in first
        assert "/campaigns/first" not in first
        path = first.partition('rel="next" href="')[2].partition('"')[0]
        second = client.get(f"/campaigns{path}").text
    assert "/campaigns/first" in second
    assert 'rel="next"' not in second
