"""Shooting photos of a session again.

A plan is a run of consecutive indices: on that rest the chain over the photos and the refusal of
any other index. So a list becomes one session for each run of neighbours, in the environment of the
subset, under a number of its own at both agents. The first photos stay; the dataset takes the
newest one that was verified.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, select

from rig.capture import campaigns, sessions
from rig.capture.coverage import runs
from rig.capture.sessions import Session
from rig.store import tables
from rig.store.errors import ConflictError

MOST_RUNS = 50
"""Sessions that one request may make."""


def create(
    connection: Connection,
    session: str,
    *,
    new_id: Callable[[], str],
    now_ns: int,
    indices: Sequence[int] = (),
    last: int = 0,
    name: str | None = None,
) -> list[Session]:
    """Sessions that shoot *indices*, or the *last* captures, of *session* again; by index.

    Args:
        connection: in a write transaction.
        session: whose photos are to be replaced.
        new_id: makes an id, `s` and 16 hex digits.
        now_ns: Unix time.
        indices: of captures; ignored when *last* is given.
        last: how many of the newest captures.
        name: of the operator.

    Raises:
        NotFoundError: no such session.
        ConflictError: nothing to shoot again, or an index that was not shot; more runs than
            `MOST_RUNS`.
    """
    present = sessions.find(connection, session)
    if present.kind != tables.SUBSET:
        raise ConflictError("An alignment shot is taken again by asking for another one.")
    shot = _shot(connection, present)
    wanted = shot[-last:] if last else sorted(set(indices))
    if not wanted:
        raise ConflictError(f"Session {session} has nothing that could be shot again.")
    if strange := [index for index in wanted if index not in set(shot)]:
        listed = ", ".join(map(str, strange[:5]))
        raise ConflictError(
            f"Session {session} has not shot {listed}: only what was shot can be shot again; what "
            "is left of a subset is taken by a new session."
        )
    spans = runs(wanted)
    if len(spans) > MOST_RUNS:
        raise ConflictError(
            f"These are {len(spans)} separate runs, at most {MOST_RUNS} are made at a time: give "
            "fewer, or shoot whole stretches again."
        )
    kept = campaigns.find(connection, present.campaign)
    one = campaigns.subset_of(kept, present.subset)
    root = present.reshoots or present.id
    return [
        sessions.add(
            connection, new_id(), kept, one, present.station, span, now_ns,
            name=name, reshoots=root,
        )
        for span in spans
    ]  # fmt: skip


def of(connection: Connection, session: str) -> list[Session]:
    """The sessions that shoot photos of *session* again, oldest first."""
    table = tables.session
    query = select(table.c.id).where(table.c.reshoots == session)
    ids = connection.scalars(query.order_by(table.c.created_ns, table.c.first))
    return [sessions.find(connection, one) for one in ids]


def _shot(connection: Connection, session: Session) -> list[int]:
    table = tables.claim if session.legacy else tables.capture
    query = select(table.c.idx).where(table.c.session == session.id)
    if not session.legacy:
        query = query.where(tables.capture.c.committed)
    return list(connection.scalars(query.order_by(table.c.idx)))
