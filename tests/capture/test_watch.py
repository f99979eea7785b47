"""When a session pauses by itself: too long, too slow, too many bad photos."""

import pytest

from rig.capture.watch import RESUMES, Limits, Watch
from rig.store.events import Event

S = 10**9
SESSION = "s" + "1" * 16


def told(kind, at, *, index=None, **body):
    """An event that the controller hears the moment it happens, at *at* seconds."""
    return Event(kind, round(at * S), round(at * S), "x", SESSION, index=index, body=body)


@pytest.fixture
def watch():
    return Watch(Limits(patience_s=10))


def shoot(watch, count, *, every=2.0, since=0.0):
    """*count* captures; returns the time of the last one."""
    at = since
    for index in range(count):
        at = since + index * every
        watch.hear(told("committed", at, index=index))
    return at


def codes(watch, *times):
    return [found.code for at in times if (found := watch.look(round(at * S)))]


def test_no_capture_for_five_intervals_is_a_stall_and_said_once(watch):
    """2 s are usual: after 10 s nothing yet, a bit later it is said, and only once."""
    at = shoot(watch, 10)
    assert codes(watch, at + 9.9) == []
    found = watch.look(round((at + 10.5) * S))
    assert (found.code, "2.0 s" in found.why) == ("STALLED", True)
    assert codes(watch, at + 11, at + 100) == []


def test_a_slow_rig_has_five_of_its_own_intervals(watch):
    """20 s a capture: 90 s of silence are nothing."""
    at = shoot(watch, 10, every=20.0)
    assert codes(watch, at + 90) == []
    assert codes(watch, at + 101) == ["STALLED"]


@pytest.mark.parametrize("kind", ["paused", "aborted", "stopping", "stopped", "interrupted"])
def test_who_stands_still_on_purpose_does_not_stall(watch, kind):
    """And going on begins anew: the pause is no interval."""
    at = shoot(watch, 10)
    watch.hear(told(kind, at + 1))
    assert codes(watch, at + 10_000) == []
    watch.hear(told("resumed", at + 10_000))
    last = shoot(watch, 3, since=at + 10_002)
    assert codes(watch, last + 5) == []
    assert codes(watch, last + 11) == ["STALLED"]


def test_a_session_that_has_hardly_begun_is_left_alone(watch):
    """Nobody knows what is usual."""
    at = shoot(watch, 3)
    assert codes(watch, at + 1000) == []


def test_a_station_out_of_sight_is_excused(watch):
    """Its events come later; the silence counts from when it is back."""
    at = shoot(watch, 10)
    watch.excuse(round((at + 500) * S))
    assert codes(watch, at + 505) == []
    assert codes(watch, at + 511) == ["STALLED"]


def test_a_backlog_is_judged_by_the_clock_of_the_station(watch):
    """A hundred events at once are not a rate of infinity, nor a stall."""
    for index in range(60):
        watch.hear(Event("committed", index * 2 * S, 500 * S, "x", SESSION, index=index, body={}))
    assert codes(watch, 505) == []


def test_a_rate_below_its_share_is_said_once(watch):
    """From 2 s to 8 s a capture: less than 30 % of the usual rate."""
    at = shoot(watch, 30)
    for n in range(1, 6):
        watch.hear(told("committed", at + 8 * n, index=100 + n))
        found = watch.look(round((at + 8 * n) * S))
        if found is not None:
            break
    assert (n, found.code) == (3, "THROUGHPUT")  # the median of the newest five
    assert "8.0 s" in found.why
    assert codes(watch, at + 8 * n + 1) == []


def test_a_rate_of_half_is_none_of_its_business(watch):
    """It is still above the share."""
    at = shoot(watch, 30)
    for n in range(1, 10):
        watch.hear(told("committed", at + 4 * n, index=100 + n))
        assert codes(watch, at + 4 * n) == []


def test_three_rejected_in_a_row_and_a_good_one_ends_the_row(watch):
    """A second verdict about the same photo counts once."""
    shoot(watch, 5)
    for index, good in ((1, False), (2, False), (3, True), (4, False), (4, False), (5, False)):
        watch.hear(told("photo_verified", 9, index=index, verified=good))
        assert codes(watch, 9) == []
    watch.hear(told("photo_verified", 9, index=6, verified=False))
    found = watch.look(9 * S)
    assert (found.code, "4, 5, 6" in found.why) == ("REJECTED", True)
    assert codes(watch, 9) == []


def test_every_reason_says_what_resumes_it():
    """Also those that the agents pause for."""
    assert {"STALLED", "THROUGHPUT", "REJECTED", "LIGHT", "DISK_LOW", "BATTERY_LOW"} <= set(RESUMES)
    assert all(text.endswith(".") for text in RESUMES.values())
