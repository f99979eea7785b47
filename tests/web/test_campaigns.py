"""Campaigns over the API: planned with listed environments, planned anew, refused in a sentence."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete

from rig.store.tables import balance

ROOMS = [{"name": f"room-{n}", "levels": {"room": str(n)}} for n in (1, 2)]


def test_what_was_not_shot_is_planned_anew(ready: Any) -> None:
    """The next revision, in other environments; every index is still covered once."""
    kept = ready.running.get("/api/campaigns")[0]
    wanted = {
        "name": "again", "catalog": kept["catalog"], "device": "n", "size_min": 1, "size_max": 2,
    }  # fmt: skip
    first = ready.running.post("/api/campaigns", **wanted, environments=ROOMS)
    assert {one["environment"]["name"] for one in first["subsets"]} == {"room-1", "room-2"}
    other = [{"name": "hall", "levels": {"room": "hall"}}]
    again = ready.running.post("/api/campaigns/again/replan", environments=other)
    assert (first["revision"], again["revision"]) == (1, 2)
    assert {one["environment"]["name"] for one in again["subsets"]} == {"hall"}
    covered = [i for one in again["subsets"] for i in range(one["first"], one["last"] + 1)]
    assert covered == list(range(1, first["xrays"] + 1))


def test_a_campaign_that_is_not_there_is_not_planned_anew(ready: Any) -> None:
    """404, and the known ones are named."""
    with ready.running.operator() as client:
        answer = client.post("/api/campaigns/none/replan", json={})
    assert answer.status_code == 404
    assert "Known:" in answer.json()["detail"]


def test_subsets_are_dealt_to_stations_that_are_named_or_counted(ready: Any) -> None:
    """Each subset says for whom it is, each station what comes next; the first page says so too."""
    kept = ready.running.get("/api/campaigns")[0]
    wanted = {
        "name": "dealt", "catalog": kept["catalog"], "device": "n", "size_min": 1, "size_max": 1,
    }  # fmt: skip
    made = ready.running.post(
        "/api/campaigns", **wanted, environments=ROOMS, stations=["left", "right"]
    )
    dealt = [one["station"] for one in made["subsets"]]
    assert set(dealt) == {"left", "right"}
    assert dealt == sorted(dealt)
    assert made["next"]["left"] == made["subsets"][0]["id"]
    assert made["next"]["right"] == made["subsets"][dealt.index("right")]["id"]
    with ready.running.operator() as client:
        page = client.get("/campaigns/dealt").text
    assert '<span class="small">for left</span>' in page
    alone = ready.running.post("/api/campaigns/dealt/replan", stations=0)
    assert {one["station"] for one in alone["subsets"]} == {None}


def test_more_stations_than_there_are_is_refused(ready: Any) -> None:
    kept = ready.running.get("/api/campaigns")[0]
    body = {"name": "many", "catalog": kept["catalog"], "device": "n", "stations": 900}
    with ready.running.operator() as client:
        answer = client.post("/api/campaigns", json=body)
    assert answer.status_code in {400, 409, 422}
    assert "add them with rig station add" in answer.json()["detail"]


def test_a_list_computes_no_balance_but_has_what_was_computed(ready: Any) -> None:
    """A large plan's takes seconds: a list of a hundred would take minutes."""
    name = ready.running.get("/api/campaigns")[0]["name"]
    ready.running.rig.database.write_now(lambda connection: connection.execute(delete(balance)))
    assert ready.running.get("/api/campaigns")[0]["balance"] is None
    computed = ready.running.get(f"/api/campaigns/{name}")["balance"]
    assert computed["levels"]
    assert ready.running.get("/api/campaigns")[0]["balance"] == computed
