"""Which photo of a set shows which showing: the best of all assignments in time order. Pure.

Why a dynamic programme and not a linear sum assignment: that one wants one photo for one showing
and a cost for each pair alone. Here a person may take two photos of one x-ray, none of another and
one of the desk, and what is known of time is about *pairs of photos*: the later one was not taken
of an earlier showing. On a line of showings that is a shortest path, exact in
O(photos x showings), and the best path through any other choice comes with it (forward and backward
sums), which says how sure each choice is. Going back on the screen is no step back here: a showing
has a number of its own each time it comes up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

VERIFIED = 10.0
"""Gain of a pixel proof. More than order and time can ever cost: pixels prove, order suggests."""
MARKED = 6.0
"""Gain of a marker that was read; a wrong reading is next to impossible, a wrong photo is not."""
ALIKE = 4.0
"""Gain per unit of correlation of an x-ray that was located but not proved."""
BACKWARD = 3.0
"""Cost of a photo that shows an earlier showing than the photo before it."""
SKIPPED = 0.01
"""Cost of each showing without a photo between two photos."""
LATE = 3.0
"""Largest cost of a time that does not fit."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The camera's clock against the display's.

    Attributes:
        offset_ns: camera minus display.
        agreeing: photos whose own offset agrees with it.
        of: photos that had a say.
    """

    offset_ns: int
    agreeing: int
    of: int

    @property
    def trusted(self) -> bool:
        """At least three photos and three fifths of them agree."""
        return self.agreeing >= 3 and 5 * self.agreeing >= 3 * self.of


@dataclass(frozen=True, slots=True)
class Choice:
    """What is best for one photo.

    Attributes:
        showing: place of the showing, from 0; None when it shows none of them.
        margin: how much worse the best assignment becomes when this photo shows another x-ray, or
            none; 0 is a tie.
        others: places of other showings, best first, that cost less than `VERIFIED` more.
    """

    showing: int | None
    margin: float
    others: tuple[int, ...]


def clock_of(
    pairs: Sequence[tuple[int, int, int]], *, slack_ns: int = 2_000_000_000
) -> Clock | None:
    """The offset that most photos agree on, however wrong the others are; None without a photo.

    Each pair bounds the offset from both sides; the offset inside most of these intervals wins
    (the middle of the narrowest stretch with the most of them). An outlier has one voice, however
    far out it is, which no mean and no least squares could promise.

    Args:
        pairs: (time by the camera, from, to by the display), nanoseconds.
        slack_ns: cameras write whole seconds, and a shutter takes its time.
    """
    if not pairs:
        return None
    edges = []
    for taken, begin, end in pairs:
        edges += [(taken - end - slack_ns, -1), (taken - begin + slack_ns, 1)]
    edges.sort()
    best = depth = 0
    middle = edges[0][0]
    for place, (at, side) in enumerate(edges):
        depth -= side
        if side < 0 and depth > best:
            best, middle = depth, (at + edges[place + 1][0]) // 2
    return Clock(middle, best, len(pairs))


def time_costs(
    taken_ns: int | None, spans: Sequence[tuple[int, int]], clock: Clock | None
) -> Floats:
    """Cost of each showing for a photo of that time; zeros without a clock that can be trusted."""
    if taken_ns is None or clock is None or not clock.trusted:
        return np.zeros(len(spans))
    at = taken_ns - clock.offset_ns
    begins = np.array([begin for begin, _ in spans], dtype=np.float64)
    ends = np.array([end for _, end in spans], dtype=np.float64)
    away = np.maximum(np.maximum(begins - at, at - ends), 0)
    usual = max(float(np.median(ends - begins)), 2e9) if len(spans) else 1.0
    return np.asarray(np.minimum(away / usual, LATE), dtype=np.float64)


def assign(gains: Sequence[Floats], xrays: Sequence[int]) -> tuple[Choice, ...]:
    """The best showing for every photo, or none, over the whole set.

    Args:
        gains: for each photo, in the order in which they were taken, the gain of each showing.
        xrays: index of the x-ray of each showing; several showings may share one.
    """
    if not gains:
        return ()
    count = len(xrays)
    if not count:
        return tuple(Choice(None, 0.0, ()) for _ in gains)
    forward_emit, forward_none = _forward(gains, count)
    backward = _backward(gains, count)
    shown = np.array(xrays)
    choices = []
    for emit, none, rest in zip(forward_emit, forward_none, backward, strict=True):
        totals = emit + rest
        choices.append(_choice(totals, float((none + rest).max()), shown))
    return tuple(choices)


def _choice(totals: Floats, none: float, shown: NDArray[np.int_]) -> Choice:
    order = np.argsort(-totals, kind="stable")
    best = int(order[0])
    if totals[best] <= none:
        near = [int(j) for j in order if none - totals[j] < VERIFIED]
        return Choice(None, none - float(totals[best]), tuple(near))
    other = totals[shown != shown[best]]
    second = max(none, float(other.max()) if other.size else none)
    near = [int(j) for j in order[1:] if totals[best] - totals[j] < VERIFIED]
    return Choice(best, float(totals[best]) - second, tuple(near))


def _forward(gains: Sequence[Floats], count: int) -> tuple[list[Floats], list[Floats]]:
    """Best sums up to each photo, by the newest showing: it shows that one, or it shows none."""
    emits: list[Floats] = []
    nones: list[Floats] = []
    state = np.zeros(count)  # any showing may be the first
    for place, gain in enumerate(gains):
        came = _step(state) if place else state
        emits.append(came + gain)
        nones.append(state)
        state = np.maximum(emits[-1], nones[-1])
    return emits, nones


def _backward(gains: Sequence[Floats], count: int) -> list[Floats]:
    """Best sums of what follows each photo, by the newest showing after it."""
    state = np.zeros(count)
    found = [state]
    for gain in reversed(gains[1:]):
        # The same step, the other way round.
        state = np.maximum(state, _step((gain + state)[::-1])[::-1])
        found.append(state)
    return found[::-1]


def _step(state: Floats) -> Floats:
    """For every showing the best sum of a showing before it (or, at a cost, after it)."""
    slope = SKIPPED * np.arange(len(state))
    ahead = np.maximum.accumulate(state + slope) - slope
    return np.asarray(np.maximum(ahead, state.max() - BACKWARD), dtype=np.float64)
