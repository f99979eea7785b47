"""Alignment shots in the store: asked for, judged, waived, inherited, and counted nowhere."""

from __future__ import annotations

import pytest

from rig.capture import (
    alignment,
    campaigns,
    conditions,
    photos,
    projections,
    session_plan,
    sessions,
    stations,
    subsets,
)
from rig.capture.messages import parse_event
from rig.capture.states import BEFORE, BUSY, Request, State, step
from rig.planning.card import CARD_KEY, CARD_SHA256, FIRST_NUMBER, is_card, shows_card
from rig.planning.plan import from_json, to_json
from rig.store import captures, events
from rig.store.errors import ConflictError, StoreError

SHOT, NEXT = "s" + "a" * 16, "s" + "b" * 16


@pytest.fixture
def ready(rig, session):
    """The session with its room confirmed."""
    rig(lambda c: conditions.confirm_all(c, sessions.find(c, session), name="anna", now_ns=20))
    return session


def ask(rig, session, shot=SHOT, now=30, **more):
    return rig(lambda c: alignment.ask(c, session, new_id=shot, now_ns=now, name="anna", **more))


def ingest(rig, station, session, *kinds, since=0):
    """Events of the display agent, numbered after *since*."""
    bodies = {
        "connected": {"boot_id": "00" * 8, "camera": "x", "free_bytes": 1, "battery_pct": 1,
                      "committed": 0},
        "armed": {"first": 1, "last": 1},
        "painted": {"index": 1, "attempt": 1, "rect": [0, 0, 1920, 1080]},
        "committed": {"index": 1, "attempt": 1, "sha256": "b" * 64, "size": 9, "name": "n",
                      "source_sha256": CARD_SHA256},
        "completed": {"count": 1, "chain": "c" * 64},
    }  # fmt: skip
    batch = [
        parse_event(
            {"type": "event", "session": session, "seq": n, "time_ns": 10**9 * n, "event": kind}
            | bodies[kind]
        )
        for n, kind in enumerate(kinds, since + 1)
    ]
    return rig(lambda c: sessions.ingest(c, station, batch, 50))


WHOLE = ("connected", "armed", "painted", "committed", "completed")


def take(rig, session, verdict="ok", shot=SHOT, now=30):
    """A whole shot with its verdict."""
    ask(rig, session, shot, now)
    station = rig(lambda c: sessions.find(c, session)).station
    ingest(rig, station, shot, *WHOLE)

    def receive(c):
        photos.received(c, shot, name="n", index=1, attempt=1, sha256="b" * 64, size=9,
                        now_ns=now + 1, actor="phone")  # fmt: skip
        alignment.aligned(
            c, sessions.find(c, shot), photo="n", verdict=verdict, words=["Move it 3 cm left."],
            measures={"margin": 0.1}, picture="d" * 64, now_ns=now + 2,
        )  # fmt: skip

    rig(receive)


def standing(rig, session):
    return rig(lambda c: alignment.standing(c, sessions.find(c, session)))


def gate(rig, session, *, confirm=False, legacy=False, name=None):
    """What a start does, in its order."""

    def start(c):
        before = sessions.find(c, session)
        found = alignment.standing(c, before)
        if confirm:
            conditions.confirm_all(c, before, name=name or "script", now_ns=90)
        alignment.gate(c, before, found, confirm=confirm, legacy=legacy, name=name, now_ns=90)
        return sessions.request(c, session, Request.START, 91)

    return rig(start)


def kinds(rig, session):
    return [one.kind for one in rig(lambda c: events.after(c, 0, session=session, limit=100))]


# -- the shot itself -------------------------------------------------------------------------------


