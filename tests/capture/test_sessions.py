"""Sessions follow the events, each kept exactly once, and survive a restart."""

import pytest

from rig.capture import projections, sessions
from rig.capture.messages import BadEventError, parse_event
from rig.capture.states import Request, State
from rig.store import captures, events
from rig.store.errors import ConflictError, NotFoundError


def event(session, seq, kind, **body):
    return parse_event(
        {"event": kind, "session": session, "seq": seq, "time_ns": seq * 10**9, **body}
    )


def commit(session, seq, index, attempt=1, **body):
    return event(
        session,
        seq,
        "committed",
        index=index,
        attempt=attempt,
        sha256=f"{seq:064x}",
        size=9,
        name=f"n{seq}",
        **body,
    )


def ingest(rig, *some, station="room-1"):
    return rig(lambda c: sessions.ingest(c, station, some, 99))


def find(database, session):
    return database.query(lambda c: sessions.find(c, session))


def test_events_are_kept_once_and_in_order(rig, database, session):
    """A repeated number is acknowledged and ignored; one that skips is left out."""
    first = event(session, 1, "armed", first=1, last=3)
    assert ingest(rig, first).acks == {session: 1}
    again = ingest(rig, first, event(session, 3, "link_lost"))
    assert (again.acks, again.stored) == ({session: 1}, ())
    more = ingest(
        rig, event(session, 2, "painted", index=1, attempt=1), event(session, 3, "link_lost")
    )
    assert more.acks == {session: 3}
    with database.read() as connection:
        kinds = [e.kind for e in events.after(connection, 0, session=session)]
    assert kinds == ["session_created", "armed", "painted", "link_lost"]


def test_a_foreign_station_writes_nothing(rig, database, session):
    """Refused with a sentence, never acknowledged."""
    told = ingest(rig, event(session, 1, "armed"), station="room-2")
    assert told.acks == {}
    assert told.refused[0][:2] == (session, 1)
    assert find(database, session).source_seq == 0


def test_counters_count_indices_not_events(rig, database, session):
    """A second exposure of an index replaces the first; an older one never does."""
    ingest(
        rig,
        commit(session, 1, 1),
        commit(session, 2, 1, attempt=3),
        commit(session, 3, 1, attempt=2),
    )
    assert find(database, session).committed == 1
    with database.read() as connection:
        (kept,) = captures.committed(connection, session)
    assert (kept.index, kept.attempt, kept.name) == (1, 3, "n2")


def test_retakes_are_counted_and_make_no_commit(rig, database, session):
    """The reason stays with the capture."""
    ingest(rig, event(session, 1, "retake", index=1, attempt=1, why="empty file"))
    with database.read() as connection:
        assert captures.committed(connection, session) == ()
    ingest(rig, commit(session, 2, 1, attempt=2))
    with database.read() as connection:
        (kept,) = captures.committed(connection, session)
    assert (kept.retakes, find(database, session).retakes) == (1, 1)


def test_boot_recovery_interrupts_and_resume_goes_on(rig, database, session):
    """`running` becomes `interrupted`; the next event of the rig shows that it shoots on."""
    ingest(rig, event(session, 1, "armed"), commit(session, 2, 1))
    assert rig(lambda c: sessions.recover(c, 100)) == [session]
    assert find(database, session).state is State.INTERRUPTED
    assert rig(lambda c: sessions.recover(c, 101)) == []
    asked = rig(lambda c: sessions.request(c, session, Request.RESUME, 102))
    assert (asked.state, asked.requested) == (State.INTERRUPTED, Request.RESUME)
    ingest(rig, event(session, 3, "painted", index=2, attempt=1))
    seen = find(database, session)
    assert (seen.state, seen.requested, seen.last_index) == (State.RUNNING, None, 1)


def test_paused_survives_a_restart(rig, database, session):
    """It was confirmed and waits for a person; only what was asked is forgotten."""
    ingest(rig, event(session, 1, "armed"), event(session, 2, "paused", code="X", why="battery"))
    rig(lambda c: sessions.request(c, session, Request.RESUME, 50))
    rig(lambda c: sessions.recover(c, 100))
    seen = find(database, session)
    assert (seen.state, seen.requested, seen.paused["why"]) == (State.PAUSED, None, "battery")


def test_requests_that_make_no_sense_are_conflicts(rig, session):
    """With the state in the sentence; nothing is noted."""
    for wanted in (Request.PAUSE, Request.RESUME, Request.ABORT, Request.REARM):
        with pytest.raises(ConflictError, match="created"):
            rig(lambda c, wanted=wanted: sessions.request(c, session, wanted, 20))


def test_a_station_runs_one_session_at_a_time(rig, session):
    """The second one is told which is in its way."""
    other = "s" + "2" * 16
    rig(
        lambda c: sessions.create(
            c, new_id=other, campaign="camp", subset=2, station="room-1", now_ns=11
        )
    )
    ingest(rig, event(session, 1, "armed"))
    with pytest.raises(ConflictError, match=session):
        rig(lambda c: sessions.request(c, other, Request.START, 20))


def test_a_rearm_needs_the_latched_number(rig, database, session):
    """So that nobody clears an abort that they have not seen."""
    ingest(rig, event(session, 1, "armed"), event(session, 2, "aborted", abort_id="ab", why="w"))
    with pytest.raises(ConflictError, match="ab, not cd"):
        rig(lambda c: sessions.request(c, session, Request.REARM, 20, abort_id="cd"))
    rig(lambda c: sessions.request(c, session, Request.REARM, 20, abort_id="ab"))
    assert find(database, session).state is State.ABORTED
    ingest(rig, event(session, 3, "rearmed", abort_id="ab"))
    seen = find(database, session)
    assert (seen.state, seen.requested, seen.abort) == (State.INTERRUPTED, None, None)


