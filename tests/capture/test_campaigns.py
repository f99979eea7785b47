"""Campaigns are planned once; their plans are the same at every export."""

from pathlib import Path

import pytest

from rig.capture import campaigns, sessions
from rig.capture.balance import cramers_v
from rig.capture.describe import describe
from rig.planning.plan import from_json, to_json
from rig.store.errors import ConflictError, NotFoundError, StoreError


def test_the_plan_of_a_subset_names_its_xrays_in_order(rig, database):
    """With files for this machine, without for another; sound by the plan's own check."""
    with database.read() as connection:
        campaign = campaigns.find(connection, "camp")
        sid = campaigns.standalone_session(campaign, 2)
        here = campaigns.plan_of(connection, campaign, 2, session=sid, with_files=True)
        away = campaigns.plan_of(connection, campaign, 2, session=sid, with_files=False)
        again = campaigns.plan_of(connection, campaign, 2, session=sid, with_files=True)
        with pytest.raises(NotFoundError, match="1 to 2"):
            campaigns.plan_of(connection, campaign, 3, session=sid, with_files=True)
    assert here == again == from_json(to_json(here))
    assert [(i.index, i.file) for i in here.items] == [
        (n, str(Path(f"/d/{n}.jpg"))) for n in (4, 5, 6)
    ]
    assert {i.file for i in away.items} == {None}
    assert away.manifest_sha256 == here.manifest_sha256


def test_a_campaign_in_words_has_the_promised_fields(rig, database, session):
    """What scripts read: names, subsets with their state, balance."""
    shown = database.query(lambda c: describe(c, "camp"))
    assert set(shown) >= {"name", "catalog", "device", "seed", "revision", "subsets", "balance"}
    first, second = shown["subsets"]
    assert (first["id"], first["first"], first["last"], first["state"]) == (1, 1, 3, "created")
    assert second["state"] == "planned"
    assert set(first["environment"]) == {"name", "levels"}
    assert shown["balance"]["levels"]["light"] == {"on": 3, "off": 3}


def test_a_completed_subset_stays_completed(rig, database, session):
    """A later session of the same subset does not undo it."""
    from rig.capture.messages import parse_event

    done = {
        "event": "completed",
        "session": session,
        "seq": 1,
        "time_ns": 1,
        "count": 3,
        "chain": "x",
    }
    rig(lambda c: sessions.ingest(c, "room-1", [parse_event(done)], 20))
    rig(
        lambda c: sessions.create(
            c, new_id="s" + "9" * 16, campaign="camp", subset=1, station="room-1", now_ns=30
        )
    )
    with database.read() as connection:
        campaign = campaigns.find(connection, "camp")
        assert campaigns.subset_states(connection, campaign) == {1: "completed", 2: "planned"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": "camp"}, ConflictError),
        ({"name": "a/b"}, StoreError),
        ({"device": "No Kia"}, StoreError),
        ({"catalog": "none"}, NotFoundError),
    ],
)
def test_bad_campaigns_are_refused_and_leave_nothing(rig, database, change, error):
    """In one sentence, and the database is as before."""
    values = {
        "new_id": "cb" * 8,
        "name": "new",
        "catalog": "cat",
        "device": "nokia",
        "now_ns": 5,
    } | change
    with pytest.raises(error):
        rig(lambda c: campaigns.create(c, **values))
    assert [one.name for one in database.query(campaigns.every)] == ["camp"]


def test_environments_are_drawn_from_the_papers_factors_by_default(rig, database):
    """As many as subsets, all different."""
    rig(
        lambda c: campaigns.create(
            c,
            new_id="cd" * 8,
            name="drawn",
            catalog="cat",
            device="n",
            now_ns=5,
            size_min=2,
            size_max=2,
            seed=4,
        )
    )
    with database.read() as connection:
        subsets = campaigns.find(connection, "drawn").subsets
    assert len({one.environment.name for one in subsets}) == len(subsets) == 3


def test_cramers_v_is_0_when_independent_and_1_when_tied():
    """The textbook ends of the scale, and nothing where nothing varies."""
    assert cramers_v({("a", "x"): 5, ("a", "y"): 5, ("b", "x"): 5, ("b", "y"): 5}) == 0
    assert cramers_v({("a", "x"): 5, ("b", "y"): 5}) == pytest.approx(1)
    assert cramers_v({("a", "x"): 5, ("b", "x"): 5}) == 0
    assert cramers_v({}) == 0