def test_a_shot_is_a_session_of_its_own_kind_that_counts_nowhere(rig, ready):
    """It takes the station, and no list, no campaign and no re-shoot knows it."""
    shot = ask(rig, ready)
    assert (shot.kind, shot.parent, shot.state) == ("alignment", ready, State.LOADING)
    assert (shot.first, shot.last) == (1, 1)
    assert rig(lambda c: sessions.find(c, ready)).state is State.ALIGNMENT
    assert [one.id for one in rig(sessions.every)] == [ready]
    with pytest.raises(ConflictError, match="still has session"):
        gate(rig, ready, confirm=True, name="anna")
    take_again = pytest.raises(ConflictError, match="under way")
    with take_again:
        ask(rig, ready, NEXT)
    ingest(rig, "room-1", SHOT, *WHOLE)
    camp = rig(lambda c: campaigns.find(c, "camp"))
    assert rig(lambda c: subsets.subset_states(c, camp))[1] == State.ALIGNMENT
    assert rig(lambda c: subsets.shot_spans(c, camp.id, 1)) == []
    assert rig(captures.waiting) == ()
    rest = rig(lambda c: sessions.create(c, new_id=NEXT, campaign="camp", subset=2,
                                         station="room-1", now_ns=60))  # fmt: skip
    assert rest.run == 0


def test_the_plan_shows_the_card_once_under_a_number_of_its_own(rig, ready):
    """It survives the wire, and no two shots of a campaign share their number."""
    numbers = []
    for n in range(3):
        shot = f"s{n:016x}"
        ask(rig, ready, shot)
        plan = rig(lambda c, shot=shot: alignment.plan_of(c, sessions.find(c, shot)))
        assert from_json(to_json(plan)) == plan
        assert shows_card(plan)
        assert (plan.items[0].key, plan.first, plan.last) == (CARD_KEY, 1, 1)
        numbers.append(plan.subset)
        ingest(rig, "room-1", shot, *WHOLE)
    assert numbers == [FIRST_NUMBER + 1, FIRST_NUMBER + 2, FIRST_NUMBER + 3]
    assert max(numbers) < 2**31
    camp = rig(lambda c: campaigns.find(c, "camp"))
    usual = rig(
        lambda c: session_plan.plan_of(c, camp, 1, session=ready, with_files=False, run=19_999)
    )
    assert usual.subset < FIRST_NUMBER
    assert not any(is_card(item) for item in usual.items)


def test_a_confirmed_room_stays_confirmed_after_a_shot(rig, ready):
    """The card was shown, not another session's x-rays."""
    take(rig, ready)
    found = rig(lambda c: conditions.withdraw_stale(c, sessions.find(c, ready), 10**9))
    assert found == []


def test_what_was_asked_before_is_remembered_for_the_monitor(rig, ready):
    """Nobody measures a monitor twice."""
    ask(rig, ready, width_mm=527.0)
    ingest(rig, "room-1", SHOT, *WHOLE)
    ask(rig, ready, NEXT)
    assert rig(lambda c: sessions.find(c, ready)).alignment["asked"]["width_mm"] == 527.0


@pytest.mark.parametrize("state", sorted(set(State) - BEFORE))
def test_only_before_the_start(rig, ready, state):
    """Also for a paused session: its books are open on the station."""
    from sqlalchemy import update

    from rig.store.tables import session as table

    rig(lambda c: c.execute(update(table).where(table.c.id == ready).values(state=state)))
    with pytest.raises(ConflictError, match="before the start"):
        ask(rig, ready)


# -- what lets a session start ---------------------------------------------------------------------


def test_without_a_shot_the_start_is_refused_unless_somebody_answers_for_it(rig, ready):
    """By name, in the log."""
    with pytest.raises(ConflictError, match="No alignment shot was taken"):
        gate(rig, ready)
    assert gate(rig, ready, confirm=True, name="anna").state is State.LOADING
    only = frozenset({"alignment_waived"})
    (waived,) = rig(lambda c: events.latest(c, session=ready, kinds=only, limit=9))
    assert waived.actor == "operator:anna"


@pytest.mark.parametrize("confirm", [False, True])
def test_a_good_shot_lets_it_start_and_is_not_waived(rig, ready, confirm):
    """Also when the start confirms the room once more."""
    take(rig, ready)
    assert standing(rig, ready).good
    assert gate(rig, ready, confirm=confirm, name="bo").state is State.LOADING
    assert "alignment_waived" not in kinds(rig, ready)


