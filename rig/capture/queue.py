"""Sessions that start by themselves, one after the other.

The queue is the log: `queued` names the session that must be completed first, `unqueued` says why
a session is not started by itself after all. Nothing of it is kept anywhere else, so a restart of
the controller changes nothing. A session leaves the queue by starting, once: the request and the
state that says so are written together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from rig.capture import conditions, projections, sessions
from rig.capture.actors import actor_of, name_of
from rig.capture.condition_rows import Known, facts
from rig.capture.conditions import ASK_AGAIN_NS
from rig.capture.sessions import Session
from rig.capture.states import BEFORE, ENDED, REFUSED, State
from rig.store import events, tables
from rig.store.errors import ConflictError
from rig.store.events import Event

QUEUED, UNQUEUED = "queued", "unqueued"
_ENTRIES = frozenset({QUEUED, UNQUEUED, REFUSED})


@dataclass(frozen=True, slots=True)
class Place:
    """A session's place in the queue.

    Attributes:
        after: the session that must be completed first; None: none, it may start now.
        waiting: it starts by itself.
        why: a sentence; when not *waiting*, why it does not.
        by: the name of who asked for it.
        seq: number of the event that says so.
        confirmed_ns: when that person vouched for the room and the alignment of what is queued;
            None: did not.
    """

    after: str | None
    waiting: bool
    why: str
    by: str | None
    seq: int
    confirmed_ns: int | None = None

    def vouched(self, now_ns: int) -> bool:
        """Whether that word still holds: half an hour, as for a session that is resumed."""
        return self.confirmed_ns is not None and now_ns - self.confirmed_ns <= ASK_AGAIN_NS


def put(
    connection: Connection,
    made: Sequence[Session],
    after: Session,
    now_ns: int,
    *,
    name: str | None = None,
    confirm: bool = False,
) -> None:
    """Queue *made*, each behind the one before it, the first behind *after*.

    Args:
        connection: in a write transaction.
        made: sessions that have not begun, in their order.
        after: the session whose photos they replace; when it is over the first may start at once.
        now_ns: Unix time.
        name: of the operator, for whom they are started.
        confirm: that person has looked at every level of the environment and at the picture.
    """
    before = None if after.state in ENDED else after.id
    for one in made:
        body = {"after": before, "confirm": confirm}
        projections.record(
            connection, Event(QUEUED, now_ns, now_ns, actor_of(name), one.id, body=body)
        )
        before = one.id


def drop(
    connection: Connection, session: str, why: str, now_ns: int, *, actor: str = "controller"
) -> None:
    """Note that *session* is not started by itself, and *why*."""
    event = Event(UNQUEUED, now_ns, now_ns, actor, session, body={"why": why})
    projections.record(connection, event)


def take_out(connection: Connection, session: str, now_ns: int, name: str | None) -> Session:
    """A person takes *session* out; what waits behind it is taken out with it.

    Raises:
        NotFoundError: no such session.
        ConflictError: it does not wait in the queue.
    """
    present = sessions.find(connection, session)
    here = place(connection, present)
    if here is None or not here.waiting:
        raise ConflictError(f"Session {session} does not wait to be started by itself.")
    who = " ".join((name or "").split()) or "Somebody"
    drop(connection, session, f"{who} took it out.", now_ns, actor=actor_of(name))
    return present


def place(connection: Connection, session: Session) -> Place | None:
    """Where *session* stands in the queue; None when it has begun or was never put there."""
    if session.state not in BEFORE:
        return None
    told = [
        one
        for one in events.latest(connection, session=session.id, kinds=_ENTRIES, limit=20)
        if one.source_seq is None  # a station's word queues nothing
    ]
    asked = next((one for one in told if one.kind == QUEUED), None)
    if asked is None:
        return None
    after, by = asked.body.get("after"), name_of(asked.actor)
    last = told[0]
    if last.kind != QUEUED:
        return Place(after, False, str(last.body.get("why") or "it was refused"), by, last.seq)
    why = "It starts as soon as its station is ready."
    if after is not None:
        why = f"It starts by itself when session {after} is completed."
    confirmed = asked.time_ns if asked.body.get("confirm") else None
    return Place(after, True, why, by, asked.seq, confirmed)


def waiting(connection: Connection) -> list[tuple[Session, Place]]:
    """The sessions that wait in the queue, oldest first."""
    found = [
        (one, here)
        for one in sessions.every(connection, in_states=BEFORE)
        if one.reshoots is not None and (here := place(connection, one)) and here.waiting
    ]
    return sorted(found, key=lambda pair: (pair[0].created_ns, pair[1].seq))


def settle(connection: Connection, now_ns: int) -> list[tuple[Session, Place]]:
    """Take out what does not follow any more; the sessions that are due now.

    Args:
        connection: in a write transaction.
        now_ns: Unix time.
    """
    due = []
    for session, here in waiting(connection):
        if here.after is None:
            due.append((session, here))
            continue
        before = sessions.find(connection, here.after)
        if (why := _broken(connection, before, here)) is not None:
            drop(connection, session.id, why, now_ns)
        elif before.state is State.COMPLETED:
            due.append((session, here))
    return due


def carry_over(connection: Connection, session: Session, here: Place, now_ns: int) -> list[str]:
    """A person's look at the room for the session before counts for the next one of its subset.

    It was shot in the same environment until just now: at most half an hour ago, as for a session
    that is resumed. Returns the factors.
    """
    if here.after is None:
        return []
    before = sessions.find(connection, here.after)
    same = (before.campaign, before.subset, before.station) == (
        session.campaign, session.subset, session.station,
    )  # fmt: skip
    shot = _last_shown(connection, before.id)
    if not same or shot is None or now_ns - shot > ASK_AGAIN_NS:
        return []
    sure: dict[str, list[str]] = {}
    open_ = {one.factor for one in conditions.every(connection, session) if one.for_person}
    for factor, fact in facts(connection, before.id).items():
        if factor in open_ and fact.state is Known.CONFIRMED and fact.by == "person":
            sure.setdefault(fact.name or "unnamed", []).append(factor)
    note = f"as in session {before.id}, which was shot here until just now"
    for name, factors in sure.items():
        conditions.confirm(connection, session, factors, name=name, now_ns=now_ns, note=note)
    return [factor for factors in sure.values() for factor in factors]


def _broken(connection: Connection, before: Session, here: Place) -> str | None:
    """Why nothing follows *before* by itself any more; None while it may."""
    resume = "Start it by hand when all is well."
    if before.state is State.STOPPED:
        return f"Session {before.id} was stopped. {resume}"
    if before.state is State.ABORTED:
        return f"Session {before.id} was aborted. {resume}"
    earlier = place(connection, before)
    if earlier is not None and not earlier.waiting:
        return f"Session {before.id} was not started by itself either. {resume}"
    table = tables.event
    query = select(table.c.body).where(
        table.c.session == before.id,
        table.c.kind.in_(("paused", "aborted")),
        table.c.seq > here.seq,
    )
    told = connection.scalar(query.order_by(table.c.seq).limit(1))
    if told is None:
        return None
    said = str(told.get("why") or "somebody asked for it").rstrip(".")
    return f"Session {before.id} was held up meanwhile: {said}. {resume}"


def _last_shown(connection: Connection, session: str) -> int | None:
    newest = events.latest(connection, session=session, kinds=frozenset({"painted"}), limit=1)
    return newest[0].received_ns if newest else None
