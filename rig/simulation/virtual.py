"""The capture protocol in virtual time: the real cores, a bad network, crashing processes.

All generators are seeded: same seed, same run. A disk keeps what was made durable and may tear the
write under way; a crash drops everything that was in RAM; the camera outlives the phone agent and
may fire late.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from functools import partial

from rig.protocol import actions as act
from rig.protocol.codes import Code, Timers
from rig.protocol.display import DisplayConfig, DisplayCore, Phase, Subset
from rig.protocol.journal import Record
from rig.protocol.ledger import ShotState
from rig.protocol.phone import PhoneConfig, PhoneCore
from rig.simulation.camera import FAILURES, KILLED, Outcome, expose
from rig.simulation.clock import VirtualClock
from rig.simulation.disk import Disk, Folder
from rig.simulation.faults import Faults
from rig.simulation.network import Network
from rig.simulation.tally import Audit
from rig.simulation.xrays import subset_of

__all__ = ["DISPLAY_ADDR", "PHONE_ADDR", "Audit", "Faults", "VirtualRig", "subset_of"]

DISPLAY_ADDR = ("display", 47911)
PHONE_ADDR = ("phone", 40000)
_FSYNC, _STORE, _PAINT = 0.0003, 0.005, 0.01
_EPOCH_NS = 1_700_000_000 * 10**9
_ROOM, _LITTLE = 1 << 40, 1 << 20
"""Free bytes on the phone: plenty, and too few for another photo."""


class VirtualRig(VirtualClock):
    """One display agent and one phone agent on one virtual clock.

    Attributes:
        files, quarantine: of the phone's `folder`.
        doom: agent -> how many of its next steps it still takes before it crashes.
    """

    def __init__(
        self,
        subset: Subset,
        *,
        seed: int = 0,
        faults: Faults | None = None,
        timers: Timers | None = None,
    ) -> None:
        super().__init__()
        self.subset = subset
        self.faults = faults or Faults()
        self.timers = timers or Timers()
        self.audit = Audit()
        self._random = _generator(seed, "cores")
        self._fate = _generator(seed, "world")
        self.network = Network(_generator(seed, "network"))
        self._psk = self._bytes(32)
        self.display_disk, self.phone_disk = Disk(), Disk()
        self.folder = Folder()
        self.files, self.quarantine = self.folder.files, self.folder.quarantine
        self.on_screen: int | None = None
        self._covered_until = 0.0
        self.phone_addr: act.Addr = PHONE_ADDR
        self.doom: dict[str, int] = {}
        self.display: DisplayCore | None = None
        self.phone: PhoneCore | None = None
        self._peer: act.Addr | None = None
        self._life = {"display": 0, "phone": 0}
        self._armed: dict[str, tuple[float, int]] = {}
        self._writing: dict[str, act.AppendJournal] = {}
        self._storing: act.StorePhoto | None = None
        self._exposing: dict[act.Ticket, Outcome] = {}
        self._last_frame: int | None = None
        self._killed: set[act.Ticket] = set()
        self._dead: set[act.Ticket] = set()

    # -- running -----------------------------------------------------------------------------------

    def boot(self) -> None:
        """Start both agents."""
        self.boot_display()
        self.boot_phone()

    def boot_display(self) -> None:
        """A new life of the display agent, from its journal."""
        self._life["display"] += 1
        self.on_screen = None
        cfg = DisplayConfig(self.subset, peer=self._peer, timers=self.timers)
        self.display = DisplayCore(cfg, self._read(self.display_disk), self._psk, self._bytes)
        self._booted("display")
        self._run("display", self.display.start(self.now))

    def boot_phone(self) -> None:
        """A new life of the phone agent, from its journal and folder."""
        self._life["phone"] += 1
        hosts, quiesce = (DISPLAY_ADDR,), self.faults.quiesce
        cfg = PhoneConfig(hosts=hosts, timers=self.timers, quiesce=quiesce)
        self.phone = PhoneCore(cfg, self._read(self.phone_disk), self._psk, self._bytes)
        kept = self.stored_names()
        self.folder.keep(kept)
        missing = sorted(n for n in kept if n not in self.files)
        self._booted("phone")
        self._run("phone", self.phone.start(self.now, missing))
        if self.folder.low:
            self.measure_room()

    def load(self, subset: Subset) -> None:
        """Give the display agent its next subset, with a journal of its own; the phone goes on."""
        self._peer = self.display.peer if self.display is not None else None
        self.stop("display")
        self.subset, self.display_disk = subset, Disk()
        self.boot_display()

    def crash(self, who: str, *, torn: bool = False, power: bool = False) -> None:
        """Kill an agent; its RAM is gone, its journal and folder stay.

        Args:
            who: display or phone.
            torn: the journal write under way reaches the disk in part.
            power: the whole machine dies: camera and unsynced files too.
        """
        self.audit.crashes += 1
        if torn and who in self._writing:
            self._disk(who).tear(self._writing[who].records, self._fate)
        if who == "phone" and torn:
            self._half_store()
        if who == "phone" and power:
            self._dead.update(self._exposing)
            self.folder.lose_staging()
        self.stop(who)

    def stop(self, who: str) -> None:
        """End an agent's life."""
        self._life[who] += 1
        self._armed.pop(who, None)
        self._writing.pop(who, None)
        if who == "display":
            self.display, self.on_screen = None, None
        else:
            self.phone, self._storing = None, None

    def completed(self) -> bool:
        """Whether the display has reported the subset complete, durably."""
        return self.display is not None and self.display.phase is Phase.COMPLETE

    def stored_names(self) -> set[str]:
        """Names that the phone's journal holds as stored or committed."""
        if self.phone is None:
            return set()
        held = (ShotState.STORED, ShotState.COMMITTED)
        runs = self.phone.ledger.runs.values()
        return {s.name for run in runs for s in run.shots.values() if s.state in held}

    def tell(self, who: str, call: Callable[[float], list[act.Output]]) -> None:
        """Give a core an input and carry out its answer."""
        self._run(who, call(self.now))

    # -- for those who watch -----------------------------------------------------------------------

    def _booted(self, who: str) -> None:
        """An agent has read its journal and will start."""

    def _heard(self, who: str, event: act.Event) -> None:
        """An agent tells something."""
        self.audit.events.append(event)

    def _fell(self, who: str) -> None:
        """An agent has crashed as it was doomed to."""

    def _stopped(self, who: str) -> None:
        """An agent has given up: its journal cannot be written."""

    # -- carrying out ------------------------------------------------------------------------------

    def _run(self, who: str, outputs: list[act.Output]) -> None:
        life = self._life[who]
        for output in outputs:
            if self.doom and self._falls(who):
                return
            self._perform(who, output)
            if self._life[who] != life:
                return
        self._set_timer(who)

    def _falls(self, who: str) -> bool:
        """Whether *who* crashes at this step, as it is doomed to."""
        left = self.doom.get(who)
        if left is None:
            return False
        if left:
            self.doom[who] = left - 1
            return False
        del self.doom[who]
        self.crash(who, torn=True, power=self._fate.random() < 0.5)
        self._fell(who)
        return True

    def _perform(self, who: str, o: act.Output) -> None:
        if isinstance(o, act.SendDatagram):
            self._transmit(who, o)
        elif isinstance(o, act.AppendJournal):
            self._writing[who] = o
            self.schedule(_FSYNC, partial(self._journal, who, self._life[who], o))
        elif isinstance(o, act.Paint):
            self.on_screen = None
            self.schedule(_PAINT, partial(self._paint, self._life[who], o))
        elif isinstance(o, act.CheckSurface):
            surface = self._surface()
            self.schedule(0.0, self._later(who, "surface_checked", o.token, surface))
        elif isinstance(o, act.Blank):
            self.on_screen = None
        elif isinstance(o, act.TriggerCamera):
            self._trigger(o)
        elif isinstance(o, act.KillCamera):
            self._kill(o.ticket)
        elif isinstance(o, act.StorePhoto):
            self._storing = o
            self.schedule(_STORE, partial(self._store, self._life[who], o))
        elif isinstance(o, act.Quarantine):
            self.folder.discard(o.name)
        else:
            self._heard(who, o)

    def _later(self, who: str, method: str, *args: object) -> Callable[[], None]:
        """An input to *who* that is lost when that life has ended by then."""
        life = self._life[who]

        def deliver() -> None:
            core = self.display if who == "display" else self.phone
            if core is not None and self._life[who] == life:
                self._run(who, getattr(core, method)(*args, self.now))

        return deliver

    def _journal(self, who: str, life: int, o: act.AppendJournal) -> None:
        if self._life[who] != life or (self.doom and self._falls(who)):
            return
        disk = self._disk(who)
        del self._writing[who]
        if disk.full:
            disk.tear(o.records, self._fate)
            self.stop(who)
            self._stopped(who)
            return
        disk.write(o.records)
        self._later(who, "journal_written", o.ticket)()

    def _disk(self, who: str) -> Disk:
        return self.display_disk if who == "display" else self.phone_disk

    @staticmethod
    def _read(disk: Disk) -> list[Record]:
        return disk.read()

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

    def roam(self, silent: float = 0.0) -> None:
        """The phone gets another address, after *silent* seconds without a network."""
        host, port = self.phone_addr
        self.phone_addr = (host, port + 1)
        self.network.silent_until = self.now + silent

    def _transmit(self, who: str, o: act.SendDatagram) -> None:
        self.audit.datagrams += 1
        self.network.count(o.data)
        if who == "display" and o.addr != self.phone_addr:
            self.network.misdirect()
            return
        to = "phone" if who == "display" else "display"
        source = DISPLAY_ADDR if who == "display" else self.phone_addr
        for delay, data in self.network.carry(o.data, self.faults, self.now):
            self.schedule(delay, partial(self._arrive, to, data, source))

    def _arrive(self, to: str, data: bytes, source: act.Addr) -> None:
        self._later(to, "datagram_received", data, source)()

    # -- screen and camera -------------------------------------------------------------------------

    def _surface(self) -> bytes:
        return hashlib.sha256(str(self._visible()).encode()).digest()

    def _visible(self) -> int:
        """The x-ray that a camera would see; -1 for none."""
        covered = self.on_screen is None or self.now < self._covered_until
        return -1 if covered or self.on_screen is None else self.on_screen

    def _cover(self, life: int) -> None:
        """Another window comes to the front, for a moment."""
        if self._life["display"] == life:
            self._covered_until = self.now + self._fate.uniform(0.02, 0.5)
            self._later("display", "display_disturbed", "window moved")()

    def _paint(self, life: int, o: act.Paint) -> None:
        if self._life["display"] != life:
            return
        self.on_screen, self._covered_until = o.index, 0.0
        self._later("display", "painted", o.token, self._surface())()
        if self._fate.random() < self.faults.disturb:
            seconds = self._fate.uniform(0.0, self.timers.settle + self.faults.camera_seconds)
            self.schedule(seconds, partial(self._cover, life))

    def _trigger(self, o: act.TriggerCamera) -> None:
        plan = expose(self.faults, self.timers, self._fate)
        self._exposing[o.ticket] = plan.outcome
        if plan.outcome in FAILURES:
            self.schedule(plan.seconds, partial(self._camera_fails, o.ticket))
        elif plan.outcome not in (Outcome.HANGS, Outcome.STUCK):
            self.schedule(plan.seconds, partial(self._expose, o))

    def _kill(self, ticket: act.Ticket) -> None:
        self._killed.add(ticket)
        if self._exposing.get(ticket) is Outcome.HANGS:
            self.schedule(0.1, partial(self._camera_fails, ticket))

    def _camera_fails(self, ticket: act.Ticket) -> None:
        outcome = self._exposing.pop(ticket, Outcome.HANGS)
        if ticket not in self._dead:
            self._answer_camera(ticket, FAILURES.get(outcome, KILLED))

    def _expose(self, o: act.TriggerCamera) -> None:
        """The shutter: the file shows what is on the screen now, whoever still wants it."""
        outcome = self._exposing.pop(o.ticket, Outcome.LATE)
        if o.ticket in self._dead:
            return
        self.audit.shutters += 1
        shown = self._visible()
        frame, self._last_frame = self._last_frame, shown
        if o.ticket in self._killed and outcome is not Outcome.VERY_LATE:
            self._answer_camera(o.ticket, KILLED)
            return
        stale = outcome is Outcome.STALE and frame is not None and frame != shown
        sha = self.folder.expose(
            o.staging, frame if stale and frame is not None else shown, stale=stale
        )
        done = _EPOCH_NS + int(self.now * 1e9)
        self._answer_camera(o.ticket, act.Photo(sha, 1000, 4, 3, done - 10**6, done))

    def _answer_camera(self, ticket: act.Ticket, result: act.Photo | act.CameraFailure) -> None:
        if self.phone is not None and self.phone.boot_id == ticket.boot:
            self._later("phone", "camera_result", ticket, result)()

    # -- the phone's folder ------------------------------------------------------------------------

    def measure_room(self) -> None:
        """The phone agent looks at its disk, as it does every few seconds."""
        if self.phone is not None:
            free, phone = _LITTLE if self.folder.low else _ROOM, self.phone
            self.tell("phone", lambda now: phone.environment(free, 80, False, 30.0, now))

    def _store(self, life: int, o: act.StorePhoto) -> None:
        if self._life["phone"] != life or o.staging not in self.files:
            return
        self._storing = None
        failure = None
        if self.folder.full:
            failure = act.CameraFailure(int(Code.FS_ERROR), "No space left on device")
        else:
            self._rename(o)
        self._later("phone", "photo_stored", o.ticket, failure)()

    def _rename(self, o: act.StorePhoto) -> None:
        self.audit.contents[o.final] = self.folder.rename(o.staging, o.final)

    def _half_store(self) -> None:
        """A crash while a photo gets its name: the new name is there already, or not yet."""
        o = self._storing
        if o is not None and o.staging in self.files and self._fate.random() < 0.5:
            self._rename(o)

    def _bytes(self, n: int) -> bytes:
        return self._random.randbytes(n)


def _generator(seed: int, purpose: str) -> random.Random:
    """A generator of its own for each purpose: a worse camera leaves the network as it is."""
    return random.Random(f"{seed}/{purpose}")  # noqa: S311 - a simulation must be reproducible
