"""Looks after every session that shoots: one `Watch` each, fed from the log."""

from __future__ import annotations

from sqlalchemy import Connection

from rig.capture import sessions
from rig.capture.sessions import Session
from rig.capture.states import State
from rig.capture.watch import Limits, Watch
from rig.store import events
from rig.store.events import Event
from rig.web import remote
from rig.web.controller import Controller

EVERY = 1.0
"""Seconds between two looks."""
_PAGE = 1000


class Watcher:
    """Suspends sessions on one controller.

    Args:
        rig: the controller.
        limits: when it is too slow or too bad.
    """

    def __init__(self, rig: Controller, limits: Limits | None = None) -> None:
        self._rig = rig
        self._limits = limits or Limits()
        self._seq: int | None = None
        self._watches: dict[str, Watch] = {}

    async def run(self) -> None:
        """Look once a second until cancelled."""
        feed = self._rig.feed
        while not feed.closed:
            await self.look()
            await feed.wait(feed.version, EVERY)

    async def look(self) -> None:
        """Read what is new, then ask for the pauses that are due."""
        new, shooting = await self._rig.database.aquery(self._read)
        for event in new:
            if event.session in self._watches:
                self._watches[event.session].hear(event)
        now = self._rig.clock_ns()
        for one in shooting:
            watch = self._watches[one.id]
            if self._rig.hub.get(one.station) is None:
                watch.excuse(now)
            elif (found := watch.look(now)) is not None:
                await remote.suspend(self._rig, one.id, code=found.code, why=found.why)

    def _read(self, connection: Connection) -> tuple[list[Event], list[Session]]:
        if self._seq is None:
            self._seq = events.last_seq(connection)
        new: list[Event] = []
        while page := events.after(connection, self._seq, limit=_PAGE):
            new += page
            self._seq = page[-1].seq
        known = sessions.every(connection, in_states=_WATCHED)
        for one in known:
            self._watches.setdefault(one.id, Watch(self._limits))
        for gone in self._watches.keys() - {one.id for one in known}:
            del self._watches[gone]
        return new, [one for one in known if one.state is State.RUNNING]


_WATCHED = frozenset(
    {State.LOADING, State.ARMED, State.RUNNING, State.PAUSING, State.PAUSED, State.INTERRUPTED}
)
