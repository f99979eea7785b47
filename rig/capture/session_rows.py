"""What is known of sessions, read from their table."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from rig.capture.states import Request, State
from rig.store import tables
from rig.store.errors import NotFoundError

RATE_OVER = 30
"""The rate is the median interval of this many newest captures: a pause does not move it."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session as the rig has confirmed it; see `rig.store.tables.session` for the fields."""

    id: str
    campaign: str
    subset: int
    station: str
    first: int
    last: int
    state: State
    requested: Request | None
    requested_ns: int | None
    refused: str | None
    created_ns: int
    updated_ns: int
    started_ns: int | None
    ended_ns: int | None
    source_seq: int
    committed: int
    retakes: int
    photos: int
    verified: int
    rejected: int
    painted_index: int | None
    last_index: int | None
    rtt_ms: float | None
    link: str | None
    phone: dict[str, Any] | None
    paused: dict[str, Any] | None
    abort: dict[str, Any] | None
    chain: str | None
    legacy: bool
    claimed: int
    app: dict[str, Any] | None
    run: int
    reshoots: str | None
    asked: dict[str, Any] | None
    finish: dict[str, Any] | None
    kind: str = tables.SUBSET
    parent: str | None = None
    alignment: dict[str, Any] | None = None

    @property
    def total(self) -> int:
        """How many x-rays it has."""
        return self.last - self.first + 1

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {**asdict(self), "total": self.total, "alignment": self._alignment()}

    def _alignment(self) -> dict[str, Any] | None:
        """Without the measures: they are long, and asked for by themselves."""
        if self.alignment is None:
            return None
        result = dict(self.alignment.get("result") or {})
        result.pop("measures", None)
        return {**self.alignment, "result": result or None}


@dataclass(frozen=True, slots=True)
class Progress:
    """How fast it goes: seconds per capture and seconds left, None while too little is known."""

    interval_s: float | None
    eta_s: float | None


def find(connection: Connection, session: str) -> Session:
    """The session with this id.

    Raises:
        NotFoundError: there is none.
    """
    table = tables.session
    row = connection.execute(select(table).where(table.c.id == session)).mappings().first()
    if row is None:
        raise NotFoundError(f"No session has the id {session[:40]!r}.")
    return _session(row)


def every(
    connection: Connection,
    *,
    campaign_id: str | None = None,
    in_states: Collection[State] | None = None,
) -> list[Session]:
    """All sessions (of a campaign, in certain states), newest first; no alignment shots."""
    table = tables.session
    query = select(table).where(table.c.kind == tables.SUBSET)
    if campaign_id is not None:
        query = query.where(table.c.campaign == campaign_id)
    if in_states is not None:
        query = query.where(table.c.state.in_(in_states))
    found = [_session(row) for row in connection.execute(query).mappings()]
    # Sorted here: for the order SQLite would take the index over the ages of all sessions.
    return sorted(found, key=lambda one: (-one.created_ns, one.id))


def some(connection: Connection, ids: Sequence[str]) -> list[Session]:
    """The sessions with these ids, in this order; those that there are not are left out."""
    table = tables.session
    rows = connection.execute(select(table).where(table.c.id.in_(ids))).mappings()
    found = {row["id"]: _session(row) for row in rows}
    return [found[one] for one in ids if one in found]


def unanswered(connection: Connection, station: str) -> list[Session]:
    """Sessions of *station* with an abort that it has not confirmed."""
    table = tables.session
    query = select(table).where(table.c.station == station, table.c.requested == Request.ABORT)
    return [_session(row) for row in connection.execute(query).mappings()]


def progress(connection: Connection, session: Session) -> Progress:
    """The median interval of the newest captures or claims, and what it means for the rest."""
    captured, claimed = tables.capture, tables.claim
    table = claimed if session.legacy else captured
    query = select(table.c.time_ns).where(table.c.session == session.id)
    if not session.legacy:
        query = query.where(captured.c.committed)
    times = list(connection.scalars(query.order_by(table.c.time_ns.desc()).limit(RATE_OVER)))
    if len(times) < 2:
        return Progress(None, None)
    interval = statistics.median(
        (later - earlier) / 1e9 for later, earlier in itertools.pairwise(times)
    )
    done = session.claimed if session.legacy else session.committed
    return Progress(interval, interval * (session.total - done))


def _session(row: RowMapping) -> Session:
    values = dict(row)
    values["state"] = State(values["state"])
    values["requested"] = Request(values["requested"]) if values["requested"] else None
    return Session(**values)
