"""Lives of a phone as the display tells them apart, replays, and silence."""

from __future__ import annotations

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import Code, MessageType
from rig.protocol.datagram import Datagram, canonical, parse_payload
from rig.protocol.display import Phase

M = MessageType


def _doubt(index: int, attempt: int = 1, sha: bytes = b"s" * 32, token: bytes = bytes(8)):
    """What READY says of a photo in doubt."""
    return {
        "in_doubt_index": index, "in_doubt_attempt": attempt, "in_doubt_sha": sha.hex(),
        "in_doubt_token": token.hex(), "in_doubt_size": 10, "in_doubt_w": 4, "in_doubt_h": 3,
        "in_doubt_t0": "1", "in_doubt_t1": "2",
    }  # fmt: skip


def _phone_restarts(bench, **said: object) -> None:
    bench.boot = b"new-boot"
    bench.knock()
    bench.ready(**said)


# -- lives and replays -----------------------------------------------------------------------------


def test_a_phone_that_was_restarted_is_armed_anew_while_the_image_stays(armed_display):
    """KNOCK with an unseen boot_id -> new handshake, same image stays up."""
    armed_display.paint()
    armed_display.take()
    _phone_restarts(armed_display)
    assert armed_display.said_of(act.Blank) == []
    armed_display.armed()
    assert armed_display.said_of(act.Painting) == [act.Painting(1, 2)]


def test_a_knock_of_a_superseded_life_is_ignored(armed_display):
    """READY/KNOCK from a boot_id already seen superseded is ignored."""
    old = armed_display.boot
    _phone_restarts(armed_display)
    armed_display.armed()
    armed_display.take()
    armed_display.knock(old)
    assert armed_display.messages() == []


def test_a_knock_of_the_living_phone_starts_nothing(armed_display):
    armed_display.take()
    armed_display.knock()
    armed_display.knock(addr=("elsewhere", 1))
    assert armed_display.messages() == []


def test_a_living_phone_that_has_forgotten_the_connection_is_armed_anew(armed_display):
    """Another display took it and let go: the same boot_id knocks after five silent seconds."""
    armed_display.feed(armed_display.core.operator("pause", 0.0))
    armed_display.advance(4.0)
    armed_display.take()
    armed_display.knock()
    assert armed_display.messages(M.HELLO) == []
    armed_display.advance(2.0)
    armed_display.knock()
    assert len(armed_display.messages(M.HELLO)) == 1
    armed_display.ready(last_attempt=1)
    armed_display.armed()
    armed_display.feed(armed_display.core.operator("resume", armed_display.now))
    assert armed_display.said_of(act.Painting)[-1] == act.Painting(1, 2)


def test_a_phone_that_is_heard_again_meanwhile_keeps_its_connection(armed_display):
    """It was only silent: READY of the same life changes nothing once it has spoken."""
    armed_display.advance(6.0)
    armed_display.knock()
    armed_display.tell(Datagram(M.PONG))
    armed_display.take()
    armed_display.ready()
    assert armed_display.messages() == []
    assert armed_display.core.link_age_since == armed_display.now


def test_a_replayed_knock_of_an_unknown_life_costs_a_few_datagrams(armed_display):
    """A KNOCK of a life before this display's: HELLO in vain, the run goes on undisturbed."""
    armed_display.knock(b"long-ago", ("attacker", 1))
    armed_display.shoot()
    armed_display.paint()
    assert armed_display.core.ledger.next_index == 2
    for _ in range(40):
        armed_display.advance(1.0)
        armed_display.tell(Datagram(M.PONG))
    hellos = armed_display.messages(M.HELLO)
    assert 1 <= len(hellos) <= 10
    assert armed_display.core.phase is Phase.CAPTURE


def test_ready_of_the_living_phone_ends_the_needless_handshake(armed_display):
    armed_display.knock(b"long-ago")
    armed_display.take()
    armed_display.ready()
    assert armed_display.take() == []
    armed_display.advance(10.0)
    assert armed_display.messages(M.HELLO) == []


def test_an_old_ready_is_ignored(armed_display):
    """Its nonce is not of the handshake under way."""
    data = armed_display.ready()
    armed_display.take()
    armed_display.raw(data)
    _phone_restarts(armed_display)
    armed_display.take()
    armed_display.raw(data)
    assert armed_display.take() == []