def test_the_room_confirmed_together_with_the_start_spoils_no_shot(rig, session):
    """Who answers for the room says that it was so during the shot."""
    take(rig, session)
    assert gate(rig, session, confirm=True, name="bo").state is State.LOADING
    assert standing(rig, session).good
    assert "alignment_waived" not in kinds(rig, session)


def test_a_rejected_shot_refuses_even_a_confirmed_start(rig, ready):
    """Its words come with the refusal; a waiver needs a reason."""
    take(rig, ready, "reject")
    for confirm in (False, True):
        with pytest.raises(ConflictError, match="rejected: Move it 3 cm left"):
            gate(rig, ready, confirm=confirm, name="bo")
    one = rig(lambda c: sessions.find(c, ready))
    with pytest.raises(ConflictError, match="cannot be accepted"):
        rig(lambda c: alignment.accept(c, one, name="bo", now_ns=60))
    with pytest.raises(alignment.AlignmentError, match="write the reason"):
        rig(lambda c: alignment.waive(c, one, name="bo", now_ns=60))
    with pytest.raises(alignment.AlignmentError, match="name"):
        rig(lambda c: alignment.waive(c, one, name=" ", why="it is", now_ns=60))
    rig(lambda c: alignment.waive(c, one, name="bo", why="glossy on purpose", now_ns=60))
    found = standing(rig, ready)
    assert (found.good, found.why) == (True, "Waived by bo: glossy on purpose.")
    assert gate(rig, ready).state is State.LOADING


def test_a_warning_is_accepted_by_name(rig, ready):
    """Not by nobody."""
    take(rig, ready, "warn")
    with pytest.raises(ConflictError, match="could be better: Move it 3 cm left"):
        gate(rig, ready)
    one = rig(lambda c: sessions.find(c, ready))
    rig(lambda c: alignment.accept(c, one, name="bo", now_ns=60))
    assert standing(rig, ready).why.startswith("Accepted by bo.")
    assert gate(rig, ready).state is State.LOADING


def test_a_script_accepts_warnings_with_its_start(rig, ready):
    """As it confirms the room."""
    take(rig, ready, "warn")
    assert gate(rig, ready, confirm=True).state is State.LOADING
    assert "alignment_accepted" in kinds(rig, ready)


def test_a_new_shot_takes_the_place_of_the_old_one(rig, ready):
    """Rejected, moved, good; and the other way round. A waiver ends with the next shot."""
    take(rig, ready, "reject")
    take(rig, ready, "ok", NEXT, 40)
    assert standing(rig, ready).good
    one = rig(lambda c: sessions.find(c, ready))
    rig(lambda c: alignment.waive(c, one, name="bo", now_ns=60))
    take(rig, ready, "reject", "s" + "c" * 16, 70)
    assert standing(rig, ready).rejected


def test_a_level_that_changed_since_makes_it_a_shot_of_another_room(rig, ready):
    """Withdrawn and confirmed again: the tripod may have been moved. Set again as it was: not."""
    take(rig, ready)

    def again(c):
        conditions.confirm(c, sessions.find(c, ready), ["light"], name="bo", now_ns=50)

    rig(again)
    assert standing(rig, ready).good
    rig(lambda c: conditions.withdraw(c, ready, ["light"], "a safe state was set", 60))
    found = standing(rig, ready)
    assert not found.good
    assert "taken before light changed" in found.why
    rig(again)
    assert not standing(rig, ready).good
    assert rig(lambda c: sessions.find(c, ready)).state is State.ENVIRONMENT
    one = rig(lambda c: sessions.find(c, ready))
    with pytest.raises(ConflictError, match="taken before light"):
        rig(lambda c: alignment.accept(c, one, name="bo", now_ns=65))
    take(rig, ready, "ok", NEXT, 70)
    assert standing(rig, ready).good


