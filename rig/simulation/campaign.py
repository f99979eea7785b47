"""A whole campaign in virtual time: planned, shot on several stations, complete.

The real planning, store and session engine, the real protocol cores; a simulated person, network,
cameras and disks. Same campaign, same report.
"""

from __future__ import annotations

import random
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rig.capture.campaigns import Campaign
from rig.capture.states import Request, State
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
_WATCH = 6
"""Every so many of these looks the light of a station that shoots is read."""
_LOST = (600.0, 3000.0)
"""Seconds for which the machine of a station that is lost is off."""
_TELL_EVERY = 25
_AFTER = 10.0
_AGAIN = 7.0
_SIZES = (250, 500)
_MISHAPS = frozenset({"device", "light", "lost"})


@dataclass(frozen=True)
class CampaignNight:
    """What is to be simulated.

    Attributes:
        captures, environments, stations: how many; environments at least, as far as sizes allow.
        seed: of everything.
        faults: of networks, cameras and screens.
        crashes, roams, disk_faults: how many in all, at random times on random stations.
        restarts: how often the controller is killed.
        aborts, pauses, pauses_now, stops: how often somebody asks for one.
        reshoots: how often somebody wants photos of a session once more.
        device_faults: how often a device of a room misbehaves. *light_faults*: the light leaves its
            band. *lost*: a station goes off for long.
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
    pauses_now: int = 0
    stops: int = 0
    reshoots: int = 0
    device_faults: int = 0
    light_faults: int = 0
    lost: int = 0

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
        self.counts: Counter[str] = Counter()
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

    def _pump(self, station: Station, turn: int = 0) -> None:
        station.look(self.now)
        self.controller.hear(station)
        if turn == 0:
            self.controller.watch(station)
        self.schedule(_PUMP, lambda: self._pump(station, (turn + 1) % _WATCH))

    def _photo(self) -> None:
        """One more x-ray is decided: misfortunes that are due after so many."""
        self.decided += 1
        self.last_progress = self.now
        while self._plan and self._plan[-1][0] <= self.decided:
            _, kind = self._plan.pop()
            self.schedule(self._rng.uniform(0.0, 2 * _PUMP), lambda k=kind: self._strike(k))  # type: ignore[misc]

    def _strike(self, kind: str) -> None:
        """Kill the controller, let something go wrong at a station, or ask it for something."""
        if kind in DEATHS:
            self.controller.doom(kind)
            return
        if kind == "reshoot":
            self.person.shoot_again()
            return
        running = [one for one in self.stations if one.shooting]
        done = False
        if running:
            station = self._rng.choice(running)
            done = self._befall(station, kind) if kind in _MISHAPS else self._request(station, kind)
        if not done:
            self.schedule(_AGAIN, lambda: self._strike(kind))

    def _request(self, station: Station, kind: str) -> bool:
        done = False
        if self.controller.up:
            with suppress(KilledError):
                done = self.controller.ask(str(station.session), Request(kind))
        self.counts[kind] += done
        return done

    def _befall(self, station: Station, kind: str) -> bool:
        self.counts[kind] += 1
        if kind == "device":
            station.room.spoil(self._rng)
        elif kind == "light":
            station.room.shade()
        elif station.rig is not None:
            seconds = self._rng.uniform(*_LOST)
            station.rig.lose(seconds)
            told = self.controller.counts["restarts"]
            self.schedule(seconds - 1.0, lambda: self._missed(station, seconds, told))
        return True

    def _missed(self, station: Station, seconds: float, restarts: int) -> None:
        """The controller must show for how long it has heard nothing, unless it was away too."""
        if not self.controller.up or self.controller.counts["restarts"] != restarts:
            return
        shown = self.controller.hub.view(station.name)
        age = (shown["heard_age_ms"] or 0) / 1000
        if shown["connected"] or abs(age - seconds) > 2 * _PUMP:
            self.problems.append(
                f"Station {station.name} was lost for {seconds:.0f} s and is shown as {shown}."
            )


class GivenUpError(Exception):
    """The campaign does not come to an end; the sentence says why."""


def _misfortunes(night: CampaignNight, rng: random.Random) -> list[tuple[int, str]]:
    """(photos decided before it, what) of what concerns the whole campaign, the last one first."""
    kinds = [DEATHS[number % len(DEATHS)] for number in range(night.restarts)]
    for count, kind in (
        (night.aborts, Request.ABORT.value),
        (night.pauses, Request.PAUSE.value),
        (night.pauses_now, Request.PAUSE_NOW.value),
        (night.stops, Request.STOP.value),
        (night.reshoots, "reshoot"),
        (night.device_faults, "device"),
        (night.light_faults, "light"),
        (night.lost, "lost"),
    ):
        kinds += [kind] * count
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
            "stopped": sum(one.state is State.STOPPED for one in books.sessions),
            "reshoots": sum(one.reshoots is not None for one in books.sessions),
            "shot_again": len(world.person.again),
            "in_force": books.in_force,
            "unconfirmed": books.unconfirmed,
            "pauses": sum(rig.counts["pauses"] for rig in rigs),
            "pauses_now": world.counts["pause_now"],
            "aborts": sum(len(rig.aborts) for rig in rigs),
            "crashes": sum(rig.audit.crashes for rig in rigs) - world.counts["lost"],
            "lost_stations": world.counts["lost"],
            "device_faults": world.counts["device"],
            "light_faults": world.counts["light"],
            "care": dict(sorted(world.controller.care.counts.items())),
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
            books = audit_campaign(
                controller.database(), night.captures, world.stations, world.person.again
            )
        finally:
            controller.close()
    return CampaignOutcome(night, world, books)
