"""The conditions of a session: each factor of its environment, what is known of it, and by whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from rig.capture import campaigns, projections
from rig.capture.actors import NAME_MAX, actor_of
from rig.capture.condition_rows import (
    APPLIED,
    CONFIRMED,
    EVIDENCE,
    NOTHING,
    PAINTED,
    WITHDRAWN,
    Fact,
    Known,
    facts,
    levels_of,
    painted_by_display,
)
from rig.capture.condition_words import instruction, named, question
from rig.capture.sessions import Session
from rig.capture.states import ENDED
from rig.errors import UserError
from rig.store import condition_log, events, tables
from rig.store.condition_log import Held, Timeline
from rig.store.errors import ConflictError, NotFoundError
from rig.store.events import Event

OPERATOR, DISPLAY = "operator", "display"
ASK_AGAIN_NS = 30 * 60 * 10**9
"""A person's word holds this long without a photo; then the room may have been changed."""
NAME_LENGTH, NOTE_LENGTH = NAME_MAX, 500


class ConditionError(UserError):
    """A confirmation that cannot be taken; a sentence."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One factor of a session's environment.

    Attributes:
        factor: its name.
        level: as the plan wants it.
        set_by: `operator`, `display` or the name of an actuator.
        fact: what is known.
        before: its level in the station's session before; None when there was none.
    """

    factor: str
    level: str
    set_by: str
    fact: Fact
    before: str | None

    @property
    def changed(self) -> bool:
        """Whether it differs from the station's session before, as far as that is known."""
        return self.before != self.level

    @property
    def for_person(self) -> bool:
        """Whether a person's look is needed, and enough, as things stand."""
        if self.fact.state is Known.UNCONFIRMED:
            return self.set_by != DISPLAY
        return self.set_by == OPERATOR and self.fact.state is not Known.CONFIRMED

    @property
    def by_device(self) -> bool:
        """Whether an actuator sets it."""
        return self.set_by not in {OPERATOR, DISPLAY}

    @property
    def sentence(self) -> str:
        """What a person does or looks at."""
        if self.set_by == OPERATOR and not self.changed:
            return question(self.factor, self.level)
        return instruction(self.factor, self.level)

    def blocker(self) -> str | None:
        """Why shooting cannot begin; None when it can. The display's factors never block."""
        fact = self.fact
        if self.set_by == DISPLAY or fact.state is Known.CONFIRMED:
            return None
        if fact.state is Known.FAILED:
            return f"{named(self.factor)} could not be set to {self.level}: {fact.why}"
        if fact.state is Known.DIFFERS:
            what = fact.why or f"{self.set_by} says {fact.readback}"
            return f"{named(self.factor)} is not {self.level}: {what.rstrip('.')}."
        if fact.state is Known.UNCONFIRMED and fact.why:
            return (
                f"{fact.why.rstrip('.')}: {instruction(self.factor, self.level)}, then confirm it."
            )
        if fact.state is Known.UNCONFIRMED:
            return (
                f"{fact.by} set {named(self.factor)} to {self.level} and cannot tell whether it "
                "is so: look, then confirm it."
            )
        again = f" ({fact.why.rstrip('.')})" if fact.why else ""
        if self.set_by == OPERATOR:
            then = ", then confirm it" if self.changed else " Confirm it"
            return f"{self.sentence}{then}{again}."
        return f"{self.set_by} has not set {named(self.factor)} to {self.level} yet{again}."


def every(connection: Connection, session: Session) -> list[Condition]:
    """All conditions of *session*: what changed since the session before first, then by plan."""
    levels = levels_of(connection, session.campaign, session.subset)
    by = _set_by(connection, session.campaign)
    known, before = facts(connection, session.id), _before(connection, session)
    found = [
        Condition(
            factor,
            level,
            DISPLAY
            if painted_by_display(factor, level, by.get(factor))
            else _person_or_device(by, factor),
            known.get(factor, NOTHING),
            before.get(factor),
        )
        for factor, level in levels.items()
    ]
    return sorted(found, key=lambda one: not one.changed)


def find(connection: Connection, session: Session, factor: str) -> Condition:
    """One condition of *session*.

    Raises:
        NotFoundError: the environment has no such factor.
    """
    return _known({one.factor: one for one in every(connection, session)}, factor, session)


def blockers(connection: Connection, session: Session) -> list[str]:
    """Why *session* must not start or go on, in sentences; empty: every level is confirmed."""
    told = (one.blocker() for one in every(connection, session))
    return [one for one in told if one is not None]


def confirm(
    connection: Connection,
    session: Session,
    factors: Sequence[str],
    *,
    name: str,
    now_ns: int,
    note: str = "",
) -> None:
    """Note that the person *name* looked and saw that *factors* are as the plan wants them.

    Raises:
        NotFoundError: the environment has no such factor.
        ConflictError: the session is over, or the display sets the factor.
        ConditionError: no name, or no note where a device said otherwise.
    """
    name, note = _line(name, NAME_LENGTH, "name"), _line(note, NOTE_LENGTH, "note")
    if not name:
        raise ConditionError("Say who looked: give your name.")
    if session.state in ENDED:
        raise ConflictError(f"Session {session.id} is over: its conditions are history.")
    found = {one.factor: one for one in every(connection, session)}
    for factor in factors:
        one = _known(found, factor, session)
        if one.set_by == DISPLAY:
            raise ConflictError(f"{named(factor)} is drawn and confirmed by the display agent.")
        if one.fact.state in {Known.FAILED, Known.DIFFERS} and not note:
            raise ConditionError(
                f"{one.blocker()} To confirm it all the same, write a note that says how it is so."
            )
    if factors:
        body = {"factors": list(factors), "name": name, "note": note or None}
        _record(connection, CONFIRMED, session.id, actor_of(name), now_ns, body)


