"""Stand-ins for the original app and client, and hand-played shells for our legacy cores.

Both stand-ins are written from the description of what the originals do, faults included.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from rig.protocol import actions as act
from rig.protocol.codes import Timers
from rig.protocol.journal import Record
from rig.protocol.legacy_display import LegacyDisplayConfig, LegacyDisplayCore, LegacyPhase
from rig.protocol.legacy_ledger import LegacySubset
from rig.protocol.legacy_phone import LegacyPhoneConfig, LegacyPhoneCore

APP = ("10.0.2.127", 4445)
CLIENT = "10.0.2.2"


def counter(start: int = 0) -> Callable[[int], bytes]:
    """Random bytes that are none: 1, 2, 3..."""
    numbers = itertools.count(start + 1)
    return lambda size: next(numbers).to_bytes(8, "big")[-size:].rjust(size, b"\0")


def subset(count: int = 3, first: int = 1, **changes: Any) -> LegacySubset:
    parts = tuple((f"patient{i:05}", "study1", "view1_frontal.jpg") for i in range(count))
    values: dict[str, Any] = {
        "campaign": bytes(8), "subset": 1, "first": first, "last": first + count - 1,
        "manifest": bytes(32), "session": "s0", "parts": parts,
    }  # fmt: skip
    return LegacySubset(**(values | changes))


class OriginalApp:
    """The app on the phone: counts before it has a photo, believes every write, trusts the net."""

    def __init__(self, first: int, look: Callable[[], Any] = lambda: b"photo") -> None:
        self.expected = first
        self.look = look
        self.dead = self.disk_full = False
        self.files: dict[str, Any] = {}
        self.sent: list[tuple[bytes, Any]] = []
        self.log: list[str] = []
        self._inbox: deque[tuple[bytes, Any]] = deque()
        self._exposing: deque[str] = deque()
        self._waiting: tuple[str, Any] | None = None
        self._permits = 0

    def receive(self, data: bytes, addr: Any) -> None:
        if not self.dead:
            self._inbox.append((data[:256], addr))  # the buffer: what is longer is lost
            self._serve()

    def photo_done(self) -> None:
        """The camera's callback: whatever becomes of the write, it lets the server go on."""
        name = self._exposing.popleft()
        if not self.disk_full:
            self.files[name] = self.look()
        self._permits += 1
        self._answer()
        self._serve()

    @property
    def exposing(self) -> bool:
        return bool(self._exposing)

    def stop_and_start(self, first: int) -> None:
        """Stopped during a capture: the callback's permit goes to the next server."""
        self._waiting = None
        self._inbox.clear()
        self.expected = first

    def take_sent(self) -> list[tuple[bytes, Any]]:
        sent, self.sent = self.sent, []
        return sent

    def _serve(self) -> None:
        while self._inbox and self._waiting is None and not self.dead:
            data, addr = self._inbox.popleft()
            fields = data.decode("utf-8", "replace").split("|")
            try:
                seq, name = int(fields[0]), fields[1]
            except (ValueError, IndexError):
                self.dead = True  # nobody catches it
                return
            if seq != self.expected:
                self.log.append(f"[{seq}]: {name} (MISMATCH)")
                self.sent.append((b"MISMATCH", addr))
                continue
            self.expected += 1  # before there is a photo
            self._exposing.append(name)
            self._waiting = name, addr
            self._answer()

    def _answer(self) -> None:
        if self._waiting is not None and self._permits:
            self._permits -= 1
            (name, addr), self._waiting = self._waiting, None
            self.log.append(f"Wrote {name}")
            self.sent.append((f"OK|{name}".encode(), addr))


class OriginalClient:
    """The client at the computer: a new socket per try, the next photo after one mismatch."""

    TIMEOUT = 10.0

    def __init__(
        self, first: int, paths: Sequence[str], nonce: int = 57, port: int = 50000
    ) -> None:
        self.shows = -1
        self.stopped = ""
        self.believes: dict[int, str] = {}
        self._first, self._paths, self._nonce = first, paths, nonce
        self._port = port
        self._row = -1
        self._error = False
        self._name = ""
        self._next()

    def ask(self) -> tuple[bytes, tuple[str, int]]:
        """One try: the datagram and the socket it comes from."""
        self._port += 1
        return f"{self.seq}|{self._name}".encode(), (CLIENT, self._port)

    @property
    def seq(self) -> int:
        return self._first + self._row

    @property
    def socket(self) -> tuple[str, int]:
        """The only address that is listened at."""
        return CLIENT, self._port

    def hear(self, answer: bytes | None) -> None:
        """The answer to the last try; None after ten seconds of silence."""
        if answer is None:
            self._error = False
        elif answer.startswith(b"OK|"):
            self.believes[self.seq] = answer.split(b"|")[1].decode()
            self._error = False
            self._next()
        elif self._error:
            self.stopped = "two mismatches"
        else:
            self._error = True
            self._next()

    def _next(self) -> None:
        self._row += 1
        if self._row >= len(self._paths):
            self.stopped = "done"
            return
        self.shows = self.seq
        parts = self._paths[self._row].split("/")
        self._name = "__".join([str(self.seq), str(self._nonce + self._row), *parts])


