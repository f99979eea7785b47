"""The audit log: who asked for what, when, and what was answered. Rows are never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, insert, select

from rig.store.tables import audit as table


@dataclass(frozen=True, slots=True)
class Entry:
    """One row.

    Attributes:
        time_ns: Unix time, the controller's clock.
        actor: `operator:anna`, `operator` (nobody said a name), `command` or `controller`.
        action: operation id of the API, or the kind of an event.
        device: id of the browser or script; `token` for the access token; None: neither.
        session: id, where one is concerned.
        campaign: name, where one is concerned.
        target: what else is concerned, e.g. `station room-1`.
        status: HTTP status of the answer; None: it did not come through the API.
        why: the sentence it was refused with.
        told: what was asked for, JSON, without secrets.
        seq: number; 0 until it is appended.
    """

    time_ns: int
    actor: str
    action: str
    device: str | None = None
    session: str | None = None
    campaign: str | None = None
    target: str | None = None
    status: int | None = None
    why: str | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    seq: int = 0


SECRETS = frozenset({
    "token", "code", "pairing", "answer_key", "password", "paths", "annotations",
})  # fmt: skip
"""Fields whose values never stand in the log; paths of hospital files may hold patients' names."""
TEXT_MOST = 300
FIELDS_MOST = 20
_FIELDS = tuple(name for name in Entry.__dataclass_fields__ if name != "seq")


def plain(told: Mapping[str, Any]) -> dict[str, Any]:
    """The short values of *told* without secrets: what a reader of the log wants to see."""
    kept: dict[str, Any] = {}
    for key, value in list(told.items())[:FIELDS_MOST]:
        if key in SECRETS:
            continue
        if isinstance(value, str):
            kept[str(key)[:60]] = value[:TEXT_MOST]
        elif value is None or isinstance(value, bool | int | float):
            kept[str(key)[:60]] = value
        elif isinstance(value, list) and len(value) <= FIELDS_MOST:
            short = [one for one in value if isinstance(one, int) or _short(one)]
            kept[str(key)[:60]] = short if len(short) == len(value) else len(value)
    return kept


def _short(value: object) -> bool:
    return isinstance(value, str) and len(value) <= TEXT_MOST


def append(connection: Connection, entry: Entry) -> Entry:
    """Append *entry* and return it with its number."""
    values = {name: getattr(entry, name) for name in _FIELDS} | {"told": dict(entry.told)}
    key = connection.execute(insert(table).values(**values)).inserted_primary_key
    return replace(entry, seq=int(key[0]) if key else 0)


def newest(
    connection: Connection,
    *,
    before: int | None = None,
    limit: int = 50,
    session: str | None = None,
    campaign: str | None = None,
    actor: str | None = None,
) -> list[Entry]:
    """Up to *limit* rows older than number *before*, newest first; of one session, or one actor.

    Every way to ask is a walk along an index: it costs the same in a log of millions.
    """
    query = select(table).order_by(table.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(table.c.seq < before)
    for column, value in (
        (table.c.session, session), (table.c.campaign, campaign), (table.c.actor, actor),
    ):  # fmt: skip
        if value is not None:
            query = query.where(column == value)
    return [Entry(**row) for row in connection.execute(query).mappings()]


def actors(connection: Connection, limit: int = 100) -> list[str]:
    """Who is in the log, by name; each is looked up by a jump along the index."""
    found: list[str] = []
    query = select(table.c.actor).order_by(table.c.actor).limit(1)
    while len(found) < limit:
        after = query if not found else query.where(table.c.actor > found[-1])
        one = connection.scalar(after)
        if one is None:
            break
        found.append(one)
    return found
