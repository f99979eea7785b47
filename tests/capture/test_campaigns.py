"""Campaigns are planned once; their plans are the same at every export."""

from pathlib import Path

import pytest

from rig.capture import campaigns, session_plan, sessions, subsets
from rig.capture.balance import cramers_v
from rig.capture.describe import describe
from rig.planning.plan import from_json, to_json
from rig.store.errors import ConflictError, NotFoundError, StoreError


def test_the_plan_of_a_subset_names_its_xrays_in_order(rig, database):
    """With files for this machine, without for another; sound by the plan's own check."""
    with database.read() as connection:
        campaign = campaigns.find(connection, "camp")
        sid = session_plan.standalone_session(campaign, 2)
        here = session_plan.plan_of(connection, campaign, 2, session=sid, with_files=True)
        away = session_plan.plan_of(connection, campaign, 2, session=sid, with_files=False)
        again = session_plan.plan_of(connection, campaign, 2, session=sid, with_files=True)
        with pytest.raises(NotFoundError, match="1 to 2"):
            session_plan.plan_of(connection, campaign, 3, session=sid, with_files=True)
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
        assert subsets.subset_states(connection, campaign) == {1: "completed", 2: "planned"}


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
    assert [name for _, name in database.query(campaigns.listed)] == ["camp"]


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


def create(rig, **values):
    given = {
        "new_id": "ce" * 8,
        "name": "big",
        "catalog": "cat",
        "device": "n",
        "now_ns": 5,
        "size_min": 1,
        "size_max": 2,
    } | values
    return rig(lambda c: campaigns.create(c, **given))


def begin(rig, subset, *, session="s" + "8" * 16, station="room-1"):
    return rig(
        lambda c: sessions.create(
            c, new_id=session, campaign="big", subset=subset, station=station, now_ns=6
        )
    )


def covered(campaign):
    return sorted(i for one in campaign.subsets for i in range(one.first, one.last + 1))


def test_what_was_shot_stays_when_the_rest_is_planned_anew(rig, database):
    """A new revision; numbers are never used twice; every index is covered once."""
    before = create(rig)
    begin(rig, 2)
    kept = campaigns.subset_of(before, 2)
    session_id = session_plan.standalone_session(before, 2)
    after = rig(lambda c: campaigns.replan(c, "big", size_min=1, size_max=1, seed=9))
    assert after.revision == 2
    assert covered(after) == covered(before) == [1, 2, 3, 4, 5, 6]
    assert kept in after.subsets
    assert not {s.id for s in after.subsets if s != kept} & {s.id for s in before.subsets}
    assert session_plan.standalone_session(after, 2) == session_id
    assert [one.first for one in after.subsets] == sorted(one.first for one in after.subsets)
    with pytest.raises(NotFoundError, match="no subset 1 in revision 2"):
        campaigns.subset_of(after, 1)


def test_nothing_is_left_to_plan_when_every_subset_has_a_session(rig, database):
    """Said in a sentence, and nothing changes."""
    made = create(rig, size_min=6, size_max=6)
    begin(rig, made.subsets[0].id)
    with pytest.raises(ConflictError, match="nothing left"):
        rig(lambda c: campaigns.replan(c, "big"))
    assert database.query(lambda c: campaigns.find(c, "big")) == made


def test_a_subset_is_shot_on_one_station_at_a_time(rig, database):
    """Elsewhere only after the first one was aborted or completed."""
    from rig.capture.states import Request

    create(rig)
    begin(rig, 1)
    begin(rig, 1, session="s" + "7" * 16, station="room-2")  # only created: nothing is shot yet
    rig(lambda c: sessions.request(c, "s" + "8" * 16, Request.START, 7))
    with pytest.raises(ConflictError, match="being shot by session s8888888888888888 on station"):
        begin(rig, 1, session="s" + "6" * 16, station="room-2")
    with pytest.raises(ConflictError, match="being shot by session s8888888888888888"):
        rig(lambda c: sessions.request(c, "s" + "7" * 16, Request.START, 8))


def test_a_level_that_needs_a_station_is_shot_there(rig, database, tmp_path):
    """The matte screen stands in room 2."""
    file = tmp_path / "rooms.toml"
    file.write_text(
        '[[factor]]\nname = "finish"\nlevels = ["matte", "glossy"]\n'
        '[[constraint]]\nwhen = {finish = "matte"}\nstations = ["room-2"]\n'
        'why = "the matte screen stands in room 2"\n'
    )
    made = create(rig, size_min=3, size_max=3, environments_file=file)
    matte = next(s.id for s in made.subsets if s.environment.levels["finish"] == "matte")
    with pytest.raises(ConflictError, match="on room-2, not on room-1: the matte screen stands"):
        begin(rig, matte)
    begin(rig, matte, station="room-2")


def test_a_label_that_goes_with_a_factor_is_warned_of(rig, database):
    """Every x-ray in light has the finding, none in the dark: a shortcut."""
    from rig.capture.balance import balance, corrected_v
    from rig.catalog.model import OBSERVATIONS, Xray
    from rig.planning.model import Environment, Subset

    def xray(index):
        label = "1.0" if index <= 50 else "0.0"
        row = ("p", "Male", "50", "Frontal", "AP", *[label] * 14)
        return Xray(index, f"k{index}", "p", Path("f"), "0" * 64, 1, 1, "train", row)

    light, dark = Environment("a", {"light": "on"}), Environment("b", {"light": "off"})
    found = balance(
        [Subset(1, 1, 50, light), Subset(2, 51, 100, dark)], [xray(i) for i in range(1, 101)]
    )
    assert found["cramers_v_factors"][OBSERVATIONS[0]]["light"] > 0.9
    assert "goes with light" in found["warnings"][0]
    alike = {("a", "x"): 25, ("a", "y"): 25, ("b", "x"): 26, ("b", "y"): 24}
    assert corrected_v(alike) == 0
    assert corrected_v({}) == 0
