"""What a simulated controller does about the room: sets devices, asks people, watches the light.

The real conditions, drivers and suspensions; `rig.web.room` and `rig.web.light` do the same on an
event loop.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from rig.capture import conditions, projections, sessions
from rig.capture.condition_rows import Known
from rig.capture.conditions import Condition
from rig.capture.sessions import Session
from rig.capture.states import State
from rig.environment.model import ActuatorError
from rig.simulation.campaign_room import StationRoom
from rig.store.events import Event

if TYPE_CHECKING:
    from rig.simulation.campaign_controller import Controller

WHO = "the operator"
_STATES = {True: Known.CONFIRMED, False: Known.DIFFERS, None: Known.UNCONFIRMED}
_WATCHED = frozenset({State.ARMED, State.RUNNING})


class Care:
    """For all stations of one controller.

    Attributes:
        counts: devices that failed, levels that a person overruled, the light out of its band.
    """

    def __init__(self, controller: Controller) -> None:
        self.counts: Counter[str] = Counter()
        self._controller = controller

    def ready(self, session: Session, *, overrule: bool) -> list[str]:
        """Set what devices set, let the person who stands there confirm the rest.

        Args:
            session: that is to be started or resumed.
            overrule: the person confirms also what a device failed at, with a note.

        Returns:
            What still keeps the session waiting, in sentences.
        """
        database, now = self._controller.database(), self._controller.now_ns
        room = self._controller.stations[session.station].room
        database.write_now(lambda c: conditions.withdraw_stale(c, session, now))
        every = database.query(lambda c: conditions.every(c, session))
        for one in every:
            if one.by_device:
                self._set(session, room, one)
        return database.write_now(lambda c: self._confirm(c, session, now, overrule=overrule))

    def _set(self, session: Session, room: StationRoom, one: Condition) -> None:
        state, readback, why = Known.FAILED, None, None
        try:
            done = room.set(one.set_by, one.level)
        except ActuatorError as error:
            why = str(error)
            self.counts["device_failures"] += 1
        else:
            state, readback, why = _STATES[done.applied.confirmed], done.applied.readback, done.why
        self._controller.database().write_now(
            lambda c: conditions.applied(
                c, session.id, one.factor, by=one.set_by, state=state, readback=readback, why=why,
                now_ns=self._controller.now_ns,
            )
        )  # fmt: skip

    def _confirm(
        self, connection: Connection, session: Session, now: int, *, overrule: bool
    ) -> list[str]:
        conditions.confirm_all(connection, session, name=WHO, now_ns=now)
        if overrule:
            wrong = [one.factor for one in conditions.every(connection, session) if one.blocker()]
            self.counts["overruled"] += len(wrong)
            conditions.confirm(
                connection, session, wrong, name=WHO, now_ns=now, note="Set by hand, I looked."
            )
        return conditions.blockers(connection, session)

    # -- while a session runs ----------------------------------------------------------------------

    def watch(self, station: str, level: str | None, name: str) -> bool:
        """Read the light of *station*, which shoots session *name*; whether it has to pause."""
        database = self._controller.database()
        session = database.query(lambda c: sessions.find(c, name))
        if level is None or session.state not in _WATCHED:
            return False
        word, why = self._controller.stations[station].room.watch(level)
        if why is None or word == "still":
            return False
        kind = "light_silent" if word == "silent" else "light_out"
        self.counts[kind] += 1
        now = self._controller.now_ns
        body: dict[str, Any] = {"factor": "room_light", "sensor": "meter", "why": why}

        def write(connection: Connection) -> Session | None:
            event = Event(kind, now, now, "controller", session=name, body=body)
            projections.record(connection, event)
            if word != "pause":
                return None
            return sessions.suspend(connection, name, "LIGHT", why, now)

        return database.write_now(write) is not None
