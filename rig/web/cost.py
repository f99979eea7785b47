"""How long a photo takes and how large it is, as the newest sessions were."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from rig.capture import sessions, stations
from rig.store import tables

ASSUMED_S = 2.5
"""Seconds per photo while nothing is known: paint, settle, expose, store."""
ASSUMED_BYTES = 4_000_000
"""Bytes per photo while nothing is known: a JPEG of 12 megapixels."""
ASSUMED_SETTLE_MS = 150
_NEWEST = 5


@dataclass(frozen=True, slots=True)
class Usual:
    """What a photo takes.

    Attributes:
        interval_s: seconds from one to the next.
        photo_bytes: of one photo.
        station: whose newest session says so; None: all is assumed.
        settle_ms: from paint to photo, which is part of the interval.
    """

    interval_s: float = ASSUMED_S
    photo_bytes: float = ASSUMED_BYTES
    station: str | None = None
    settle_ms: int = ASSUMED_SETTLE_MS

    def each(self, settle_ms: int) -> float:
        """Seconds per photo when *settle_ms* pass from paint to photo."""
        return max(self.interval_s + (settle_ms - self.settle_ms) / 1000, settle_ms / 1000)


def usual(connection: Connection, station: str | None = None) -> Usual:
    """What a photo took in the newest session (of *station*) that had at least two."""
    table = tables.session
    best: tuple[int, Usual] | None = None
    for name in [station] if station is not None else stations.names(connection):
        query = select(table.c.id, table.c.started_ns).where(
            table.c.station == name, table.c.kind == tables.SUBSET, table.c.started_ns.is_not(None)
        )
        for row in connection.execute(query.order_by(table.c.started_ns.desc()).limit(_NEWEST)):
            found = _of(connection, row.id, name)
            if found is not None:
                if best is None or row.started_ns > best[0]:
                    best = (row.started_ns, found)
                break
    return Usual() if best is None else best[1]


def _of(connection: Connection, session: str, station: str) -> Usual | None:
    found = sessions.find(connection, session)
    interval = sessions.progress(connection, found).interval_s
    table = tables.capture
    query = select(func.avg(table.c.size)).where(table.c.session == session, table.c.committed)
    size = connection.scalar(query)
    if interval is None or not size:
        return None
    campaign = tables.campaign
    settle = connection.scalar(select(campaign.c.settle_ms).where(campaign.c.id == found.campaign))
    return Usual(interval, float(size), station, int(settle or 0))
