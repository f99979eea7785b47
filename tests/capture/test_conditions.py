"""Conditions: every level is set or looked at, by somebody with a name, and the log keeps it."""

import pytest

from rig.capture import campaigns, conditions, projections, sessions
from rig.capture.condition_rows import Known
from rig.capture.conditions import ConditionError
from rig.capture.messages import parse_event
from rig.planning.factors import Factor
from rig.planning.model import Environment
from rig.planning.scheme import Scheme
from rig.store import events, tables
from rig.store.errors import ConflictError, NotFoundError

HOUR = 3600 * 10**9
LEVELS = {
    "blinds": "closed",
    "room_light": "bright",
    "cursor": "centre",
    "colour_temperature": "5000K",
}
OTHER = {**LEVELS, "blinds": "open", "cursor": "hidden", "colour_temperature": "6500K"}


@pytest.fixture
def made(rig, monkeypatch):
    """Two sessions of a campaign with an actuator on room-1: `made(1)`, `made(2)`."""
    factors = (
        Factor("blinds", ("open", "closed")),
        Factor("room_light", ("bright", "dark"), "lamp"),
        Factor("cursor", ("hidden", "centre", "moved"), "display"),
        Factor("colour_temperature", ("6500K", "5000K"), "display"),
    )
    listed = (Environment("e1", LEVELS), Environment("e2", OTHER))
    monkeypatch.setattr(campaigns, "load_scheme", lambda _=None: Scheme(factors, (), listed))

    def create(connection):
        campaigns.create(
            connection, new_id="cb" * 8, name="lit", catalog="cat", device="nokia", now_ns=5,
            size_min=3, size_max=3, seed=1,
        )  # fmt: skip

    rig(create)

    def new(subset):
        sid = f"s{subset:016x}"
        return rig(
            lambda c: sessions.create(
                c, new_id=sid, campaign="lit", subset=subset, station="room-1", now_ns=10 * subset
            )
        )

    return new


@pytest.fixture
def one(made):
    """A session with the levels `LEVELS`."""
    return made(1)


def say(rig, session, seq, kind, **body):
    message = {"event": kind, "session": session.id, "seq": seq, "time_ns": seq * 1000, **body}
    rig(lambda c: sessions.ingest(c, "room-1", [parse_event(message)], seq * 1000))


def paint(rig, session, seq, **body):
    say(rig, session, seq, "painted", index=session.first, attempt=1, **body)


def look(database, session):
    return {one.factor: one for one in database.query(lambda c: conditions.every(c, session))}


def blocked(database, session):
    return database.query(lambda c: conditions.blockers(c, session))


def apply(rig, session, state, now=100, **more):
    values = {"readback": None, "why": None} | more
    rig(
        lambda c: conditions.applied(
            c, session.id, "room_light", by="lamp", state=state, now_ns=now, **values
        )
    )


def confirm(rig, session, *factors, name="Ann", note="", now=200):
    rig(lambda c: conditions.confirm(c, session, factors, name=name, note=note, now_ns=now))


def test_a_new_session_waits_for_everything_but_the_display(one, database):
    """The display draws its levels itself and never keeps a session from starting."""
    assert {k: v.set_by for k, v in look(database, one).items()} == {
        "blinds": "operator", "room_light": "lamp", "cursor": "display",
        "colour_temperature": "display",
    }  # fmt: skip
    assert blocked(database, one) == [
        "Close the blinds, then confirm it.",
        "lamp has not set room light to bright yet.",
    ]


def test_a_person_and_a_device_confirm(one, rig, database):
    """Who, when, and what was read back."""
    confirm(rig, one, "blinds", note="tape at the left edge")
    apply(rig, one, Known.CONFIRMED, readback="1:on")
    assert blocked(database, one) == []
    blinds, light = (look(database, one)[k].fact for k in ("blinds", "room_light"))
    assert (blinds.by, blinds.name, blinds.note, blinds.time_ns) == (
        "person", "Ann", "tape at the left edge", 200,
    )  # fmt: skip
    assert (light.state, light.by, light.readback) == (Known.CONFIRMED, "lamp", "1:on")


