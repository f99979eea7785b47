"""The colour temperature as a condition: by the monitor itself, by pixels, or by a person."""

from __future__ import annotations

from typing import Any

import pytest

from rig.capture import campaigns, conditions, projections, session_plan, sessions
from rig.capture.condition_rows import Known
from rig.capture.messages import parse_event
from rig.planning.factors import Factor
from rig.planning.model import Environment
from rig.planning.scheme import Scheme
from rig.store.errors import ConflictError

WARM = "5000K"
BY_DDC = {
    "requested": WARM, "by": "ddc", "confirmed": True, "readback": "preset 4 (5000 K)",
    "text": "the monitor says preset 4", "at_ns": 5,
}  # fmt: skip
BY_GAINS = BY_DDC | {"by": "gains", "readback": None, "text": "pixels are tinted"}
PLAIN, TINTED = [1.0, 1.0, 1.0], [1.0, 0.92, 0.8]


@pytest.fixture
def make(rig: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A session at 5000 K, set by whom the factor says."""

    def session(set_by: str) -> Any:
        factors = (
            Factor("cursor", ("hidden",), set_by), Factor("colour_temperature", (WARM,), set_by),
        )  # fmt: skip
        levels = {"cursor": "hidden", "colour_temperature": WARM}
        scheme = Scheme(factors, (), (Environment("e1", levels),))
        monkeypatch.setattr(campaigns, "load_scheme", lambda _=None: scheme)
        rig(
            lambda c: campaigns.create(
                c, new_id="cd" * 8, name="warm", catalog="cat", device="nokia", now_ns=5,
                size_min=6, size_max=6, seed=1,
            )
        )  # fmt: skip
        return rig(
            lambda c: sessions.create(
                c, new_id="s" + "1" * 16, campaign="warm", subset=1, station="room-1", now_ns=10
            )
        )

    return session


def say(rig: Any, session: Any, seq: int, kind: str, **body: Any) -> None:
    message = {"event": kind, "session": session.id, "seq": seq, "time_ns": seq * 1000, **body}
    rig(lambda c: sessions.ingest(c, "room-1", [parse_event(message)], seq * 1000))


def paint(rig: Any, session: Any, seq: int, gains: list[float], white: Any) -> None:
    body = {"cursor": None, "gains": gains, "white": white}
    say(rig, session, seq, "painted", index=session.first, attempt=1, **body)


def look(database: Any, session: Any) -> Any:
    every = database.query(lambda c: conditions.every(c, session))
    return {one.factor: one for one in every}["colour_temperature"]


def test_a_monitor_that_confirmed_is_known_at_load(make: Any, rig: Any, database: Any) -> None:
    """Before the first x-ray, with what it said; the first painted event changes nothing."""
    one = make("display")
    say(rig, one, 1, "white", **BY_DDC)
    fact = look(database, one).fact
    assert (fact.state, fact.by, fact.readback, fact.time_ns) == (
        Known.CONFIRMED, "display", "monitor at preset 4 (5000 K)", 1000,
    )  # fmt: skip
    paint(rig, one, 2, PLAIN, BY_DDC)
    assert look(database, one).fact == fact


def test_gains_are_only_believed_once_they_are_drawn(make: Any, rig: Any, database: Any) -> None:
    """The event at load is an intention."""
    one = make("display")
    say(rig, one, 1, "white", **BY_GAINS)
    assert look(database, one).fact.state is Known.WAITING
    paint(rig, one, 2, TINTED, BY_GAINS)
    assert look(database, one).fact.state is Known.CONFIRMED
    assert look(database, one).fact.readback == "gains 1.000 0.920 0.800"


@pytest.mark.parametrize(
    ("gains", "white", "state", "words"),
    [
        (PLAIN, BY_DDC, Known.CONFIRMED, "monitor at preset 4"),
        (TINTED, BY_DDC, Known.DIFFERS, "tinted too"),
        (PLAIN, BY_DDC | {"confirmed": None}, Known.UNCONFIRMED, "monitor at preset 4"),
        (TINTED, BY_GAINS | {"confirmed": None}, Known.UNCONFIRMED, "gains 1.000"),
        (PLAIN, BY_GAINS, Known.DIFFERS, "gains 1.000 1.000 1.000"),
        (PLAIN, BY_GAINS | {"by": {}, "confirmed": "x"}, Known.DIFFERS, "gains"),
    ],
)
def test_what_the_display_tells_is_compared_with_what_it_drew(
    make: Any, rig: Any, database: Any, gains: Any, white: Any, state: Known, words: str
) -> None:
    """Neither twice nor not at all; doubt is doubt, blocks nothing and is no person's."""
    one = make("display")
    paint(rig, one, 1, gains, white)
    found = look(database, one)
    assert found.fact.state is state
    assert words in (found.fact.readback or "")
    assert (found.fact.why is None) == (state is Known.CONFIRMED)
    assert found.blocker() is None
    assert not found.for_person
    assert rig(lambda c: conditions.confirm_all(c, one, name="Ann", now_ns=9)) == []


@pytest.mark.parametrize(
    "white", [None, 7, [], {}, BY_DDC | {"requested": "9300K"}, BY_DDC | {"requested": 5000}]
)
def test_what_is_nonsense_or_about_another_level_confirms_nothing(
    make: Any, rig: Any, database: Any, white: Any
) -> None:
    """And breaks nothing."""
    one = make("display")
    paint(rig, one, 1, PLAIN, white)
    if isinstance(white, dict):
        say(rig, one, 2, "white", **white)
    say(rig, one, 3, "white", by="ddc", given_back=True, text="given back")
    assert look(database, one).fact.state is Known.WAITING


def test_the_monitor_lost_in_mid_run_is_another_fact(make: Any, rig: Any, database: Any) -> None:
    """Each photo has the one of its time; the log gives the same again."""
    one = make("display")
    paint(rig, one, 1, PLAIN, BY_DDC)
    paint(rig, one, 2, TINTED, BY_GAINS)
    at = [database.query(lambda c, t=t: conditions.conditions_at(c, one, t)) for t in (1000, 2000)]
    said = [held["colour_temperature"].fact.readback for held in at]
    assert said == ["monitor at preset 4 (5000 K)", "gains 1.000 0.920 0.800"]
    before = look(database, one).fact
    rig(projections.rebuild)
    assert look(database, one).fact == before


@pytest.mark.parametrize("who", ["operator", "colorimeter"])
def test_a_temperature_that_somebody_else_sets_is_theirs(
    make: Any, rig: Any, database: Any, who: str
) -> None:
    """The plan tells the display to leave it alone, and what the display draws says nothing."""
    one = make(who)
    found = look(database, one)
    assert (found.set_by, found.fact.state) == (who, Known.WAITING)
    assert found.blocker() is not None
    campaign = database.query(lambda c: campaigns.find(c, "warm"))
    plan = database.query(
        lambda c: session_plan.plan_of(c, campaign, 1, session=one.id, with_files=False)
    )
    assert plan.set_by == {"colour_temperature": who}  # every cursor is the display's
    if who == "operator":
        rig(lambda c: conditions.confirm(c, one, ["colour_temperature"], name="Ann", now_ns=20))
        paint(rig, one, 1, PLAIN, BY_DDC | {"by": "elsewhere", "confirmed": None})
        assert look(database, one).fact.name == "Ann"
        assert look(database, one).blocker() is None


def test_what_the_display_sets_is_in_no_plan(make: Any, rig: Any, database: Any) -> None:
    """Such plans are as they always were, and a person cannot confirm for it."""
    one = make("display")
    campaign = database.query(lambda c: campaigns.find(c, "warm"))
    plan = database.query(
        lambda c: session_plan.plan_of(c, campaign, 1, session=one.id, with_files=False)
    )
    assert plan.set_by == {}
    with pytest.raises(ConflictError):
        rig(lambda c: conditions.confirm(c, one, ["colour_temperature"], name="Ann", now_ns=20))
