"""Stop and why, names in the log, suspending, shooting again, and what is left of a subset."""

import itertools

import pytest

from rig.capture import campaigns, projections, reshoot, session_plan, sessions, subsets
from rig.capture.actors import BadNameError, actor_of, name_of
from rig.capture.coverage import first_missing, runs
from rig.capture.messages import parse_event
from rig.capture.states import Request, State
from rig.store import events, tables
from rig.store.errors import ConflictError


@pytest.fixture
def say(rig):
    """`say(session, kind, **body)`: the station's next event."""
    numbers = {}

    def tell(session, kind, *, station="room-1", **body):
        seq = numbers.setdefault(session, itertools.count(1))
        message = {"event": kind, "session": session, "seq": next(seq), "time_ns": 10**9, **body}
        rig(lambda c: sessions.ingest(c, station, [parse_event(message)], 99))

    return tell


@pytest.fixture
def shoot(say):
    """`shoot(session, indices)`: armed, and these captured."""

    def play(session, indices):
        say(session, "armed", first=1, last=3)
        for index in indices:
            say(session, "painted", index=index, attempt=1)
            say(
                session, "committed", index=index, attempt=1, sha256=f"{index:064x}", size=9,
                name=f"{session}-{index}",
            )  # fmt: skip

    return play


@pytest.fixture
def ask(rig):
    """`ask(session, request)`: a person asks."""
    return lambda session, wanted, **more: rig(
        lambda c: sessions.request(c, session, wanted, 50, **more)
    )


@pytest.fixture
def again(rig):
    """`again(session)`: sessions that shoot again."""
    ids = (f"s{n:016x}" for n in itertools.count(100))
    return lambda session, **what: rig(
        lambda c: reshoot.create(c, session, new_id=lambda: next(ids), now_ns=60, **what)
    )


@pytest.fixture
def new(rig):
    """`new(n)`: another session of subset 1."""
    return lambda n, station="room-1": rig(
        lambda c: sessions.create(
            c, new_id=f"s{n:016x}", campaign="camp", subset=1, station=station, now_ns=20 + n
        )
    )


def find(database, session):
    return database.query(lambda c: sessions.find(c, session))


def state_of(database, subset=1):
    return database.query(lambda c: subsets.subset_states(c, campaigns.find(c, "camp")))[subset]


def test_armed_comes_before_running(database, session, shoot):
    """And the time of the start is known from there on."""
    shoot(session, [])
    seen = find(database, session)
    assert (seen.state, seen.started_ns) == (State.ARMED, 10**9)
    shoot(session, [1])
    assert find(database, session).state is State.RUNNING


def test_a_stop_is_confirmed_twice_and_its_reason_is_kept(database, session, shoot, say, ask):
    """Asked, stopping, stopped: each visible; the finish names who wanted it."""
    shoot(session, [1])
    asked = ask(session, Request.STOP, name="anna")
    assert (asked.state, asked.requested) == (State.RUNNING, Request.STOP)
    assert asked.asked["by"] == "operator:anna"
    say(session, "stopping")
    seen = find(database, session)
    assert (seen.state, seen.requested) == (State.STOPPING, None)
    say(session, "stopped", count=1, chain="ab")
    seen = find(database, session)
    assert (seen.state, seen.ended_ns, seen.chain) == (State.STOPPED, 10**9, "ab")
    assert (seen.finish["reason"], seen.finish["by"], seen.finish["count"]) == (
        "stopped", "operator:anna", 1,
    )  # fmt: skip
    with pytest.raises(ConflictError, match="stopped: it cannot resume"):
        ask(session, Request.RESUME)


@pytest.mark.parametrize("wanted", [Request.STOP, Request.PAUSE_NOW])
def test_the_original_app_can_do_neither(session, shoot, say, ask, wanted):
    """Legacy mode: refused before anything is noted."""
    say(session, "guarantees", weaker=["w"])
    shoot(session, [1])
    with pytest.raises(ConflictError, match="legacy mode"):
        ask(session, wanted)


def test_while_a_stop_is_asked_only_an_abort_goes_before_it(session, shoot, ask):
    """Nobody resumes what somebody ends."""
    shoot(session, [1])
    ask(session, Request.STOP)
    with pytest.raises(ConflictError, match="The end of session"):
        ask(session, Request.PAUSE)
    assert ask(session, Request.ABORT).requested is Request.ABORT


