"""Manual mode, without screen, clock or file: what comes next on which key or at which time.

The x-rays come in sets of 100 to 200. After each set the screen says so and waits, so that the
photos of one set can be copied before the next begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from rig.intake.manual import Left, Showing

NEXT = frozenset({"space", "right", "return"})
PREVIOUS = frozenset({"left"})
STOP = frozenset({"q", "escape"})
"""Keys, by their lower-case names."""


@dataclass(frozen=True, slots=True)
class Show:
    """Show the x-ray at *position* (from 1), which is *place* of *of* in *set* (from 1)."""

    position: int
    set: int
    place: int
    of: int

    @property
    def progress(self) -> str:
        """What stands in the corner."""
        return f"set {self.set}, {self.place} of {self.of}"


@dataclass(frozen=True, slots=True)
class Pause:
    """*set* is done; *last* when no other follows."""

    set: int
    last: bool

    @property
    def words(self) -> str:
        """What stands on the screen meanwhile."""
        then = "press a key to end" if self.last else "press a key"
        end = " That was the last set." if self.last else ""
        return f"Set {self.set} done: copy the photos, {then}.{end}"


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more is to be shown: all are done, or (*stopped*) somebody wanted to stop."""

    stopped: bool


Step = Show | Pause | End


class _Phase(Enum):
    NEW = auto()
    SHOWING = auto()
    PAUSED = auto()
    ENDED = auto()


class ManualCore:
    """The state machine: keys and ticks in, steps out; the same inputs give the same steps."""

    def __init__(self, count: int, set_size: int, *, before: Showing | None = None) -> None:
        """Begin, or go on after *before*, the last showing of an earlier run.

        Args:
            count: x-rays in all, from 1.
            set_size: x-rays in a set, from 1.
            before: shown last; one that was interrupted is shown again.

        Raises:
            ValueError: numbers that make no sense.
        """
        if count < 1 or set_size < 1 or (before is not None and before.position > count):
            raise ValueError(f"{count} x-rays in sets of {set_size} after {before}")
        self._count = count
        self._set_size = set_size
        self._position = 1 if before is None else before.position
        self._left = None if before is None else before.left
        self._phase = _Phase.NEW

    def start(self) -> Step:
        """The first step; after a restart the one that was due."""
        if self._left is Left.NEXT:
            return self._forward()
        if self._left is Left.PREVIOUS:
            return self._back()
        return self._show()

    def key(self, name: str) -> Step | None:
        """What a key does; None for nothing.

        On an x-ray: next, previous (not beyond the set's first) or stop. In a pause any key goes
        on, previous goes back to the set's last x-ray.
        """
        if self._phase not in (_Phase.SHOWING, _Phase.PAUSED):
            return None
        if name in STOP:
            self._phase = _Phase.ENDED
            return End(stopped=True)
        if self._phase is _Phase.PAUSED:
            return self._show() if name in PREVIOUS else self._on()
        if name in NEXT:
            return self._forward()
        if name in PREVIOUS and self._place > 1:
            return self._back()
        return None

    def tick(self) -> Step | None:
        """What the end of an interval does: on an x-ray the next one, in a pause the next set."""
        if self._phase is _Phase.SHOWING:
            return self._forward()
        return self._on() if self._phase is _Phase.PAUSED else None

    @property
    def _place(self) -> int:
        return (self._position - 1) % self._set_size + 1

    @property
    def _set(self) -> int:
        return (self._position - 1) // self._set_size + 1

    def _show(self) -> Show:
        self._phase = _Phase.SHOWING
        of = min(self._set_size, self._count - (self._set - 1) * self._set_size)
        return Show(self._position, self._set, self._place, of)

    def _forward(self) -> Step:
        if self._position == self._count or self._place == self._set_size:
            self._phase = _Phase.PAUSED
            return Pause(self._set, self._position == self._count)
        self._position += 1
        return self._show()

    def _back(self) -> Show:
        self._position = max(1, self._position - 1)
        return self._show()

    def _on(self) -> Step:
        """Out of a pause."""
        if self._position == self._count:
            self._phase = _Phase.ENDED
            return End(stopped=False)
        self._position += 1
        return self._show()


def left_by(step: Step, shown: Show) -> Left:
    """Why *shown* goes when *step* follows."""
    match step:
        case End():
            return Left.STOP
        case Show() if step.position < shown.position:
            return Left.PREVIOUS
        case _:
            return Left.NEXT
