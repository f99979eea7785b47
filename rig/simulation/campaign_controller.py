"""A simulated controller: the real planning, store and session engine, killed and started again.

Whatever kills it leaves the database and its write-ahead log as they are at that moment: the next
life opens a copy of both, as after `kill -9`, and nothing is closed properly.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection

from rig.capture import campaigns, dealing, reshoot, session_plan, sessions, stations, subsets
from rig.capture.campaigns import Campaign
from rig.capture.messages import parse_event
from rig.capture.sessions import Session
from rig.capture.states import RECOVERED, Request, State
from rig.capture.stations import Hub
from rig.planning.model import Subset
from rig.planning.plan import SubsetPlan
from rig.protocol.display import OperatorCommand
from rig.simulation.campaign_care import Care
from rig.simulation.campaign_catalog import synthetic_xrays
from rig.simulation.campaign_outbox import Outbox
from rig.simulation.campaign_room import environments_file
from rig.simulation.campaign_station import RefusedError, Station, virtual_ns
from rig.simulation.clock import VirtualClock
from rig.store import catalogs
from rig.store.catalogs import Catalog
from rig.store.database import Database
from rig.store.errors import ConflictError

TOGETHER = 200
"""Events that are kept in one transaction, as over the agents' real link."""
DEATHS = ("idle", "half", "deaf", "mute")
"""Killed between transactions; within one; after one, before it acknowledges; after a person's
request is noted, before the station hears of it."""
_AWAY = (2.0, 900.0)
_FILES = ("rig.db", "rig.db-wal")
NAME = "night"
_COMMANDS: dict[Request, OperatorCommand] = {
    Request.PAUSE: "pause",
    Request.PAUSE_NOW: "pause_now",
    Request.STOP: "stop",
    Request.RESUME: "resume",
    Request.ABORT: "abort",
    Request.REARM: "rearm",
}


class KilledError(Exception):
    """The controller is dead; nobody gets an answer."""


