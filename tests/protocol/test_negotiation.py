"""What a handshake may be refused for, and when a connection has to be replaced."""

from __future__ import annotations

from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import PN_MAX, PN_WORN, Code, MessageType
from rig.protocol.datagram import MAX_PAYLOAD, Datagram, canonical, parse_payload
from rig.protocol.display import Phase
from rig.protocol.keys import BadPairing, Pairing, parse_pairing
from rig.protocol.phone import PhoneConfig, PhoneCore

M = MessageType


def _hello(bench: Any, **said: Any) -> Datagram:
    """READY in answer to a HELLO that says *said* too."""
    body = {"nonce_d": "00" * 16, "campaign_id": bench.subset.campaign.hex(), **said}
    bench.take()
    bench.tell_boot(Datagram(M.HELLO, subset=1, payload=canonical(body)))
    return bench.messages(M.READY)[0]


# -- versions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("vmin", "vmax"), [(1, 1), (0, 1), (1, 7), (0, 255)])
def test_a_version_that_both_speak_is_chosen(phone, vmin: int, vmax: int):
    ready = _hello(phone, vmin=vmin, vmax=vmax)
    assert ready.code == Code.OK
    assert parse_payload(ready.payload)["version"] == 1


@pytest.mark.parametrize(("vmin", "vmax"), [(2, 3), (0, 0), (3, 1)])
def test_no_common_version_is_refused_in_ready(phone, vmin: int, vmax: int):
    before = list(phone.journal)
    assert _hello(phone, vmin=vmin, vmax=vmax).code == Code.VERSION
    assert phone.journal == before


@pytest.mark.parametrize("said", [{"vmin": "1"}, {"vmax": -1}, {"vmin": None}])
def test_versions_that_are_no_numbers_are_dropped(phone, said: dict[str, Any]):
    phone.take()
    body = {"nonce_d": "00" * 16, "campaign_id": "00" * 8, **said}
    phone.tell_boot(Datagram(M.HELLO, subset=1, payload=canonical(body)))
    assert phone.take() == []


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_a_version_that_was_not_offered_aborts(display, version: Any):
    display.knock()
    display.ready(version=version)
    assert display.core.ledger.latch.code == Code.VERSION
    assert "install the same release" in display.core.ledger.latch.why


# -- campaigns -------------------------------------------------------------------------------------


@pytest.fixture
def bound(phone_bench: Any, psk: bytes) -> Any:
    """A phone whose pairing is bound to the campaign of another subset."""
    bench = phone_bench()
    cfg = PhoneConfig(hosts=(("display", 47911),), campaign=b"campaign")
    bench.core = PhoneCore(cfg, (), psk, bench.random.randbytes)
    return bench.start()


def test_another_campaign_than_the_pairing_s_is_refused_in_ready(bound):
    before = list(bound.journal)
    assert _hello(bound).code == Code.CAMPAIGN_MISMATCH
    assert bound.journal == before


def test_a_display_that_arms_all_the_same_aborts_the_phone(bound):
    bound.connect()
    assert bound.core.ledger.latch.code == Code.CAMPAIGN_MISMATCH
    assert bound.core.ledger.current is None


def test_the_campaign_that_it_is_bound_to_is_served(phone_bench: Any, psk: bytes):
    bench = phone_bench()
    cfg = PhoneConfig(hosts=(("display", 47911),), campaign=bench.subset.campaign)
    bench.core = PhoneCore(cfg, (), psk, bench.random.randbytes)
    bench.start().connect()
    bench.expose(1)


def test_the_display_aborts_with_the_reason(display):
    display.knock()
    nonce_p = bytes(16)
    display.ready(nonce_p=nonce_p)
    body = {"nonce_d": display.nonce_d.hex(), "nonce_p": nonce_p.hex()}
    payload = canonical({**body, "boot_id": display.boot.hex()})
    fields = {"conn_id": display.conn.conn_id, "subset": 1, "payload": payload}
    display.tell_boot(Datagram(M.READY, code=Code.CAMPAIGN_MISMATCH, **fields))
    latch = display.core.ledger.latch
    assert latch.code == Code.CAMPAIGN_MISMATCH
    assert "another campaign" in latch.why


