"""A night of capturing: subset after subset on one phone, with everything that may go wrong."""

from __future__ import annotations

import hashlib
import random
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rig.protocol import actions as act
from rig.protocol.codes import Code, code_name
from rig.protocol.display import Subset
from rig.simulation.books import Books, audit
from rig.simulation.faults import Faults
from rig.simulation.operator import Operator
from rig.simulation.virtual import VirtualRig, subset_of
from rig.simulation.watch import Watch

Progress = Callable[[int, int], None]
"""Called with (decided, total)."""

_PATIENCE = 6 * 3600.0
"""Virtual seconds without a single photo after which the night is given up."""
_STEPS = 24
"""A doomed agent crashes at one of so many next steps: somewhere in one or two captures."""
_RESTART = (0.3, 10.0)
_SILENT = (0.1, 4.0)
"""Seconds without a network while the phone changes its address."""
_DISKS = ("store", "low", "phone", "display")
_TELL_EVERY = 25
_AFTER = 10.0
"""Virtual seconds that are watched after the end."""


@dataclass(frozen=True)
class Night:
    """What is to be simulated. *crashes*, *roams*, *disk_faults*: how many, at random times."""

    captures: int
    seed: int
    faults: Faults = field(default_factory=Faults)
    crashes: int = 0
    roams: int = 0
    disk_faults: int = 0
    subset_size: int = 500

    def subsets(self) -> list[Subset]:
        """Consecutive subsets; the last one is what is left."""
        firsts = range(1, self.captures + 1, self.subset_size)
        return [
            subset_of(min(self.subset_size, self.captures + 1 - first), subset=n, first=first)
            for n, first in enumerate(firsts, start=1)
        ]


class NightRig(VirtualRig):
    """The virtual rig, watched, with a person beside it and a plan of misfortunes."""

    def __init__(self, night: Night, subset: Subset) -> None:
        super().__init__(subset, seed=night.seed, faults=night.faults)
        self.watch = Watch(self.folder)
        self.watch.load(subset)
        rng = random.Random(f"{night.seed}/plan")  # noqa: S311 - a simulation must be reproducible
        self.operator = Operator(self, rng)
        self.counts: Counter[str] = Counter()
        self.aborts: dict[bytes, act.Aborted] = {}
        self.decided = 0
        self.last_progress = 0.0
        self._crashes_due = {"display": 0, "phone": 0}
        self._plan_rng = rng
        self._plan = _plan(night, rng)

    # -- misfortunes -------------------------------------------------------------------------------

    def misfortunes(self) -> None:
        """Let everything happen that is due after so many photos."""
        while self._plan and self._plan[-1][0] <= self.decided:
            _, kind = self._plan.pop()
            if kind in ("crash display", "crash phone"):
                self._crashes_due[kind.removeprefix("crash ")] += 1
            elif kind == "roam":
                self.counts["roams"] += 1
                self.roam(self._plan_rng.uniform(*_SILENT))
            else:
                self.counts["disk_faults"] += 1
                self._fill(kind.removeprefix("disk "))
        for who in self._crashes_due:
            self._doom_next(who)

    def _doom_next(self, who: str) -> None:
        """Doom *who* to the next crash that is due; one at a time, also one after the other."""
        if self._crashes_due[who] and who not in self.doom:
            self._crashes_due[who] -= 1
            self.doom[who] = self._plan_rng.randrange(_STEPS)

    def last_crashes(self) -> None:
        """Crashes that were still to come when all was done: both sides must remember that."""
        for who in ("display", "phone"):
            due = self._crashes_due[who] + (self.doom.pop(who, None) is not None)
            for _ in range(due):
                self.restart(who)
                self.crash(who, torn=True)
            self.restart(who)

    def _fill(self, disk: str) -> None:
        if disk == "store":
            self.folder.full = True
        elif disk == "low":
            self.folder.low = True
            self.measure_room()
        else:
            self._disk(disk).full = True

    def mend_disks(self) -> None:
        """A person makes room."""
        self.display_disk.full = self.phone_disk.full = self.folder.full = False
        if self.folder.low:
            self.folder.low = False
            self.measure_room()

    def restart(self, who: str) -> None:
        """Start an agent that is not there."""
        if who == "display" and self.display is None:
            self.boot_display()
        elif who == "phone" and self.phone is None:
            self.boot_phone()

    def _fell(self, who: str) -> None:
        seconds = self._plan_rng.uniform(*_RESTART)
        self.schedule(seconds, lambda: self.restart(who))
        self._doom_next(who)

    def _stopped(self, who: str) -> None:
        self.counts["stopped"] += 1
        self.operator.call()

    # -- listening ---------------------------------------------------------------------------------

    def _booted(self, who: str) -> None:
        if who == "display" and self.display is not None:
            told = self.watch.decided
            self.watch.display_booted(self.display)
            self._progress(self.watch.decided - told)
            if self.display.ledger.latch is not None:
                self.operator.call()
        elif self.phone is not None:
            self.watch.phone_booted(self.phone)

    def _trigger(self, o: act.TriggerCamera) -> None:
        self.watch.triggered(o, self.phone)
        super()._trigger(o)

    def _heard(self, who: str, event: act.Event) -> None:
        if isinstance(event, act.Committed):
            if who == "phone":
                self.watch.committed_by_phone(event)
            else:
                self.watch.decided_by_display(event, self.phone)
                self._progress(1)
        elif isinstance(event, act.Completed):
            self.watch.completed(event, self.phone)
        elif isinstance(event, act.Aborted):
            self.aborts.setdefault(event.abort_id, event)
            self.operator.call()
        elif isinstance(event, act.Paused):
            self.counts["pauses"] += 1
            self.operator.call()

    def _progress(self, photos: int) -> None:
        self.decided += photos
        self.last_progress = self.now
        self.misfortunes()


