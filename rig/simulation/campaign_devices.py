"""Devices on simulated serial lines: they speak as the real ones do, and misbehave when told to.

The line has a time of its own, in which answers travel and a driver waits; no thread, no port.
Protocols: KMTronic's command table, Grbl v1.1, a light meter that answers lines.
"""

from __future__ import annotations

import re
from collections import deque

from rig.environment.model import ActuatorError

TROUBLES = ("silent", "late", "garbled", "alarm")
"""How a device misbehaves; only a motion stage knows an alarm: at its next move."""
_TRAVEL = 0.02
_LATE = 0.8
"""Seconds until a late answer is there: after a relay's driver has asked again."""
_MOVE = re.compile(rb"G1 X(-?\d+(?:\.\d+)?)")


class DeviceLine:
    """A `rig.environment.model.Line` with a device behind it.

    Attributes:
        trouble: one of `TROUBLES` while it misbehaves, until a person mends it.
        answers: how many more answers are spoilt; then it works again by itself.
        now: seconds of its own time.
    """

    def __init__(self, place: str) -> None:
        self.trouble: str | None = None
        self.answers = 0
        self.now = 0.0
        self._place = place
        self._coming: deque[tuple[float, bytes]] = deque()

    @property
    def place(self) -> str:
        """For people."""
        return self._place

    def spoil(self, trouble: str, answers: int) -> None:
        """Misbehave for so many answers."""
        self.trouble, self.answers = trouble, answers

    def mend(self) -> None:
        """A person comes, looks, plugs it out and in again."""
        self.trouble, self.answers = None, 0
        self._coming.clear()

    def write(self, data: bytes) -> None:
        """The device hears *data* and answers, if it is well."""
        answer = self.hears(data)
        if not answer:
            return
        delay = _TRAVEL
        if self.trouble not in {None, "alarm"}:
            self.answers -= 1
            trouble = self.trouble
            if self.answers <= 0:
                self.trouble = None
            if trouble == "silent":
                return
            if trouble == "late":
                delay = _LATE
            else:
                answer = bytes(byte ^ 0x5A for byte in answer[:-1])
        self._coming.append((self.now + delay, answer))

    def hears(self, data: bytes) -> bytes:
        """What the device answers to *data*."""
        return b""

    def read_until(self, end: bytes, seconds: float) -> bytes:
        """What comes up to and including *end* within *seconds* of the line's time."""
        until, got = self.now + seconds, b""
        while self._coming and self._coming[0][0] <= until:
            due, data = self._coming.popleft()
            self.now = max(self.now, due)
            got += data
            if end in got:
                at = got.index(end) + len(end)
                if rest := got[at:]:
                    self._coming.appendleft((self.now, rest))
                return got[:at]
        self.now = until
        return got

    def read_exactly(self, count: int, seconds: float) -> bytes:
        """*count* bytes, or what came of them."""
        until, got = self.now + seconds, b""
        while len(got) < count and self._coming and self._coming[0][0] <= until:
            due, data = self._coming.popleft()
            self.now = max(self.now, due)
            got += data
        if len(got) < count:
            self.now = until
        return got[:count]

    def drain(self) -> None:
        """Forget what has arrived by now."""
        while self._coming and self._coming[0][0] <= self.now:
            self._coming.popleft()

    def wait(self, seconds: float) -> None:
        """Time passes on the line only."""
        self.now += seconds


class RelayBoard(DeviceLine):
    """KMTronic: ``FF channel state`` sets, ``FF channel 03`` asks for the same three bytes."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.on: dict[int, bool] = {}

    def hears(self, data: bytes) -> bytes:
        """Nothing to a command, three bytes to a question."""
        _, channel, state = data
        if state == 0x03:
            return bytes([0xFF, channel, self.on.get(channel, False)])
        if self.trouble != "silent":
            self.on[channel] = bool(state)
        return b""


class Stage(DeviceLine):
    """Grbl: a slider on X. An alarm stops it; it moves again after somebody has homed it."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.at = 0.0
        self.locked = False
        self._asleep = True

    def mend(self) -> None:
        """Free it and home it."""
        super().mend()
        self.locked, self.at = False, 0.0

    def hears(self, data: bytes) -> bytes:
        """Lines as Grbl 1.1 answers them."""
        text = data.strip()
        if not text:
            banner = b"\r\nGrbl 1.1h ['$' for help]\r\n" if self._asleep else b"ok\r\nok\r\n"
            self._asleep = False
            return banner
        if text == b"?":
            state = b"Alarm" if self.locked else b"Idle"
            return b"<%s|MPos:%.3f,0.000,0.000|FS:0,0>\r\n" % (state, self.at)
        if text == b"$G":
            return b"[GC:G1 G54 G17 G21 G90 G94 M5 M9 T0 F1000 S0]\r\nok\r\n"
        if self.locked:
            return b"error:9\r\n"
        if move := _MOVE.search(text):
            if self.trouble == "alarm":
                self.trouble, self.answers, self.locked = None, 0, True
                return b"ALARM:1\r\n"
            self.at = float(move[1])
        return b"ok\r\n"


class Meter(DeviceLine):
    """A light meter beside a lamp: what it sees is what the relays are set to, or somebody's hand.

    Attributes:
        shaded: the light has left its band, whatever the lamp does, until somebody comes.
    """

    def __init__(self, place: str, lamp: RelayBoard) -> None:
        super().__init__(place)
        self.shaded = False
        self._lamp = lamp

    def mend(self) -> None:
        """Whatever stood in the light is taken away."""
        super().mend()
        self.shaded = False

    def hears(self, data: bytes) -> bytes:
        """Lux on a line of its own."""
        if data != b"L\n":
            raise ActuatorError(f"{self.place} does not know {data!r}.")
        if self.shaded:
            return b"1200.0 lux\r\n"
        lux = 4.0 + 80.0 * self._lamp.on.get(1, False) + 220.0 * self._lamp.on.get(2, False)
        return b"%.1f lux\r\n" % lux