@pytest.mark.parametrize("campaign", ["zz", "0123", "0123456789ABCDEF", "0" * 17])
def test_a_damaged_campaign_in_a_pairing_is_refused(campaign: str):
    url = Pairing(bytes(32), (("10.0.0.1", 1),), campaign).url()
    with pytest.raises(BadPairing, match="campaign"):
        parse_pairing(url)


def test_the_fullest_ready_fits_a_datagram(armed_phone):
    """Every field at its longest: 31 keys, well within one payload."""
    armed_phone.core._cfg = PhoneConfig(
        hosts=(), camera="\U0001f4f7" * 99, camera_size=(2**31, 2**31), est_photo_bytes=2**50
    )
    armed_phone.feed(armed_phone.core.environment(2**60, 100, True, -273.0, 0.0))
    armed_phone.expose(1)
    run = armed_phone.core.ledger.current
    armed_phone.tell(
        Datagram(
            M.ABORT,
            code=255,
            digest=b"\xff" * 8,
            payload=canonical({"expected": 2**32, "got": 2**32, "why": '"\U0001f4f7' * 100}),
        )
    )
    assert run.doubtful is not None
    armed_phone.hello()
    ready = armed_phone.messages(M.READY)[-1]
    assert len(armed_phone.ready) <= 32
    assert len(ready.payload) <= MAX_PAYLOAD - 60  # larger numbers still fit


# -- packet numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize("whose", ["display", "phone"])
def test_a_new_handshake_is_made_before_packet_numbers_run_out(armed_display, whose: str):
    """Either direction's: HELLO beside the live connection, then a fresh one that counts from 1."""
    connection = armed_display.core._connection
    if whose == "display":
        connection._pn = PN_WORN
    else:
        armed_display.conn._pn = PN_WORN
    armed_display.tell(Datagram(M.PONG))
    armed_display.take()
    armed_display.advance(1.1)
    assert len(armed_display.messages(M.HELLO)) >= 1
    armed_display.ready()
    armed_display.armed()
    assert armed_display.core._connection is not connection
    assert armed_display.core._connection._pn < 10
    assert armed_display.core.phase is Phase.PAINT
    armed_display.shoot()


def test_a_young_connection_is_left_alone(armed_display):
    armed_display.core._connection._pn = PN_WORN - 100
    armed_display.take()
    for _ in range(20):
        armed_display.advance(1.0)
        armed_display.tell(Datagram(M.PONG))
    assert armed_display.messages(M.HELLO) == []


@pytest.mark.parametrize("who", ["display", "phone"])
def test_no_packet_number_is_used_twice(armed_display, armed_phone, who: str):
    """The last one is the last: nothing is sent any more, and nothing raises."""
    bench = armed_display if who == "display" else armed_phone
    connection = bench.core._connection if who == "display" else bench.core._live
    connection._pn = PN_MAX - 1
    bench.take()
    for _ in range(3):
        bench.tell(Datagram(M.PING if who == "phone" else M.CAPTURED))
        bench.feed(bench.core.bye(bench.now))
    sent = [d.pn for d in bench.messages() if d.conn_id == connection.conn_id]
    assert sent == [PN_MAX]


def test_a_phone_that_can_send_no_more_knocks(armed_phone):
    """The display hears that somebody is there and makes a new connection."""
    armed_phone.core._live._pn = PN_MAX
    armed_phone.take()
    for _ in range(4):
        armed_phone.advance(1.0)
        armed_phone.tell(Datagram(M.PING))
    assert armed_phone.messages(M.PONG) == []
    assert len(armed_phone.messages(M.KNOCK)) >= 1


@pytest.mark.parametrize("who", ["display", "phone"])
def test_a_run_goes_on_over_the_change_of_connections(observed: Any, who: str):
    rig = observed(4, loss=0.1, seed=2)
    rig.boot()
    rig.until(lambda: rig.display.ledger.next_index == 2)
    before = rig.display._connection
    if who == "display":
        rig.display._connection._pn = PN_WORN
    else:
        rig.phone._live._pn = PN_WORN
    rig.finish()
    rig.audit_all()
    assert rig.display._connection is not before
    assert rig.said(act.Aborted) == []
