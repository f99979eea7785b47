"""Starts the sessions of the queue when it is their turn."""

from __future__ import annotations

import structlog
from sqlalchemy import Connection

from rig.capture import queue
from rig.capture.queue import Place
from rig.capture.sessions import Session
from rig.capture.states import Request
from rig.errors import UserError
from rig.web import remote
from rig.web.controller import Controller

log = structlog.get_logger("rig.queue")
EVERY = 2.0
"""Seconds between two looks while nothing is written."""


class Queue:
    """One controller's queue. Lives on the event loop.

    Args:
        rig: the controller.
    """

    def __init__(self, rig: Controller) -> None:
        self._rig = rig

    async def run(self) -> None:
        """Look after every write until cancelled."""
        feed = self._rig.feed
        while not feed.closed:
            version = feed.version
            try:
                await self.look()
            except UserError as error:
                log.warning("the queue could not be looked at", why=str(error))
            await feed.wait(version, EVERY)

    async def look(self) -> None:
        """Once: take out what was broken, start what is due."""
        if not await self._rig.database.aquery(queue.waiting):
            return
        now = self._rig.clock_ns()
        for session, here in await self._rig.database.awrite(lambda c: queue.settle(c, now)):
            await self._begin(session, here)

    async def _begin(self, session: Session, here: Place) -> None:
        if self._rig.hub.get(session.station) is None:
            return  # it is tried again when the display agent is back
        now = self._rig.clock_ns()

        def carry(connection: Connection) -> None:
            queue.carry_over(connection, session, here, now)

        try:
            await self._rig.database.awrite(carry)
            await remote.ask(
                self._rig, session.id, Request.START, name=here.by, confirm=here.vouched(now)
            )
        except UserError as error:
            why = str(error)
            log.warning("a queued session was not started", session=session.id, why=why)
            at = self._rig.clock_ns()
            await self._rig.database.awrite(lambda c: queue.drop(c, session.id, why, at))
