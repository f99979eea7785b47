"""Virtual time: one heap of (time, sequence, callback)."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable


class VirtualClock:
    """What happens next. *now* is in seconds since the beginning."""

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0

    @property
    def due(self) -> float:
        """When the next thing happens; infinity when nothing will."""
        return self._heap[0][0] if self._heap else math.inf

    def step(self) -> bool:
        """Let the next thing happen; False when nothing will."""
        if not self._heap:
            return False
        self.now, _, callback = heapq.heappop(self._heap)
        callback()
        return True

    def run_until(self, done: Callable[[], bool], *, limit: float) -> bool:
        """Step until *done* or until *limit* virtual seconds have passed."""
        end = self.now + limit
        while not done():
            if not self._heap or self._heap[0][0] > end:
                self.now = end
                return done()
            self.step()
        return True

    def schedule(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call *callback* in virtual *seconds*."""
        self._schedule_at(self.now + seconds, callback)

    def _schedule_at(self, at: float, callback: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._heap, (at, self._order, callback))
