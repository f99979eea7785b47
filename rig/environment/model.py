"""What every actuator offers, and what it says it has done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rig.errors import UserError


class ActuatorError(UserError):
    """A level could not be set; the sentence names the actuator and what to do."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a request.

    Attributes:
        requested: the level as the plan names it.
        confirmed: True when the device answered that it is so, False when it answered that it is
            not, None when it cannot tell (fire and forget).
        readback: what the device said, in its own words; None when it says nothing.
        at_ns: Unix time when it was done.
    """

    requested: str
    confirmed: bool | None
    readback: str | None
    at_ns: int


class Actuator(Protocol):
    """Sets one factor. Blocking: all calls come from the one worker thread of its port."""

    @property
    def name(self) -> str:
        """As in the configuration, for people."""
        ...

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels that it knows."""
        ...

    def apply(self, level: str) -> Applied:
        """Set *level*; raises ActuatorError when it cannot be set or nothing answers in time."""
        ...

    def make_safe(self) -> Applied | None:
        """Set the safe state on abort and exit, if one is configured; raises ActuatorError."""
        ...


class Line(Protocol):
    """A serial line as the drivers need it; see `port.SerialLine`."""

    def write(self, data: bytes) -> None:
        """Send *data*, all of it; raises ActuatorError."""
        ...

    def read_until(self, end: bytes, seconds: float) -> bytes:
        """What comes up to and including *end*; what came so far when *seconds* are over."""
        ...

    def read_exactly(self, count: int, seconds: float) -> bytes:
        """*count* bytes, or what came of them within *seconds*."""
        ...

    def drain(self) -> None:
        """Forget what has arrived: it answers an earlier question."""
        ...

    def wait(self, seconds: float) -> None:
        """Let the device work."""
        ...

    @property
    def place(self) -> str:
        """The port, for people."""
        ...