def _plan(night: Night, rng: random.Random) -> list[tuple[int, str]]:
    """(photos decided before it, what), the last one first."""
    kinds = [f"crash {rng.choice(('display', 'phone'))}" for _ in range(night.crashes)]
    kinds += ["roam"] * night.roams
    kinds += [f"disk {rng.choice(_DISKS)}" for _ in range(night.disk_faults)]
    plan = [(rng.randrange(night.captures), kind) for kind in kinds]
    return sorted(plan, reverse=True)


@dataclass(frozen=True)
class Outcome:
    """How the night was: the rig as it ended, the final audit, and every display journal."""

    night: Night
    rig: NightRig
    books: Books
    journals: tuple[bytes, ...]

    @property
    def problems(self) -> list[str]:
        """Sentences; none when all is well."""
        told = [
            f"Aborted by the {a.by} ({code_name(a.code)}): {a.why}."
            for a in self.rig.aborts.values()
            if a.code != Code.OPERATOR
        ]
        return [*self.rig.watch.problems, *told, *self.books.problems]

    def digest(self) -> str:
        """SHA-256 over both sides' journals: two runs with the same one were the same."""
        whole = hashlib.sha256(bytes(self.rig.phone_disk))
        for journal in self.journals:
            whole.update(hashlib.sha256(journal).digest())
        return whole.hexdigest()

    def as_json(self) -> dict[str, object]:
        """All figures but how long the simulation took: the same for the same night."""
        rig, books, captures = self.rig, self.books, self.night.captures
        datagrams = rig.network.traffic.as_json()
        datagrams["per_capture"] = round(rig.network.traffic.sent / captures, 3)
        return {
            "captures": captures,
            "seed": self.night.seed,
            "subsets": len(self.journals),
            "committed": books.committed,
            "skipped": books.skipped,
            "duplicated": books.duplicated,
            "mislabelled": books.mislabelled,
            "stale_frames": books.stale_frames,
            "damaged": books.damaged,
            "exposures": rig.watch.exposures,
            "retakes": rig.watch.exposures - books.committed,
            "quarantined": len(rig.quarantine),
            "aborts": len(rig.aborts),
            "crashes": rig.audit.crashes,
            "roams": rig.counts["roams"],
            "disk_faults": rig.counts["disk_faults"],
            "pauses": rig.counts["pauses"],
            "stopped": rig.counts["stopped"],
            "waited_seconds": round(rig.operator.waited, 3),
            "datagrams": datagrams,
            "virtual_seconds": round(rig.now, 6),
            "run_sha256": self.digest(),
            "problems": self.problems,
        }


def simulate(night: Night, progress: Progress | None = None) -> Outcome:
    """Play *night* to its end, or until nothing has come of it for six virtual hours."""
    subsets, journals = night.subsets(), []
    rig = NightRig(night, subsets[0])
    rig.misfortunes()
    rig.boot()
    for n, subset in enumerate(subsets):
        if n:
            rig.watch.load(subset)
            rig.load(subset)
        alive = _play(rig, night, progress)
        if alive and n == len(subsets) - 1:
            rig.last_crashes()
            rig.run_until(lambda: False, limit=_AFTER)
        journals.append(bytes(rig.display_disk))
        if not alive:
            break
    journals += [b""] * (len(subsets) - len(journals))
    books = audit(zip(subsets, journals, strict=True), bytes(rig.phone_disk), rig.folder)
    return Outcome(night, rig, books, tuple(journals))


def _play(rig: NightRig, night: Night, progress: Progress | None) -> bool:
    """One subset; False when it comes to nothing."""
    told = -_TELL_EVERY
    try:
        while not rig.completed():
            if not rig.step() or rig.now - rig.last_progress > _PATIENCE:
                rig.watch.problems.append(
                    f"Given up: no photo in {_PATIENCE / 3600:g} virtual hours; "
                    f"{rig.decided} photos until then."
                )
                return False
            if progress is not None and rig.decided >= told + _TELL_EVERY:
                told = rig.decided
                progress(told, night.captures)
    except Exception as error:  # noqa: BLE001 - a core that fails is a finding, with a seed
        rig.watch.problems.append(program_failed(error, rig.now))
        return False
    if progress is not None:
        progress(rig.decided, night.captures)
    return True


def program_failed(error: Exception, now: float) -> str:
    """The sentence about a core that raised *error* at *now*, in virtual seconds."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"A program failed after {now:.3f} virtual seconds: "
        f"{type(error).__name__}: {error} ({Path(at.filename).name}, line {at.lineno})."
    )
