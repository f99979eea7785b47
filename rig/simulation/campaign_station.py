"""A simulated station: display agent and phone in virtual time, and what it tells the controller.

The protocol cores, the network, the camera and the disks are those of `rig.simulation.night`; added
is the outbox of each session and what a controller may command.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from rig.planning.metadata import photo_metadata
from rig.planning.plan import SubsetPlan
from rig.protocol import actions as act
from rig.protocol.display import OperatorCommand, Phase, Subset
from rig.protocol.display_ledger import DisplayLedger
from rig.protocol.journal import parse_journal
from rig.protocol.phone import PhoneCore
from rig.simulation.books import Books, audit
from rig.simulation.campaign_outbox import Outbox, describe
from rig.simulation.campaign_room import StationRoom
from rig.simulation.night import Night, NightRig
from rig.simulation.operator import Operator
from rig.simulation.watch import Watch

_EPOCH_NS = 1_700_000_000 * 10**9


def virtual_ns(now: float) -> int:
    """Unix time in virtual nanoseconds, from seconds since the beginning."""
    return _EPOCH_NS + round(now * 1e9)


class RefusedError(Exception):
    """The station does not do what it is told; the sentence says why."""


def subset_of(plan: SubsetPlan) -> Subset:
    """*plan* as the protocol sees it."""
    metadata = tuple(
        photo_metadata(
            key=item.key,
            env=plan.environment.name,
            index=item.index,
            sha256=item.sha256,
            campaign=plan.campaign_id,
            subset=plan.subset,
            device=plan.device,
            session=plan.session,
        )
        for item in plan.items
    )
    return Subset(
        bytes.fromhex(plan.campaign_id),
        plan.subset,
        plan.first,
        plan.last,
        bytes.fromhex(plan.manifest_sha256),
        plan.environment.name,
        plan.session,
        metadata,
    )


class _Bell(Operator):
    """Notes that somebody is needed; whoever looks after the stations comes by."""

    rung = False

    def call(self) -> None:
        self.rung = True


class _Watch(Watch):
    """As `Watch`, of a subset that a person may end early. *stopping*: somebody did."""

    stopping = False

    def load(self, subset: Subset) -> None:
        super().load(subset)
        self.stopping = False

    def completed(self, event: act.Completed, phone: PhoneCore | None) -> None:
        """A stopped subset is over with what was decided; both sides must say the same."""
        if not self.stopping or event.count == self._subset.count:
            super().completed(event, phone)
            return
        run = self._run(phone)
        if event.count != self.decided:
            self._wrong("S3", f"stopped with {event.count} photos of {self.decided} decided")
        if run is not None and (run.committed, run.chain) != (event.count, event.chain):
            self._wrong("S3", "stopped with different books")


class StationRig(NightRig):
    """The virtual rig of one station, with its outbox."""

    def __init__(
        self,
        night: Night,
        subset: Subset,
        outbox: Outbox,
        on_photo: Callable[[], None],
        look: dict[str, object],
    ) -> None:
        super().__init__(night, subset)
        self.operator = self.bell = _Bell(self, self._plan_rng)
        self.watch = self.watched = _Watch(self.folder)
        self.watch.load(subset)
        self.outbox = outbox
        self.look = look
        """What the display draws beside the x-ray; told with the first x-ray of each life."""
        self.away_until = 0.0
        """The display's machine is off, whoever wants it back."""
        self._look_told = False
        self.halted = False
        """Paused, aborted or out of order: it waits for a person."""
        self._on_photo = on_photo

    def crash(self, who: str, *, torn: bool = False, power: bool = False) -> None:
        """As `VirtualRig.crash`; the display's outbox survives as far as it was durable."""
        if who == "display":
            self.outbox.crash(power=power)
        super().crash(who, torn=torn, power=power)

    def lose(self, seconds: float) -> None:
        """The display's machine goes off for so long."""
        self.away_until = self.now + seconds
        if self.display is not None:
            self.crash("display", torn=True, power=True)
        self.schedule(seconds + 1.0, lambda: self.restart("display"))

    def restart(self, who: str) -> None:
        """As `NightRig.restart`, once its machine is there."""
        if who == "phone" or self.now >= self.away_until:
            super().restart(who)

    def _booted(self, who: str) -> None:
        super()._booted(who)
        if who == "display":
            self._look_told = False
            self.outbox.reconcile(self.display_disk.read())
            # A pause lives in memory only: this life goes on unless an abort is latched.
            self.halted = self.display is not None and self.display.ledger.latch is not None

    def _stopped(self, who: str) -> None:
        super()._stopped(who)
        self.halted = True

    def _paint(self, life: int, o: act.Paint) -> None:
        if self._life["display"] == life and self.display is not None:
            look = {} if self._look_told else self.look
            self._look_told = True
            self.outbox.tell(("painted", o.index, self.display.attempt, dict(look)))
        super()._paint(life, o)

    def _heard(self, who: str, event: act.Event) -> None:
        super()._heard(who, event)
        if who != "display":
            return
        if isinstance(event, act.Paused | act.Aborted):
            self.halted = True
        elif isinstance(event, act.Resumed | act.Rearmed):
            self.halted = False
        if (said := describe(event, self.outbox.sources)) is not None:
            self.outbox.tell(said)

    def _progress(self, photos: int) -> None:
        super()._progress(photos)
        for _ in range(photos):
            self._on_photo()


