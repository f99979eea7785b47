"""Replay window and retransmission time-out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.protocol.codes import Timers
from rig.protocol.window import ReplayWindow, RoundTrip


def test_a_number_is_accepted_once():
    window = ReplayWindow()
    assert [window.accept(n) for n in (1, 1, 2, 1, 2)] == [True, False, True, False, False]


def test_zero_is_never_a_packet_number():
    assert not ReplayWindow().accept(0)


def test_numbers_may_arrive_out_of_order_within_the_window():
    window = ReplayWindow()
    assert all(window.accept(n) for n in (70, 69, 7, 40))
    assert not any(window.accept(n) for n in (70, 69, 7, 40))


def test_what_is_64_or_more_below_the_highest_is_refused():
    """The window is 64 wide: 63 below is new, 64 below is too old."""
    window = ReplayWindow()
    assert window.accept(100)
    assert window.accept(37)
    assert not window.accept(36)


def test_a_jump_to_the_last_number_forgets_all_before():
    """One jump over the whole range is as cheap as a step."""
    window = ReplayWindow()
    assert window.accept(1)
    assert window.accept(2**32 - 1)
    assert window.highest == 2**32 - 1
    assert not window.accept(1)
    assert window.accept(2**32 - 64)
    assert not window.accept(2**32 - 65)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=120))
def test_the_window_behaves_like_a_set_with_a_horizon(numbers: list[int]):
    window, seen, highest = ReplayWindow(), set(), 0
    for n in numbers:
        fresh = n > 0 and n not in seen and n > highest - 64
        assert window.accept(n) is fresh
        if fresh:
            seen.add(n)
            highest = max(highest, n)
    assert window.highest == highest


def _trip(*samples: float) -> RoundTrip:
    trip = RoundTrip(Timers())
    for pn, sample in enumerate(samples, 1):
        trip.sent(pn, 10.0)
        trip.answered(pn, 10.0 + sample)
    return trip


def test_the_first_timeout_is_the_initial_one():
    trip = _trip()
    assert trip.smoothed is None
    assert trip.timeout(0, 0.0) == 0.25


def test_the_first_sample_sets_average_and_half_of_it_as_deviation():
    """RFC 6298 2.2: SRTT = R, RTTVAR = R/2, RTO = SRTT + 4 RTTVAR."""
    trip = _trip(0.1)
    assert trip.smoothed == pytest.approx(0.1)
    assert trip.timeout(0, 0.0) == pytest.approx(0.3)


def test_later_samples_are_smoothed():
    """RFC 6298 2.3: the deviation by a quarter, with the old average, then it by an eighth."""
    trip = _trip(0.1, 0.2)
    assert trip.smoothed == pytest.approx(0.1 * 7 / 8 + 0.2 / 8)
    variance = 0.05 * 3 / 4 + 0.1 / 4
    assert trip.timeout(0, 0.0) == pytest.approx(trip.smoothed + 4 * variance)


def test_the_timeout_is_clamped():
    """30 ms to 2 s, before the jitter."""
    assert _trip(*[0.0001] * 20).timeout(0, 0.0) == 0.03
    assert _trip(60.0).timeout(0, 0.0) == 2.0


def test_the_timeout_doubles_with_every_loss_up_to_its_limit():
    trip = _trip()
    assert [trip.timeout(n, 0.0) for n in (0, 1, 2, 3, 4, 5000)] == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 40), st.floats(0, 1, exclude_max=True))
def test_the_jitter_adds_less_than_half(losses: int, jitter: float):
    """A timer is stretched by a factor in [1, 1.5)."""
    plain = _trip().timeout(losses, 0.0)
    assert plain <= _trip().timeout(losses, jitter) <= plain * 1.5


def test_an_unknown_or_repeated_acknowledgement_is_no_sample():
    """ack_pn names one transmission, so a sample is never ambiguous (Karn)."""
    trip = _trip(0.1)
    trip.answered(1, 99.0)
    trip.answered(77, 99.0)
    assert trip.smoothed == pytest.approx(0.1)


def test_only_the_last_64_transmissions_are_remembered():
    trip = RoundTrip(Timers())
    for pn in range(1, 66):
        trip.sent(pn, 0.0)
    trip.answered(1, 5.0)
    assert trip.smoothed is None
    trip.answered(2, 5.0)
    assert trip.smoothed == 5.0


def test_a_clock_that_stands_still_gives_no_negative_sample():
    trip = RoundTrip(Timers())
    trip.sent(1, 5.0)
    trip.answered(1, 4.0)
    assert trip.smoothed == 0.0