def confirm_all(
    connection: Connection,
    session: Session,
    *,
    name: str,
    now_ns: int,
    note: str = "",
    unchanged: bool = False,
) -> list[str]:
    """`confirm` everything that a person's look is enough for; returns the factors.

    What a device failed at is left out; with *unchanged* also what differs from the station's
    session before. Raises as `confirm`.
    """
    wanted = [
        one.factor
        for one in every(connection, session)
        if one.for_person and not (unchanged and one.changed)
    ]
    confirm(connection, session, wanted, name=name, now_ns=now_ns, note=note)
    return wanted


def applied(
    connection: Connection,
    session: str,
    factor: str,
    *,
    by: str,
    state: Known,
    readback: str | None,
    why: str | None,
    now_ns: int,
) -> None:
    """Note what actuator *by* made of *factor*."""
    body = {"factor": factor, "by": by, "state": state, "readback": readback, "why": why}
    _record(connection, APPLIED, session, "controller", now_ns, body)


def withdraw(
    connection: Connection, session: str, factors: Sequence[str], why: str, now_ns: int
) -> None:
    """*factors* have to be set or looked at anew; *why* in a sentence."""
    if factors:
        body = {"factors": list(factors), "why": why}
        _record(connection, WITHDRAWN, session, "controller", now_ns, body)


def withdraw_stale(connection: Connection, session: Session, now_ns: int) -> list[str]:
    """Ask again for what a person confirmed too long ago, or before another session shot here.

    Too long is half an hour without a photo of this session. Returns the factors.
    """
    newest = events.latest(connection, session=session.id, kinds=frozenset({PAINTED}), limit=1)
    shot, elsewhere = newest[0].received_ns if newest else 0, _shot_since(connection, session)
    sure = {k: fact for k, fact in facts(connection, session.id).items() if fact.by == "person"}
    moved = [k for k, fact in sure.items() if fact.time_ns < elsewhere]
    old = [
        k
        for k, fact in sure.items()
        if k not in moved and now_ns - max(shot, fact.time_ns) > ASK_AGAIN_NS
    ]
    withdraw(connection, session.id, moved, "another session was shot here since", now_ns)
    withdraw(connection, session.id, old, "it was confirmed over 30 minutes ago", now_ns)
    return moved + old


def add_evidence(
    connection: Connection, session: Session, factor: str, sha256: str, now_ns: int
) -> None:
    """Note that a picture of *factor* is kept.

    Raises:
        NotFoundError: the environment has no such factor.
    """
    find(connection, session, factor)
    body = {"factor": factor, "sha256": sha256}
    _record(connection, EVIDENCE, session.id, "operator", now_ns, body)


def timeline(connection: Connection, session: Session) -> Timeline:
    """The timeline of *session*, out of the event log."""
    return condition_log.timeline(connection, session.id, session.campaign, session.subset)


def conditions_at(connection: Connection, session: Session, time_ns: int) -> dict[str, Held]:
    """Every level of *session* and how it was confirmed at *time_ns* (Unix time)."""
    return timeline(connection, session).at(time_ns)


def _set_by(connection: Connection, campaign: str) -> dict[str, str]:
    # No subset has the number 0: who sets what stands beside the plan, which may be long.
    scheme = campaigns.find(connection, campaign, only=0).scheme
    return {one.name: one.set_by for one in scheme.factors} if scheme else {}


def _person_or_device(by: Mapping[str, str], factor: str) -> str:
    """What the display cannot draw is a person's, whatever the plan says."""
    told = by.get(factor, OPERATOR)
    return OPERATOR if told == DISPLAY else told


def _before(connection: Connection, session: Session) -> dict[str, str]:
    table = tables.session
    query = select(table.c.campaign, table.c.subset).where(
        table.c.station == session.station,
        table.c.id != session.id,
        table.c.kind == tables.SUBSET,
        table.c.started_ns.is_not(None),
    )
    if session.started_ns is not None:
        query = query.where(table.c.started_ns < session.started_ns)
    row = connection.execute(query.order_by(table.c.started_ns.desc()).limit(1)).first()
    return {} if row is None else levels_of(connection, row.campaign, row.subset)


def _shot_since(connection: Connection, session: Session) -> int:
    """When the station's other sessions showed their last x-ray (controller's clock); 0: never."""
    log, table = tables.event, tables.session
    query = (
        select(func.max(log.c.received_ns))
        .join(table, table.c.id == log.c.session)
        .where(
            table.c.station == session.station,
            table.c.id != session.id,
            table.c.kind == tables.SUBSET,
            log.c.kind == PAINTED,
        )
    )
    return connection.scalar(query) or 0


def _known(found: Mapping[str, Condition], factor: str, session: Session) -> Condition:
    if factor not in found:
        known = ", ".join(found)
        raise NotFoundError(f"Session {session.id} has no factor {factor[:40]!r}; it has: {known}.")
    return found[factor]


def _line(text: str, most: int, what: str) -> str:
    line = " ".join(text.split())
    if len(line) > most or not line.isprintable():
        raise ConditionError(f"The {what} must be printable and at most {most} characters long.")
    return line


def _record(
    connection: Connection, kind: str, session: str, actor: str, now_ns: int, body: dict[str, Any]
) -> None:
    event = Event(kind, now_ns, now_ns, actor, session, body=body)
    projections.record(connection, event)