def test_a_change_between_shot_and_verdict_counts(rig, ready):
    """The verdict comes later than the photo."""
    ask(rig, ready)
    ingest(rig, "room-1", SHOT, *WHOLE)

    def late(c):
        conditions.withdraw(c, ready, ["light"], "off", 45)
        photos.received(c, SHOT, name="n", index=1, attempt=1, sha256="b" * 64, size=9,
                        now_ns=46, actor="phone")  # fmt: skip
        alignment.aligned(c, sessions.find(c, SHOT), photo="n", verdict="ok", words=["Perfect."],
                          measures=None, picture=None, now_ns=47)  # fmt: skip

    rig(late)
    assert "taken before light" in standing(rig, ready).why


def test_a_waiver_outlives_what_is_set_at_the_start(rig, session):
    """Devices are set when the start is asked for: nobody has to waive twice."""
    one = rig(lambda c: sessions.find(c, session))
    rig(lambda c: alignment.waive(c, one, name="bo", now_ns=20))
    rig(lambda c: conditions.confirm_all(c, one, name="bo", now_ns=30))
    assert gate(rig, session).state is State.LOADING


def test_another_phone_has_to_be_aligned_anew(rig, ready, database):
    """The next one is put in its place by hand."""
    from sqlalchemy import update

    from rig.store.tables import station

    take(rig, ready)
    rig(lambda c: c.execute(update(station).values(phone_generation=1)))
    assert "phone that was paired before" in standing(rig, ready).why


def test_a_legacy_station_is_waived_with_a_sentence(rig, ready):
    """By the controller, not by a person."""
    gate(rig, ready, legacy=True)
    assert "cannot take an alignment shot" in standing(rig, ready).why


def test_a_legacy_session_takes_no_shot(rig, ready):
    """The original app knows no plan of one card."""
    from sqlalchemy import update

    from rig.store.tables import session as table

    rig(lambda c: c.execute(update(table).where(table.c.id == ready).values(legacy=True)))
    with pytest.raises(ConflictError, match="legacy mode"):
        ask(rig, ready)


def test_a_station_confirms_no_alignment(rig, ready):
    """Only the controller's own events count."""
    event = {"type": "event", "session": ready, "seq": 1, "time_ns": 5, "event": "alignment_waived"}
    rig(lambda c: sessions.ingest(c, "room-1", [parse_event(event)], 50))
    assert not standing(rig, ready).good


# -- inherited -------------------------------------------------------------------------------------


def _shoot_and_stop(rig, session, since):
    gate(rig, session)
    body = {"index": 1, "attempt": 1, "sha256": "c" * 64, "size": 9, "name": "m",
            "source_sha256": "a" * 64}  # fmt: skip
    batch = [
        parse_event({"type": "event", "session": session, "seq": n, "time_ns": since + n,
                     "event": kind} | more)
        for n, (kind, more) in enumerate(
            [("armed", {"first": 1, "last": 3}), ("committed", body),
             ("stopped", {"count": 1, "chain": "c" * 64})], 1
        )
    ]  # fmt: skip
    rig(lambda c: sessions.ingest(c, "room-1", batch, since))


def test_the_rest_of_a_subset_inherits_and_says_since_when(rig, ready):
    """The same room, the same station, nothing moved."""
    take(rig, ready)
    _shoot_and_stop(rig, ready, 100)
    rest = rig(lambda c: sessions.create(c, new_id=NEXT, campaign="camp", subset=1,
                                         station="room-1", now_ns=200))  # fmt: skip
    found = standing(rig, rest.id)
    assert (found.good, found.since_ns, found.shot_for) == (True, 30, ready)
    assert f"unchanged since the alignment shot of session {ready}" in found.why
    elsewhere = rig(lambda c: sessions.create(c, new_id="s" + "d" * 16, campaign="camp", subset=1,
                                              station="room-2", now_ns=201))  # fmt: skip
    assert not standing(rig, elsewhere.id).good
    other = rig(lambda c: sessions.create(c, new_id="s" + "e" * 16, campaign="camp", subset=2,
                                          station="room-1", now_ns=202))  # fmt: skip
    assert not standing(rig, other.id).good


