"""A motion stage under Grbl: a slider or turntable that moves the monitor, lamp or tripod.

Source: Grbl v1.1 interface and commands (gnea/grbl, doc/markdown). `ok` means that a line was
accepted, not that the stage has arrived: a dwell after the move, then status reports until `Idle`,
and the reported position is compared with the target.
"""

from __future__ import annotations

import re

from rig.environment.driver import Driver
from rig.environment.model import ActuatorError

_STATUS = re.compile(rb"<(?P<state>\w+)[^>]*\|(?P<kind>[MW])Pos:(?P<position>[-0-9.,]+)[^>]*>")
_OK = re.compile(rb"ok")
_SETTLED = re.compile(rb"\[GC:[^\]]*\]\s*ok")
_TARGET = re.compile(r"([XYZABC])(-?\d+(?:\.\d+)?)", re.ASCII)
_AXES = "XYZABC"
_BANNER = 4.0
"""Seconds for the banner: an Arduino resets when its port is opened and its boot loader waits."""
_SETTLE = 2.0
"""Seconds for an answer to `$G`, whatever else is still under way."""
_POLL = 0.05


def parse_target(text: str) -> dict[str, float]:
    """`X120 Y-3.5` as axis -> millimetres (or degrees).

    Raises:
        ActuatorError: not of this form.
    """
    found = {axis: float(value) for axis, value in _TARGET.findall(text.upper())}
    if not found or _TARGET.sub("", text.upper()).strip(" ,"):
        raise ActuatorError(f"{text!r} is not a position like X120 or X120 Y-3.5.")
    return found


class Grbl(Driver):
    """Options: `home` (false), `feed` (mm/min, 1000), `tolerance` (mm, 0.1), `seconds` (60)."""

    _awake = False

    def _check(self, state: str) -> None:
        if state != "home":
            parse_target(state)

    def _set(self, state: str) -> tuple[bool | None, str | None]:
        if not self._awake:
            self._wake()
        if state == "home":
            self._line("$H", self._seconds)
            return self._arrived({})
        target = parse_target(state)
        words = " ".join(f"{axis}{value:g}" for axis, value in target.items())
        self._line(f"G90 G1 {words} F{self._number('feed', 1000.0):g}", 5.0)
        self._line("G4 P0.01", self._seconds)
        return self._arrived(target)

    @property
    def _seconds(self) -> float:
        return self._number("seconds", 60.0)

    def _number(self, name: str, default: float) -> float:
        value = self.settings.options.get(name, default)
        return float(value) if isinstance(value, int | float) else default

    def _wake(self) -> None:
        self.line.write(b"\r\n\r\n")
        banner = self.line.read_until(b"help]", _BANNER)
        if b"Grbl" not in banner:
            # It may have been awake: then it answers a status report.
            self.line.drain()
            self.line.write(b"?")
            if not _STATUS.search(self.line.read_until(b">", 1.0)):
                raise self.silent(banner)
        self._settle()
        if self.settings.options.get("home") is True:
            self._line("$H", self._seconds)
        self._awake = True

    def _settle(self) -> None:
        """Let what the wake-up is still answered pass: a late `ok` would accept the next line.

        Lines are answered in their order, and only `$G` is answered with `[GC:`.
        """
        self.line.write(b"$G\n")
        self._hear("$G", _SETTLED, _SETTLE)

    def _line(self, text: str, seconds: float) -> None:
        self.line.drain()
        self.line.write(text.encode() + b"\n")
        self._hear(text, _OK, seconds)

    def _hear(self, text: str, end: re.Pattern[bytes], seconds: float) -> None:
        """Read lines until *end* is in them; what one read gives may hold several, and parts."""
        got = b""
        while not end.search(got):
            part = self.line.read_until(b"\n", seconds)
            got += part
            self._refuse_trouble(text, got)
            if b"\n" not in part:
                raise self.silent(got)

    def _refuse_trouble(self, text: str, answer: bytes) -> None:
        if alarm := re.search(rb"ALARM:\d+", answer):
            self._awake = False  # position is lost: home or unlock before the next move
            raise ActuatorError(
                f"{self.name} stopped with {alarm[0].decode()} during {text!r}: look at the stage, "
                "free it, home it ($H) and set the level again."
            )
        if wrong := re.search(rb"error:\d+", answer):
            raise ActuatorError(
                f"{self.name} refused {text!r} with {wrong[0].decode()}; is it homed, and is the "
                "position inside its travel?"
            )

    def _arrived(self, target: dict[str, float]) -> tuple[bool | None, str | None]:
        """Poll until it stands still; True when it stands at *target*."""
        polls = max(1, int(self._seconds / _POLL))
        answer = b""
        for _ in range(polls):
            self.line.write(b"?")
            answer = self.line.read_until(b">", 1.0)
            self._refuse_trouble("?", answer)
            status = _STATUS.search(answer)
            if status is not None and status["state"] == b"Idle":
                return self._stands(target, status["position"].decode())
            if status is not None and status["state"] == b"Alarm":
                self._awake = False
                raise ActuatorError(f"{self.name} is in alarm: home it and set the level again.")
            self.line.wait(_POLL)
        raise self.silent(answer)

    def _stands(self, target: dict[str, float], position: str) -> tuple[bool, str]:
        values = [float(value) for value in position.split(",")]
        tolerance = self._number("tolerance", 0.1)
        at = dict(zip(_AXES, values, strict=False))
        there = all(abs(at.get(axis, 1e9) - value) <= tolerance for axis, value in target.items())
        return there, " ".join(f"{axis}{value:g}" for axis, value in at.items())