class DisplayBench:
    """Plays the shell of `LegacyDisplayCore`: everything it asks is done at once."""

    def __init__(self, plan: LegacySubset | None = None, journal: Sequence[Record] = ()) -> None:
        self.plan = plan or subset()
        self.journal: list[Record] = list(journal)
        self.now = 0.0
        self.events: list[act.Output] = []
        self.sent: list[bytes] = []
        self.shows: int | None = None
        self.surface = b"s"
        self.paints = True
        config = LegacyDisplayConfig(self.plan, APP, Timers(settle=0.15))
        self.core = LegacyDisplayCore(config, self.journal, counter(len(self.journal) * 100))

    def start(self, **words: Any) -> DisplayBench:
        self.run(self.core.start(self.now, **words))
        return self

    def again(self, **words: Any) -> DisplayBench:
        """Another process life on the same journal."""
        return DisplayBench(self.plan, self.journal).start(**words)

    def hear(self, data: bytes, addr: Any = APP) -> DisplayBench:
        self.run(self.core.datagram_received(data, addr, self.now))
        return self

    def wait(self, seconds: float) -> DisplayBench:
        """Time passes, timers fire."""
        end = self.now + seconds
        while (at := self.core.next_deadline()) is not None and at <= end:
            self.now = max(self.now, at)
            self.run(self.core.timer_fired(self.now))
        self.now = end
        return self

    def take(self) -> list[bytes]:
        sent, self.sent = self.sent, []
        return sent

    def saw(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def run(self, outputs: Sequence[act.Output]) -> None:
        for output in outputs:
            if isinstance(output, act.SendDatagram):
                assert output.addr == APP
                self.sent.append(output.data)
            elif isinstance(output, act.AppendJournal):
                self.journal.extend(output.records)
                self.run(self.core.journal_written(output.ticket, self.now))
            elif isinstance(output, act.Paint):
                self.shows = output.index
                if self.paints:
                    self.run(self.core.painted(output.token, b"s", self.now))
            elif isinstance(output, act.CheckSurface):
                self.run(self.core.surface_checked(output.token, self.surface, self.now))
            else:
                self.events.append(output)


class PhoneBench:
    """Plays the shell of `LegacyPhoneCore`; the camera answers when told to."""

    def __init__(self, first: int = 0, journal: Sequence[Record] = ()) -> None:
        self.first = first
        self.journal: list[Record] = list(journal)
        self.now = 0.0
        self.sent: list[tuple[bytes, Any]] = []
        self.events: list[act.Output] = []
        self.files: dict[str, bytes] = {}
        self.exposing: act.TriggerCamera | None = None
        self.killed = 0
        self.store_failure: act.CameraFailure | None = None
        self.core = LegacyPhoneCore(
            LegacyPhoneConfig(first, CLIENT), self.journal, counter(len(self.journal) * 100)
        )

    def start(self, **words: Any) -> PhoneBench:
        self.run(self.core.start(self.now, **words))
        return self

    def again(self, **words: Any) -> PhoneBench:
        bench = PhoneBench(self.first, self.journal)
        bench.files = self.files
        return bench.start(**words)

    def hear(self, data: bytes, addr: Any = (CLIENT, 50001)) -> PhoneBench:
        self.run(self.core.datagram_received(data, addr, self.now))
        return self

    def shot(self, pixels: bytes = b"photo") -> PhoneBench:
        """The camera is done."""
        assert self.exposing is not None
        trigger, self.exposing = self.exposing, None
        photo = act.Photo(pixels.ljust(32, b"\0"), len(pixels), 4, 3, 5, 6)
        self.run(self.core.camera_result(trigger.ticket, photo, self.now))
        return self

    def failed(self) -> PhoneBench:
        assert self.exposing is not None
        trigger, self.exposing = self.exposing, None
        failure = act.CameraFailure(17, "too late")
        self.run(self.core.camera_result(trigger.ticket, failure, self.now))
        return self

    def take(self) -> list[tuple[bytes, Any]]:
        sent, self.sent = self.sent, []
        return sent

    def kinds(self) -> list[Any]:
        return [record["k"] for record in self.journal]

    def saw(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def run(self, outputs: Sequence[act.Output]) -> None:
        for output in outputs:
            if isinstance(output, act.SendDatagram):
                self.sent.append((output.data, output.addr))
            elif isinstance(output, act.AppendJournal):
                self.journal.extend(output.records)
                self.run(self.core.journal_written(output.ticket, self.now))
            elif isinstance(output, act.TriggerCamera):
                assert self.exposing is None, "two exposures at once"
                self.exposing = output
            elif isinstance(output, act.KillCamera):
                self.killed += 1
            elif isinstance(output, act.StorePhoto):
                if self.store_failure is None:
                    assert output.final not in self.files, "a photo was overwritten"
                    self.files[output.final] = output.sidecar
                self.run(self.core.photo_stored(output.ticket, self.store_failure, self.now))
            else:
                self.events.append(output)


def shoot(bench: Any, app: Any, *, rounds: int = 100) -> Any:
    """Let both talk without any fault until the display stops asking."""
    for _ in range(rounds):
        bench.wait(1)
        for request in bench.take():
            app.receive(request, "d")
        while app.exposing:
            app.photo_done()
        for answer, _ in app.take_sent():
            bench.hear(answer)
        if bench.core.phase in (LegacyPhase.COMPLETE, LegacyPhase.PAUSED, LegacyPhase.ABORTED):
            break
    return bench
