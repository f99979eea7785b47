"""Knocking, READY, and the ARM that makes a connection live."""

from __future__ import annotations

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import Code, MessageType
from rig.protocol.datagram import Datagram, canonical, parse_payload
from rig.simulation.virtual import subset_of

M = MessageType


# -- knocking --------------------------------------------------------------------------------------


def test_the_boot_is_durable_before_the_first_knock(phone_bench):
    bench = phone_bench()
    bench.hold = True
    bench.start()
    assert bench.messages() == []
    bench.durable()
    assert bench.kinds() == ["BOOT"]
    knock = bench.messages(M.KNOCK)[0]
    assert parse_payload(knock.payload)["boot_id"] == bench.core.boot_id.hex()
    assert knock.conn_id == bytes(8)


def test_the_phone_knocks_every_second_until_it_is_connected(phone):
    phone.advance(4.5)
    assert len(phone.messages(M.KNOCK)) == 5


def test_a_connected_phone_knocks_only_after_three_silent_seconds(armed_phone):
    """KNOCK also tells the display the phone's new address."""
    armed_phone.take()
    for _ in range(5):
        armed_phone.advance(1.0)
        armed_phone.tell(Datagram(M.PING))
    assert armed_phone.messages(M.KNOCK) == []
    armed_phone.advance(2.9)
    assert armed_phone.messages(M.KNOCK) == []
    armed_phone.advance(0.2)
    assert len(armed_phone.messages(M.KNOCK)) >= 1


def test_it_knocks_at_every_host_and_where_it_last_heard_the_display(armed_phone):
    armed_phone.tell(Datagram(M.PING), ("roamed", 5))
    outputs = []
    armed_phone.now += 10
    outputs = armed_phone.core.timer_fired(armed_phone.now)
    to = [o.addr for o in outputs if isinstance(o, act.SendDatagram)]
    assert to == [("display", 47911), ("roamed", 5)]


def test_link_age_is_known_once_connected(phone):
    assert phone.core.link_age_since is None
    phone.now = 7.0
    phone.connect()
    assert phone.core.link_age_since == 7.0


# -- READY -----------------------------------------------------------------------------------------


def test_ready_tells_what_the_display_must_know(phone):
    phone.feed(phone.core.environment(10**12, 55, True, 30.6, 0.0))
    phone.hello()
    assert phone.ready["boot_id"] == phone.core.boot_id.hex()
    assert (phone.ready["committed"], phone.ready["last_attempt"]) == (0, 0)
    assert phone.ready["free_bytes"] == 10**12
    assert (phone.ready["battery_pct"], phone.ready["charging"]) == (55, True)
    assert phone.ready["temp_c"] == 31
    assert phone.ready["aborted_id"] is None
    assert "in_doubt_index" not in phone.ready


def test_ready_tells_of_the_photo_in_doubt(armed_phone):
    sha = armed_phone.expose(1)
    armed_phone.hello()
    assert armed_phone.ready["in_doubt_index"] == 1
    assert armed_phone.ready["in_doubt_attempt"] == 1
    assert armed_phone.ready["in_doubt_sha"] == sha.hex()
    assert armed_phone.ready["in_doubt_token"] == bytes([1] * 8).hex()


def test_a_repeated_hello_gets_the_same_ready_while_the_candidate_lives(phone):
    hello = phone.hello(b"n" * 16)
    first = phone.ready["nonce_p"]
    phone.raw(hello)
    assert phone.ready["nonce_p"] == first
    phone.hello(b"m" * 16)
    assert phone.ready["nonce_p"] != first


def test_at_most_four_candidates_live_the_least_recently_asked_for_goes_first(phone):
    """Max 4, LRU: replays of old HELLOs do not drive out the one that is asked again."""
    phone.hello(b"0" * 16)
    first = phone.ready["nonce_p"]
    for n in (b"1", b"2", b"3"):
        phone.hello(n * 16)
    phone.hello(b"0" * 16)
    assert phone.ready["nonce_p"] == first
    phone.hello(b"4" * 16)
    phone.hello(b"0" * 16)
    assert phone.ready["nonce_p"] == first
    phone.hello(b"1" * 16)
    assert len(phone.core._candidates) == 4


