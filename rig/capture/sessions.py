"""Sessions: one run of one subset on one station."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from rig.capture import campaigns, projections, states, stations
from rig.capture.actors import actor_of
from rig.capture.campaigns import Campaign
from rig.capture.coverage import first_missing
from rig.capture.free import station_is_able, station_is_free, subset_is_free
from rig.capture.messages import AgentEvent
from rig.capture.session_rows import (
    Progress,
    Session,
    every,
    find,
    progress,
    some,
    unanswered,
)
from rig.capture.states import ALLOWED, RECOVERED, Request, State
from rig.capture.subsets import shot_spans
from rig.planning.model import Subset
from rig.store import tables
from rig.store.errors import ConflictError
from rig.store.events import Event

__all__ = [
    "Ingested",
    "Progress",
    "Session",
    "acked",
    "add",
    "create",
    "every",
    "find",
    "ingest",
    "progress",
    "recover",
    "refuse",
    "request",
    "sensible",
    "some",
    "suspend",
    "unanswered",
]


def create(
    connection: Connection,
    *,
    new_id: str,
    campaign: str,
    subset: int,
    station: str,
    now_ns: int,
    name: str | None = None,
) -> Session:
    """Create a session for *subset* of *campaign* on *station*.

    It takes the whole subset, or what a session that was stopped early has left of it.

    Args:
        connection: in a write transaction.
        new_id: `s` and 16 hex digits.
        campaign: its name.
        subset: id, from 1.
        station: its name.
        now_ns: Unix time.
        name: of the operator.

    Raises:
        NotFoundError: no such campaign, subset or station.
        ConflictError: the subset is being shot elsewhere, or this station cannot set its levels.
    """
    kept = campaigns.find(connection, campaign)
    one = campaigns.subset_of(kept, subset)
    stations.find(connection, station)
    subset_is_free(connection, kept.id, one.id)
    left = first_missing(one.first, one.last, shot_spans(connection, kept.id, one.id))
    first = one.first if left is None else left
    return add(connection, new_id, kept, one, station, (first, one.last), now_ns, name=name)


def add(
    connection: Connection,
    new_id: str,
    kept: Campaign,
    one: Subset,
    station: str,
    span: tuple[int, int],
    now_ns: int,
    *,
    name: str | None = None,
    reshoots: str | None = None,
) -> Session:
    """Create a session for the indices *span* of a subset; see `create`.

    Raises:
        ConflictError: this station cannot set the subset's levels.
    """
    station_is_able(kept, one, station)
    table = tables.session
    ours = (table.c.campaign == kept.id) & (table.c.subset == one.id)
    ours &= table.c.kind == tables.SUBSET
    newest = connection.scalar(select(func.max(table.c.run)).where(ours))
    body = {
        "campaign": kept.id,
        "campaign_name": kept.name,
        "subset": one.id,
        "station": station,
        "first": span[0],
        "last": span[1],
        "environment": one.environment.name,
        "run": 0 if newest is None else newest + 1,
        "reshoots": reshoots,
    }
    _record(connection, states.SESSION_CREATED, new_id, now_ns, actor_of(name), body)
    return find(connection, new_id)


def request(
    connection: Connection,
    session: str,
    wanted: Request,
    now_ns: int,
    *,
    abort_id: str | None = None,
    answer: str | None = None,
    name: str | None = None,
) -> Session:
    """Note that *name* asked for *wanted*; the station confirms it later by an event.

    Raises:
        BadNameError: *name* is no name of a person.
        NotFoundError: no such session.
        ConflictError: it makes no sense now, another session has the station, or *abort_id* is not
            the abort that is latched.
    """
    present = find(connection, session)
    sensible(connection, present, wanted, abort_id=abort_id)
    body: dict[str, Any] = {"do": wanted}
    if wanted is Request.REARM:
        body["abort_id"] = abort_id
    if wanted is Request.RESOLVE:
        body["answer"] = answer
    _record(connection, states.REQUESTED, session, now_ns, actor_of(name), body)
    if wanted is Request.STOP and present.state in {State.CREATED, State.ENVIRONMENT}:
        # No station knows of it: nobody else can confirm.
        why = {"why": "It was taken back before it began.", "count": 0}
        _record(connection, "stopped", session, now_ns, actor_of(name), why)
    return find(connection, session)


def sensible(
    connection: Connection, present: Session, wanted: Request, *, abort_id: str | None = None
) -> None:
    """Whether *wanted* makes sense for the session as it is now; nothing is noted.

    Raises:
        ConflictError: as `request`.
    """
    session = present.id
    if present.state not in ALLOWED[wanted]:
        what = wanted.replace("_", " ")
        raise ConflictError(f"Session {session} is {present.state}: it cannot {what} now.")
    if present.requested is Request.ABORT and wanted is not Request.ABORT:
        raise ConflictError(f"An abort of session {session} is asked for and not confirmed yet.")
    if present.requested is Request.STOP and wanted not in {Request.STOP, Request.ABORT}:
        raise ConflictError(f"The end of session {session} is asked for and not confirmed yet.")
    if wanted is Request.START and present.started_ns is not None:
        raise ConflictError(f"Session {session} was started before; resume it instead.")
    if wanted in {Request.PAUSE_NOW, Request.STOP} and present.legacy:
        raise ConflictError(
            f"Session {session} runs in legacy mode, and the original app can neither give up a "
            "photo nor end early: pause after this image, or abort."
        )
    if wanted is Request.RESOLVE and not present.legacy:
        raise ConflictError(
            f"Session {session} does not run in legacy mode: there is nothing to resolve."
        )
    if wanted in {Request.START, Request.RESUME, Request.REARM, Request.RESOLVE}:
        station_is_free(connection, present.station, session)
        subset_is_free(connection, present.campaign, present.subset, but=session)
    if wanted is Request.START:
        _not_shot_meanwhile(connection, present)
    if wanted is Request.REARM:
        latched = (present.abort or {}).get("abort_id")
        if abort_id != latched:
            raise ConflictError(
                f"The abort to clear is {latched}, not {abort_id}: read what happened, then "
                "re-arm with the number that is shown."
            )


def _not_shot_meanwhile(connection: Connection, present: Session) -> None:
    """Another session of the subset may have ended since this one was made.

    One that is made of a completed subset shoots all of it again: somebody wants that.
    """
    if present.reshoots is not None or present.kind != tables.SUBSET:
        return
    log = tables.event
    made = select(func.min(log.c.seq)).where(log.c.session == present.id)
    since = connection.scalar(made) or 0
    spans = shot_spans(connection, present.campaign, present.subset, ended_after=since)
    if first_missing(present.first, present.first, spans) is None:
        raise ConflictError(
            f"X-ray {present.first} of subset {present.subset} was shot by another session "
            f"meanwhile: stop session {present.id}, then make a new one of what is left."
        )


def suspend(
    connection: Connection, session: str, code: str, why: str, now_ns: int
) -> Session | None:
    """Note that the rig wants a pause after the image in flight; who calls tells the station.

    Args:
        connection: in a write transaction.
        session: its id.
        code: a key of `rig.capture.watch.RESUMES`, e.g. `LIGHT`.
        why: a sentence for people.
        now_ns: Unix time.

    Returns:
        The session, or None when it does not shoot or something like it is asked for already.

    Raises:
        NotFoundError: no such session.
    """
    present = find(connection, session)
    if present.state not in {State.ARMED, State.RUNNING} or present.requested is not None:
        return None
    body = {"do": Request.PAUSE, "code": code, "why": why}
    _record(connection, states.REQUESTED, session, now_ns, "controller", body)
    return find(connection, session)


def refuse(connection: Connection, session: str, wanted: Request, why: str, now_ns: int) -> Session:
    """Note that the station did not do what was asked, and *why*."""
    _record(connection, states.REFUSED, session, now_ns, "controller", {"do": wanted, "why": why})
    return find(connection, session)


def recover(connection: Connection, now_ns: int) -> list[str]:
    """After a start of the controller: what was running is `interrupted`; returns the ids.

    `paused` stays: the rig confirmed it, and it waits for a person anyway.
    """
    table = tables.session
    query = select(table.c.id).where(
        table.c.state.in_(RECOVERED)
        | table.c.requested.in_([one for one in Request if one is not Request.ABORT])
    )
    found = list(connection.scalars(query.order_by(table.c.created_ns)))
    for session in found:
        why = {"why": "The controller was restarted."}
        _record(connection, states.BOOT, session, now_ns, "controller", why)
    return found


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of agent events.

    Attributes:
        acks: session -> every event up to this number is kept.
        refused: (session, seq, sentence) of those that were not and never will be.
        stored: the new ones, in the log.
    """

    acks: dict[str, int]
    refused: tuple[tuple[str, int, str], ...]
    stored: tuple[Event, ...]


