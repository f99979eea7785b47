"""Not more than so many instances a second, so that a hospital's PACS stays quick for its staff."""

from __future__ import annotations

import random
from collections.abc import Callable

Clock = Callable[[], float]
Sleep = Callable[[float], object]


class Pace:
    """Makes the caller wait; the first goes at once, and idle time is not saved up."""

    def __init__(self, per_second: float, clock: Clock, sleep: Sleep) -> None:
        """*per_second*: instances, 0 for no limit; *clock* and *sleep* in seconds."""
        self._gap = 1 / per_second if per_second else 0.0
        self._clock = clock
        self._sleep = sleep
        self._next = float("-inf")

    def wait(self) -> None:
        """Until the next one may go."""
        if not self._gap:
            return
        now = self._clock()
        if self._next > now:
            self._sleep(self._next - now)
        self._next = max(self._next, now) + self._gap


def backoff(attempt: int, rng: random.Random, *, first: float = 1.0, most: float = 60.0) -> float:
    """Seconds to wait before the attempt after *attempt* (from 0): doubled each time, with jitter.

    Half to all of the doubled time, at most *most*: several rigs do not knock in step.
    """
    whole = min(most, first * 2.0 ** min(attempt, 30))
    return whole * rng.uniform(0.5, 1.0)
