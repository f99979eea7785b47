"""Photos as they come back: received, looked at, complete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from rig.capture import projections
from rig.store import captures, tables
from rig.store.captures import Batch
from rig.store.events import Event


@dataclass(frozen=True, slots=True)
class Listed:
    """One photo of the phone's manifest."""

    name: str
    sha256: str


def received(
    connection: Connection,
    session: str,
    *,
    name: str,
    index: int,
    attempt: int,
    sha256: str,
    size: int,
    now_ns: int,
    actor: str,
    original: str | None = None,
) -> bool:
    """Note that a photo arrived whole and durable; False when that very photo is known already.

    *original*: the name that it had on the phone, when that was another.
    """
    table = tables.photo
    query = select(table.c.sha256).where(table.c.session == session, table.c.name == name)
    if connection.scalar(query) == sha256:
        return False
    body: dict[str, Any] = {"name": name, "sha256": sha256, "size": size}
    if original is not None:
        body["original"] = original
    _record(connection, "photo_received", session, now_ns, actor, body, index, attempt)
    return True


def verified(
    connection: Connection,
    session: str,
    *,
    name: str,
    verified: bool,
    reason: str,
    now_ns: int,
    score: float | None = None,
    homography: Sequence[Sequence[float]] | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Note what the verification of a received photo said. A later verdict replaces this one.

    Raises:
        NoResultFound: no such photo was received.
    """
    table = tables.photo
    query = select(table.c.idx, table.c.attempt).where(
        table.c.session == session, table.c.name == name
    )
    index, attempt = connection.execute(query).one()
    body = {
        "name": name,
        "verified": verified,
        "reason": reason,
        "score": score,
        "homography": None if homography is None else [list(row) for row in homography],
        "detail": detail,
    }
    _record(connection, "photo_verified", session, now_ns, "controller", body, index, attempt)


def exported(
    connection: Connection, session: str, audit: dict[str, Any], *, now_ns: int, actor: str
) -> None:
    """Legacy mode: note what the audit of the app's export said (`Audit.as_json`)."""
    _record(connection, "exported", session, now_ns, actor, audit)


def missing(connection: Connection, session: str, listed: Iterable[Listed]) -> list[str]:
    """Names of *listed* photos that are not here with the same bytes."""
    table = tables.photo
    query = select(table.c.name, table.c.sha256).where(table.c.session == session)
    here = {row.name: row.sha256 for row in connection.execute(query)}
    return [one.name for one in listed if here.get(one.name) != one.sha256]


def manifest(
    connection: Connection,
    session: str,
    *,
    count: int,
    chain: str,
    lacking: int,
    now_ns: int,
    actor: str,
) -> tuple[Batch, bool]:
    """Note what the phone's manifest says; also returns whether the batch became complete by it."""
    before = captures.batch_of(connection, session)
    told = (count, chain, lacking)
    if before is None or (before.count, before.chain, before.missing) != told:
        body = {"count": count, "chain": chain, "missing": lacking}
        _record(connection, "manifest", session, now_ns, actor, body)
    after = captures.batch_of(connection, session)
    if after is None:
        raise LookupError(f"the batch of {session} was not kept")
    return after, after.complete and not (before is not None and before.complete)


def _record(
    connection: Connection,
    kind: str,
    session: str,
    now_ns: int,
    actor: str,
    body: dict[str, Any],
    index: int | None = None,
    attempt: int | None = None,
) -> None:
    projections.record(
        connection,
        Event(
            kind=kind,
            time_ns=now_ns,
            received_ns=now_ns,
            actor=actor,
            session=session,
            index=index,
            attempt=attempt,
            body=body,
        ),
    )
