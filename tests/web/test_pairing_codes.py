"""Codes work once, for ten minutes, and cannot be guessed by trying."""

import itertools

import pytest

from rig.web.pairing_codes import (
    ADDRESSES,
    CODE_NS,
    TRIES,
    TRIES_NS,
    VIEW_NS,
    Codes,
    TooManyTriesError,
    network_of,
)

PHONE = "192.168.1.7"
T0 = 10**18


@pytest.fixture
def codes():
    numbers = itertools.count(1)
    return Codes(b"key", lambda n: next(numbers).to_bytes(n, "big"))


def test_a_code_has_eight_characters_that_survive_being_read_aloud(codes):
    """Base32: no 0, 1, 8 or 9; 40 random bits."""
    text, code = codes.make("room-1", T0)
    assert text == "AAAAAAAB"
    assert (code.station, code.expires_ns, code.number) == ("room-1", T0 + CODE_NS, 1)
    assert codes.look(" aaaa-AAAB\n", PHONE, T0) is code


def test_only_hashes_are_kept(codes):
    """Whoever reads the memory of the table learns no code."""
    text, _ = codes.make("room-1", T0)
    assert text not in repr(vars(codes))


def test_a_code_expires_after_ten_minutes_of_the_given_clock(codes):
    """To the nanosecond; then it is not even known."""
    text, code = codes.make("room-1", T0)
    last = T0 + CODE_NS - 1
    assert codes.look(text, PHONE, last) is code
    assert code.fresh(last)
    assert codes.look(text, PHONE, T0 + CODE_NS) is None


def test_a_used_code_only_shows_how_the_phone_is_for_an_hour(codes):
    """Its page may go on; it pairs nobody."""
    text, code = codes.make("room-1", T0)
    code.used_ns = T0 + 5
    assert codes.look(text, PHONE, T0 + 5 + VIEW_NS - 1) is code
    assert not code.fresh(T0 + 6)
    assert codes.look(text, PHONE, T0 + 5 + VIEW_NS) is None


def test_a_new_code_voids_the_unused_one_of_the_same_station_only(codes):
    """At most one code opens a station."""
    first, _ = codes.make("room-1", T0)
    other, kept = codes.make("room-2", T0)
    second, newest = codes.make("room-1", T0)
    assert codes.look(first, PHONE, T0) is None
    assert codes.look(second, PHONE, T0) is newest is codes.of_station("room-1", T0)
    assert codes.look(other, PHONE, T0) is kept
    codes.void("room-1")
    assert codes.look(second, PHONE, T0) is None


def test_five_wrong_tries_close_the_door_for_a_minute(codes):
    """For the right code too, from that address; others still come in."""
    text, code = codes.make("room-1", T0)
    for second in range(TRIES):
        assert codes.look("WRONG222", PHONE, T0 + second * 10**9) is None
    with pytest.raises(TooManyTriesError) as error:
        codes.look(text, PHONE, T0 + 5 * 10**9)
    assert error.value.wait_s == 55
    assert codes.look(text, "192.168.1.8", T0 + 5 * 10**9) is code
    assert codes.look(text, PHONE, T0 + TRIES_NS) is code


def test_looking_at_a_right_code_costs_no_try(codes):
    """The phone's page asks every few seconds."""
    text, code = codes.make("room-1", T0)
    assert all(codes.look(text, PHONE, T0 + n) is code for n in range(100))


def test_a_clock_set_back_locks_nobody_out(codes):
    """Tries "in the future" do not count."""
    text, code = codes.make("room-1", T0)
    for _ in range(TRIES):
        codes.look("", PHONE, T0)
    assert codes.look(text, PHONE, T0 - 3600 * 10**9) is code


@pytest.mark.parametrize("text", ["", "A", "AAAAAAA1", "AAAAAAABA", "ÄAAAAAAB", "\ud800", "a" * 99])
def test_what_is_no_code_is_a_wrong_try(codes, text):
    """Nothing crashes, nothing matches."""
    codes.make("room-1", T0)
    assert codes.look(text, PHONE, T0) is None


def test_many_addresses_do_not_fill_the_memory(codes):
    """The oldest are forgotten."""
    for n in range(ADDRESSES + 50):
        codes.look("WRONG222", f"10.0.{n // 256}.{n % 256}", T0)
    assert len(codes._wrong) == ADDRESSES


def test_an_ipv6_sender_is_its_network():
    """It can choose 2**64 addresses by itself."""
    assert network_of("fe80::1%eth0") == network_of("fe80::2") == "fe80::/64"
    assert network_of("::ffff:10.0.0.1") == network_of("10.0.0.1") == "10.0.0.1"
    assert network_of("testclient") == "testclient"
