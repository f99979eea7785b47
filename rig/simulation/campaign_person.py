"""The one person who looks after all stations of a simulated campaign.

Looks at the dashboard, walks to the station that needs somebody, sets the room as the plan says,
asks by the dashboard, and believes only what the dashboard shows.
"""

from __future__ import annotations

import random
from collections import Counter

from rig.capture import campaigns, subsets
from rig.capture.campaigns import Campaign
from rig.capture.sessions import Session
from rig.capture.states import ALLOWED, Request, State
from rig.planning.constraints import stations_for
from rig.planning.model import Subset
from rig.planning.order import change_minutes
from rig.simulation.campaign_controller import NAME, Controller, KilledError
from rig.simulation.campaign_station import Station
from rig.simulation.clock import VirtualClock

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


class Person:
    """Does one thing at a time. *over*: every subset is complete."""

    def __init__(
        self, controller: Controller, clock: VirtualClock, campaign: Campaign, rng: random.Random
    ) -> None:
        self.over = False
        self.counts: Counter[str] = Counter()
        self._controller = controller
        self._clock = clock
        self._rng = rng
        self._plan = list(campaign.subsets)
        self._scheme = campaign.scheme
        self._next: dict[str, Subset] = {}
        self._at: dict[str, str] = {}

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
        return session.state is not State.COMPLETED and age > _STUCK

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
            controller.ask(session.id, Request.REARM, abort_id)
        elif session.started_ns is None and state in ALLOWED[Request.START]:
            self._start(session)
        elif state in ALLOWED[Request.RESUME]:
            self._controller.confirm(session)
            controller.ask(session.id, Request.RESUME)

    # -- the next subset ---------------------------------------------------------------------------

    def _change_room(self, station: Station) -> float | None:
        """Begin to set the room for the next free subset; the seconds that it takes."""
        if station.name in self._next:
            return None
        session = self._session(station)
        if session is not None and session.state is not State.COMPLETED:
            return None
        subset = self._free(station)
        if subset is None:
            station.mode("done", self._clock.now)
            return None
        self._plan.remove(subset)
        self._next[station.name] = subset
        station.mode("changing", self._clock.now)
        factors = self._scheme.factors if self._scheme else ()
        minutes = change_minutes(station.levels, subset.environment.levels, factors)
        seconds = 60.0 * minutes + self._rng.uniform(5.0, 20.0)
        self._clock.schedule(seconds, lambda: self._begin(station))
        return seconds + 1.0

    def _free(self, station: Station) -> Subset | None:
        constraints = self._scheme.constraints if self._scheme else ()
        for subset in self._plan:
            able = stations_for(constraints, subset.environment.levels)
            if able is None or station.name in able:
                return subset
        return None

    def _begin(self, station: Station) -> None:
        """The room is set: create the session and start it."""
        subset = self._next[station.name]
        if not self._controller.up:
            station.mode("waiting", self._clock.now)
            self._clock.schedule(_LOOKS, lambda: self._begin(station))
            return
        del self._next[station.name]
        try:
            session = self._controller.create(subset.id, station.name)
            self._at[station.name] = session.id
            self._start(session)
        except KilledError:
            self.counts["interrupted"] += 1

    def _start(self, session: Session) -> None:
        self._controller.confirm(session)
        self._controller.ask(session.id, Request.START)

    def _finished(self) -> bool:
        if self._plan or self._next:
            return False

        def states() -> set[str]:
            return self._controller.database().query(
                lambda c: set(subsets.subset_states(c, campaigns.find(c, NAME)).values())
            )

        return states() == {State.COMPLETED.value}
