"""When a phone may delete its photos: only what lies here, whole, and an operator let go.

The phone's copy is the last one besides ours: "whole" is looked up on the disk, not in the store.
All functions block.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from rig.capture import projections, sessions
from rig.capture.photos import Listed
from rig.store import captures, tables
from rig.store.database import Database
from rig.store.errors import ConflictError
from rig.store.events import Event
from rig.web.receive import BadNameError, Inbox, check_name

RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Release:
    """What a phone may delete.

    Attributes:
        allowed: an operator allowed it and the batch is complete.
        photos: name and SHA-256 of exactly the photos that may go; empty unless allowed.
    """

    allowed: bool
    photos: tuple[Listed, ...]


def set_release(
    database: Database, home: Path, session: str, *, allow: bool, now_ns: int, actor: str
) -> Release:
    """Allow, or stop allowing, that the phone deletes the photos of *session*.

    Every file is read and hashed again before it is allowed: seconds for a few gigabytes.

    Raises:
        NotFoundError: no such session.
        ConflictError: the batch is not complete, or a file is not here as it should be.
    """
    listed = _listed(home, session) if allow else ()
    with database.read() as connection:
        sessions.find(connection, session)
        if allow:
            _complete(connection, session, listed)
        seen = _verified(connection, session) if allow else ()
    if allow:
        _whole(Inbox(home, session), {*listed, *seen})

    def write(connection: Connection) -> None:
        if allow:  # photos may have come meanwhile
            _complete(connection, session, listed)
        event = Event(RELEASE, now_ns, now_ns, actor, session=session, body={"allow": allow})
        if allow or _is_released(connection, session):
            projections.record(connection, event)

    database.write_now(write)
    return released(database, home, session)


def released(database: Database, home: Path, session: str) -> Release:
    """What the phone of *session* may delete right now; files that are gone here are left out.

    Raises:
        NotFoundError: no such session.
    """
    with database.read() as connection:
        sessions.find(connection, session)
        batch = captures.batch_of(connection, session)
        if batch is None or not (batch.released and batch.complete):
            return Release(allowed=False, photos=())
        table = tables.photo
        query = (
            select(table.c.name, table.c.sha256, table.c.size, table.c.verified)
            .where(table.c.session == session, table.c.released)
            .order_by(table.c.idx, table.c.attempt)
        )
        rows = connection.execute(query).all()
    listed = {one.name: one.sha256 for one in _listed(home, session)}
    inbox = Inbox(home, session)
    return Release(
        allowed=True,
        photos=tuple(
            Listed(row.name, row.sha256)
            for row in rows
            if (row.verified or listed.get(row.name) == row.sha256)
            and _size(inbox, row.name) == row.size
        ),
    )


def _verified(connection: Connection, session: str) -> tuple[Listed, ...]:
    table = tables.photo
    query = select(table.c.name, table.c.sha256).where(table.c.session == session, table.c.verified)
    return tuple(Listed(row.name, row.sha256) for row in connection.execute(query))


def _is_released(connection: Connection, session: str) -> bool:
    batch = captures.batch_of(connection, session)
    return batch is not None and batch.released


def _complete(connection: Connection, session: str, listed: Sequence[Listed]) -> None:
    batch = captures.batch_of(connection, session)
    if batch is None:
        raise ConflictError(
            f"The phone has not closed the batch of session {session} yet: wait until it has "
            "sent everything, then allow the deletion."
        )
    table = tables.photo
    query = select(table.c.name, table.c.sha256).where(table.c.session == session)
    here = {row.name: row.sha256 for row in connection.execute(query)}
    lacking = sum(here.get(one.name) != one.sha256 for one in listed if one.name.endswith(".jpg"))
    if not batch.complete or lacking:
        raise ConflictError(
            f"{max(batch.missing, lacking)} of the {batch.count} photos of session {session} are "
            "not here: nothing may be deleted on the phone until all have arrived."
        )
    if len(listed) != batch.count:
        raise ConflictError(
            f"The phone's list of session {session} cannot be read any more (manifest.json): let "
            "the phone send it again before anything is deleted."
        )


def _whole(inbox: Inbox, listed: Iterable[Listed]) -> None:
    for one in listed:
        try:
            good = inbox.holds(check_name(one.name), one.sha256)
        except (BadNameError, OSError):
            good = False
        if not good:
            raise ConflictError(
                f"{one.name} is noted as received but does not lie in {inbox.folder} with the "
                "bytes that arrived: keep the photos on the phone and look at the disk."
            )


def _listed(home: Path, session: str) -> tuple[Listed, ...]:
    """The phone's manifest as it was kept; empty when there is none or it cannot be read."""
    try:
        text = (Inbox(home, session).folder.parent / "manifest.json").read_text(encoding="utf-8")
        return tuple(Listed(one["name"], one["sha256"]) for one in json.loads(text)["photos"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _size(inbox: Inbox, name: str) -> int | None:
    try:
        return inbox.final(check_name(name)).stat().st_size
    except (BadNameError, OSError):
        return None