@pytest.mark.parametrize(
    ("state", "more", "says"),
    [
        (Known.UNCONFIRMED, {}, "lamp set room light to bright and cannot tell"),
        (Known.FAILED, {"why": "lamp did not answer."}, "could not be set to bright: lamp did not"),
        (Known.DIFFERS, {"readback": "1:off"}, "room light is not bright: lamp says 1:off."),
    ],
)
def test_what_a_device_did_not_confirm_blocks(one, rig, database, state, more, says):
    """In its own sentence."""
    confirm(rig, one, "blinds")
    apply(rig, one, state, **more)
    (told,) = blocked(database, one)
    assert says in told


def test_a_look_is_enough_where_a_device_cannot_tell_but_not_against_its_word(one, rig, database):
    """Against it only with a note; confirming everything at once leaves it out."""
    apply(rig, one, Known.UNCONFIRMED)
    everything = rig(lambda c: conditions.confirm_all(c, one, name="Ann", now_ns=300))
    assert sorted(everything) == ["blinds", "room_light"]
    assert blocked(database, one) == []
    apply(rig, one, Known.DIFFERS, readback="1:off")
    assert rig(lambda c: conditions.confirm_all(c, one, name="Ann", now_ns=301)) == []
    with pytest.raises(ConditionError, match="write a note"):
        confirm(rig, one, "room_light")
    confirm(rig, one, "room_light", note="set by hand, relay is broken")
    assert blocked(database, one) == []


def test_setting_again_keeps_the_look_of_a_person_unless_the_device_objects(one, rig, database):
    """A relay that cannot tell was seen; one that says otherwise is believed."""
    apply(rig, one, Known.UNCONFIRMED)
    confirm(rig, one, "blinds", "room_light")
    apply(rig, one, Known.UNCONFIRMED, now=400)
    assert look(database, one)["room_light"].fact.name == "Ann"
    apply(rig, one, Known.FAILED, why="gone.", now=500)
    assert len(blocked(database, one)) == 1


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"name": " "}, ConditionError),
        ({"name": "x" * 81}, ConditionError),
        ({"note": "bell\x07"}, ConditionError),
        ({"factors": ["curtains"]}, NotFoundError),
        ({"factors": ["cursor"]}, ConflictError),
    ],
)
def test_a_confirmation_without_meaning_is_refused(one, rig, database, wanted, error):
    """Nameless, unprintable, of an unknown factor, or of what only the display knows."""
    values = {"factors": ["blinds"], "name": "Ann", "note": "", "now_ns": 9} | wanted
    factors = values.pop("factors")
    with pytest.raises(error):
        rig(lambda c: conditions.confirm(c, one, factors, **values))
    assert len(blocked(database, one)) == 2


@pytest.mark.parametrize(
    ("cursor", "gains", "states"),
    [
        ([40, 30], [1, 0.9, 0.8], (Known.CONFIRMED, Known.CONFIRMED)),
        (None, [1, 1, 1], (Known.DIFFERS, Known.DIFFERS)),
        ([40, 30], [0.8, 0.9, 1], (Known.CONFIRMED, Known.DIFFERS)),
        (["x", {}], "odd", (Known.DIFFERS, Known.DIFFERS)),
        ([1, 2], [10**400, 1, 1], (Known.CONFIRMED, Known.DIFFERS)),
    ],
)
def test_what_the_display_drew_is_compared_with_the_plan(one, rig, database, cursor, gains, states):
    """From the body of the `painted` event; nonsense confirms nothing and breaks nothing."""
    paint(rig, one, 1, cursor=cursor, gains=gains)
    seen = look(database, one)
    assert (seen["cursor"].fact.state, seen["colour_temperature"].fact.state) == states
    assert not any("cursor" in text for text in blocked(database, one))


def test_a_station_confirms_no_lamp(one, rig, database):
    """Events of these names that an agent sends are kept and mean nothing."""
    say(rig, one, 1, "condition_confirmed", factors=["blinds", "room_light"], name="agent")
    say(rig, one, 2, "condition_applied", factor="room_light", state="confirmed", by="lamp")
    say(rig, one, 3, "condition_evidence")
    assert len(blocked(database, one)) == 2