def test_a_session_that_nobody_knows_of_is_stopped_at_once(database, session, ask):
    """No station can confirm it."""
    assert ask(session, Request.STOP, name="bo").state is State.STOPPED
    assert find(database, session).finish["by"] == "operator:bo"


def test_completed_and_aborted_have_their_reasons(database, session, shoot, say):
    """The code of the abort too; a re-arm takes it back."""
    shoot(session, [1])
    say(session, "aborted", abort_id="a1", code="INDEX_MISMATCH", why="w")
    finish = find(database, session).finish
    assert (finish["reason"], finish["code"]) == ("aborted", "INDEX_MISMATCH")
    say(session, "rearmed", abort_id="a1")
    assert find(database, session).finish is None
    say(session, "completed", count=3, chain="cd")
    assert find(database, session).finish["reason"] == "completed"


def test_a_restart_while_stopping_loses_nothing(rig, database, session, shoot, say, ask):
    """The end arrives later, exactly once, and the wish is still known."""
    shoot(session, [1])
    ask(session, Request.STOP, name="anna")
    say(session, "stopping")
    assert rig(lambda c: sessions.recover(c, 70)) == [session]
    assert find(database, session).state is State.INTERRUPTED
    say(session, "stopped", count=1, chain="ab")
    seen = find(database, session)
    assert (seen.state, seen.finish["by"]) == (State.STOPPED, "operator:anna")


def test_pause_now_is_pausing_until_it_is_confirmed(database, session, shoot, say, ask):
    """The station's one code for a person's pause; who it was is here."""
    shoot(session, [1])
    assert ask(session, Request.PAUSE_NOW, name="anna").state is State.PAUSING
    say(session, "retake", index=2, attempt=1, why="the operator paused at once")
    say(session, "paused", code="OPERATOR_PAUSE", why="the operator paused at once")
    seen = find(database, session)
    assert (seen.state, seen.requested, seen.asked) == (State.PAUSED, None, None)
    assert seen.paused["by"] == "operator:anna"


def test_the_rig_suspends_with_a_code_and_a_reason(rig, database, session, shoot, say):
    """Once: what is pausing needs no second word. The pause then tells the code."""
    assert rig(lambda c: sessions.suspend(c, session, "LIGHT", "too dark", 50)) is None
    shoot(session, [1])
    noted = rig(lambda c: sessions.suspend(c, session, "LIGHT", "too dark", 50))
    assert (noted.state, noted.asked["code"]) == (State.PAUSING, "LIGHT")
    assert rig(lambda c: sessions.suspend(c, session, "STALLED", "x", 51)) is None
    say(session, "paused", code="OPERATOR_PAUSE", why="too dark")
    assert find(database, session).paused == {
        "code": "LIGHT", "why": "too dark", "by": "controller",
    }  # fmt: skip


def test_a_pause_of_the_phone_keeps_its_own_code(rig, database, session, shoot, say):
    """The battery was first."""
    shoot(session, [1])
    rig(lambda c: sessions.suspend(c, session, "LIGHT", "too dark", 50))
    say(session, "paused", code="BATTERY_LOW", why="12 %")
    assert find(database, session).paused == {"code": "BATTERY_LOW", "why": "12 %"}


@pytest.mark.parametrize("name", ["x" * 41, "a\x00b", "a\u202eb"])
def test_what_is_no_name_is_refused_before_anything_is_noted(database, session, ask, name):
    """It would stand in the log for ever."""
    with pytest.raises(BadNameError, match="short name"):
        ask(session, Request.START, name=name)
    assert find(database, session).requested is None


def test_names_stand_in_the_log(database, session, ask):
    """One actor for each command; a nameless one is `operator`."""
    ask(session, Request.START, name="  Anna   Maria ")
    (asked,) = database.query(
        lambda c: events.latest(c, session=session, kinds=frozenset({"requested"}))
    )
    assert asked.actor == "operator:Anna Maria"
    assert (name_of(asked.actor), actor_of(" "), name_of("station:x")) == (
        "Anna Maria", "operator", None,
    )  # fmt: skip