@pytest.mark.parametrize("said", [{"nonce_d": "00" * 16}, {"boot_id": "00"}, {"nonce_p": ...}])
def test_a_ready_that_answers_nothing_is_ignored(display, said: dict[str, object]):
    display.knock()
    display.take()
    body = {"nonce_d": display.nonce_d.hex(), "nonce_p": "00" * 16, "boot_id": "00" * 8, **said}
    payload = canonical({k: v for k, v in body.items() if v is not ...})
    display.tell_boot(Datagram(M.READY, subset=1, payload=payload))
    assert display.messages() == []


def test_a_ready_for_another_subset_or_connection_is_ignored(display):
    display.knock()
    display.take()
    body = {"nonce_d": display.nonce_d.hex(), "nonce_p": "00" * 16, "boot_id": "00" * 8}
    display.tell_boot(Datagram(M.READY, subset=2, payload=canonical(body)))
    display.tell_boot(Datagram(M.READY, subset=1, payload=canonical(body)))
    assert display.messages() == []


def test_a_delayed_ready_of_a_life_before_does_not_lock_out_the_living_phone(display):
    """Two lives answered one HELLO, the dead one's READY comes last: a fresh nonce decides."""
    display.knock()
    display.ready()
    assert display.core.phase is Phase.ARM
    living, display.boot = display.boot, b"the-dead"
    display.ready()
    display.boot = living
    display.now += 1.0
    display.knock()
    display.ready()
    display.armed()
    assert display.core.phase is Phase.PAINT


def test_the_later_of_two_lives_that_answered_one_hello_is_armed(display):
    """The same story with the dead one first: its life is over, whatever it sends later."""
    display.knock()
    display.ready()
    dead, display.boot = display.boot, b"the-live"
    display.ready()
    display.ready()
    display.armed()
    assert display.core.phase is Phase.PAINT
    display.take()
    display.knock(dead)
    assert display.take() == []


def test_a_delayed_copy_of_an_older_ready_does_not_go_back_to_its_connection(display):
    """READY numbers its transmissions: the phone has left the older candidate behind."""
    display.knock()
    older = display.ready()
    old = display.conn
    display.ready()
    newer = display.conn
    display.raw(older)
    display.take()
    display.conn = old
    display.armed()
    assert display.core.phase is Phase.ARM
    display.conn = newer
    display.armed()
    assert display.core.phase is Phase.PAINT


def test_armed_is_believed_once_and_only_while_arming(display):
    display.knock()
    display.ready()
    display.armed()
    display.take()
    display.armed()
    assert display.take() == []


def test_the_phone_s_view_that_moved_on_is_decided_again(display):
    """READY instead of ARMED: decide again on the new view, on the same connection."""
    display.knock()
    nonce_p = bytes(16)
    display.ready(nonce_p=nonce_p)
    display.ready(nonce_p=nonce_p, **_doubt(1))
    arms = [parse_payload(d.payload)["resolution"] for d in display.messages(M.ARM)]
    assert arms == ["none", "void"]


# -- liveness --------------------------------------------------------------------------------------


def test_an_idle_connection_is_pinged_every_second(armed_display):
    armed_display.feed(armed_display.core.operator("pause", 0.0))
    armed_display.take()
    armed_display.advance(4.6)
    assert 4 <= len(armed_display.messages(M.PING)) <= 5


def test_five_silent_seconds_are_a_lost_peer_and_a_word_brings_it_back(armed_display):
    armed_display.feed(armed_display.core.operator("pause", 0.0))
    armed_display.advance(4.9)
    assert armed_display.said_of(act.PeerLost) == []
    armed_display.advance(1.1)
    assert [round(e.seconds) for e in armed_display.said_of(act.PeerLost)] == [5]
    armed_display.advance(20.0)
    assert len(armed_display.said_of(act.PeerLost)) == 1
    armed_display.tell(Datagram(M.PONG))
    assert armed_display.said_of(act.PeerBack) == [act.PeerBack()]
    assert armed_display.core.link_age_since == armed_display.now


def test_link_age_and_round_trip_are_known_once_connected(display):
    assert display.core.link_age_since is None
    assert display.core.round_trip is None
    display.connect()
    assert display.core.link_age_since == 0.0
    capture = display.paint() and display.asked()
    display.now += 0.04
    display.reply(M.ACCEPTED, capture, code=Code.EXPOSING)
    assert display.core.round_trip == pytest.approx(0.09)


def test_an_unintelligible_message_aborts(armed_display):
    armed_display.paint()
    armed_display.reply(M.CAPTURED, payload=b"{")
    assert armed_display.core.ledger.latch.code == Code.PROTOCOL
