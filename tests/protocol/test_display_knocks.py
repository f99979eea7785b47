"""Who is asked after a KNOCK, and how often: replays cost their turn and nothing else."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import MessageType
from rig.protocol.datagram import Datagram, canonical, encode
from rig.protocol.display_knocks import Knocks
from rig.protocol.keys import boot_key

M = MessageType
A, B, C = ("a", 1), ("b", 2), ("c", 3)


def _drain(knocks: Knocks) -> list[Any]:
    """Who is asked until nobody waits any more."""
    return [addr for addresses in iter(knocks.next, []) for addr in addresses]


# -- the memory ------------------------------------------------------------------------------------


def test_one_knock_is_one_turn():
    knocks = Knocks()
    assert knocks.hear(b"1", 5, A)
    assert knocks.soonest == A
    assert _drain(knocks) == [A]
    assert knocks.soonest is None


def test_a_number_lower_than_the_newest_of_its_life_is_nothing():
    knocks = Knocks()
    knocks.hear(b"1", 5, A)
    assert knocks.old(b"1", 4)
    assert not knocks.hear(b"1", 4, B)
    assert not knocks.old(b"1", 5)
    assert not knocks.old(b"2", 1)
    assert _drain(knocks) == [A]


def test_a_number_from_ever_new_addresses_is_asked_at_four_of_them_only():
    """The first among them; being asked makes no room for more of the same number."""
    knocks = Knocks()
    asked = []
    for n in range(100):
        knocks.hear(b"1", 5, ("evil", n))
        asked += knocks.next() if n % 2 else []
    assert [*asked, *_drain(knocks)] == [("evil", n) for n in range(4)]


def test_the_first_to_bring_the_newest_number_goes_first():
    """It pushes out nothing but, at the end, copies of an older number."""
    knocks = Knocks()
    for n in range(4):
        knocks.hear(b"1", 5, ("evil", n))
    knocks.hear(b"1", 6, A)
    knocks.hear(b"1", 6, ("evil", 9))
    assert _drain(knocks) == [A, ("evil", 9), ("evil", 0), ("evil", 1)]


def test_the_same_address_waits_once():
    knocks = Knocks()
    for pn in range(9):
        assert knocks.hear(b"1", pn, A)
    assert _drain(knocks) == [A]


def test_lives_take_turns_and_who_was_asked_longest_ago_is_next():
    knocks = Knocks()
    order: list[Any] = []
    for pn in range(3):
        for life in range(5):
            knocks.hear(b"old%d" % life, pn, ("evil", life))
        if pn == 1:
            knocks.hear(b"real", 1, A)
        order += [addr for _ in range(3) for addr in knocks.next()]
    assert order == [("evil", n) for n in (0, 1, 2, 3, 4)] + [A] + [("evil", n) for n in (0, 1, 2)]


def test_the_memory_is_bounded_and_keeps_who_was_there_first():
    knocks = Knocks()
    knocks.hear(b"real", 1, A)
    for n in range(10_000):
        knocks.hear(b"%d" % n, 1, ("evil", n))
    assert len(knocks._lives) == 64
    assert _drain(knocks)[0] == A


def test_repeats_without_a_knock_are_few_until_somebody_proves_to_be_there():
    knocks = Knocks()
    assert knocks.repeat() is None
    knocks.hear(b"1", 1, A)
    knocks.next()
    assert [knocks.repeat() for _ in range(10)] == [A] * 8 + [None] * 2
    knocks.over(proved=False)
    knocks.hear(b"1", 2, A)
    knocks.next()
    assert knocks.repeat() is None
    knocks.over(proved=True)
    assert knocks.repeat() is None
    knocks.hear(b"1", 3, B)
    assert knocks.next() == [B]
    assert knocks.repeat() == B


def test_the_end_of_a_handshake_forgets_who_waits_but_no_number():
    knocks = Knocks()
    knocks.hear(b"1", 7, A)
    knocks.over(proved=True)
    assert _drain(knocks) == []
    assert knocks.old(b"1", 6)


# -- the core --------------------------------------------------------------------------------------


def _hellos(bench: Any) -> list[act.Addr]:
    """Addresses that HELLO was sent to, from now on, in order."""
    asked: list[act.Addr] = []
    sent = bench.sent

    def note(d: Datagram, o: act.SendDatagram) -> None:
        if d.type == M.HELLO:
            asked.append(o.addr)
        sent(d, o)

    bench.sent = note
    return asked


def _knock(psk: bytes, boot: bytes, pn: int) -> bytes:
    payload = canonical({"boot_id": boot.hex(), "aborted": False})
    return encode(Datagram(M.KNOCK, pn=pn, payload=payload), boot_key(psk))


def test_whoever_knocks_is_asked_in_turn_and_soon(display, psk: bytes):
    asked = _hellos(display)
    for addr, boot in ((A, b"life-001"), (B, b"life-002"), (C, b"life-003")):
        display.raw(_knock(psk, boot, 1), addr)
    assert asked == [A]
    display.advance(0.1)
    assert asked == [A, B, C]


def test_a_replayed_knock_of_a_known_life_is_not_even_answered(display, psk: bytes):
    asked = _hellos(display)
    display.raw(_knock(psk, b"life-001", 9), A)
    display.ready(boot_id=b"life-001".hex())
    asked.clear()
    display.raw(_knock(psk, b"life-001", 8), B)
    display.advance(0.2)
    assert asked == []


def test_a_probe_asks_the_phone_that_is_alive_too_and_ends_with_its_word(armed_display, psk: bytes):
    """A KNOCK of an unknown life beside the live connection."""
    asked = _hellos(armed_display)
    armed_display.raw(_knock(psk, b"old-life", 3), B)
    armed_display.advance(1.0)
    assert set(asked) == {B, ("peer", 1)}
    armed_display.ready()
    asked.clear()
    armed_display.advance(5.0)
    assert asked == []


@pytest.mark.parametrize("every", [0.001, 0.1, 1.0, 20.0])
@pytest.mark.parametrize("lives", [1, 6, 40])
def test_no_more_than_about_one_hello_for_each_knock(display, psk: bytes, every: float, lives: int):
    """However slow or fast replays come: their addresses get 8 HELLOs more than they asked for."""
    asked = _hellos(display)
    knocks = 0
    for n, life in zip(range(200), itertools.cycle(range(lives))):
        display.raw(_knock(psk, b"life%04d" % life, n + 1), ("evil", n))
        knocks += 1
        display.advance(every)
    assert len(asked) <= knocks + 8
    assert len(asked) <= 80 * display.now + 12


def test_replays_stop_costing_anything_once_they_are_known(display, psk: bytes):
    asked = _hellos(display)
    recorded = [_knock(psk, b"life%04d" % (n % 5), n) for n in range(1, 100)]
    for _ in range(20):
        for n, data in enumerate(recorded):
            display.raw(data, ("evil", n))
            display.advance(0.01)
    assert len(asked) <= len(recorded) + 8 + 4 * 5