class Station:
    """One station over a whole campaign: session after session on one phone.

    Attributes:
        name: as the controller knows it.
        room: its devices.
        rig: None before the first session.
        session: the session that it works at or has worked at last.
        levels: how its room is set.
        outboxes: session -> its events.
        seconds: for how long it has been shooting, changing (its room) and waiting.
    """

    def __init__(self, name: str, night: Night, on_photo: Callable[[], None]) -> None:
        self.name = name
        self.room = StationRoom(self._clock_ns)
        self.rig: StationRig | None = None
        self.session: str | None = None
        self.levels: dict[str, str] = {}
        self.outboxes: dict[str, Outbox] = {}
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._night = night
        self._on_photo = on_photo
        self._subsets: list[Subset] = []
        self._journals: list[bytes] = []
        self._mode, self._since = "waiting", 0.0

    @property
    def present(self) -> bool:
        """Whether its display agent runs and can be told something; before its first plan, too."""
        return self.rig is None or self.rig.display is not None

    @property
    def rung(self) -> bool:
        """Whether it asks for a person."""
        return self.rig is not None and self.rig.bell.rung

    @property
    def shooting(self) -> bool:
        """Whether photos are being taken."""
        rig = self.rig
        return rig is not None and self.present and not rig.halted and not rig.completed()

    def mode(self, mode: str, now: float) -> None:
        """From *now* on it is `shooting`, `changing` (the room), `waiting` or `done`."""
        self.seconds[self._mode] += now - self._since
        self._mode, self._since = mode, now

    def look(self, now: float) -> None:
        """Notice that shooting has stopped or goes on."""
        rig = self.rig
        if rig is not None and self._mode in {"shooting", "waiting"}:
            idle = rig.halted or rig.completed() or not self.present
            mode = "waiting" if idle else "shooting"
            if mode != self._mode:
                self.mode(mode, now)

    # -- what the controller tells it --------------------------------------------------------------

    def load(self, plan: SubsetPlan, now: float) -> None:
        """Take over a plan and begin; a plan that is loaded already goes on as it is.

        Raises:
            RefusedError: another subset is not finished.
        """
        if self.session == plan.session:
            return
        if self.rig is not None and not self.rig.completed():
            raise RefusedError(f"session {self.session} is not finished")
        subset, outbox = subset_of(plan), self._new_outbox(plan)
        look = drawn(plan.environment.levels)
        if self.rig is None:
            self.rig = StationRig(self._night, subset, outbox, self._on_photo, look)
            self.rig.now = self.rig.last_progress = now
            self.rig.misfortunes()
            self.rig.boot()
        else:
            self._journals.append(bytes(self.rig.display_disk))
            self.rig.outbox, self.rig.look = outbox, look
            self.rig.last_progress = now
            self.rig.watch.load(subset)
            self.rig.load(subset)
        self._subsets.append(subset)
        self.session, self.levels = plan.session, dict(plan.environment.levels)
        self.mode("shooting", now)

    def operator(self, command: OperatorCommand, abort_id: str | None = None) -> None:
        """A person's command, as the controller passes it on.

        Raises:
            RefusedError: it makes no sense now.
        """
        rig = self.rig
        display = rig.display if rig is not None else None
        if rig is None or display is None:
            raise RefusedError("the display agent does not run")
        if command == "resume" and display.paused is None and display.phase is not Phase.HOLD:
            # The controller lost sight of a session that never stopped: say that it runs.
            rig.outbox.tell(("resumed", None, None, {}))
            return
        raw = bytes.fromhex(abort_id) if abort_id else None
        try:
            rig.watched.stopping |= command == "stop"
            rig.tell("display", lambda now: display.operator(command, now, raw))
        except act.WrongCommand as error:
            raise RefusedError(str(error)) from error

    # -- what a person does beside it --------------------------------------------------------------

    def mend(self) -> None:
        """Make room on disks, restart what has stopped or hangs, mend the room's devices."""
        self.room.mend()
        rig = self.rig
        if rig is None:
            return
        rig.bell.rung = False
        rig.mend_disks()
        paused = rig.display.paused if rig.display is not None else None
        if paused is not None and "restart the phone agent" in paused.why:
            rig.stop("phone")
        for who in ("display", "phone"):
            rig.restart(who)

    def last_crashes(self) -> None:
        """What was still to crash does so after all is done: both sides must remember that."""
        if self.rig is not None:
            self.rig.last_crashes()

    # -- the end -----------------------------------------------------------------------------------

    def books(self) -> Books:
        """Both sides' journals and the phone's files, compared."""
        rig = self.rig
        if rig is None:
            return Books()
        journals = [*self._journals, bytes(rig.display_disk)]
        phone = bytes(rig.phone_disk)
        whole: list[tuple[Subset, bytes]] = []
        stopped: list[tuple[Subset, bytes]] = []
        unshot = 0
        for subset, journal in zip(self._subsets, journals, strict=True):
            ledger = DisplayLedger(subset, parse_journal(journal)[0])
            short = subset.count - len(ledger.done) if ledger.stopped else 0
            (stopped if short else whole).append((subset, journal))
            unshot += short
        books = audit(whole, phone, rig.folder)
        if stopped:
            rest = audit(stopped, phone, rig.folder)
            # A session that was stopped has skipped what it has not shot, and nothing else.
            told = [one for one in rest.problems if one != f"{unshot} x-ray(s) skipped."]
            books.problems += told
            if rest.skipped != unshot:
                books.problems.append(f"{rest.skipped} x-rays are missing, {unshot} were left.")
        return books

    def files(self) -> dict[str, str]:
        """Name -> SHA-256 of every photo that the phone holds."""
        hashes = {} if self.rig is None else self.rig.folder.hashes
        return {name: sha.hex() for name, sha in hashes.items()}

    def _new_outbox(self, plan: SubsetPlan) -> Outbox:
        sources = {item.index: item.sha256 for item in plan.items}
        box = Outbox(plan.session, sources, self._clock_ns)
        self.outboxes[plan.session] = box
        return box

    def _clock_ns(self) -> int:
        return virtual_ns(self.rig.now if self.rig is not None else 0.0)


_GAINS = {"6500K": (1.0, 1.0, 1.0), "5000K": (1.0, 0.9, 0.8), "9300K": (0.85, 0.93, 1.0)}


def drawn(levels: Mapping[str, str]) -> dict[str, object]:
    """What a display tells of its look with a painted x-ray, as far as *levels* ask for one."""
    hidden = levels.get("cursor", "hidden") == "hidden"
    gains = _GAINS.get(levels.get("colour_temperature", "6500K"), (1.0, 1.0, 1.0))
    return {"cursor": None if hidden else [10, 10], "gains": list(gains)}


def all_outboxes(stations: Iterable[Station]) -> dict[str, Outbox]:
    """Session -> events, of all *stations*."""
    return {name: box for station in stations for name, box in station.outboxes.items()}