class Controller:
    """One controller over all its lives.

    Attributes:
        problems: sentences about what it did wrong.
        counts: restarts, requests that were refused, events that came twice.
        care: of the rooms.
        hub: which stations are there, and for how long the others are not.
    """

    def __init__(self, home: Path, clock: VirtualClock, rng: random.Random) -> None:
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()
        self.stations: dict[str, Station] = {}
        self._home = home
        self._clock = clock
        self._rng = rng
        self._life = 0
        self._deaths: list[str] = []
        self.care = Care(self)
        self.hub = Hub(lambda: clock.now)
        self._database: Database | None = None
        self._open()

    @property
    def up(self) -> bool:
        """Whether it runs."""
        return self._database is not None

    @property
    def doomed(self) -> bool:
        """Whether it has yet to be killed."""
        return bool(self._deaths)

    @property
    def now_ns(self) -> int:
        """Its wall clock."""
        return virtual_ns(self._clock.now)

    def database(self) -> Database:
        """The open database.

        Raises:
            KilledError: it does not run.
        """
        if self._database is None:
            raise KilledError
        return self._database

    def close(self) -> None:
        """The end of the simulation."""
        if self._database is not None:
            self._database.close()
            self._database = None

    # -- the campaign ------------------------------------------------------------------------------

    def plan(
        self, captures: int, environments: int, sizes: tuple[int, int], seed: int, names: list[str]
    ) -> Campaign:
        """Import a catalog, plan a campaign over it, register the stations."""
        now, factors = self.now_ns, environments_file(self._home)
        kept = Catalog("c" * 16, NAME, "/simulated.csv", "/", "patient", seed, captures, [], now)

        def write(connection: Connection) -> Campaign:
            catalogs.save(connection, kept, synthetic_xrays(captures, seed))
            for name in names:
                stations.add(connection, name, f"token of {name}", now)
            return campaigns.create(
                connection,
                new_id=f"{self._rng.getrandbits(64):016x}",
                name=NAME,
                catalog=NAME,
                device="nokia",
                now_ns=now,
                size_min=sizes[0],
                size_max=sizes[1],
                at_least=environments,
                seed=seed,
                environments_file=factors,
                stations=names,
            )

        return self.database().write_now(write)

    # -- what a person does at the dashboard -------------------------------------------------------

    def session(self, name: str) -> Session:
        """A session as the dashboard shows it."""
        return self.database().query(lambda c: sessions.find(c, name))

    def create(self, subset: int, station: str) -> Session:
        """A new session."""
        new_id = f"s{self._rng.getrandbits(64):016x}"
        return self.database().write_now(
            lambda c: sessions.create(
                c, new_id=new_id, campaign=NAME, subset=subset, station=station, now_ns=self.now_ns
            )
        )

    def next_for(self, station: str, taken: Collection[int]) -> Subset | None:
        """What *station* shoots next, but none of *taken*."""

        def read(connection: Connection) -> Subset | None:
            campaign = campaigns.find(connection, NAME)
            states = subsets.subset_states(connection, campaign)
            left = {id_: "taken" if id_ in taken else state for id_, state in states.items()}
            return dealing.next_for(connection, campaign, left, station)

        return self.database().query(read)

    def reshoot(self, session: str, indices: Sequence[int], last: int) -> list[Session]:
        """Sessions that shoot *indices*, or the *last* captures, of *session* again."""
        return self.database().write_now(
            lambda c: reshoot.create(
                c,
                session,
                new_id=lambda: f"s{self._rng.getrandbits(64):016x}",
                now_ns=self.now_ns,
                indices=indices,
                last=last,
            )
        )

    def watch(self, station: Station) -> None:
        """Look at the light of a station that shoots; pause it when that has left its band."""
        if not self.up or station.session is None or not station.shooting:
            return
        level = station.levels.get("room_light")
        if self.care.watch(station.name, level, station.session):
            with suppress(RefusedError):
                station.operator("pause")

    def ask(self, name: str, wanted: Request, abort_id: str | None = None) -> bool:
        """Note what a person wants and tell the station; false when either refuses, which is noted.

        Raises:
            KilledError: in between, or before.
        """
        try:
            session = self.database().write_now(
                lambda c: sessions.request(c, name, wanted, self.now_ns, abort_id=abort_id)
            )
        except ConflictError:
            self.counts["conflicts"] += 1  # it has changed since the person looked
            return False
        self._dies("mute")
        return self._carry_out(session, wanted, abort_id)

    def _carry_out(self, session: Session, wanted: Request, abort_id: str | None = None) -> bool:
        station = self.stations[session.station]
        try:
            if not station.present:
                raise RefusedError("the station is not connected")
            if wanted in {Request.START, Request.RESUME, Request.REARM}:
                station.load(self._plan_of(session), self._clock.now)
            if wanted is not Request.START:
                station.operator(_COMMANDS[wanted], abort_id)
        except RefusedError as error:
            if wanted is Request.ABORT and not station.present:
                return True  # told again as soon as the station is back
            self.counts["refused"] += 1
            why = str(error)
            self.database().write_now(
                lambda c: sessions.refuse(c, session.id, wanted, why, self.now_ns)
            )
            return False
        return True

    def _plan_of(self, session: Session) -> SubsetPlan:
        def read(connection: Connection) -> SubsetPlan:
            campaign = campaigns.find(connection, session.campaign)
            return session_plan.plan_of(
                connection,
                campaign,
                session.subset,
                session=session.id,
                with_files=False,
                span=(session.first, session.last),
                run=session.run,
            )

        return self.database().query(read)

    # -- what the stations send --------------------------------------------------------------------

    def hear(self, station: Station) -> None:
        """Take what *station* has to tell, a batch at a time, if both are there."""
        if not self.up or station.rig is None or station.rig.display is None:
            if self.up and (link := self.hub.get(station.name)) is not None:
                self.hub.leave(link)
            return
        try:
            if (link := self.hub.get(station.name)) is None:
                self._greet(station)
            else:
                self.hub.heard(link)
            for box in list(station.outboxes.values()):
                while messages := box.unsent(TOGETHER):
                    self._keep(station, box, messages)
        except KilledError:
            return

    def _greet(self, station: Station) -> None:
        """A station is back: aborts that it missed are told again, events begin anew."""
        self.hub.join(station.name)
        box = station.outboxes.get(station.session or "")
        if box is not None:
            # Acknowledgements may have been lost with the connection: some events come again.
            box.acked = max(0, box.acked - self._rng.choice((0, 1, 7, 2 * TOGETHER)))
        for session in self.database().query(lambda c: sessions.unanswered(c, station.name)):
            self._carry_out(session, Request.ABORT)

    def _keep(self, station: Station, box: Outbox, messages: Sequence[dict[str, object]]) -> None:
        batch = [parse_event(json.loads(json.dumps(one))) for one in messages]
        half = "half" in self._deaths

        def write(connection: Connection) -> sessions.Ingested:
            kept = sessions.ingest(connection, station.name, batch, self.now_ns)
            if half:
                raise KilledError
            return kept

        try:
            kept = self.database().write_now(write)
        except KilledError:
            self._dies("half")
            raise
        self.counts["again"] += len(batch) - len(kept.stored) - len(kept.refused)
        self.problems += [f"An event was refused: {why}" for _, _, why in kept.refused]
        self._dies("deaf")
        acked = kept.acks.get(box.session, len(box.messages))
        if not box.acked < acked <= len(box.messages):
            self._wrong(
                f"The events of session {box.session} are acknowledged to {acked} of "
                f"{len(box.messages)}, after {box.acked} were before."
            )
            raise KilledError
        box.acked = acked

    def _wrong(self, text: str) -> None:
        if text not in self.problems:
            self.problems.append(text)

    # -- dying and coming back ---------------------------------------------------------------------

    def doom(self, death: str) -> None:
        """Kill it in one of the `DEATHS`: now, or when it comes to that."""
        self._deaths.append(death)
        if self.up:
            self._dies("idle", quietly=True)

    def finish_off(self) -> None:
        """The rest of the deaths, now."""
        if self._deaths and self.up:
            self._deaths = ["idle"] * len(self._deaths)
            self._dies("idle", quietly=True)

    def _dies(self, death: str, *, quietly: bool = False) -> None:
        if death not in self._deaths:
            return
        self._deaths.remove(death)
        self._kill()
        if not quietly:
            raise KilledError

    def _kill(self) -> None:
        old, folder = self.database(), self._folder()
        self._life += 1
        new = self._folder()
        new.mkdir(parents=True)
        for name in _FILES:
            if (folder / name).exists():
                shutil.copy2(folder / name, new / name)
        self._database = None
        old.close()
        shutil.rmtree(folder)
        self.hub = Hub(lambda: self._clock.now)
        self._clock.schedule(self._away(), self._open)

    def _away(self) -> float:
        """Seconds; mostly a restart, sometimes somebody has to come."""
        return min(self._rng.uniform(*_AWAY), self._rng.uniform(*_AWAY))

    def _folder(self) -> Path:
        return self._home / f"life-{self._life:03d}"

    def _open(self) -> None:
        database = Database.open(self._folder() / "rig.db")
        self._database = database
        if self._life:
            self.counts["restarts"] += 1
            before = database.query(sessions.every)
            database.write_now(lambda c: sessions.recover(c, self.now_ns))
            self._check(before, database)
            self._dies("idle", quietly=True)

    def _check(self, before: Sequence[Session], database: Database) -> None:
        """After a start nobody may believe what only the last life knew."""
        for old in before:
            new = database.query(lambda c, old=old: sessions.find(c, old.id))  # type: ignore[misc]
            wanted = State.INTERRUPTED if old.state in RECOVERED else old.state
            forgets = old.requested in {None, Request.ABORT}
            asked = old.requested if forgets else None
            if (new.state, new.requested) != (wanted, asked):
                self.problems.append(
                    f"After a restart session {old.id} is {new.state} ({new.requested} asked), "
                    f"not {wanted} ({asked} asked)."
                )
