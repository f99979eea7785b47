"""What all serial drivers share: levels in the plan's words, states in the device's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rig.environment.model import ActuatorError, Applied, Line


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one actuator, as configured.

    Attributes:
        name: for people.
        levels: level of the plan -> state in the driver's words; empty: they are the same.
        safe: level or state for abort and exit; None leaves the device as it is.
        channel: relay channel where a state names none.
        settle_s: seconds to wait after a change, 0 or more.
        options: what only one driver knows.
    """

    name: str
    levels: Mapping[str, str] = field(default_factory=dict)
    safe: str | None = None
    channel: int = 1
    settle_s: float = 0.0
    options: Mapping[str, object] = field(default_factory=dict)


class Driver:
    """A device on a serial line. Blocking.

    Args:
        settings: of this actuator.
        line: open; several actuators may share it, one after the other.
        clock_ns: Unix time.

    Raises:
        ActuatorError: a configured state that the device does not know.
    """

    def __init__(self, settings: Settings, line: Line, clock_ns: Callable[[], int]) -> None:
        self.settings = settings
        self.line = line
        self._clock_ns = clock_ns
        for state in settings.levels.values():
            self._check(state)
        if settings.safe is not None:
            self._check(self._state(settings.safe))

    @property
    def name(self) -> str:
        """As configured."""
        return self.settings.name

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels that are configured; empty when states are levels."""
        return tuple(self.settings.levels)

    def apply(self, level: str) -> Applied:
        """Set *level*, wait until it has settled, read it back where that can be done."""
        state = self._state(level)
        self._check(state)
        confirmed, readback = self._set(state)
        if self.settings.settle_s:
            self.line.wait(self.settings.settle_s)
        return Applied(level, confirmed, readback, self._clock_ns())

    def make_safe(self) -> Applied | None:
        """Set the configured safe state."""
        return None if self.settings.safe is None else self.apply(self.settings.safe)

    def silent(self, answer: bytes) -> ActuatorError:
        """Nothing, or nothing that makes sense, was answered."""
        what = f"answered {answer[:40]!r}" if answer else "did not answer"
        return ActuatorError(
            f"{self.name} at {self.line.place} {what}. Check power, cable and that the "
            "configuration names the right device; then set the level again."
        )

    def _state(self, level: str) -> str:
        if not self.settings.levels:
            return level
        if level not in self.settings.levels:
            known = ", ".join(self.settings.levels)
            raise ActuatorError(f"{self.name} has no level {level!r}; it knows: {known}.")
        return self.settings.levels[level]

    def _check(self, state: str) -> None:
        """Raises ActuatorError when the device does not know *state*."""

    def _set(self, state: str) -> tuple[bool | None, str | None]:
        """Set *state*: (confirmed, what was read back)."""
        raise ActuatorError(f"{self.name} cannot be set to {state!r}")