def test_hellos_are_answered_twenty_times_a_second_at_most(phone):
    phone.take()
    for _ in range(50):
        phone.hello(b"n" * 16)
    assert len(phone.messages(M.READY)) == 20
    phone.now += 0.5
    for _ in range(50):
        phone.hello(b"n" * 16)
    assert len(phone.messages(M.READY)) == 30


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        canonical({"nonce_d": "00", "campaign_id": "00" * 8}),
        canonical({"nonce_d": "00" * 16, "campaign_id": "zz"}),
    ],
)
def test_a_hello_that_makes_no_sense_is_dropped(phone, payload: bytes):
    phone.take()
    phone.tell_boot(Datagram(M.HELLO, subset=1, payload=payload))
    assert phone.take() == []


def test_ready_goes_to_where_hello_came_from(phone):
    outputs = []
    feed = phone.feed
    phone.feed = lambda o: (outputs.extend(o), feed(o))
    phone.tell_boot(
        Datagram(
            M.HELLO,
            subset=1,
            payload=canonical({"nonce_d": "00" * 16, "campaign_id": "00" * 8}),
        ),
        ("elsewhere", 9),
    )
    assert [o.addr for o in outputs] == [("elsewhere", 9)]


# -- ARM -------------------------------------------------------------------------------------------


def test_armed_is_told_only_once_the_arm_is_durable(phone):
    phone.hello()
    phone.hold = True
    phone.take()
    phone.arm()
    assert phone.messages() == []
    phone.durable()
    assert phone.kinds()[-2:] == ["RUN", "ARM"]
    assert phone.said_of(act.Armed) == [act.Armed(1, 1, 4, "s0")]
    armed = phone.messages(M.ARMED)[0]
    assert armed.index == 1
    assert armed.chain == phone.chain[:8]


def test_a_repeated_arm_is_answered_and_not_journalled_again(phone):
    phone.connect()
    before = list(phone.journal)
    phone.take()
    phone.arm()
    assert len(phone.messages(M.ARMED)) == 1
    assert phone.journal == before


def test_a_candidate_does_nothing_but_arm(phone):
    """CAPTURE, FINISH and PING under a key that no ARM has confirmed are ignored."""
    phone.hello()
    phone.take()
    phone.capture(1)
    phone.tell(Datagram(M.FINISH, subset=1, index=4))
    phone.tell(Datagram(M.PING))
    assert phone.take() == []


def test_a_new_arm_ends_the_old_connection(armed_phone):
    """The live connection is replaced only by a valid ARM under the candidate's key."""
    old = armed_phone.conn
    armed_phone.hello()
    candidate, armed_phone.conn = armed_phone.conn, old
    armed_phone.take()
    armed_phone.tell(Datagram(M.PING))
    assert len(armed_phone.messages(M.PONG)) == 1
    armed_phone.conn = candidate
    armed_phone.arm()
    armed_phone.take()
    armed_phone.conn = old
    armed_phone.tell(Datagram(M.PING))
    assert armed_phone.take() == []


def test_older_candidates_die_when_one_is_armed(phone):
    phone.hello()
    older = phone.conn
    phone.hello()
    phone.arm()
    phone.conn = older
    phone.take()
    phone.arm()
    assert phone.take() == []


def test_arming_voids_an_exposure_that_is_still_open(armed_phone):
    """A new display knows nothing of it; the camera is told to stop."""
    armed_phone.capture(1)
    armed_phone.take()
    armed_phone.connect()
    assert len(armed_phone.said_of(act.KillCamera)) == 1
    assert armed_phone.kinds()[-2:] == ["VOID", "ARM"]
    assert armed_phone.core.ledger.current.open is None


def test_arm_commit_commits_the_photo_in_doubt(armed_phone):
    """ARM(view, resolution): COMMIT, and whoever uploads hears of it as of any other commit."""
    sha = armed_phone.expose(1)
    armed_phone.hello()
    armed_phone.decide(1)
    armed_phone.take()
    armed_phone.arm("commit")
    assert armed_phone.kinds()[-2:] == ["ARM", "COMMIT"]
    assert armed_phone.messages(M.ARMED)[0].index == 2
    committed = armed_phone.said_of(act.Committed)
    assert [(c.index, c.attempt, c.sha256) for c in committed] == [(1, 1, sha)]


def test_arm_void_voids_the_photo_in_doubt_and_puts_its_file_aside(armed_phone):
    armed_phone.expose(1)
    name = armed_phone.core.ledger.current.doubtful.name
    armed_phone.hello()
    armed_phone.hold = True
    armed_phone.take()
    armed_phone.arm("void")
    assert armed_phone.said_of(act.Quarantine) == []
    armed_phone.durable()
    assert armed_phone.kinds()[-2:] == ["ARM", "VOID"]
    assert armed_phone.said_of(act.Quarantine) == [act.Quarantine(name)]
    assert armed_phone.said_of(act.Committed) == []


