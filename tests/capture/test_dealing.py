"""A station takes its own list first, then the others'; nobody gets a subset that somebody has."""

from __future__ import annotations

import pytest

from rig.capture import campaigns, dealing, sessions, stations, subsets
from rig.capture.describe import describe
from rig.capture.messages import parse_event
from rig.commands.campaign_table import table
from rig.planning.model import Environment
from rig.store.errors import ConflictError, StoreError

LEVELS = [("office", "on"), ("office", "off"), ("ward", "on"), ("ward", "off")]


def create(rig, name="big", **more):
    """Six x-rays in subsets of one or two; four environments in two rooms."""
    values = {
        "chosen": [
            Environment(f"e{n}", {"room": room, "light": light})
            for n, (room, light) in enumerate(LEVELS)
        ],
        "stations": ("room-1", "room-2"),
        "size_min": 1,
        "size_max": 2,
        "at_least": 6,
    } | more
    return rig(
        lambda c: campaigns.create(
            c, new_id="ce" * 8, name=name, catalog="cat", device="n", now_ns=5, **values
        )
    )


def begin(rig, subset, station):
    """A session of *subset* that a station shoots (as far as the store knows)."""
    new_id = f"s{subset:016x}"

    def write(c):
        sessions.create(
            c, new_id=new_id, campaign="big", subset=subset, station=station, now_ns=6 + subset
        )
        sessions.request(c, new_id, sessions.Request.START, 7 + subset)

    rig(write)
    return new_id


def following(database, station):
    with database.read() as connection:
        campaign = campaigns.find(connection, "big")
        states = subsets.subset_states(connection, campaign)
        found = dealing.next_for(connection, campaign, states, station)
    return None if found is None else found.id


def test_each_station_begins_with_its_own_list(rig, database):
    """Subsets 1 to 3 are dealt to the first, 4 to 6 to the second; a third has no list."""
    made = create(rig)
    assert dealing.stations_of(made) == dict.fromkeys((1, 2, 3), "room-1") | dict.fromkeys(
        (4, 5, 6), "room-2"
    )
    assert [following(database, name) for name in ("room-1", "room-2")] == [1, 4]
    begin(rig, 1, "room-1")
    begin(rig, 4, "room-2")
    assert [following(database, name) for name in ("room-1", "room-2")] == [2, 5]


def test_whose_list_is_empty_takes_the_cheapest_of_the_others(rig, database):
    """The least change from the room as it stands; never what somebody has."""
    made = create(rig)
    levels = {one.id: one.environment.levels for one in made.subsets}
    for subset in (1, 2, 3):
        begin_and_stop(rig, subset, "room-1")
    begin(rig, 4, "room-2")
    taken = following(database, "room-1")
    assert taken in {5, 6}
    here = levels[3]

    def changes(subset):
        return sum(here[k] != levels[subset][k] for k in here)

    assert changes(taken) == min(changes(5), changes(6))
    begin_and_stop(rig, taken, "room-1")
    begin_and_stop(rig, 11 - taken, "room-1")
    assert following(database, "room-1") is None
    assert following(database, "room-2") is None


def begin_and_stop(rig, subset, station):
    """The whole subset is shot."""
    new_id = begin(rig, subset, station)

    def write(c):
        for kind in ("committed", "completed"):
            one = sessions.find(c, new_id)
            for index in range(one.first, one.last + 1) if kind == "committed" else [None]:
                record(c, new_id, kind, index)

    rig(write)


def record(c, session, kind, index):
    body = {"sha256": "0" * 64, "size": 1, "name": f"n{index}", "t_trigger_ns": 1, "t_done_ns": 2,
            "w": 1, "h": 1, "source_sha256": None} if kind == "committed" else {
            "count": 1, "chain": "00"}  # fmt: skip
    one = sessions.find(c, session)
    message = parse_event({
        "event": kind, "session": session, "seq": one.source_seq + 1, "time_ns": 20 + one.subset,
        "index": index, "attempt": index and 1, **body,
    })  # fmt: skip
    kept = sessions.ingest(c, one.station, [message], 20 + one.subset)
    assert len(kept.stored) == 1


def test_the_last_word_has_the_session_not_the_list(rig):
    """A list is a recommendation; a subset that is being shot is refused whoever asks."""
    create(rig)
    begin(rig, 4, "room-1")
    with pytest.raises(ConflictError, match="being shot by session"):
        rig(
            lambda c: sessions.create(
                c, new_id="s" + "9" * 16, campaign="big", subset=4, station="room-2", now_ns=9
            )
        )


def test_replanning_deals_the_rest_and_keeps_what_was_shot_in_its_list(rig):
    create(rig)
    begin(rig, 2, "room-1")
    after = rig(lambda c: campaigns.replan(c, "big", seed=3))
    assert after.scheme.stations == ("room-1", "room-2")
    lists = {one["name"]: one for one in after.figures["stations"]}
    assert lists["room-1"]["subsets"][0] == 2
    assert sum(one["xrays"] for one in lists.values()) == 6
    dealt = sorted(id_ for one in lists.values() for id_ in one["subsets"])
    assert dealt == sorted(one.id for one in after.subsets)
    nobody = rig(lambda c: campaigns.replan(c, "big", stations=0))
    assert nobody.scheme.stations == ()
    assert dealing.stations_of(nobody) == {}


def test_a_number_means_registered_stations(rig, database):
    """In the order of their names; names may be of stations still to come."""
    assert create(rig, stations=2).scheme.stations == ("room-1", "room-2")
    with pytest.raises(StoreError, match="There are 2 stations, not 3: add them"):
        create(rig, "three", stations=3)
    with pytest.raises(StoreError, match="cannot name a station"):
        create(rig, "bad", stations=("a", "../b"))
    with pytest.raises(StoreError, match="Name each station once"):
        create(rig, "twice", stations=("a", "a"))
    rig(lambda c: stations.add(c, "room-3", "token-3", 3))
    with database.read() as connection:
        assert describe(connection, "big")["next"] == {"room-1": 1, "room-2": 4, "room-3": 6}


def test_the_table_shows_lists_and_what_comes_next(rig, database):
    create(rig)
    begin(rig, 1, "room-1")
    with database.read() as connection:
        shown = describe(connection, "big")
    assert [one["station"] for one in shown["subsets"]] == ["room-1"] * 3 + ["room-2"] * 3
    text = "\n".join(table(shown))
    assert "dealt to 2 stations: changes take" in text
    assert "room-1: 3 subsets, 3 x-rays" in text
    assert "next: 2" in text
    assert "next: 4" in text
    assert "label and factor: largest Cramér's V, smallest p" in text


def test_without_stations_there_is_one_list_for_all(rig, database):
    """As before; every station takes the next one."""
    made = create(rig, stations=0)
    assert dealing.stations_of(made) == {}
    assert [following(database, name) for name in ("room-1", "room-2")] == [1, 1]
    with database.read() as connection:
        assert "dealt" not in "\n".join(table(describe(connection, "big")))