def test_levels_of_the_session_before_are_asked_as_a_question(made, rig, database):
    """What changed comes first; what did not needs one click, but a click."""
    first, second = made(1), made(2)
    say(rig, first, 1, "armed", first=first.first, last=first.last)
    paint(rig, first, 2)
    say(rig, first, 3, "completed", count=3, chain="c")
    levels = {one.factor: one.level for one in look(database, second).values()}
    seen = database.query(lambda c: conditions.every(c, second))
    assert [one.changed for one in seen] == sorted((one.changed for one in seen), reverse=True)
    assert {one.factor for one in seen if not one.changed} == {
        k for k, v in levels.items() if look(database, first)[k].level == v
    }
    assert (
        rig(lambda c: conditions.confirm_all(c, second, name="Ann", now_ns=9, unchanged=True)) == []
    )
    assert any("blinds" in text for text in blocked(database, second))


def test_a_question_is_asked_where_nothing_changed(made, rig, database):
    """The same subset once more: every level is as before."""
    first = made(1)
    say(rig, first, 1, "armed", first=first.first, last=first.last)
    paint(rig, first, 2)
    say(rig, first, 3, "completed", count=3, chain="c")
    again = rig(
        lambda c: sessions.create(
            c, new_id="s" + "f" * 16, campaign="lit", subset=1, station="room-1", now_ns=99
        )
    )
    assert blocked(database, again)[0] == "Blinds: still closed? Confirm it."
    assert rig(
        lambda c: conditions.confirm_all(c, again, name="Ann", now_ns=9, unchanged=True)
    ) == ["blinds"]


def test_a_word_from_long_ago_is_asked_again(one, rig, database):
    """After half an hour without a photo; a photo in between keeps it."""
    confirm(rig, one, "blinds", now=HOUR)
    stale = lambda now: rig(lambda c: conditions.withdraw_stale(c, one, now))  # noqa: E731 - short
    assert stale(HOUR + HOUR // 2) == []
    message = parse_event(
        {"event": "painted", "session": one.id, "seq": 1, "time_ns": 1, "index": 1, "attempt": 1}
    )
    rig(lambda c: sessions.ingest(c, "room-1", [message], 2 * HOUR))
    assert stale(2 * HOUR + HOUR // 2) == []
    assert stale(2 * HOUR + HOUR // 2 + 1) == ["blinds"]
    assert "confirmed over 30 minutes ago" in blocked(database, one)[0]


def test_the_conditions_of_a_photo_are_those_of_its_time(one, rig, database):
    """Not what was learned later."""
    apply(rig, one, Known.CONFIRMED, now=1000, readback="1:on")
    apply(rig, one, Known.DIFFERS, now=3000, readback="1:off")
    confirm(rig, one, "blinds", now=2000)
    at = lambda t: database.query(lambda c: conditions.conditions_at(c, one, t))  # noqa: E731 - short
    assert at(999)["room_light"].fact.state is Known.WAITING
    assert at(2999)["room_light"].fact.readback == "1:on"
    assert at(2999)["blinds"].fact.name == "Ann"
    assert at(3000)["room_light"].fact.state is Known.DIFFERS
    assert at(0)["blinds"].level == "closed"


def test_conditions_are_made_anew_from_the_log(one, rig, database):
    """The table is a projection: the same after a rebuild, with evidence and all."""
    paint(rig, one, 1, cursor=[4, 3], gains=[1, 0.9, 0.8])
    apply(rig, one, Known.UNCONFIRMED)
    rig(lambda c: conditions.add_evidence(c, one, "blinds", "ab" * 32, 150))
    confirm(rig, one, "blinds", "room_light", note="seen")
    rig(lambda c: conditions.withdraw(c, one.id, ["room_light"], "safe state", 500))

    def rows():
        table = tables.condition
        with database.read() as connection:
            found = connection.execute(table.select().order_by(*table.primary_key))
            return [tuple(row) for row in found]

    before = rows()
    assert len(before) == 4
    rig(projections.rebuild)
    assert rows() == before
    fact = look(database, one)["blinds"].fact
    assert [one["sha256"] for one in fact.evidence] == ["ab" * 32]
    with database.read() as connection:
        kinds = [e.kind for e in events.after(connection, 0, session=one.id)]
    assert kinds.count("condition_withdrawn") == 1


def test_a_completed_session_is_history(one, rig, database):
    """Nobody confirms it afterwards."""
    say(rig, one, 1, "armed", first=one.first, last=one.last)
    say(rig, one, 2, "completed", count=3, chain="c")
    done = database.query(lambda c: sessions.find(c, one.id))
    with pytest.raises(ConflictError, match="history"):
        rig(lambda c: conditions.confirm(c, done, ["blinds"], name="Ann", now_ns=9))
