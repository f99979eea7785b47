"""What an event means for the table of conditions: the same live and when rebuilding.

What it means for a factor is folded in `rig.store.condition_log`, which datasets read too.
"""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, RowMapping, select
from sqlalchemy.dialects.sqlite import insert as upsert

from rig.store import tables
from rig.store.condition_log import (
    APPLIED,
    CONFIRMED,
    EVIDENCE,
    KINDS,
    NOTHING,
    OWN,
    PAINTED,
    WHITE,
    WITHDRAWN,
    Fact,
    Known,
    changes,
    levels_of,
    painted_by_display,
)
from rig.store.events import Event

__all__ = [
    "APPLIED",
    "CONFIRMED",
    "EVIDENCE",
    "KINDS",
    "NOTHING",
    "OWN",
    "PAINTED",
    "WHITE",
    "WITHDRAWN",
    "Fact",
    "Known",
    "changes",
    "facts",
    "levels_of",
    "painted_by_display",
    "project",
]


def project(connection: Connection, row: RowMapping, event: Event) -> None:
    """Bring the table of conditions up to *event* of the session in *row*."""
    if event.kind == PAINTED and "gains" not in event.body and "cursor" not in event.body:
        return
    levels = levels_of(connection, row["campaign"], row["subset"])
    if event.kind in {PAINTED, WHITE} and not any(
        painted_by_display(*one) for one in levels.items()
    ):
        return
    known = facts(connection, row["id"])
    for factor, fact in changes(event, levels, known):
        if factor in levels:
            _put(connection, row["id"], factor, fact)


def facts(connection: Connection, session: str) -> dict[str, Fact]:
    """What is known of the factors of *session*; those that are not in it wait."""
    table = tables.condition
    found: dict[str, Fact] = {}
    for row in connection.execute(select(table).where(table.c.session == session)).mappings():
        values = {name: row[name] for name in Fact.__dataclass_fields__}
        values |= {"state": Known(row["state"]), "evidence": tuple(row["evidence"])}
        found[row["factor"]] = Fact(**values)
    return found


def _put(connection: Connection, session: str, factor: str, fact: Fact) -> None:
    values = asdict(fact)
    values["evidence"] = [dict(one) for one in fact.evidence]
    connection.execute(
        upsert(tables.condition)
        .values(session=session, factor=factor, **values)
        .on_conflict_do_update(index_elements=["session", "factor"], set_=values)
    )
