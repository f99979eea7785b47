"""The one person who looks after all stations of a simulated campaign.

Looks at the dashboard, walks to the station that needs somebody, sets the room as the plan says,
asks by the dashboard, and believes only what the dashboard shows.
"""

from __future__ import annotations

import random
from collections import Counter

from sqlalchemy import Connection

from rig.capture import campaigns, sessions, subsets
from rig.capture.campaigns import Campaign
from rig.capture.sessions import Session
from rig.capture.states import ALLOWED, ENDED, Request, State
from rig.planning.model import Subset
from rig.planning.order import change_minutes
from rig.simulation.campaign_controller import NAME, Controller, KilledError
from rig.simulation.campaign_station import Station
from rig.simulation.clock import VirtualClock
from rig.store.errors import ConflictError

_LOOKS = 20.0
"""Seconds between two looks at the dashboard."""
_WALKS = (30.0, 180.0)
"""Seconds to get to a station that needs somebody."""
_STALE = 60.0
"""Seconds after which a session that is not known to run is asked to go on."""
_STUCK = 300.0
"""Seconds after which a request that nothing has come of is looked into."""
_TROUBLE = frozenset({State.PAUSED, State.ABORTED})
_UNBEGUN = ALLOWED[Request.START] - {State.LOADING, State.INTERRUPTED}
_REARMS = 100
"""Aborts after which a person stops to believe in it."""
_TRIES = 2
"""So often devices are mended and tried before the room is set by hand."""
_AGAIN = 4
"""At most so many photos are shot again at a time."""


