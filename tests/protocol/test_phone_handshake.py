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