def test_nothing_is_inherited_over_another_room(rig, ready):
    """Another subset was shot here meanwhile, in another light."""
    take(rig, ready)
    _shoot_and_stop(rig, ready, 100)
    between = "s" + "f" * 16
    rig(lambda c: sessions.create(c, new_id=between, campaign="camp", subset=2, station="room-1",
                                  now_ns=150))  # fmt: skip
    gate(rig, between, confirm=True, name="anna")
    armed = {"type": "event", "session": between, "seq": 1, "time_ns": 160, "event": "armed",
             "first": 4, "last": 6}  # fmt: skip
    rig(lambda c: sessions.ingest(c, "room-1", [parse_event(armed)], 160))
    rest = rig(lambda c: sessions.create(c, new_id=NEXT, campaign="camp", subset=1,
                                         station="room-1", now_ns=200))  # fmt: skip
    assert not standing(rig, rest.id).good


def test_nothing_is_inherited_once_the_phone_was_aligned_for_another_subset(rig, ready):
    """It stood elsewhere since, although nothing was shot there."""
    take(rig, ready)
    _shoot_and_stop(rig, ready, 100)
    between = "s" + "f" * 16
    rig(lambda c: sessions.create(c, new_id=between, campaign="camp", subset=2, station="room-1",
                                  now_ns=150))  # fmt: skip
    take(rig, between, "reject", "s" + "9" * 16, 160)
    rest = rig(lambda c: sessions.create(c, new_id=NEXT, campaign="camp", subset=1,
                                         station="room-1", now_ns=200))  # fmt: skip
    assert not standing(rig, rest.id).good


@pytest.mark.parametrize("verdict", ["warn", "reject"])
def test_what_is_not_good_is_not_inherited(rig, ready, verdict):
    """A waiver is one session's."""
    take(rig, ready, verdict)
    one = rig(lambda c: sessions.find(c, ready))
    rig(lambda c: alignment.waive(c, one, name="bo", why="so", now_ns=60))
    _shoot_and_stop(rig, ready, 100)
    rest = rig(lambda c: sessions.create(c, new_id=NEXT, campaign="camp", subset=1,
                                         station="room-1", now_ns=200))  # fmt: skip
    assert not standing(rig, rest.id).good


# -- the table and the log -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["alignment_asked", "aligned", "alignment_accepted",
                                  "alignment_waived"])  # fmt: skip
def test_the_state_lies_between_environment_and_loading(kind):
    """Set, aligned, loading; a level that changes leads back."""
    for state in BEFORE:
        assert step(state, kind) is State.ALIGNMENT
        assert step(state, "condition_confirmed") is State.ENVIRONMENT
    assert step(State.ALIGNMENT, "requested:start") is State.LOADING
    order = list(State)
    assert order.index(State.ENVIRONMENT) < order.index(State.ALIGNMENT)
    assert order.index(State.ALIGNMENT) < order.index(State.LOADING)
    assert State.ALIGNMENT not in BUSY
    for state in set(State) - BEFORE:
        assert step(state, kind) is state


def test_everything_is_rebuilt_from_the_events(rig, ready, database):
    """Two shots, a waiver, a change of the room."""
    take(rig, ready, "warn")
    one = rig(lambda c: sessions.find(c, ready))
    rig(lambda c: alignment.accept(c, one, name="bo", now_ns=60))
    take(rig, ready, "reject", NEXT, 70)
    rig(lambda c: alignment.waive(c, one, name="bo", why="so", now_ns=80))
    rig(lambda c: conditions.withdraw(c, ready, ["light"], "off", 85))

    def whole(c):
        return [sessions.find(c, one) for one in (ready, SHOT, NEXT)]

    before = rig(whole)
    rig(projections.rebuild)
    assert rig(whole) == before


def test_names_of_people_are_checked(rig, ready):
    """As everywhere in the log."""
    one = rig(lambda c: sessions.find(c, ready))
    with pytest.raises(StoreError, match="at most 40"):
        rig(lambda c: alignment.waive(c, one, name="x" * 60, now_ns=60))
    assert rig(stations.names) == ["room-1", "room-2"]
