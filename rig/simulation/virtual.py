"""The capture protocol in virtual time: the real cores, a bad network, crashing processes.

One heap of (time, sequence, callback) and one seeded generator: same seed, same run. The disk keeps
what was journalled and loses nothing else; a crash drops everything that was in RAM, the camera
outlives the phone agent and may fire late.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from rig.protocol import actions as act
from rig.protocol.codes import Code, Timers
from rig.protocol.datagram import canonical
from rig.protocol.display import DisplayConfig, DisplayCore, Phase, Subset
from rig.protocol.journal import Record, encode_record, parse_journal
from rig.protocol.phone import PhoneConfig, PhoneCore

DISPLAY_ADDR = ("display", 47911)
PHONE_ADDR = ("phone", 40000)


@dataclass(frozen=True)
class Faults:
    """How bad the world is. Probabilities per datagram or per exposure; delays in seconds."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay: float = 0.002
    camera: float = 0.0
    camera_seconds: float = 0.2
    disturb: float = 0.0


@dataclass
class Audit:
    """What the world saw, independent of the cores' own books."""

    shutters: int = 0
    contents: dict[str, int] = field(default_factory=dict)
    events: list[act.Event] = field(default_factory=list)
    crashes: int = 0
    datagrams: int = 0


def subset_of(count: int, *, subset: int = 1, first: int = 1) -> Subset:
    """A subset of *count* x-rays for simulations."""
    metadata = tuple(
        canonical({"key": f"p{i:05d}/study1/view1_frontal", "env": "e01-dark", "index": i})
        for i in range(first, first + count)
    )
    manifest = hashlib.sha256(b"".join(metadata)).digest()
    return Subset(
        bytes(range(8)), subset, first, first + count - 1, manifest, "e01-dark", "s0", metadata
    )


