"""Watch the room while a session is shot: light out of its band, a level that is no longer set.

Either suspends the session; going on is a person's decision. Never in a capture's way.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from sqlalchemy import Connection

from rig.capture import conditions, projections, sessions
from rig.capture.conditions import Condition
from rig.capture.sessions import Session
from rig.capture.states import State
from rig.environment.config import Band
from rig.environment.model import ActuatorError
from rig.environment.verified import light_sentence
from rig.errors import UserError
from rig.store.events import Event
from rig.web import remote
from rig.web.controller import Controller

log = structlog.get_logger("rig.light")
CODE, ROOM = "LIGHT", "ROOM"
WATCHED = frozenset({State.ARMED, State.RUNNING})
TIMES = 2
"""Readings out of the band, one after the other, until it counts: a shadow is no lamp."""

Key = tuple[str, str]
"""Session and factor."""


class LightWatch:
    """Reads the sensors of the running sessions every few seconds."""

    def __init__(self, rig: Controller) -> None:
        self.rig = rig
        self._out: dict[Key, int] = {}
        self._silent: set[Key] = set()

    async def run(self) -> None:
        """Until cancelled."""
        while self.rig.room is not None:
            await asyncio.sleep(self.rig.room.file.watch_s)
            try:
                await self.look()
            except UserError as error:
                log.warning("the light could not be watched", why=str(error))

    async def look(self) -> None:
        """Once: every running session."""
        for session, why in await self.rig.database.aquery(self._undone):
            log.warning("a level is not set any more", session=session.id, why=why)
            await remote.suspend(self.rig, session.id, code=ROOM, why=why)
        watched = await self.rig.database.aquery(self._watched)
        keys = {(session.id, one.factor) for session, one, _ in watched}
        self._out = {key: count for key, count in self._out.items() if key in keys}
        self._silent &= keys
        for session, one, band in watched:
            await self._check(session, one, band)

    def _undone(self, connection: Connection) -> list[tuple[Session, str]]:
        """Sessions that run although a level of theirs was withdrawn, such as by a safe state."""
        found: list[tuple[Session, str]] = []
        for session in sessions.every(connection, in_states=WATCHED):
            if session.requested is None:
                every = conditions.every(connection, session)
                told = (one.blocker() for one in every if one.by_device)
                if why := " ".join(one for one in told if one):
                    found.append((session, f"{why} Resume sets it again."))
        return found

    def _watched(self, connection: Connection) -> list[tuple[Session, Condition, Band]]:
        room = self.rig.room
        found: list[tuple[Session, Condition, Band]] = []
        for session in sessions.every(connection, in_states=WATCHED):
            if room is None:
                break
            for one in conditions.every(connection, session):
                band = room.file.band(one.set_by, one.level)
                if band is not None and room.serves(one.set_by, session.station):
                    found.append((session, one, band))
        return found

    async def _check(self, session: Session, one: Condition, band: Band) -> None:
        assert self.rig.room is not None  # noqa: S101 - only then there is something to watch
        key = session.id, one.factor
        body: dict[str, Any] = {"factor": one.factor, "sensor": band.sensor, "wanted": band.text}
        try:
            lux = (await self.rig.room.read_light(band.sensor)).lux
        except ActuatorError as error:
            if key not in self._silent:
                self._silent.add(key)
                await self._record("light_silent", session, {**body, "why": str(error)})
            return
        self._silent.discard(key)
        if band.low <= lux <= band.high:
            if self._out.pop(key, 0):
                await self._record("light_back", session, {**body, "lux": lux})
            return
        self._out[key] = times = self._out.get(key, 0) + 1
        why = f"{light_sentence(lux, band)}, then resume"
        if times <= TIMES:
            await self._record("light_out", session, {**body, "lux": lux, "why": why})
        if times == TIMES:
            log.warning("light out of its band", session=session.id, why=why)
            await remote.suspend(self.rig, session.id, code=CODE, why=why)

    async def _record(self, kind: str, session: Session, body: dict[str, Any]) -> None:
        now = self.rig.clock_ns()
        event = Event(kind, now, now, "controller", session=session.id, body=body)
        await self.rig.database.awrite(lambda c: projections.record(c, event))