class Person:
    """Does one thing at a time.

    Attributes:
        over: every subset is complete and no session is open.
        again: the indices that were asked for once more, one by one.
    """

    def __init__(
        self, controller: Controller, clock: VirtualClock, campaign: Campaign, rng: random.Random
    ) -> None:
        self.over = False
        self.counts: Counter[str] = Counter()
        self._controller = controller
        self._clock = clock
        self._rng = rng
        self.again: list[int] = []
        self._subsets = campaign.subsets
        self._scheme = campaign.scheme
        self._next: dict[str, Subset] = {}
        self._at: dict[str, str] = {}
        self._queue: dict[str, list[str]] = {}
        self._tries: dict[str, int] = {}
        self._seen: set[str] = set()
        self._unhappy = 0

    def look(self) -> None:
        """Look at the dashboard and do what is most needed."""
        seconds = _LOOKS
        if self._controller.up:
            try:
                seconds = self._attend()
            except KilledError:
                self.counts["interrupted"] += 1
        self._clock.schedule(seconds, self.look)

    def _attend(self) -> float:
        """Begin to do something; the seconds until the next look."""
        stations = list(self._controller.stations.values())
        for station in stations:
            if self._needs_somebody(station):
                walk = self._rng.uniform(*_WALKS)
                self._clock.schedule(walk, lambda s=station: self._help(s))  # type: ignore[misc]
                return walk + 1.0
        for station in stations:
            if (seconds := self._change_room(station)) is not None:
                return seconds
        self.over = self._finished()
        return _LOOKS

    # -- trouble -----------------------------------------------------------------------------------

    def _session(self, station: Station) -> Session | None:
        name = self._at.get(station.name)
        return None if name is None else self._controller.session(name)

    def _needs_somebody(self, station: Station) -> bool:
        session = self._session(station)
        if session is None:
            return False
        if station.rung or session.state in _TROUBLE | _UNBEGUN:
            return True
        age = (self._controller.now_ns - session.updated_ns) / 1e9
        if session.state is State.INTERRUPTED:
            return age > _STALE
        return session.state not in ENDED and age > _STUCK

    def _help(self, station: Station) -> None:
        station.mend()
        try:
            session = self._session(station)
            if session is not None:
                self._ask(session)
        except KilledError:
            self.counts["interrupted"] += 1

    def _ask(self, session: Session) -> None:
        controller, state = self._controller, session.state
        if state is State.ABORTED and self.counts["rearms"] < _REARMS:
            self.counts["rearms"] += 1
            abort_id = (session.abort or {}).get("abort_id")
            if self._ready(session):
                controller.ask(session.id, Request.REARM, abort_id)
        elif session.started_ns is None and state in ALLOWED[Request.START]:
            self._start(session)
        elif state in ALLOWED[Request.RESUME] and self._ready(session):
            controller.ask(session.id, Request.RESUME)

    def _ready(self, session: Session) -> bool:
        """Whether the room is set: after two tries the person sets it by hand and says so."""
        tries = self._tries.get(session.id, 0)
        left = self._controller.care.ready(session, overrule=tries >= _TRIES)
        self._tries[session.id] = tries + 1 if left else 0
        if left and tries >= _TRIES:
            self._controller.problems += [f"Session {session.id} cannot begin: {a}" for a in left]
        return not left

    # -- the next session --------------------------------------------------------------------------

    def shoot_again(self) -> None:
        """Some photos of the next session that ends are not good enough."""
        self._unhappy += 1

    def _change_room(self, station: Station) -> float | None:
        """Begin to set the room for what is shot next; the seconds that it takes."""
        if station.name in self._next:
            return None
        session = self._session(station)
        if session is not None and session.state not in ENDED:
            return None
        if session is not None:
            self._look_through(station, session)
        subset = self._following(station)
        if subset is None:
            station.mode("done", self._clock.now)
            return None
        self._next[station.name] = subset
        station.mode("changing", self._clock.now)
        factors = self._scheme.factors if self._scheme else ()
        minutes = change_minutes(station.levels, subset.environment.levels, factors)
        seconds = 60.0 * minutes + self._rng.uniform(5.0, 20.0)
        self._clock.schedule(seconds, lambda: self._begin(station))
        return seconds + 1.0

    def _look_through(self, station: Station, session: Session) -> None:
        """Ask for photos of *session* once more, if somebody was unhappy with some.

        What a session that shoots again has left, because it was stopped, is asked for anew.
        """
        if session.id in self._seen:
            return
        self._seen.add(session.id)
        if session.reshoots is not None and session.committed < session.total:
            left = range(session.first + session.committed, session.last + 1)
            made = self._controller.reshoot(session.reshoots, left, 0)
            self._queue.setdefault(station.name, []).extend(one.id for one in made)
        if not self._unhappy or session.reshoots is not None or not session.committed:
            return
        self._unhappy -= 1
        self.counts["reshoots"] += 1
        shot = range(session.first, session.first + session.committed)
        last = self._rng.randint(1, _AGAIN) if self.counts["reshoots"] % 2 else 0
        some = self._rng.sample(shot, min(_AGAIN, len(shot)))
        made = self._controller.reshoot(session.id, some, min(last, len(shot)))
        self.again += [index for one in made for index in range(one.first, one.last + 1)]
        self._queue.setdefault(station.name, []).extend(one.id for one in made)

    def _following(self, station: Station) -> Subset | None:
        """The subset of the session that is shot next: photos to shoot again come first."""
        if queue := self._queue.get(station.name):
            number = self._controller.session(queue[0]).subset
            return next(one for one in self._subsets if one.id == number)
        return self._controller.next_for(station.name, [one.id for one in self._next.values()])

    def _begin(self, station: Station) -> None:
        """The room is set: start the session, which is created now if it is no other's."""
        if not self._controller.up:
            station.mode("waiting", self._clock.now)
            self._clock.schedule(_LOOKS, lambda: self._begin(station))
            return
        subset = self._next.pop(station.name)
        try:
            if queue := self._queue.get(station.name):
                session = self._controller.session(queue.pop(0))
            else:
                session = self._controller.create(subset.id, station.name)
            self._at[station.name] = session.id
            self._start(session)
        except ConflictError:
            self.counts["conflicts"] += 1  # somebody has it by now: look for another one
        except KilledError:
            self.counts["interrupted"] += 1

    def _start(self, session: Session) -> None:
        if self._ready(session):
            self._controller.ask(session.id, Request.START)

    def _finished(self) -> bool:
        if self._next or any(self._queue.values()):
            return False

        def over(connection: Connection) -> bool:
            campaign = campaigns.find(connection, NAME)
            states = set(subsets.subset_states(connection, campaign).values())
            open_ = [one for one in sessions.every(connection) if one.state not in ENDED]
            return states == {State.COMPLETED.value} and not open_

        return self._controller.database().query(over)
