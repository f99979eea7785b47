"""Relay boards: LCUS (CH340), KMTronic (FTDI) and Numato Lab, as their data sheets say."""

from __future__ import annotations

from rig.environment.driver import Driver
from rig.environment.model import ActuatorError

_TRIES = 3
_ANSWER = 0.5
"""Seconds for an answer of a few bytes at 9600 baud, with room for a slow USB hub."""


def parse_switches(text: str, channels: range) -> dict[int | None, bool]:
    """`on`, `off` (the configured channel: key None), or `1:on,2:off`.

    Raises:
        ActuatorError: none of these, or a channel that the board does not have.
    """
    words = {"on": True, "off": False}
    if text in words:
        return {None: words[text]}
    found: dict[int | None, bool] = {}
    for part in text.split(","):
        channel, _, state = part.strip().partition(":")
        if not channel.isdecimal() or state not in words or int(channel) not in channels:
            raise ActuatorError(
                f"{text!r} is not a relay state: use on, off, or CHANNEL:on,CHANNEL:off with "
                f"channels {channels.start} to {channels.stop - 1}."
            )
        found[int(channel)] = words[state]
    return found


class Relay(Driver):
    """What the boards have in common; *channel* is meant when a state names none."""

    channels = range(1, 9)

    def _check(self, state: str) -> None:
        parse_switches(state, self.channels)

    def _set(self, state: str) -> tuple[bool | None, str | None]:
        said: list[tuple[bool | None, str | None]] = []
        for channel, on in parse_switches(state, self.channels).items():
            number = self.settings.channel if channel is None else channel
            said.append(self._switch(number, on=on))
        words = [word for _, word in said if word is not None]
        if any(sure is False for sure, _ in said):
            return False, ", ".join(words)
        sure = None if any(known is None for known, _ in said) else True
        return sure, ", ".join(words) or None

    def _switch(self, channel: int, *, on: bool) -> tuple[bool | None, str | None]:
        raise ActuatorError(f"{self.name} has no relays")


class Lcus(Relay):
    """LCUS-1/2/4/8: ``A0 channel state sum``, 9600 8N1; fire and forget, nothing is ever read back.

    Source: the boards' sheet (tilga.com product 5732195); the sum is the low byte of the three.
    """

    def _switch(self, channel: int, *, on: bool) -> tuple[bool | None, str | None]:
        self.line.write(bytes([0xA0, channel, on, (0xA0 + channel + on) & 0xFF]))
        return None, None


class Kmtronic(Relay):
    """KMTronic USB relays: ``FF channel state``; ``FF channel 03`` asks for the same three bytes.

    Source: KMTronic USB relay controller, command table; 9600 8N1.
    """

    def _switch(self, channel: int, *, on: bool) -> tuple[bool | None, str | None]:
        self.line.write(bytes([0xFF, channel, on]))
        answer = b""
        for _ in range(_TRIES):
            self.line.drain()
            self.line.write(bytes([0xFF, channel, 0x03]))
            answer = self.line.read_exactly(3, _ANSWER)
            if len(answer) == 3 and answer[:2] == bytes([0xFF, channel]) and answer[2] in (0, 1):
                return answer[2] == on, f"{channel}:{'on' if answer[2] else 'off'}"
        raise self.silent(answer)


class Numato(Relay):
    """Numato Lab USB relays: ``relay on 0`` and ``relay read 0`` in ASCII, echo and prompt ``>``.

    Source: Numato Lab USB relay module user guide; any baud rate, channels from 0, from 10 on as
    letters.
    """

    channels = range(32)

    def _switch(self, channel: int, *, on: bool) -> tuple[bool | None, str | None]:
        label = str(channel) if channel < 10 else chr(ord("A") + channel - 10)
        state = "on" if on else "off"
        self._say(f"relay {state} {label}")
        answer = ""
        for _ in range(_TRIES):
            answer = self._say(f"relay read {label}")
            if answer in {"on", "off"}:
                return answer == state, f"{channel}:{answer}"
        raise self.silent(answer.encode())

    def _say(self, command: str) -> str:
        """The lines between echo and prompt."""
        self.line.drain()
        self.line.write(command.encode() + b"\r")
        raw = self.line.read_until(b">", _ANSWER)
        lines = [line.strip() for line in raw.decode("ascii", "replace").splitlines()]
        return " ".join(line for line in lines if line and line not in {command, ">"})