def test_the_next_session_takes_what_a_stop_has_left(database, session, shoot, say, ask, new):
    """1 of 3 is shot: the next one has 2 and 3, with a number of its own for the agents."""
    shoot(session, [1])
    ask(session, Request.STOP)
    say(session, "stopped", count=1, chain="ab")
    assert state_of(database) == "stopped"
    rest = new(2)
    assert (rest.first, rest.last, rest.run) == (2, 3, 1)
    plan = database.query(
        lambda c: session_plan.plan_of(
            c, campaigns.find(c, "camp"), 1, session=rest.id, with_files=False, span=(2, 3), run=1
        )
    )
    assert (plan.subset, [item.index for item in plan.items]) == (100_001, [2, 3])
    shoot(rest.id, [2, 3])
    say(rest.id, "completed", count=2, chain="cd")
    assert state_of(database) == "completed"
    assert (new(3).first, new(4).run) == (1, 3)


def test_a_list_becomes_a_session_for_each_run(database, session, shoot, say, again):
    """In order, on the same station, pointing at the first one; the subset stays as it is."""
    shoot(session, [1, 2, 3])
    made = again(session, indices=[3, 1], name="anna")
    assert [(one.first, one.last, one.reshoots, one.run) for one in made] == [
        (1, 1, session, 1), (3, 3, session, 2),
    ]  # fmt: skip
    assert [(one.first, one.last) for one in again(session, last=2)] == [(2, 3)]
    assert database.query(lambda c: len(reshoot.of(c, session))) == 3
    say(session, "completed", count=3, chain="x")
    assert state_of(database) == "completed"
    nested = again(made[0].id, indices=[1]) if find(database, made[0].id).committed else []
    assert nested == []


@pytest.mark.parametrize("what", [{"indices": [4]}, {"indices": [1, 3]}, {"last": 0}])
def test_only_what_was_shot_is_shot_again(session, shoot, again, what):
    """What is left of a subset is another matter."""
    shoot(session, [1, 2])
    with pytest.raises(ConflictError):
        again(session, **what)


def test_shooting_again_waits_for_the_end_of_the_session(database, session, shoot, say, ask, again):
    """Never the same subset twice at a time."""
    shoot(session, [1, 2])
    (one,) = again(session, last=1)
    with pytest.raises(ConflictError, match=session):
        ask(one.id, Request.START)
    ask(session, Request.STOP)
    say(session, "stopped", count=2, chain="ab")
    assert ask(one.id, Request.START).state is State.LOADING
    with pytest.raises(ConflictError, match=one.id):
        on_the_other_station(database)


def on_the_other_station(database):
    """A session of the same subset on the other station."""
    database.write_now(
        lambda c: sessions.create(
            c, new_id="s" + "9" * 16, campaign="camp", subset=1, station="room-2",
            now_ns=99,
        )
    )  # fmt: skip


def test_the_new_columns_are_a_function_of_the_log(rig, database, session, shoot, say, ask, again):
    """Rebuilt, they are the same."""
    shoot(session, [1, 2])
    again(session, last=1)
    ask(session, Request.STOP, name="anna")
    say(session, "stopping")
    say(session, "stopped", count=2, chain="ab")

    def rows():
        table = tables.session
        with database.read() as connection:
            return [tuple(row) for row in connection.execute(table.select().order_by(table.c.id))]

    before = rows()
    rig(projections.rebuild)
    assert rows() == before


def test_spans():
    """First index that is missing; runs of a list."""
    assert first_missing(1, 9, []) == 1
    assert first_missing(1, 9, [(5, 9), (1, 4)]) is None
    assert first_missing(1, 9, [(1, 4), (6, 9)]) == 5
    assert runs([7, 3, 4, 4, 9]) == [(3, 4), (7, 7), (9, 9)]
    assert runs([]) == []


def test_no_subset_is_shot_twice_by_sessions_that_were_made_beforehand(rig, session, shoot, say):
    """Two sessions of a subset are made, one is shot: the other does not start."""
    other = "s" + "f" * 16

    def make(new_id):
        return rig(
            lambda c: sessions.create(
                c, new_id=new_id, campaign="camp", subset=1, station="room-2", now_ns=11
            )
        )

    make(other)
    shoot(session, [1, 2, 3])
    with pytest.raises(ConflictError, match="is being shot by session"):
        rig(lambda c: sessions.request(c, other, Request.START, 50))
    say(session, "completed", count=3, chain="ab")
    with pytest.raises(ConflictError, match="was shot by another session meanwhile"):
        rig(lambda c: sessions.request(c, other, Request.START, 51))
    deliberate = make("s" + "e" * 16)
    assert rig(lambda c: sessions.request(c, deliberate.id, Request.START, 52)).first == 1