class VirtualRig:
    """One display agent and one phone agent on one virtual clock."""

    def __init__(
        self,
        subset: Subset,
        *,
        seed: int = 0,
        faults: Faults | None = None,
        timers: Timers | None = None,
    ) -> None:
        self.subset = subset
        self.faults = faults or Faults()
        self.timers = timers or Timers()
        self.now = 0.0
        self.audit = Audit()
        self._random = random.Random(seed)  # noqa: S311 - a simulation must be reproducible
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._psk = self._bytes(32)
        self.display_disk = bytearray()
        self.phone_disk = bytearray()
        self.files: dict[str, int] = {}
        self.quarantine: list[str] = []
        self.on_screen: int | None = None
        self.display: DisplayCore | None = None
        self.phone: PhoneCore | None = None
        self._life = {"display": 0, "phone": 0}
        self._armed: dict[str, tuple[float, int]] = {}
        self._killed: set[act.Ticket] = set()

    # -- running -----------------------------------------------------------------------------------

    def boot(self) -> None:
        """Start both agents."""
        self.boot_display()
        self.boot_phone()

    def boot_display(self) -> None:
        """A new life of the display agent, from its journal."""
        self._life["display"] += 1
        self.on_screen = None
        cfg = DisplayConfig(self.subset, timers=self.timers)
        self.display = DisplayCore(cfg, self._read(self.display_disk), self._psk, self._bytes)
        self._run("display", self.display.start(self.now))

    def boot_phone(self) -> None:
        """A new life of the phone agent, from its journal and folder."""
        self._life["phone"] += 1
        cfg = PhoneConfig(hosts=(DISPLAY_ADDR,), timers=self.timers)
        self.phone = PhoneCore(cfg, self._read(self.phone_disk), self._psk, self._bytes)
        kept = self.stored_names()
        for name in [n for n in self.files if n not in kept]:
            self._discard(name)
        missing = [n for n in kept if n not in self.files]
        self._run("phone", self.phone.start(self.now, missing))

    def crash(self, who: str) -> None:
        """Kill an agent; its RAM is gone, its journal and folder stay."""
        self.audit.crashes += 1
        self._life[who] += 1
        self._armed.pop(who, None)
        if who == "display":
            self.display, self.on_screen = None, None
        else:
            self.phone = None

    def step(self) -> bool:
        """Let the next thing happen; False when nothing will."""
        if not self._heap:
            return False
        self.now, _, callback = heapq.heappop(self._heap)
        callback()
        return True

    def run_until(self, done: Callable[[], bool], *, limit: float) -> bool:
        """Step until *done* or until *limit* virtual seconds have passed."""
        end = self.now + limit
        while not done():
            if not self._heap or self._heap[0][0] > end:
                self.now = end
                return done()
            self.step()
        return True

    def completed(self) -> bool:
        """Whether the display has reported the subset complete, durably."""
        return self.display is not None and self.display.phase is Phase.COMPLETE

    def stored_names(self) -> set[str]:
        """Names that the phone's journal holds as stored or committed."""
        if self.phone is None:
            return set()
        runs = self.phone.ledger.runs.values()
        shots = [s for run in runs for s in run.shots.values()]
        return {s.name for s in shots if s.state.value in ("stored", "committed")}

    def tell(self, who: str, call: Callable[[float], list[act.Output]]) -> None:
        """Give a core an input and carry out its answer."""
        self._run(who, call(self.now))

    def schedule(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call *callback* in virtual *seconds*."""
        self._schedule_at(self.now + seconds, callback)

    def _schedule_at(self, at: float, callback: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._heap, (at, self._order, callback))

    # -- carrying out ------------------------------------------------------------------------------

    def _run(self, who: str, outputs: list[act.Output]) -> None:
        for output in outputs:
            self._perform(who, output)
        self._set_timer(who)

    def _perform(self, who: str, o: act.Output) -> None:
        if isinstance(o, act.SendDatagram):
            self._transmit(who, o)
        elif isinstance(o, act.AppendJournal):
            self.schedule(0.0003, partial(self._journal, who, self._life[who], o))
        elif isinstance(o, act.Paint):
            self.on_screen = None
            self.schedule(0.01, partial(self._paint, self._life[who], o))
        elif isinstance(o, act.CheckSurface):
            surface = self._surface()
            self.schedule(0.0, self._later(who, "surface_checked", o.token, surface))
        elif isinstance(o, act.Blank):
            self.on_screen = None
        elif isinstance(o, act.TriggerCamera):
            self._trigger(o)
        elif isinstance(o, act.KillCamera):
            self._killed.add(o.ticket)
        elif isinstance(o, act.StorePhoto):
            self.schedule(0.005, partial(self._store, self._life[who], o))
        elif isinstance(o, act.Quarantine):
            self._discard(o.name)
        else:
            self.audit.events.append(o)

    def _later(self, who: str, method: str, *args: object) -> Callable[[], None]:
        """An input to *who* that is lost when that life has ended by then."""
        life = self._life[who]

        def deliver() -> None:
            core = self.display if who == "display" else self.phone
            if core is not None and self._life[who] == life:
                self._run(who, getattr(core, method)(*args, self.now))

        return deliver

    def _journal(self, who: str, life: int, o: act.AppendJournal) -> None:
        if self._life[who] != life:
            return
        disk = self.display_disk if who == "display" else self.phone_disk
        disk.extend(b"".join(encode_record(r) for r in o.records))
        self._later(who, "journal_written", o.ticket)()

    @staticmethod
    def _read(disk: bytearray) -> list[Record]:
        records, end = parse_journal(bytes(disk))
        del disk[end:]
        return records

    def _set_timer(self, who: str) -> None:
        core = self.display if who == "display" else self.phone
        deadline = core.next_deadline() if core is not None else None
        if deadline is None:
            self._armed.pop(who, None)
            return
        key = (deadline, self._life[who])
        if self._armed.get(who) == key:
            return
        self._armed[who] = key
        self._schedule_at(max(self.now, deadline), partial(self._timer, who, key))

    def _timer(self, who: str, key: tuple[float, int]) -> None:
        if self._armed.get(who) == key:
            self._armed.pop(who)
            self._later(who, "timer_fired")()

    # -- the network -------------------------------------------------------------------------------

    def _transmit(self, who: str, o: act.SendDatagram) -> None:
        self.audit.datagrams += 1
        to = "phone" if who == "display" else "display"
        source = DISPLAY_ADDR if who == "display" else PHONE_ADDR
        copies = 2 if self._random.random() < self.faults.duplicate else 1
        for _ in range(copies):
            if self._random.random() < self.faults.loss:
                continue
            delay = self.faults.delay * (0.5 + self._random.random())
            if self._random.random() < self.faults.reorder:
                delay += 0.5 * self._random.random()
            self.schedule(delay, partial(self._arrive, to, o.data, source))

    def _arrive(self, to: str, data: bytes, source: act.Addr) -> None:
        self._later(to, "datagram_received", data, source)()

    # -- screen and camera -------------------------------------------------------------------------

    def _surface(self) -> bytes:
        return hashlib.sha256(str(self.on_screen).encode()).digest()

    def _paint(self, life: int, o: act.Paint) -> None:
        if self._life["display"] != life:
            return
        self.on_screen = o.index
        self._later("display", "painted", o.token, self._surface())()
        if self._random.random() < self.faults.disturb:
            self.schedule(0.05, self._later("display", "display_disturbed", "window moved"))

    def _trigger(self, o: act.TriggerCamera) -> None:
        seconds = self.faults.camera_seconds * self._random.lognormvariate(0, 0.3)
        kind = self._random.random()
        if kind < self.faults.camera / 2:
            self.schedule(seconds, partial(self._camera_fails, o))
        elif kind < self.faults.camera:
            self.schedule(self.timers.camera * 2, partial(self._expose, o))  # hangs, fires late
        else:
            self.schedule(seconds, partial(self._expose, o))

    def _camera_fails(self, o: act.TriggerCamera) -> None:
        failure = act.CameraFailure(int(Code.CAMERA_EMPTY), "the camera wrote 0 bytes")
        self._answer_camera(o.ticket, failure)

    def _expose(self, o: act.TriggerCamera) -> None:
        """The shutter: the file shows what is on the screen now, whoever still wants it."""
        self.audit.shutters += 1
        if o.ticket in self._killed:
            self._answer_camera(o.ticket, act.CameraFailure(int(Code.CAMERA_ERROR), "killed"))
            return
        shown = -1 if self.on_screen is None else self.on_screen
        self.files[o.staging] = shown
        serial = f"{o.staging}:{shown}".encode()
        photo = act.Photo(hashlib.sha256(serial).digest(), 1000, 4, 3, 1, 2)
        self._answer_camera(o.ticket, photo)

    def _answer_camera(self, ticket: act.Ticket, result: act.Photo | act.CameraFailure) -> None:
        if self.phone is not None and self.phone.boot_id == ticket.boot:
            self._later("phone", "camera_result", ticket, result)()

    def _store(self, life: int, o: act.StorePhoto) -> None:
        if self._life["phone"] != life or o.staging not in self.files:
            return
        shown = self.files.pop(o.staging)
        self.files[o.final] = shown
        self.audit.contents[o.final] = shown
        self._later("phone", "photo_stored", o.ticket, None)()

    def _discard(self, name: str) -> None:
        if name in self.files:
            del self.files[name]
            self.quarantine.append(name)

    def _bytes(self, n: int) -> bytes:
        return self._random.randbytes(n)
