"""A whole campaign in virtual time: planned, shot on several stations, complete.

The real planning, store and session engine, the real protocol cores; a simulated person, network,
cameras and disks. Same campaign, same report.
"""

from __future__ import annotations

import random
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rig.capture.campaigns import Campaign
from rig.capture.states import Request
from rig.simulation.campaign_books import CampaignBooks, audit_campaign
from rig.simulation.campaign_controller import DEATHS, Controller, KilledError
from rig.simulation.campaign_person import Person
from rig.simulation.campaign_station import Station
from rig.simulation.clock import VirtualClock
from rig.simulation.faults import Faults
from rig.simulation.night import Night

Progress = Callable[[int, int], None]
"""Called with (decided, total)."""

_PATIENCE = 6 * 3600.0
"""Virtual seconds without a photo after which the campaign is given up."""
_PUMP = 5.0
"""Seconds between two looks at what the stations have to send."""
_TELL_EVERY = 25
_AFTER = 10.0
_AGAIN = 7.0
_SIZES = (250, 500)


@dataclass(frozen=True)
class CampaignNight:
    """What is to be simulated.

    Attributes:
        captures, environments, stations: how many; environments at least, as far as sizes allow.
        seed: of everything.
        faults: of networks, cameras and screens.
        crashes, roams, disk_faults: how many in all, at random times on random stations.
        restarts: how often the controller is killed.
        aborts, pauses: how often somebody asks for one.
    """

    captures: int
    environments: int
    stations: int
    seed: int
    faults: Faults = field(default_factory=Faults)
    crashes: int = 0
    roams: int = 0
    disk_faults: int = 0
    restarts: int = 0
    aborts: int = 0
    pauses: int = 0

    def sizes(self) -> tuple[int, int]:
        """Smallest and largest subset: 250 to 500, or less when that gives too few."""
        low, high = _SIZES
        each = max(1, self.captures // max(1, self.environments))
        return (low, high) if each >= low else (each, min(high, each + 1))

    def night(self, number: int) -> Night:
        """The share of station *number* (from 0) in the misfortunes."""

        def share(count: int) -> int:
            return count // self.stations + (number < count % self.stations)

        return Night(
            captures=max(1, self.captures // self.stations),
            seed=self.seed * 1000 + number,
            faults=self.faults,
            crashes=share(self.crashes),
            roams=share(self.roams),
            disk_faults=share(self.disk_faults),
        )


class World(VirtualClock):
    """All stations, the controller and the person on one time line."""

    def __init__(self, night: CampaignNight, home: Path) -> None:
        super().__init__()
        rng = random.Random(f"{night.seed}/campaign")  # noqa: S311 - reproducible
        self.decided = 0
        self.last_progress = 0.0
        self.problems: list[str] = []
        self.controller = Controller(home, self, rng)
        names = [f"room-{number + 1}" for number in range(night.stations)]
        self.campaign: Campaign = self.controller.plan(
            night.captures, night.environments, night.sizes(), night.seed, names
        )
        self.stations = [
            Station(name, night.night(number), self._photo) for number, name in enumerate(names)
        ]
        self.controller.stations = {station.name: station for station in self.stations}
        self.person = Person(self.controller, self, self.campaign, rng)
        self._rng = rng
        self._plan = _misfortunes(night, rng)
        for station in self.stations:
            self._pump(station)
        self.person.look()

    def advance(self) -> None:
        """Let the next thing happen, wherever it does; all clocks show the same time."""
        rigs = [station.rig for station in self.stations if station.rig is not None]
        clock = min((self, *rigs), key=lambda one: one.due)
        at = clock.due
        self.now = at
        for rig in rigs:
            rig.now = at
        clock.step()

    def finished(self) -> bool:
        """Every subset is complete, the controller lives and has heard everything."""
        if not self.person.over or not self.controller.up:
            return False
        if self.controller.doomed:
            self.controller.finish_off()
            return False
        return all(
            len(box.messages) == box.acked
            for station in self.stations
            for box in station.outboxes.values()
        )

    def last_crashes(self) -> None:
        """What was still to crash does; then all is quiet for a moment."""
        for station in self.stations:
            station.last_crashes()
        end = self.now + _AFTER
        while self.now < end or not self.finished():
            self.advance()
            self._give_up()

    def _give_up(self) -> None:
        if self.now - self.last_progress > _PATIENCE:
            raise GivenUpError(
                f"no photo in {_PATIENCE / 3600:g} virtual hours; {self.decided} until then"
            )

    def play(self, total: int, progress: Progress | None) -> None:
        """Until it is finished.

        Raises:
            GivenUpError: nothing comes of it.
        """
        told = -_TELL_EVERY
        while not self.finished():
            self.advance()
            self._give_up()
            if progress is not None and self.decided >= told + _TELL_EVERY:
                told = self.decided
                progress(told, total)
        self.last_crashes()
        for station in self.stations:
            station.mode("done", self.now)

    def _pump(self, station: Station) -> None:
        station.look(self.now)
        self.controller.hear(station)
        self.schedule(_PUMP, lambda: self._pump(station))

    def _photo(self) -> None:
        """One more x-ray is decided: misfortunes that are due after so many."""
        self.decided += 1
        self.last_progress = self.now
        while self._plan and self._plan[-1][0] <= self.decided:
            _, kind = self._plan.pop()
            self.schedule(self._rng.uniform(0.0, 2 * _PUMP), lambda k=kind: self._strike(k))  # type: ignore[misc]

    def _strike(self, kind: str) -> None:
        """Kill the controller, or ask a station that shoots for a pause or an abort."""
        if kind in DEATHS:
            self.controller.doom(kind)
            return
        running = [one for one in self.stations if one.shooting]
        done = False
        if self.controller.up and running:
            session = self._rng.choice(running).session
            with suppress(KilledError):
                done = self.controller.ask(str(session), Request(kind))
        if not done:
            self.schedule(_AGAIN, lambda: self._strike(kind))


class GivenUpError(Exception):
    """The campaign does not come to an end; the sentence says why."""


def _misfortunes(night: CampaignNight, rng: random.Random) -> list[tuple[int, str]]:
    """(photos decided before it, what) of what concerns the whole campaign, the last one first."""
    kinds = [DEATHS[number % len(DEATHS)] for number in range(night.restarts)]
    kinds += [Request.ABORT.value] * night.aborts + [Request.PAUSE.value] * night.pauses
    latest = max(1, night.captures * 9 // 10)  # none comes too late to matter
    return sorted(((rng.randrange(latest), kind) for kind in kinds), reverse=True)


@dataclass(frozen=True)
class CampaignOutcome:
    """How the campaign was."""

    night: CampaignNight
    world: World
    books: CampaignBooks

    @property
    def problems(self) -> list[str]:
        """Sentences; none when all is well."""
        watched = [
            f"{station.name}: {told}"
            for station in self.world.stations
            if station.rig is not None
            for told in station.rig.watch.problems
        ]
        controller = self.world.controller.problems
        return [*self.world.problems, *controller, *watched, *self.books.problems]

    def as_json(self) -> dict[str, object]:
        """All figures but how long the simulation took: the same for the same campaign."""
        night, world, books = self.night, self.world, self.books
        rigs = [station.rig for station in world.stations if station.rig is not None]
        subsets = world.campaign.subsets
        return {
            "captures": night.captures,
            "seed": night.seed,
            "committed": books.committed,
            "skipped": books.skipped,
            "duplicated": books.duplicated,
            "subsets": len(subsets),
            "environments": len({one.environment.name for one in subsets}),
            "stations": night.stations,
            "controller_restarts": world.controller.counts["restarts"],
            "sessions": len(books.sessions),
            "events": books.events,
            "events_sent_again": world.controller.counts["again"],
            "retakes": sum(one.retakes for one in books.sessions),
            "pauses": sum(rig.counts["pauses"] for rig in rigs),
            "aborts": sum(len(rig.aborts) for rig in rigs),
            "crashes": sum(rig.audit.crashes for rig in rigs),
            "roams": sum(rig.counts["roams"] for rig in rigs),
            "disk_faults": sum(rig.counts["disk_faults"] for rig in rigs),
            "refused": world.controller.counts["refused"],
            "virtual_hours": {
                mode: round(sum(one.seconds[mode] for one in world.stations) / 3600, 4)
                for mode in ("shooting", "changing", "waiting")
            },
            "elapsed_hours": round(world.now / 3600, 4),
            "run_sha256": books.log_sha256,
            "problems": self.problems,
        }


def simulate_campaign(night: CampaignNight, progress: Progress | None = None) -> CampaignOutcome:
    """Plan and play *night* to its end, or until nothing comes of it.

    Raises:
        PlanningError: no such campaign can be planned.
    """
    with tempfile.TemporaryDirectory(prefix="rig-campaign-") as folder:
        world = World(night, Path(folder))
        try:
            world.play(night.captures, progress)
        except GivenUpError as error:
            world.problems.append(f"Given up: {error}.")
        except Exception as error:  # noqa: BLE001 - a core that fails is a finding, with a seed
            at = traceback.extract_tb(error.__traceback__)[-1]
            world.problems.append(
                f"A program failed after {world.now:.3f} virtual seconds: "
                f"{type(error).__name__}: {error} ({Path(at.filename).name}, line {at.lineno})."
            )
        controller = world.controller
        try:
            while not controller.up:
                world.advance()
            books = audit_campaign(controller.database(), night.captures, world.stations)
        finally:
            controller.close()
    return CampaignOutcome(night, world, books)
