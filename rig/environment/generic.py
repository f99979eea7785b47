"""A serial device that the configuration describes, and one that only writes down."""

from __future__ import annotations

import re
from collections.abc import Callable

from rig.environment.driver import Driver
from rig.environment.model import ActuatorError, Applied

_STATE = re.compile(r"(?P<kind>hex|text):(?P<write>.*?)(?:=>(?P<expect>.*))?", re.DOTALL)


def parse_exchange(text: str) -> tuple[bytes, re.Pattern[str] | None]:
    r"""`hex:A0 01 01 A2`, `text:ON\r`, each with an optional ``=>regex`` that must be answered.

    Raises:
        ActuatorError: neither, or the regex cannot be compiled.
    """
    match = _STATE.fullmatch(text)
    if match is None:
        raise ActuatorError(f"{text!r} is not hex:... or text:... with an optional =>answer.")
    try:
        if match["kind"] == "hex":
            data = bytes.fromhex(match["write"])
        else:
            data = match["write"].encode().decode("unicode_escape").encode("latin-1")
        expect = None if match["expect"] is None else re.compile(match["expect"])
    except (ValueError, re.error) as error:
        raise ActuatorError(f"{text!r} cannot be used: {error}.") from error
    if not data:
        raise ActuatorError(f"{text!r} would send nothing.")
    return data, expect


class Generic(Driver):
    """Sends what the state says; confirmed when the answer fits. Option: `seconds` for it (1)."""

    def _check(self, state: str) -> None:
        parse_exchange(state)

    def _set(self, state: str) -> tuple[bool | None, str | None]:
        data, expect = parse_exchange(state)
        self.line.drain()
        self.line.write(data)
        if expect is None:
            return None, None
        seconds = float(str(self.settings.options.get("seconds", 1.0)))
        answer = self.line.read_until(b"\n", seconds)
        text = answer.decode("latin-1").strip()
        if not answer:
            raise self.silent(answer)
        return expect.search(text) is not None, text


class DryRun:
    """Does nothing and says so: for trying out a plan without the devices."""

    def __init__(self, name: str, levels: tuple[str, ...], clock_ns: Callable[[], int]) -> None:
        self.name = name
        self.levels = levels
        self.applied: list[str] = []
        self._clock_ns = clock_ns

    def apply(self, level: str) -> Applied:
        """Note *level*."""
        if self.levels and level not in self.levels:
            known = ", ".join(self.levels)
            raise ActuatorError(f"{self.name} has no level {level!r}; it knows: {known}.")
        self.applied.append(level)
        return Applied(level, None, "dry run", self._clock_ns())

    def make_safe(self) -> Applied | None:
        """Nothing to do."""
        return None