@pytest.mark.parametrize("resolution", ["none", "maybe", ""])
def test_a_photo_in_doubt_is_never_left_undecided(armed_phone, resolution: str):
    """ARM must say commit or void; otherwise the phone says READY again."""
    armed_phone.expose(1)
    armed_phone.hello()
    armed_phone.take()
    before = list(armed_phone.journal)
    armed_phone.arm(resolution)
    assert [d.type for d in armed_phone.messages()] == [M.READY]
    assert armed_phone.journal == before


def test_an_arm_decided_on_an_old_view_is_answered_by_ready(armed_phone):
    """The phone's state moved on meanwhile: decide again."""
    armed_phone.capture(1)
    armed_phone.hello()
    candidate = armed_phone.conn
    ticket = armed_phone.said_of(act.TriggerCamera)[0].ticket
    armed_phone.feed(armed_phone.core.camera_result(ticket, armed_phone.photo(b"p" * 32), 0.0))
    armed_phone.feed(armed_phone.core.photo_stored(ticket, None, 0.0))
    armed_phone.take()
    armed_phone.arm("none")
    assert [d.type for d in armed_phone.messages()] == [M.READY]
    assert armed_phone.conn is candidate
    assert armed_phone.ready["in_doubt_sha"] == (b"p" * 32).hex()
    armed_phone.arm("void")
    assert len(armed_phone.messages(M.ARMED)) == 1


def test_an_open_exposure_is_void_before_the_view_is_told_again(armed_phone):
    """VOID is durable before the READY that answers an ARM on an old view."""
    armed_phone.capture(1)
    armed_phone.hello()
    armed_phone.take()
    armed_phone.hold = True
    armed_phone.arm(view_committed=7)
    assert armed_phone.messages() == []
    armed_phone.durable()
    assert armed_phone.kinds()[-1] == "VOID"
    assert [d.type for d in armed_phone.messages()] == [M.READY]
    assert armed_phone.ready["last_attempt"] == 1


def test_another_list_of_x_rays_aborts(armed_phone):
    armed_phone.hello()
    armed_phone.take()
    armed_phone.arm(manifest="11" * 32)
    assert armed_phone.messages(M.ABORT)[0].code == Code.MANIFEST_MISMATCH
    assert armed_phone.core.ledger.latch is not None


@pytest.mark.parametrize("bounds", [(1, 5), (2, 4), (1, 3)])
def test_other_bounds_of_a_subset_that_was_begun_abort(armed_phone, bounds: tuple[int, int]):
    armed_phone.hello()
    armed_phone.take()
    armed_phone.arm(first=bounds[0], last=bounds[1], index=2)
    assert armed_phone.messages(M.ABORT)[0].code == Code.MANIFEST_MISMATCH


@pytest.mark.parametrize(
    "arm",
    [
        {"first": 3, "last": 2},
        {"index": 0},
        {"index": 6},
        {"first": "1"},
        {"last": None},
        {"manifest": "00"},
        {"campaign_id": "xyz"},
        {"view_committed": "no"},
        {"first": -1},
        {"last": 2**32},
    ],
)
def test_an_arm_that_makes_no_sense_aborts(phone, arm: dict[str, object]):
    """Authentic, yet not to be understood: one of the two programs is wrong."""
    phone.hello()
    phone.arm(**arm)
    assert phone.core.ledger.latch.code == Code.PROTOCOL
    assert "RUN" not in phone.kinds()


def test_another_history_aborts(armed_phone):
    armed_phone.hello()
    armed_phone.take()
    armed_phone.arm(chain=b"elsewise")
    assert armed_phone.messages(M.ABORT)[0].code == Code.CHAIN_MISMATCH


@pytest.mark.parametrize("resolution", ["void", "commit"])
def test_another_history_decides_nothing_about_the_photo_in_doubt(armed_phone, resolution: str):
    """CHAIN_MISMATCH: the photo stays stored, in its place, for the decider."""
    armed_phone.expose(1)
    armed_phone.hello()
    armed_phone.take()
    armed_phone.arm(resolution, chain=b"elsewise")
    assert armed_phone.core.ledger.latch.code == Code.CHAIN_MISMATCH
    assert armed_phone.core.ledger.current.doubtful is not None
    assert armed_phone.said_of(act.Quarantine) == []
    assert armed_phone.said_of(act.Committed) == []


# -- re-arming -------------------------------------------------------------------------------------


