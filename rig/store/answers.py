"""Answers that are kept for commands which may be sent again (`Idempotency-Key`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from rig.store.tables import answer as table


@dataclass(frozen=True, slots=True)
class Kept:
    """A command that came with a key.

    Attributes:
        fingerprint: of what was asked.
        status: of the answer; None: there is none (yet).
        headers: of the answer.
        sealed: its body, sealed; None as *status*.
    """

    fingerprint: str
    status: int | None
    headers: dict[str, str]
    sealed: bytes | None


def begin(
    connection: Connection, key: str, fingerprint: str, now_ns: int, keep_ns: int
) -> Kept | None:
    """Note that the command under *key* begins; what is kept under it already, if anything is.

    Answers older than *keep_ns* are forgotten here.
    """
    connection.execute(delete(table).where(table.c.created_ns < now_ns - keep_ns))
    row = connection.execute(select(table).where(table.c.key == key)).mappings().first()
    if row is not None:
        names = ("fingerprint", "status", "headers", "sealed")
        return Kept(**{name: row[name] for name in names})
    values: dict[str, Any] = {"key": key, "fingerprint": fingerprint, "headers": {}}
    connection.execute(insert(table).values(created_ns=now_ns, **values))
    return None


def finish(
    connection: Connection, key: str, status: int, headers: dict[str, str], sealed: bytes
) -> None:
    """Keep the answer."""
    connection.execute(
        update(table)
        .where(table.c.key == key)
        .values(status=status, headers=headers, sealed=sealed)
    )


def forget(connection: Connection, key: str) -> None:
    """Nothing was done under *key*: it may be used anew."""
    connection.execute(delete(table).where(table.c.key == key))
