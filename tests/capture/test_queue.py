"""Sessions that start by themselves: what they wait for, what ends the queue, nothing in memory."""

from __future__ import annotations

import itertools

import pytest

from rig.capture import conditions, projections, queue, reshoot, sessions
from rig.capture.messages import parse_event
from rig.capture.states import Request
from rig.store import tables
from rig.store.errors import ConflictError

MINUTE = 60 * 10**9


@pytest.fixture
def say(rig):
    """`say(session, kind, **body)`: the station's next event."""
    numbers = {}

    def tell(session, kind, *, at=99, **body):
        seq = numbers.setdefault(session, itertools.count(1))
        message = {"event": kind, "session": session, "seq": next(seq), "time_ns": at, **body}
        rig(lambda c: sessions.ingest(c, "room-1", [parse_event(message)], at))

    return tell


@pytest.fixture
def queued(rig, session, say):
    """Session 1..3 runs; photos 1 and 3 are queued to be shot again; the two new ids."""
    say(session, "armed", first=1, last=3)
    for index in (1, 2, 3):
        say(session, "painted", index=index, attempt=1)
        say(
            session, "committed", index=index, attempt=1, sha256=f"{index:064x}", size=9,
            name=f"{index}.jpg",
        )  # fmt: skip
    ids = (f"s{n:016x}" for n in itertools.count(100))

    def make(connection):
        made = reshoot.create(
            connection, session, new_id=lambda: next(ids), now_ns=100, indices=[1, 3]
        )
        queue.put(connection, made, sessions.find(connection, session), 100, name="anna")
        return [one.id for one in made]

    return rig(make)


def due(rig):
    return [session.id for session, _ in rig(lambda c: queue.settle(c, 200))]


def place(rig, session):
    return rig(lambda c: queue.place(c, sessions.find(c, session)))


def test_each_waits_for_the_one_before_it_to_be_completed(rig, session, say, queued):
    """The first for the session whose photos they replace, the second for the first."""
    first, second = queued
    assert due(rig) == []
    assert session in place(rig, first).why
    say(session, "completed", count=3, chain="ab")
    assert due(rig) == [first]
    assert due(rig) == [first], "it stays due until it starts"
    rig(lambda c: sessions.request(c, first, Request.START, 201, name="anna"))
    assert due(rig) == []
    assert place(rig, first) is None
    say(first, "armed", first=1, last=1)
    say(first, "completed", count=1, chain="cd")
    assert due(rig) == [second]
    assert place(rig, second).by == "anna"


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("stopped", {"count": 3, "chain": "ab"}, "was stopped"),
        ("aborted", {"abort_id": "00ff", "why": "index"}, "was aborted"),
        ("paused", {"code": "LIGHT", "why": "12 lux."}, "was held up meanwhile: 12 lux."),
    ],
)
def test_stop_abort_and_pause_end_the_queue_with_a_sentence(
    rig, session, say, queued, kind, body, words
):
    """For all that wait behind it; a person starts them."""
    say(session, kind, **body)
    assert due(rig) == []
    assert due(rig) == []
    told = [place(rig, one) for one in queued]
    assert not any(one.waiting for one in told)
    assert words in told[0].why
    assert "was not started by itself either" in told[1].why
    if kind == "paused":
        say(session, "resumed")
        say(session, "completed", count=3, chain="ab")
        assert due(rig) == [], "a pause that is over does not bring it back"


def test_a_pause_between_two_looks_counts_too(rig, session, say, queued):
    """The log is asked, not the present state."""
    say(session, "paused", code="THERMAL", why="48 degrees")
    say(session, "resumed")
    say(session, "completed", count=3, chain="ab")
    assert due(rig) == []
    assert "48 degrees" in place(rig, queued[0]).why


def test_a_refused_start_is_not_asked_for_ever(rig, session, say, queued):
    """The station's own sentence stands where the queue was."""
    say(session, "completed", count=3, chain="ab")
    rig(lambda c: sessions.request(c, queued[0], Request.START, 201))
    rig(lambda c: sessions.refuse(c, queued[0], Request.START, "the journal is damaged", 202))
    assert due(rig) == []
    assert place(rig, queued[0]).why == "the journal is damaged"
    assert not place(rig, queued[1]).waiting


def test_a_restart_and_a_rebuild_change_nothing(rig, session, say, queued):
    """The queue is the log; a start that the restart interrupted is not asked a second time."""
    say(session, "completed", count=3, chain="ab")
    rig(lambda c: sessions.recover(c, 150))
    rig(projections.rebuild)
    assert due(rig) == [queued[0]]
    rig(lambda c: sessions.request(c, queued[0], Request.START, 201))
    rig(lambda c: sessions.recover(c, 202))
    assert due(rig) == []
    say(queued[0], "armed", first=1, last=1)
    say(queued[0], "completed", count=1, chain="cd")
    assert due(rig) == [queued[1]]


def test_after_a_session_that_is_over_the_first_is_due_at_once(rig, session, say, queued):
    """Whether it was stopped or completed: it holds nothing up any more."""
    say(session, "stopped", count=3, chain="ab")

    def make(connection):
        (one,) = reshoot.create(
            connection, session, new_id=lambda: "s" + "e" * 16, now_ns=100, indices=[2]
        )
        queue.put(connection, [one], sessions.find(connection, session), 100)
        return one.id

    assert due(rig) == []
    assert rig(make) in due(rig)


def test_a_person_takes_one_out_and_what_is_behind_it(rig, session, say, queued):
    """With the name; a second time there is nothing to take out."""
    rig(lambda c: queue.take_out(c, queued[0], 150, "bo"))
    assert place(rig, queued[0]).why == "bo took it out."
    with pytest.raises(ConflictError, match="does not wait"):
        rig(lambda c: queue.take_out(c, queued[0], 151, "bo"))
    say(session, "completed", count=3, chain="ab")
    assert due(rig) == []
    assert not place(rig, queued[1]).waiting


def test_a_station_queues_nothing(rig, session, say, queued):
    """Events of these kinds that come from an agent are kept and mean nothing."""
    say(session, "completed", count=3, chain="ab")
    say(queued[0], "unqueued", why="I say so")
    say(session, "queued", after=None)
    assert due(rig) == [queued[0]]


def test_a_look_at_the_room_counts_for_the_next_session_of_the_subset(
    rig, session, say, queued, database
):
    """With the name of who looked; not after half an hour, and not in place of a device."""
    now = 100
    rig(
        lambda c: conditions.confirm(
            c, sessions.find(c, session), ["light"], name="anna", now_ns=now
        )
    )
    say(session, "painted", index=3, attempt=1, at=now)
    say(session, "completed", count=3, chain="ab")
    first, _ = queued

    def carry(at):
        def work(connection):
            one = sessions.find(connection, first)
            return queue.carry_over(connection, one, queue.place(connection, one), at)

        return rig(work)

    assert carry(now + 31 * MINUTE) == []
    assert carry(now + 5 * MINUTE) == ["light"]
    with database.read() as connection:
        (one,) = conditions.every(connection, sessions.find(connection, first))
    assert (one.fact.by, one.fact.name) == ("person", "anna")
    assert session in one.fact.note
    assert carry(now + 6 * MINUTE) == [], "nothing is left to confirm"


def test_the_queue_is_found_without_reading_the_log(rig, session, queued):
    """Only sessions that have not begun are asked about."""
    assert [one.id for one, _ in rig(queue.waiting)] == list(queued)
    count = rig(lambda c: len(c.execute(tables.session.select()).all()))
    assert count == 3
