"""What a monitor was set to before this agent set it; kept in a file, for a crash in between."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from display_agent.ddc import PRESETS, Feature
from rig.durable import write_atomic

_NAMES = {value: f"{kelvin} K" for kelvin, value in PRESETS.items()} | {
    1: "sRGB", 2: "native", 11: "user 1", 12: "user 2", 13: "user 3",
}  # fmt: skip
"""Colour presets, MCCS 2.2a, code 14h."""
_ORDER = (Feature.COLOUR_REQUEST, Feature.COLOUR_PRESET)
"""In which settings are given back: a request may change the preset."""


def words(feature: Feature, value: int) -> str:
    """A value of the monitor for people."""
    if feature is not Feature.COLOUR_PRESET:
        return f"{feature.told} {value}"
    name = _NAMES.get(value)
    return f"preset {value}" if name is None else f"preset {value} ({name})"


@dataclass(frozen=True, slots=True)
class Held:
    """What was set, and what stood there before.

    Attributes:
        feature: what was set.
        value: to which value.
        before: what is to be given back, in this order.
    """

    feature: Feature
    value: int
    before: Mapping[Feature, int]

    @classmethod
    def of(
        cls, feature: Feature, value: int, found: Mapping[Feature, int], held: Held | None
    ) -> Held:
        """To set *feature* to *value* where *found* stands, of which *held* was ours already."""
        earlier = {} if held is None else dict(held.before)
        before = {**found, **earlier}
        touched = {feature, Feature.COLOUR_PRESET, *earlier}
        return cls(feature, value, {one: before[one] for one in _ORDER if one in touched})

    @property
    def told(self) -> str:
        """What stood there before, for people."""
        return ", ".join(words(feature, value) for feature, value in self.before.items())


class Memory:
    """What is held at one monitor; *path* None keeps it for this life only."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.held: Held | None = _read(path)

    def holds(self) -> bool:
        """Whether something is to be given back."""
        return self.held is not None

    def hold(self, held: Held) -> None:
        """Keep *held*; call it before anything is set."""
        self.held = held
        if self._path is not None:
            kept = {
                "feature": held.feature.value, "value": held.value,
                "before": {str(feature.value): value for feature, value in held.before.items()},
            }  # fmt: skip
            with contextlib.suppress(OSError):  # a full disk keeps nobody from setting a monitor
                write_atomic(self._path, json.dumps(kept).encode())

    def compare(self, found: Mapping[Feature, int]) -> None:
        """Forget what is held when the monitor is elsewhere: somebody has set it since."""
        held = self.held
        if held is not None and found.get(held.feature, held.value) != held.value:
            self.forget()

    def forget(self) -> None:
        """Nothing is to be given back any more."""
        self.held = None
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)


def _read(path: Path | None) -> Held | None:
    """What a run before this one left; None when there is nothing, or nothing that makes sense."""
    if path is None:
        return None
    try:
        kept = json.loads(path.read_bytes())
        before = {Feature(int(code)): int(value) for code, value in kept["before"].items()}
        return Held(Feature(kept["feature"]), int(kept["value"]), before)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
