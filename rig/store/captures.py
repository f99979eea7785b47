"""Reading what was captured: committed captures, received photos, batches."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, literal, select, tuple_

from rig.store.tables import ALIGNMENT, batch, capture, photo
from rig.store.tables import session as session_table


@dataclass(frozen=True, slots=True)
class Committed:
    """A capture that the display agent decided to keep.

    Attributes:
        session: session id.
        index: the x-ray's index.
        attempt: the exposure number that counts; earlier ones are superseded.
        sha256: hex digest of the photo's bytes, told by the phone through the protocol.
        size: bytes of the photo.
        name: the photo's file name.
        t_trigger_ns: when the shutter was asked for (Unix time, phone's clock); None if unknown.
        t_done_ns: when the photo was stored (Unix time, phone's clock); None if unknown.
        w: photo width, pixels; None if unknown.
        h: photo height, pixels; None if unknown.
        rtt_ms: round trip of the link, milliseconds; None if unknown.
        source_sha256: hex digest of the x-ray that was painted.
        retakes: exposures of this index that were thrown away.
        time_ns: when it was decided (Unix time, display's clock).
    """

    session: str
    index: int
    attempt: int
    sha256: str
    size: int
    name: str
    t_trigger_ns: int | None
    t_done_ns: int | None
    w: int | None
    h: int | None
    rtt_ms: float | None
    source_sha256: str | None
    retakes: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo that arrived whole (its SHA-256 was checked on arrival).

    Attributes:
        session: session id.
        name: file name, see `rig.protocol.names`.
        index: from the name.
        attempt: from the name.
        sha256: hex digest of its bytes.
        size: bytes.
        received_ns: Unix time.
        verified: True or False once it was looked at, else None.
        reason: why, in words.
        score: of the verification.
        homography: 3x3, x-ray pixel -> photo pixel.
        detail: everything else the verification measured.
        verified_ns: Unix time.
    """

    session: str
    name: str
    index: int
    attempt: int
    sha256: str
    size: int
    received_ns: int
    verified: bool | None
    reason: str | None
    score: float | None
    homography: list[list[float]] | None
    detail: dict[str, Any] | None
    verified_ns: int | None


@dataclass(frozen=True, slots=True)
class Batch:
    """How complete the photos of a session are.

    Attributes:
        session: session id.
        count: photos that the phone's manifest lists.
        chain: hex of the protocol's hash chain after the last index.
        missing: how many of them have not arrived.
        complete: nothing is missing.
        updated_ns: Unix time.
        completed_ns: Unix time, or None.
        released: an operator allowed that its photos are deleted on the phone.
    """

    session: str
    count: int
    chain: str
    missing: int
    complete: bool
    updated_ns: int
    completed_ns: int | None
    released: bool = False


_COMMITTED = [name for name in Committed.__dataclass_fields__ if name != "index"]


def committed(
    connection: Connection,
    session: str,
    *,
    after: int | None = None,
    limit: int | None = None,
    indices: Collection[int] | None = None,
) -> tuple[Committed, ...]:
    """The committed captures of *session* by index: one per index, its newest attempt.

    Args:
        connection: to read from.
        session: its id.
        after: only indices above this one.
        limit: at most so many.
        indices: only these.
    """
    query = (
        select(capture)
        .where(capture.c.session == session, capture.c.committed)
        .order_by(capture.c.idx)
        .limit(limit)
    )
    if after is not None:
        query = query.where(capture.c.idx > after)
    if indices is not None:
        query = query.where(capture.c.idx.in_(indices))
    return tuple(_committed(row) for row in connection.execute(query).mappings())


def across(
    connection: Connection,
    *,
    after: tuple[str, int] | None = None,
    limit: int = 500,
    campaign: str | None = None,
) -> list[Committed]:
    """Committed captures of all sessions, by session and index.

    A walk along the primary key from *after* on: the last page costs what the first one does.

    Args:
        connection: to read from.
        after: session and index that were seen last.
        limit: at most so many.
        campaign: only of the campaign with this id.
    """
    if campaign is None:
        key = tuple_(capture.c.session, capture.c.idx)
        query = select(capture).where(capture.c.committed).limit(limit)
        query = query.order_by(capture.c.session, capture.c.idx)
        if after is not None:
            query = query.where(key > tuple_(literal(after[0]), literal(after[1])))
        return [_committed(row) for row in connection.execute(query).mappings()]
    ids = session_table.c.id
    mine = select(ids).where(session_table.c.campaign == campaign).order_by(ids)
    if after is not None:
        mine = mine.where(ids >= after[0])
    found: list[Committed] = []
    for session in connection.scalars(mine):
        since = after[1] if after is not None and session == after[0] else None
        found += committed(connection, session, after=since, limit=limit - len(found))
        if len(found) >= limit:
            break
    return found


def photos(
    connection: Connection,
    session: str,
    *,
    after: tuple[int, int, str] | None = None,
    limit: int | None = None,
    indices: Collection[int] | None = None,
) -> tuple[Photo, ...]:
    """The received photos of *session*, by index, attempt and name.

    Args:
        connection: to read from.
        session: its id.
        after: index, attempt and name of the one that was seen last.
        limit: at most so many.
        indices: only those of these.
    """
    place = (photo.c.idx, photo.c.attempt, photo.c.name)
    query = select(photo).where(photo.c.session == session).order_by(*place).limit(limit)
    if after is not None:
        query = query.where(tuple_(*place) > tuple_(*(literal(one) for one in after)))
    if indices is not None:
        query = query.where(photo.c.idx.in_(indices))
    fields = [name for name in Photo.__dataclass_fields__ if name != "index"]
    return tuple(
        Photo(index=row["idx"], **{name: row[name] for name in fields})
        for row in connection.execute(query).mappings()
    )


def _committed(row: RowMapping) -> Committed:
    return Committed(index=row["idx"], **{name: row[name] for name in _COMMITTED})


def batch_of(connection: Connection, session: str) -> Batch | None:
    """The batch of *session*, None before the phone sent a manifest."""
    row = connection.execute(select(batch).where(batch.c.session == session)).mappings().first()
    return None if row is None else Batch(**row)


def waiting(connection: Connection, session: str | None = None) -> tuple[str, ...]:
    """Sessions whose photos have all arrived and were not all looked at, oldest first.

    The display's events may come later than the phone's photos (each has its own link): without
    the commit of every photo nobody can say which x-ray it must show.

    Args:
        connection: to read from.
        session: look at this one only.
    """
    # From the few photos that nobody looked at, never from all batches there ever were.
    unseen = select(photo.c.session).where(photo.c.verified.is_(None)).distinct()
    if session is not None:
        unseen = unseen.where(photo.c.session == session)
    query = (
        select(batch.c.session)
        .join(session_table, session_table.c.id == batch.c.session)
        .where(batch.c.session.in_(unseen), batch.c.complete)
        .where(session_table.c.committed >= batch.c.count)
        # The card is no x-ray. Not `kind = 'subset'`: SQLite would begin with all of those.
        .where(session_table.c.kind != ALIGNMENT)
        .order_by(batch.c.completed_ns)
    )
    return tuple(connection.scalars(query))


def incoming(home: Path, session: str) -> Path:
    """The folder that holds the received photos of *session*."""
    return home / "sessions" / session / "incoming"