def ingest(
    connection: Connection, station: str, batch: Sequence[AgentEvent], now_ns: int
) -> Ingested:
    """Keep the events of a display agent, each exactly once and without a gap.

    A known number changes nothing and is acknowledged again; a number that skips one is left out
    (the acknowledgement tells the agent from where to send again).
    """
    acks: dict[str, int] = {}
    refused: list[tuple[str, int, str]] = []
    stored: list[Event] = []
    for message in batch:
        known = acks.get(message.session)
        if known is None:
            known = acked(connection, station, message.session)
        if known is None:
            why = f"Session {message.session} is not one of station {station}."
            refused.append((message.session, message.seq, why))
            continue
        acks[message.session] = known
        if message.seq == known + 1:
            stored.append(projections.record(connection, _event(message, station, now_ns)))
            acks[message.session] = message.seq
    return Ingested(acks, tuple(refused), tuple(stored))


def acked(connection: Connection, station: str, session: str) -> int | None:
    """Number of the last kept event of *session*, None when it is not one of *station*."""
    table = tables.session
    query = select(table.c.source_seq).where(table.c.id == session, table.c.station == station)
    known: int | None = connection.scalar(query)
    return known


def _record(
    connection: Connection,
    kind: str,
    session: str,
    now_ns: int,
    actor: str,
    body: Mapping[str, Any],
) -> None:
    event = Event(
        kind=kind, time_ns=now_ns, received_ns=now_ns, actor=actor, session=session, body=body
    )
    projections.record(connection, event)


def _event(message: AgentEvent, station: str, now_ns: int) -> Event:
    return Event(
        kind=message.event,
        time_ns=message.time_ns,
        received_ns=now_ns,
        actor=f"station:{station}",
        session=message.session,
        source_seq=message.seq,
        index=message.index,
        attempt=message.attempt,
        body=message.body,
    )
