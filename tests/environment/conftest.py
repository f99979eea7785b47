"""Serial devices that answer as the real ones do, each on the far end of a pty."""

from __future__ import annotations

import contextlib
import os
import re
import select
import threading
import tty
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest


class Device:
    """Runs *answer(bytes so far) -> (bytes used, reply)* on a thread at the far end of a pty."""

    def __init__(self, answer: Callable[[bytes], tuple[int, bytes]]) -> None:
        self._far, self._near = os.openpty()
        tty.setraw(self._far)
        tty.setraw(self._near)
        self.port = os.ttyname(self._near)
        self.heard = b""
        self.wrote = threading.Event()
        self._answer = answer
        self._end, self._tell = os.pipe()
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        pending = b""
        while True:
            ready, _, _ = select.select([self._far, self._end], [], [])
            if self._end in ready:
                return
            try:
                data = os.read(self._far, 4096)
            except OSError:
                return
            self.heard += data
            pending += data
            while pending:
                used, reply = self._answer(pending)
                if not used:
                    break
                pending = pending[used:]
                if reply:
                    self.say(reply)
            self.wrote.set()

    def say(self, data: bytes) -> None:
        """Send without being asked."""
        with contextlib.suppress(OSError):
            os.write(self._far, data)

    def unplug(self) -> None:
        """The cable comes out."""
        if self._thread.is_alive():
            os.write(self._tell, b"x")
            self._thread.join(10)
            os.close(self._far)
            os.close(self._near)

    def close(self) -> None:
        """Take the stand-in away."""
        self.unplug()
        for end in (self._end, self._tell):
            with contextlib.suppress(OSError):
                os.close(end)


Start = Callable[[Callable[[bytes], tuple[int, bytes]]], Device]


@pytest.fixture
def device() -> Iterator[Start]:
    """Starts devices and takes them away."""
    made: list[Device] = []

    def start(answer: Callable[[bytes], tuple[int, bytes]]) -> Device:
        made.append(Device(answer))
        return made[-1]

    yield start
    for one in made:
        one.close()


def deaf(data: bytes) -> tuple[int, bytes]:
    """Takes everything and says nothing (LCUS, DMX)."""
    return len(data), b""


class FakeKmtronic:
    """Eight relays; *twist* changes what is answered."""

    def __init__(self, twist: Callable[[bytes], bytes] = bytes) -> None:
        self.state = dict.fromkeys(range(1, 9), 0)
        self.twist = twist

    def __call__(self, data: bytes) -> tuple[int, bytes]:
        if len(data) < 3:
            return 0, b""
        channel, what = data[1], data[2]
        if what == 3:
            return 3, self.twist(bytes([0xFF, channel, self.state[channel]]))
        self.state[channel] = what
        return 3, b""


class FakeNumato:
    """Echoes, answers, prompts."""

    def __init__(self) -> None:
        self.state: dict[str, str] = {}

    def __call__(self, data: bytes) -> tuple[int, bytes]:
        if b"\r" not in data:
            return 0, b""
        line = data[: data.index(b"\r")]
        words = line.decode().split()
        reply = ""
        if words[:2] == ["relay", "read"]:
            reply = "\n\r" + self.state.get(words[2], "off")
        elif words[:1] == ["relay"]:
            self.state[words[2]] = words[1]
        return len(line) + 1, (line.decode() + reply + "\n\r>").encode()


class FakeGrbl:
    """Moves in steps: `Run` until it was asked *moves* times, then `Idle` at the target.

    A *late* one answers the empty line that wakes it only when it is asked for something.
    """

    def __init__(self, moves: int = 2, *, awake: bool = False, late: bool = False) -> None:
        self.position = [0.0, 0.0, 0.0]
        self.moves = moves
        self.left = 0
        self.awake = awake
        self.late = late
        self.owed = b""
        self.alarm: bytes = b""
        self.stuck_at: float | None = None
        self.lines: list[str] = []

    def __call__(self, data: bytes) -> tuple[int, bytes]:
        if data[:1] == b"?":
            return 1, self._status()
        if b"\n" not in data:
            return 0, b""
        raw = data[: data.index(b"\n") + 1]
        line = raw.decode().strip()
        if not line:
            woken = self._wake()
            if self.late and b"ok" in woken:
                self.owed += woken
                return len(raw), b""
            return len(raw), woken
        owed, self.owed = self.owed, b""
        if line == "$G":
            return len(raw), owed + b"[GC:G0 G54 G17 G21 G90 G94 M5 M9 T0 F0 S0]\r\nok\r\n"
        self.lines.append(line)
        if self.alarm and not line.startswith("$"):
            return len(raw), self.alarm
        if line == "$H":
            self.position, self.alarm = [0.0, 0.0, 0.0], b""
        for axis, value in re.findall(r"([XYZ])(-?[\d.]+)", line):
            if float(value) > 500:
                return len(raw), owed + b"error:15\r\n"
            self.position["XYZ".index(axis)] = float(value)
            self.left = self.moves
        return len(raw), owed + b"ok\r\n"

    def _wake(self) -> bytes:
        if self.awake:
            return b"ok\r\n"
        self.awake = True
        return b"\r\nGrbl 1.1h ['$' for help]\r\n"

    def _status(self) -> bytes:
        state = "Run" if self.left > 0 else "Idle"
        self.left -= 1
        x = self.position[0] if self.stuck_at is None else self.stuck_at
        place = f"{x:.3f},{self.position[1]:.3f},{self.position[2]:.3f}"
        return f"<{state}|MPos:{place}|FS:0,0>\r\n".encode()


@pytest.fixture
def fakes() -> SimpleNamespace:
    """The stand-ins: `fakes.kmtronic()`, `fakes.numato()`, `fakes.grbl()`, and `fakes.deaf`."""
    return SimpleNamespace(kmtronic=FakeKmtronic, numato=FakeNumato, grbl=FakeGrbl, deaf=deaf)
