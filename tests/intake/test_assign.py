"""The assignment of photos to showings: order, time, doubt."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from rig.intake import assign
from rig.intake.assign import ALIKE, BACKWARD, SKIPPED, VERIFIED, clock_of, time_costs

S = 1_000_000_000


def gains(*rows):
    return [np.array(row, dtype=float) for row in rows]


def showings(choices):
    return [choice.showing for choice in choices]


def test_what_pixels_prove_is_believed_against_the_order():
    """Two photos the wrong way round: each is where its pixels say."""
    found = assign.assign(gains([0, 0, VERIFIED], [VERIFIED, 0, 0]), [1, 2, 3])
    assert showings(found) == [2, 0]


def test_order_decides_between_two_that_look_alike():
    """Between the first and the third, the second is likelier than the last."""
    rows = gains([VERIFIED, 0, 0, 0], [0, 2.0, 0, 2.1], [0, 0, VERIFIED, 0])
    found = assign.assign(rows, [1, 2, 3, 4])
    assert showings(found) == [0, 1, 2]
    assert 0 < found[1].margin < BACKWARD
    assert 3 in found[1].others


def test_two_photos_of_one_showing_and_none_of_another():
    """People take two, and forget one."""
    rows = gains([VERIFIED, 0, 0], [VERIFIED, 0, 0], [0, 0, VERIFIED])
    assert showings(assign.assign(rows, [1, 2, 3])) == [0, 0, 2]


def test_a_photo_of_the_desk_shows_none():
    """Nothing speaks for any x-ray; its neighbours are not moved by it."""
    rows = gains([VERIFIED, 0, 0], [-1, -1, -1], [0, VERIFIED, 0])
    found = assign.assign(rows, [1, 2, 3])
    assert showings(found) == [0, None, 1]


def test_two_showings_of_one_xray_are_no_doubt():
    """Somebody went back: whichever of the two it is, the x-ray is the same."""
    found = assign.assign(gains([VERIFIED, 0, VERIFIED]), [7, 8, 7])
    assert found[0].margin == pytest.approx(VERIFIED)


def test_without_photos_or_showings_there_is_nothing():
    assert assign.assign([], [1]) == ()
    assert showings(assign.assign(gains([]), [])) == [None]


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_best_of_all_assignments(seed):
    """Against every possible assignment of small sets, tried one by one."""
    rng = np.random.default_rng(seed)
    photos, shown = 4, 4
    rows = [rng.uniform(-3, ALIKE, shown) for _ in range(photos)]

    def worth(path):
        total, before = 0.0, None
        for row, at in zip(rows, path, strict=True):
            if at is None:
                continue
            if before is not None:
                ahead = at - before
                total -= SKIPPED * ahead if ahead >= 0 else BACKWARD
            total, before = total + row[at], at
        return total

    every = {p: worth(p) for p in itertools.product([*range(shown), None], repeat=photos)}
    best = max(every.values())
    found = assign.assign(rows, list(range(shown)))
    assert every[tuple(showings(found))] == pytest.approx(best, abs=1e-9)
    for place, choice in enumerate(found):
        second = max(v for p, v in every.items() if p[place] != choice.showing)
        assert choice.margin == pytest.approx(best - second, abs=1e-9)


def test_the_clock_is_what_most_photos_agree_on():
    """An hour and a second off; one photo of another day has no say."""
    off = 3_601 * S
    pairs = [(off + at * 10 * S + 3 * S, at * 10 * S, at * 10 * S + 8 * S) for at in range(6)]
    pairs.append((900_000 * S, 0, 8 * S))
    clock = clock_of(pairs)
    assert abs(clock.offset_ns - off) <= 5 * S
    assert (clock.agreeing, clock.of, clock.trusted) == (6, 7, True)


def test_two_photos_are_no_clock():
    assert not clock_of([(5 * S, 0, S), (6 * S, S, 2 * S)]).trusted
    assert clock_of([]) is None


def test_time_costs_more_the_further_off_and_never_much():
    """In the showing nothing, beside it a little, far away the most there is."""
    spans = [(at * 10 * S, at * 10 * S + 10 * S) for at in range(5)]
    clock = clock_of([(at * 10 * S + 5 * S, *spans[at]) for at in range(5)])
    costs = time_costs(15 * S, spans, clock)
    assert costs[1] == 0
    assert 0 < costs[0] < costs[4] <= assign.LATE
    assert not time_costs(None, spans, clock).any()
    assert not time_costs(15 * S, spans, None).any()
