"""Sessions page by page, newest first: as quick with twenty thousand as with twenty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from rig.capture import sessions
from rig.capture.sessions import Session
from rig.capture.states import ENDED, State
from rig.store import tables
from rig.web.view import words

PAGE = 50
OPEN_MOST = 60
"""Open sessions that the home page shows of one station; more are on the list's pages."""
OPEN = tuple(state for state in State if state not in ENDED)


@dataclass(frozen=True, slots=True)
class Sessions:
    """A page of the list.

    Attributes:
        rows: session, its words and its campaign's name.
        after: what to ask the next page for; None: this is the last one.
    """

    rows: list[dict[str, Any]]
    after: str | None


def newest(
    connection: Connection,
    *,
    after: str | None = None,
    limit: int = PAGE,
    campaign: str | None = None,
    station: str | None = None,
) -> Sessions:
    """Sessions newest first, those that follow session *after*.

    Args:
        connection: to read with.
        after: id of the last session of the page before.
        limit: how many.
        campaign: only of the campaign with this id.
        station: only of this station.

    Raises:
        NotFoundError: *after* is no session.
    """
    table = tables.session
    query = select(table.c.id).where(table.c.kind == tables.SUBSET)
    if after is not None:
        last = sessions.find(connection, after)
        older = table.c.created_ns < last.created_ns
        same = and_(table.c.created_ns == last.created_ns, table.c.id > last.id)
        query = query.where(or_(older, same), table.c.created_ns <= last.created_ns)
    if campaign is not None:
        query = query.where(table.c.campaign == campaign)
    if station is not None:
        query = query.where(table.c.station == station)
    query = query.order_by(table.c.created_ns.desc(), table.c.id).limit(limit + 1)
    ids = list(connection.scalars(query))
    shown = sessions.some(connection, ids[:limit])
    return Sessions(named(connection, shown), ids[limit - 1] if len(ids) > limit else None)


def open_ones(connection: Connection) -> list[Session]:
    """Sessions that are not over, newest first, at most `OPEN_MOST` of each station."""
    table = tables.session
    query = select(table.c.id, table.c.station, table.c.created_ns)
    # No order: for that SQLite would walk through the ages of all sessions there ever were.
    query = query.where(table.c.kind == tables.SUBSET, table.c.state.in_(OPEN))
    rows = sorted(connection.execute(query), key=lambda one: (-one.created_ns, one.id))
    shown: dict[str, list[str]] = {}
    for row in rows:
        mine = shown.setdefault(row.station, [])
        if len(mine) < OPEN_MOST:
            mine.append(row.id)
    ids = [one for mine in shown.values() for one in mine]
    return sorted(sessions.some(connection, ids), key=lambda one: (-one.created_ns, one.id))


def named(connection: Connection, found: list[Session]) -> list[dict[str, Any]]:
    """Each session with its state in words and its campaign's name."""
    table = tables.campaign
    wanted = {one.campaign for one in found}
    query = select(table.c.id, table.c.name).where(table.c.id.in_(wanted))
    names = {row.id: row.name for row in connection.execute(query)}
    return [{"session": one, "words": words(one), "campaign": names[one.campaign]} for one in found]
