"""Which phone a station has: the generation of its token, and what is noted about pairing."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from rig.capture import projections, stations
from rig.store import tables
from rig.store.events import Event

PAIRED = "phone_paired"
UNPAIRED = "phone_unpaired"
REFUSED = "pairing_refused"
CODE_MADE = "pairing_code"


def generations(connection: Connection) -> dict[str, int]:
    """Station -> generation of its phone's token."""
    table = tables.station
    query = select(table.c.name, table.c.phone_generation)
    return {row.name: row.phone_generation for row in connection.execute(query)}


def generation(connection: Connection, name: str) -> int:
    """Generation of the token of *name*'s phone; 0 for a station that is not kept."""
    table = tables.station
    query = select(table.c.phone_generation).where(table.c.name == name)
    return int(connection.scalar(query) or 0)


def unpair(connection: Connection, name: str, now_ns: int) -> int:
    """Void the token of *name*'s phone; returns the new generation.

    Raises:
        NotFoundError: no such station.
    """
    stations.find(connection, name)
    table = tables.station
    after = generation(connection, name) + 1
    connection.execute(update(table).where(table.c.name == name).values(phone_generation=after))
    note(connection, UNPAIRED, "operator", now_ns, name=name, generation=after)
    return after


def note(connection: Connection, kind: str, actor: str, now_ns: int, **body: Any) -> None:
    """Put something about pairing into the log; never a code or a token."""
    projections.record(connection, Event(kind, now_ns, now_ns, actor, body=body))