def test_nothing_replaces_an_abort_that_is_asked_for(rig, database, session):
    """It stays asked until the rig confirms it; it may be asked again."""
    ingest(rig, event(session, 1, "armed"))
    for _ in range(2):
        rig(lambda c: sessions.request(c, session, Request.ABORT, 20))
    with pytest.raises(ConflictError, match="abort"):
        rig(lambda c: sessions.request(c, session, Request.PAUSE, 21))
    with database.read() as connection:
        assert [s.id for s in sessions.unanswered(connection, "room-1")] == [session]
        assert sessions.unanswered(connection, "room-2") == []


def test_the_rate_is_not_moved_by_a_pause(rig, database, session):
    """Median interval: two seconds a capture, whatever happened in between."""
    times = [0, 2, 4, 600, 602]
    rows = [commit(session, n, n) for n in range(1, 6)]
    rows = [
        r.model_copy(update={"time_ns": (100 + t) * 10**9})
        for r, t in zip(rows, times, strict=True)
    ]
    ingest(rig, *rows[:3])
    seen = find(database, session)
    speed = database.query(lambda c: sessions.progress(c, seen))
    assert (speed.interval_s, speed.eta_s) == (2.0, 0.0)
    ingest(rig, *rows[3:])
    assert database.query(lambda c: sessions.progress(c, seen)).interval_s == 2.0


def test_unknown_things_are_not_found(rig):
    """Campaign, subset, station and session by name."""
    for change in ({"campaign": "x"}, {"subset": 9}, {"station": "x"}):
        values = {
            "new_id": "s" + "3" * 16,
            "campaign": "camp",
            "subset": 1,
            "station": "room-1",
            "now_ns": 1,
        } | change
        with pytest.raises(NotFoundError):
            rig(lambda c, values=values: sessions.create(c, **values))
    with pytest.raises(NotFoundError):
        rig(lambda c: sessions.find(c, "s0"))


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"event": "armed"},
        {"event": "Armed!", "session": "s" + "0" * 16, "seq": 1, "time_ns": 1},
        {"event": "armed", "session": "../x", "seq": 1, "time_ns": 1},
        {"event": "armed", "session": "s" + "0" * 16, "seq": 0, "time_ns": 1},
        {"event": "armed", "session": "s" + "0" * 16, "seq": 1, "time_ns": -1},
        {"event": "painted", "session": "s" + "0" * 16, "seq": 1, "time_ns": 1},
        {"event": "aborted", "session": "s" + "0" * 16, "seq": 1, "time_ns": 1},
    ],
)
def test_what_is_no_event_raises_the_declared_error(message):
    """Parse it or raise `BadEventError`."""
    with pytest.raises(BadEventError):
        parse_event(message)


def test_an_unknown_kind_is_kept_and_changes_nothing(rig, database, session):
    """A newer display agent does not get stuck."""
    before = find(database, session)
    ingest(rig, event(session, 1, "yawned", how="wide", do="not a request"))
    after = find(database, session)
    assert (after.state, after.source_seq) == (before.state, 1)
    with database.read() as connection:
        assert events.latest(connection, session=session)[0].body["how"] == "wide"


def test_projections_are_a_function_of_the_log(rig, database, session, tables_of):
    """Rebuilding from the events gives the very same rows."""
    from rig.capture import photos
    from rig.capture.photos import Listed

    ingest(
        rig,
        event(session, 1, "connected", camera="c", battery_pct=50.5),
        event(session, 2, "armed"),
        event(session, 3, "retake", index=1, attempt=1, why="blur"),
        commit(session, 4, 1, attempt=2, rtt_ms=0.5),
        event(session, 5, "painted", index=2, attempt=1),
        event(session, 6, "link_lost"),
    )
    rig(lambda c: sessions.request(c, session, Request.PAUSE, 60))
    rig(lambda c: sessions.refuse(c, session, Request.PAUSE, "no", 61))
    rig(lambda c: sessions.recover(c, 62))
    ingest(rig, commit(session, 7, 2), event(session, 8, "aborted", abort_id="a1", index=3))
    for name, index in (("p1", 1), ("p2", 2), ("p1", 1)):
        sha = f"{index:064x}"
        rig(
            lambda c, name=name, index=index, sha=sha: photos.received(
                c,
                session,
                name=name,
                index=index,
                attempt=1,
                sha256=sha,
                size=5,
                now_ns=70,
                actor="phone:room-1",
            )
        )
    for good in (True, False):
        rig(
            lambda c, good=good: photos.verified(
                c,
                session,
                name="p1",
                verified=good,
                reason="r",
                now_ns=80,
                score=0.9,
                homography=[[1, 0, 0]],
            )
        )
    lacking = rig(
        lambda c: photos.missing(c, session, [Listed("p1", f"{1:064x}"), Listed("p3", "x")])
    )
    assert lacking == ["p3"]
    rig(lambda c: photos.manifest(c, session, count=2, chain="aa", lacking=1, now_ns=90, actor="x"))
    before = tables_of(database)
    assert all(before[name] for name in ("session", "capture", "photo", "batch"))
    assert rig(projections.rebuild) > 0
    assert tables_of(database) == before
    seen = find(database, session)
    assert (seen.photos, seen.verified, seen.rejected) == (2, 0, 1)


@pytest.fixture
def tables_of():
    """Reads every projection, ordered."""
    from rig.store import tables

    def read(database):
        with database.read() as connection:
            return {
                table.name: [
                    tuple(row)
                    for row in connection.execute(table.select().order_by(*table.primary_key))
                ]
                for table in (
                    tables.session,
                    tables.capture,
                    tables.photo,
                    tables.batch,
                    tables.job,
                )
            }

    return read
