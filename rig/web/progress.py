"""How far campaigns are, remembered: only subsets whose sessions moved are looked at again."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field

from sqlalchemy import Connection, Row, Select, select

from rig.capture import campaigns, subsets
from rig.capture.campaigns import Campaign
from rig.capture.states import State
from rig.planning.model import Subset
from rig.store import events, tables

FAR = 2000
"""Events after which everything is looked at again: that is quicker than so many look-ups."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a subset is: `planned` or the state of its newest session, and captures kept."""

    state: str
    kept: int


@dataclass(slots=True)
class _Known:
    seq: int
    revision: int
    reached: dict[int, Reached] = field(default_factory=dict)


class ProgressBook:
    """What is known of every campaign since the log's event that it was read at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}

    def of(self, connection: Connection, campaign: Campaign) -> dict[int, Reached]:
        """Subset id -> where it is, for every subset of *campaign* that stands."""
        with self._lock:
            newest = events.last_seq(connection)
            known = self._known.get(campaign.id)
            stale = known is None or known.revision != campaign.revision
            if known is None or stale or not 0 <= newest - known.seq <= FAR:
                reached = _everything(connection, campaign)
                self._known[campaign.id] = _Known(newest, campaign.revision, reached)
                return dict(reached)
            for subset in _moved(connection, campaign.id, known.seq):
                if subset in known.reached:
                    known.reached[subset] = _one(connection, campaign, subset)
            known.seq = newest
            return dict(known.reached)


def _moved(connection: Connection, campaign: str, seq: int) -> set[int]:
    """Subsets of *campaign* whose sessions have events after number *seq*."""
    log, session = tables.event, tables.session
    # Neither DISTINCT nor a test of the session: both lure SQLite into walking along the index over
    # the sessions of the whole log. These are `FAR` rows at most.
    query = select(log.c.session).where(log.c.seq > seq).order_by(log.c.seq)
    heard = {one for one in connection.scalars(query) if one is not None}
    if not heard:
        return set()
    # By their ids alone: the index over campaigns would have to walk through all of them.
    rows = connection.execute(
        select(session.c.campaign, session.c.subset).where(session.c.id.in_(heard))
    )
    return {row.subset for row in rows if row.campaign == campaign}


def _everything(connection: Connection, campaign: Campaign) -> dict[int, Reached]:
    states = subsets.subset_states(connection, campaign)
    runs: defaultdict[int, list[Row[tuple[int, str, int]]]] = defaultdict(list)
    for row in connection.execute(_runs(campaign.id)):
        runs[row.subset].append(row)
    return {one.id: Reached(states[one.id], _kept(runs[one.id], one)) for one in campaign.subsets}


def _one(connection: Connection, campaign: Campaign, subset: int) -> Reached:
    states = subsets.subset_states(connection, campaign, only=subset)
    table = tables.session
    rows = list(connection.execute(_runs(campaign.id).where(table.c.subset == subset)))
    return Reached(states[subset], _kept(rows, campaigns.subset_of(campaign, subset)))


def _runs(campaign: str) -> Select[tuple[int, str, int]]:
    table = tables.session
    return select(table.c.subset, table.c.state, table.c.committed).where(
        table.c.campaign == campaign, table.c.reshoots.is_(None), table.c.kind == tables.SUBSET
    )


def _kept(runs: list[Row[tuple[int, str, int]]], subset: Subset) -> int:
    """Captures of a subset: what its stopped sessions have, and the furthest of the others."""
    stopped = sum(int(one.committed) for one in runs if one.state == State.STOPPED)
    others = (int(one.committed) for one in runs if one.state != State.STOPPED)
    return min(stopped + max(others, default=0), subset.size)
