"""The room at work for the sessions: set before shooting, safe after an abort and at the end.

Everything that the actuators say is written down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import Connection

from rig.capture import conditions, projections, sessions
from rig.capture.condition_rows import Known
from rig.capture.conditions import Condition
from rig.capture.sessions import Session
from rig.capture.states import ALLOWED, ENDED, Request, State
from rig.environment.config import RoomFile
from rig.environment.model import ActuatorError, Applied
from rig.environment.room import Room
from rig.environment.verified import apply_verified
from rig.store.database import Database
from rig.store.errors import ConflictError
from rig.store.events import Event

if TYPE_CHECKING:
    from rig.web.controller import Controller

log = structlog.get_logger("rig.room")
SHOOTING = frozenset({State.LOADING, State.ARMED, State.RUNNING, State.PAUSING, State.STOPPING})
SETS = frozenset({Request.START, Request.RESUME, Request.REARM})
"""Requests after which photos are taken: the room is set first."""


@dataclass(frozen=True, slots=True)
class Light:
    """What a sensor saw last."""

    sensor: str
    lux: float
    at_ns: int


class RoomControl:
    """The actuators of all stations. Lives on the event loop.

    Args:
        file: the configuration.
        database: where everything is written down.
        clock_ns: Unix time.
        trace: folder for byte traces.
    """

    def __init__(
        self, file: RoomFile, database: Database, clock_ns: Callable[[], int], trace: Path
    ) -> None:
        self.file = file
        self.room = Room(file.actuators, trace=trace, clock_ns=clock_ns)
        self.light: dict[str, Light] = {}
        self._database = database
        self._clock_ns = clock_ns

    def serves(self, name: str, station: str) -> bool:
        """Whether actuator *name* is configured, for *station*."""
        table = self.file.actuators.get(name)
        return table is not None and table.serves(station)

    async def apply(self, session: Session, todo: Collection[Condition]) -> None:
        """Set every level of *todo* and write down what became of it.

        Raises:
            ConflictError: another session shoots with an actuator at another level.
        """
        mine = [one for one in todo if self.serves(one.set_by, session.station)]
        await self._database.aquery(lambda c: self._refuse_conflict(c, session, mine))
        async with asyncio.TaskGroup() as group:
            for one in mine:
                group.create_task(self._set(session, one))

    async def read_light(self, sensor: str) -> Light:
        """Lux now; kept as what the sensor saw last.

        Raises:
            ActuatorError: it does not answer.
        """
        seen = Light(sensor, await self.room.read_lux(sensor), self._clock_ns())
        self.light[sensor] = seen
        return seen

    async def after_abort(self, session: str) -> None:
        """Safe states of the session's station, but of nothing that another session shoots with."""
        found = await self._database.aquery(lambda c: sessions.find(c, session))
        names = await self._database.aquery(lambda c: self._free(c, found))
        why = f"the safe state was set after the abort of session {session}"
        await self._written(await self.room.make_safe(names), why, session)

    async def close(self) -> None:
        """Safe states; the ports are given back.

        What a session shoots with stays as it is: its station goes on without the controller, and
        its photos would be taken in another light than their labels say.
        """
        free = await self._database.aquery(lambda c: self._free(c, None))
        done = await self.room.make_safe(free)
        await self._written(done, "the safe state was set when the controller stopped", None)
        await self.room.close(safe=False)

    async def _set(self, session: Session, one: Condition) -> None:
        try:
            done = await apply_verified(self.room, self.file, one.set_by, one.level)
        except ActuatorError as error:
            log.warning("an actuator failed", actuator=one.set_by, why=str(error))
            await self._note(session, one, Known.FAILED, None, str(error))
            return
        state = {True: Known.CONFIRMED, False: Known.DIFFERS, None: Known.UNCONFIRMED}
        applied = done.applied
        await self._note(session, one, state[applied.confirmed], applied.readback, done.why)

    async def _note(
        self, session: Session, one: Condition, state: Known, readback: str | None, why: str | None
    ) -> None:
        now = self._clock_ns()
        await self._database.awrite(
            lambda c: conditions.applied(
                c, session.id, one.factor, by=one.set_by, state=state, readback=readback, why=why,
                now_ns=now,
            )
        )  # fmt: skip

    def _refuse_conflict(
        self, connection: Connection, session: Session, mine: Collection[Condition]
    ) -> None:
        wanted = {one.set_by: one.level for one in mine}
        for other in self._shooting(connection, session):
            for one in conditions.every(connection, other):
                if wanted.get(one.set_by, one.level) != one.level and self.serves(
                    one.set_by, other.station
                ):
                    raise ConflictError(
                        f"{one.set_by} is at {one.level} for session {other.id} on "
                        f"{other.station}, which shoots now: it cannot be set to "
                        f"{wanted[one.set_by]}. Wait until that session is done."
                    )

    def _free(self, connection: Connection, session: Session | None) -> list[str]:
        """Actuators of *session*'s station, or all, that no other session shoots with."""
        used = {
            one.set_by
            for other in self._shooting(connection, session)
            for one in conditions.every(connection, other)
            if self.serves(one.set_by, other.station)
        }
        return [
            name
            for name in self.room.names
            if name not in used and (session is None or self.serves(name, session.station))
        ]

    def _shooting(self, connection: Connection, session: Session | None) -> list[Session]:
        """The other sessions that count on the room; a paused one sets it anew when it resumes."""
        but = None if session is None else session.id
        every = sessions.every(connection, in_states=SHOOTING)
        return [one for one in every if one.id != but]

    async def _written(
        self, done: Mapping[str, Applied | ActuatorError], why: str, session: str | None
    ) -> None:
        """Note the safe states; no open session can count on these actuators any more."""
        if not done:
            return
        now = self._clock_ns()
        body = {"why": why, "set": {name: _told(one) for name, one in done.items()}}

        def write(connection: Connection) -> None:
            event = Event("safe_state", now, now, "controller", session=session, body=body)
            projections.record(connection, event)
            for one in sessions.every(connection, in_states=set(State) - ENDED):
                lost = [
                    condition.factor
                    for condition in conditions.every(connection, one)
                    if condition.set_by in done
                    and condition.fact.state is not Known.WAITING
                    and self.serves(condition.set_by, one.station)
                ]
                conditions.withdraw(connection, one.id, lost, why, now)

        await self._database.awrite(write)