def test_rearming_takes_the_latched_id_and_a_new_handshake(armed_phone):
    """On the old connection the right id is ignored; after a new HELLO it clears the latch."""
    armed_phone.capture(3)
    abort_id = armed_phone.core.ledger.latch.abort_id
    armed_phone.take()
    armed_phone.arm(rearm=abort_id)
    assert armed_phone.messages(M.ARMED) == []
    assert armed_phone.core.ledger.latch is not None
    armed_phone.hello()
    armed_phone.arm(rearm=abort_id)
    assert armed_phone.kinds()[-2:] == ["ARM", "CLEAR"]
    assert armed_phone.said_of(act.Rearmed) == [act.Rearmed(abort_id)]
    armed_phone.expose(1)
    assert armed_phone.core.ledger.current.in_doubt == (1, 1)


@pytest.mark.parametrize("wrong", [b"", b"wrong-id", bytes(8)])
def test_another_id_does_not_clear_the_latch(armed_phone, wrong: bytes):
    """ABORT again: the operator must see that one."""
    armed_phone.capture(3)
    abort_id = armed_phone.core.ledger.latch.abort_id
    armed_phone.hello()
    armed_phone.take()
    armed_phone.arm(rearm=wrong)
    assert [d.digest for d in armed_phone.messages(M.ABORT)] == [abort_id]
    assert armed_phone.core.ledger.latch.abort_id == abort_id


def test_a_rearm_that_fails_leaves_a_new_latch(armed_phone):
    """The right id, yet another history: the old abort is cleared, a new one latched."""
    armed_phone.capture(3)
    abort_id = armed_phone.core.ledger.latch.abort_id
    armed_phone.hello()
    armed_phone.arm(rearm=abort_id, chain=b"elsewise")
    assert armed_phone.kinds()[-2:] == ["CLEAR", "ABORT"]
    assert armed_phone.core.ledger.latch.abort_id != abort_id
    assert armed_phone.restart().core.ledger.latch == armed_phone.core.ledger.latch
    other = armed_phone.core.ledger.latch.abort_id
    armed_phone.hello()
    armed_phone.arm(rearm=other, manifest="11" * 32)
    assert armed_phone.core.ledger.latch.code == Code.MANIFEST_MISMATCH


# -- recovery --------------------------------------------------------------------------------------


def test_an_open_exposure_is_void_after_a_restart(armed_phone):
    """INTENT without STORED -> VOID; its number is never used again."""
    armed_phone.capture(1)
    after = armed_phone.restart()
    assert after.kinds()[-2:] == ["BOOT", "VOID"]
    after.hello()
    assert after.ready["last_attempt"] == 1
    assert "in_doubt_index" not in after.ready


def test_a_stored_photo_is_still_in_doubt_after_a_restart(armed_phone):
    sha = armed_phone.expose(1)
    after = armed_phone.restart()
    after.hello()
    assert after.ready["in_doubt_sha"] == sha.hex()


def test_a_stored_photo_whose_file_is_gone_aborts(armed_phone):
    """STORED but missing altogether -> ABORT STORE_LOST, durable before the first knock."""
    armed_phone.expose(1)
    name = armed_phone.core.ledger.current.doubtful.name
    after = armed_phone.restart(missing=(name,))
    assert after.core.ledger.latch.code == Code.STORE_LOST
    assert name in after.core.ledger.latch.why
    assert after.kinds()[-1] == "ABORT"
    assert after.said_of(act.Aborted)[0].code == Code.STORE_LOST


def test_a_missing_file_does_not_replace_a_latched_abort(armed_phone):
    armed_phone.expose(1)
    armed_phone.capture(4)
    latch = armed_phone.core.ledger.latch
    after = armed_phone.restart(missing=("x.jpg",))
    assert after.core.ledger.latch == latch


def test_another_subset_may_follow(armed_phone):
    """One phone, one journal, subset after subset; the open exposure of the first is void."""
    armed_phone.capture(1)
    armed_phone.subset = subset_of(2, subset=2, first=5)
    armed_phone.chain = armed_phone.subset.chain_start()
    armed_phone.hello()
    assert armed_phone.ready["committed"] == 0
    armed_phone.arm()
    assert armed_phone.core.ledger.current.subset == 2
    assert armed_phone.kinds()[-3:] == ["VOID", "RUN", "ARM"]
    ticket = armed_phone.said_of(act.TriggerCamera)[0].ticket
    failed = act.CameraFailure(16, "killed")
    armed_phone.feed(armed_phone.core.camera_result(ticket, failed, 0.0))
    armed_phone.expose(5)
