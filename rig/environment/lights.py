"""DMX lamps by an Enttec USB Pro, and a light sensor that answers lines."""

from __future__ import annotations

import re

from rig.environment.driver import Driver
from rig.environment.model import ActuatorError

_SEND = 6
"""Label `Output Only Send DMX Packet`."""
_CHANNELS = 512


def parse_channels(text: str) -> dict[int, int]:
    """`1=255,2=0` as channel (1..512) -> value (0..255).

    Raises:
        ActuatorError: not of this form.
    """
    found: dict[int, int] = {}
    for part in text.split(","):
        channel, _, value = part.strip().partition("=")
        if not (channel.isdecimal() and value.isdecimal()):
            raise ActuatorError(f"{text!r} is not a DMX state like 1=255,2=0.")
        if not (1 <= int(channel) <= _CHANNELS and int(value) <= 255):
            raise ActuatorError(f"{text!r}: channels are 1 to 512, values 0 to 255.")
        found[int(channel)] = int(value)
    return found


class DmxEnttecPro(Driver):
    """``7E 06 lengthL lengthH 00 values.. E7``; the lamp itself never answers.

    Source: Enttec DMX USB Pro Widget API 1.44. Channels that were set before keep their value.
    """

    def _check(self, state: str) -> None:
        parse_channels(state)

    def _set(self, state: str) -> tuple[bool | None, str | None]:
        self._values = getattr(self, "_values", {}) | parse_channels(state)
        top = max(24, *self._values)  # widgets ignore shorter packets
        data = bytes([0, *(self._values.get(channel, 0) for channel in range(1, top + 1))])
        head = bytes([0x7E, _SEND, len(data) & 0xFF, len(data) >> 8])
        self.line.write(head + data + b"\xe7")
        return None, None


class Lux(Driver):
    """A light meter. Options: `request` (text), `pattern` (regex, one group), `seconds`.

    As an actuator it sets nothing: a level is a band ``low-high`` in lux, confirmed when the light
    is in it. That verifies a lamp that cannot answer.
    """

    def _check(self, state: str) -> None:
        self.band(state)

    def _set(self, state: str) -> tuple[bool | None, str | None]:
        low, high = self.band(state)
        value = self.read()
        return low <= value <= high, f"{value:g} lux"

    @staticmethod
    def band(text: str) -> tuple[float, float]:
        """`200-450` as two numbers.

        Raises:
            ActuatorError: not of this form.
        """
        match = re.fullmatch(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", text.strip(), re.ASCII)
        if match is None or float(match[1]) > float(match[2]):
            raise ActuatorError(f"{text!r} is not a band of light like 200-450 (lux).")
        return float(match[1]), float(match[2])

    def read(self) -> float:
        """Lux now.

        Raises:
            ActuatorError: no line that fits came in time.
        """
        options = self.settings.options
        pattern = re.compile(str(options.get("pattern", r"(-?\d+(?:\.\d+)?)")))
        seconds = float(str(options.get("seconds", 2.0)))
        self.line.drain()
        if request := str(options.get("request", "")):
            self.line.write(request.encode().decode("unicode_escape").encode("latin-1"))
        got = b""
        for _ in range(5):  # a line that was cut by the drain does not fit: the next one does
            got = self.line.read_until(b"\n", seconds)
            match = pattern.search(got.decode("ascii", "replace"))
            if got.endswith(b"\n") and match is not None:
                return float(match[1])
        raise self.silent(got)