async def prepare(rig: Controller, session: Session, wanted: Request) -> None:
    """Before photos are taken: ask again for what is too old, set what devices set.

    What no device of this controller can set is left to a person's look.

    Raises:
        ConflictError: another session shoots with an actuator at another level.
    """
    if wanted not in SETS or session.state not in ALLOWED[wanted]:
        return  # it will be refused: nothing is switched for that
    now = rig.clock_ns()
    await rig.database.awrite(lambda c: conditions.withdraw_stale(c, session, now))
    await set_devices(rig, session)


async def set_devices(rig: Controller, session: Session) -> None:
    """Set every level of *session* that an actuator sets; raises as `prepare`."""
    every = await rig.database.aquery(lambda c: conditions.every(c, session))
    todo = [one for one in every if one.by_device]
    room = rig.room
    absent = [one for one in todo if room is None or not room.serves(one.set_by, session.station)]
    if absent:
        await _leave_to_person(rig, session, absent)
    if room is not None:
        await room.apply(session, todo)


async def _leave_to_person(rig: Controller, session: Session, absent: list[Condition]) -> None:
    now = rig.clock_ns()

    def write(connection: Connection) -> None:
        for one in absent:
            why = f"No actuator {one.set_by} is configured for station {session.station}"
            conditions.applied(
                connection, session.id, one.factor, by=one.set_by, state=Known.UNCONFIRMED,
                readback=None, why=why, now_ns=now,
            )  # fmt: skip

    await rig.database.awrite(write)


def _told(one: Applied | ActuatorError) -> dict[str, Any]:
    if isinstance(one, ActuatorError):
        return {"failed": str(one)}
    return {"level": one.requested, "confirmed": one.confirmed, "readback": one.readback}
