"""Alignment shots: one uncounted photo of the test card before a session starts.

A shot is a session of its own kind with a plan of one picture, on the same station with the same
phone, through the same protocol. It counts for no campaign and enters no dataset; what it showed is
an event of the session that it was taken for, its parent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from rig.capture import campaigns, photos, projections, sessions, states
from rig.capture.actors import actor_of
from rig.capture.alignment_rows import ACCEPTED, ALIGNED, ASKED, WAIVED
from rig.capture.condition_rows import levels_of
from rig.capture.condition_words import named
from rig.capture.free import station_is_free
from rig.capture.sessions import Session
from rig.capture.states import BEFORE, BUSY, Request
from rig.errors import UserError
from rig.planning.card import CARD_INDEX, FIRST_NUMBER, card_item
from rig.planning.plan import SubsetPlan
from rig.store import tables
from rig.store.errors import ConflictError
from rig.store.events import Event

WHY_LENGTH = 500
LEGACY_WHY = "the original app on its phone cannot take an alignment shot"


class AlignmentError(UserError):
    """A waiver or acceptance that cannot be taken; a sentence."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a session may start, as far as its alignment goes.

    Attributes:
        good: it may.
        why: a sentence: since when, by whom; or what is missing and what to do.
        verdict: of the newest shot that counts for it, None when there is none.
        rejected: the newest shot says no, and it is not about another room.
        since_ns: when that shot was asked for, or the waiver given.
        shot_for: the session whose shot it is; another one when it is inherited.
    """

    good: bool
    why: str
    verdict: str | None = None
    rejected: bool = False
    since_ns: int | None = None
    shot_for: str | None = None


def ask(
    connection: Connection,
    session: str,
    *,
    new_id: str,
    now_ns: int,
    name: str | None = None,
    width_mm: float | None = None,
) -> Session:
    """Make an alignment shot for *session* and ask for its start; the shot's own session.

    Args:
        connection: in a write transaction.
        session: id of the parent.
        new_id: of the shot, `s` and 16 hex digits.
        now_ns: Unix time.
        name: of the operator.
        width_mm: of the monitor's picture; None: as it was told for this station last.

    Raises:
        NotFoundError: no such session.
        ConflictError: it has begun or is over, or its station is busy.
    """
    parent = sessions.find(connection, session)
    sensible(connection, parent)
    campaign = campaigns.find(connection, parent.campaign)
    subset = campaigns.subset_of(campaign, parent.subset)
    generation = _generation(connection, parent.station)
    width = width_mm if width_mm is not None else _width_told(connection, parent.station)
    actor = actor_of(name)
    made = {
        "campaign": campaign.id, "campaign_name": campaign.name, "subset": subset.id,
        "station": parent.station, "first": CARD_INDEX, "last": CARD_INDEX,
        "environment": subset.environment.name, "run": _next_number(connection, campaign.id),
        "kind": tables.ALIGNMENT, "parent": session,
    }  # fmt: skip
    _record(connection, states.SESSION_CREATED, new_id, actor, now_ns, made)
    asked = {"shot": new_id, "width_mm": width, "generation": generation}
    _record(connection, ASKED, session, actor, now_ns, asked)
    return sessions.request(connection, new_id, Request.START, now_ns, name=name)


def sensible(connection: Connection, parent: Session) -> None:
    """Whether a shot for *parent* may be asked for now; nothing is noted.

    Raises:
        ConflictError: it has begun or is over, or its station is busy.
    """
    if parent.kind != tables.SUBSET:
        raise ConflictError("An alignment shot has no alignment shot: ask for one of its session.")
    if parent.legacy:
        raise ConflictError(f"Session {parent.id} runs in legacy mode: {LEGACY_WHY}.")
    if parent.state not in BEFORE:
        raise ConflictError(
            f"Session {parent.id} is {parent.state}: an alignment shot is taken before the start. "
            "Stop it, then make a session of the rest and align that one."
        )
    if (running := under_way(connection, parent)) is not None:
        raise ConflictError(
            f"An alignment shot is under way on station {parent.station} ({running.state}): wait "
            "for it, or take it back."
        )
    station_is_free(connection, parent.station, parent.id)


def under_way(connection: Connection, parent: Session) -> Session | None:
    """The newest shot of *parent* while its station is busy with it."""
    asked = (parent.alignment or {}).get("asked")
    shot = None if asked is None else sessions.find(connection, asked["shot"])
    return shot if shot is not None and shot.state in BUSY else None


def plan_of(connection: Connection, shot: Session) -> SubsetPlan:
    """The plan of an alignment shot: the test card, once, in the parent's environment."""
    campaign = campaigns.find(connection, shot.campaign)
    subset = campaigns.subset_of(campaign, shot.subset)
    return SubsetPlan(
        session=shot.id, campaign=campaign.name, campaign_id=campaign.id,
        subset=FIRST_NUMBER + shot.run, first=CARD_INDEX, last=CARD_INDEX, device=campaign.device,
        environment=subset.environment, items=(card_item(),), settle_ms=campaign.settle_ms,
    )  # fmt: skip


def aligned(
    connection: Connection,
    shot: Session,
    *,
    photo: str,
    verdict: str,
    words: list[str],
    measures: dict[str, Any] | None,
    picture: str | None,
    now_ns: int,
) -> None:
    """Note what the photo of *shot* shows.

    Args:
        connection: in a write transaction.
        shot: the alignment session.
        photo: the photo's name.
        verdict: `ok`, `warn` or `reject`.
        words: sentences for the person at the phone.
        measures: everything measured, JSON values; None when the photo could not be read.
        picture: SHA-256 of the drawing that is kept, if there is one.
        now_ns: Unix time.
    """
    body = {
        "shot": shot.id, "photo": photo, "verdict": verdict, "words": words, "picture": picture,
        "measures": measures,
    }  # fmt: skip
    _record(connection, ALIGNED, str(shot.parent), "controller", now_ns, body)
    photos.verified(
        connection, shot.id, name=photo, verified=verdict != "reject", reason=" ".join(words),
        now_ns=now_ns, detail={"alignment": verdict},
    )  # fmt: skip


def accept(
    connection: Connection, session: Session, *, name: str, now_ns: int, why: str = ""
) -> None:
    """Note that *name* takes the newest shot as it is, its warnings included.

    Raises:
        AlignmentError: no name, or a text that is too long.
        ConflictError: there is nothing to accept: no shot, a rejected one, the session has begun.
    """
    _require_open(session)
    found = standing(connection, session)
    result = (session.alignment or {}).get("result")
    if result is None:
        raise ConflictError("There is no alignment shot to accept: take one, or waive it.")
    if found.verdict is None:
        raise ConflictError(found.why)
    if found.rejected:
        raise ConflictError(
            f"{found.why} A rejected shot cannot be accepted; it can be waived, with a reason."
        )
    _note(connection, session, ACCEPTED, name, why, now_ns)


def waive(
    connection: Connection, session: Session, *, name: str, now_ns: int, why: str = ""
) -> None:
    """Note that *name* starts without a good alignment shot.

    Raises:
        AlignmentError: no name, or no reason although the newest shot is rejected.
        ConflictError: the session has begun.
    """
    _require_open(session)
    if standing(connection, session).rejected and not why.strip():
        raise AlignmentError(
            "The newest alignment shot was rejected: to start all the same, write the reason."
        )
    _note(connection, session, WAIVED, name, why, now_ns)


def gate(
    connection: Connection,
    session: Session,
    found: Standing,
    *,
    confirm: bool,
    legacy: bool,
    name: str | None,
    now_ns: int,
) -> None:
    """Let *session* start, or say why not; called before the rest of a start is noted.

    *confirm* accepts warnings and waives a missing shot in *name*; a rejected one it does not.

    Args:
        connection: in a write transaction.
        session: as it was before the start was asked for.
        found: its `standing` then. Who confirms the room together with the start says that it was
            so all along: that alone makes no shot one of another room.
        confirm: the person answers for what is missing.
        legacy: the station drives the original app.
        name: of the operator.
        now_ns: Unix time.

    Raises:
        ConflictError: the sentence says what is missing.
    """
    if found.good:
        if not standing(connection, sessions.find(connection, session.id)).good:
            kind = WAIVED if found.verdict is None else ACCEPTED
            _note(connection, session, kind, name or "script", "confirmed with the start", now_ns)
    elif legacy:
        why = f"Station {session.station}: {LEGACY_WHY}."
        _record(connection, WAIVED, session.id, "controller", now_ns, {"why": why})
    elif confirm and not found.rejected:
        fresh = found.verdict is not None
        kind = ACCEPTED if fresh else WAIVED
        _note(connection, session, kind, name or "script", "confirmed with the start", now_ns)
    else:
        raise ConflictError(found.why)


def standing(connection: Connection, session: Session) -> Standing:
    """Whether *session* may start, as far as its alignment goes, and why."""
    known = session.alignment or {}
    waived, result = known.get("waived"), known.get("result")
    if waived:
        by = _person(waived["by"])
        told = f": {waived['why']}" if waived.get("why") else ""
        return Standing(True, f"Waived by {by}{told}.".replace("..", "."),
                        since_ns=waived["time_ns"])  # fmt: skip
    if result is None:
        return _inherited(connection, session) or Standing(
            False,
            "No alignment shot was taken since the environment was set: take one, or waive it by "
            "name.",
        )
    return _judged(connection, session, result, session.id)


def _judged(
    connection: Connection, session: Session, result: dict[str, Any], owner: str
) -> Standing:
    since, verdict = int(result["time_ns"]), str(result["verdict"])
    if result["stale"]:
        factors = " and ".join(named(one) for one in str(result["stale"]).split(", "))
        what = f"The alignment shot was taken before {factors} changed or was confirmed"
    elif result["generation"] != _generation(connection, session.station):
        what = "The alignment shot was taken with the phone that was paired before"
    else:
        words = " ".join(result["words"])
        if verdict == "ok":
            return Standing(True, f"Aligned. {words}", verdict, False, since, owner)
        if verdict == "warn" and result["accepted"]:
            by = _person(result["accepted"])
            return Standing(True, f"Accepted by {by}. {words}", verdict, False, since, owner)
        if verdict == "warn":
            why = f"The alignment could be better: {words} Take another shot, or accept it by name."
            return Standing(False, why, verdict, False, since, owner)
        why = f"The last alignment shot is rejected: {words} Then take another one."
        return Standing(False, why, verdict, True, since, owner)
    return Standing(False, f"{what}: take another one, or waive it by name.", since_ns=since)


def _inherited(connection: Connection, session: Session) -> Standing | None:
    """The good alignment of an earlier session of the same subset here, if nothing moved since.

    What is left of a subset and what is shot again stand under the same environment. Nothing else
    may have been aligned or shot on the station in between.
    """
    table = tables.session
    before = (
        table.c.station == session.station,
        table.c.id != session.id,
        table.c.created_ns <= session.created_ns,
    )
    mine = (table.c.campaign == session.campaign, table.c.subset == session.subset)
    query = select(table).where(*before, *mine, table.c.alignment.is_not(None))
    rows = connection.execute(query.order_by(table.c.updated_ns)).mappings()
    judged = [one for one in rows if one["alignment"].get("result")]
    newest = max(judged, key=lambda one: int(one["alignment"]["result"]["time_ns"]), default=None)
    if newest is None:
        return None
    result = newest["alignment"]["result"]
    levels = levels_of(connection, session.campaign, session.subset)
    later = select(table).where(*before, table.c.started_ns > result["time_ns"])
    for one in connection.execute(later).mappings():
        if one["kind"] == tables.ALIGNMENT:
            parent = sessions.find(connection, one["parent"])
            if (parent.campaign, parent.subset) != (session.campaign, session.subset):
                return None  # the phone was moved for another subset
        elif levels_of(connection, one["campaign"], one["subset"]) != levels:
            return None
    found = _judged(connection, session, result, str(newest["id"]))
    if not found.good:
        return None
    why = f"The room is unchanged since the alignment shot of session {newest['id']}. {found.why}"
    return Standing(True, why, found.verdict, False, found.since_ns, str(newest["id"]))


def _require_open(session: Session) -> None:
    if session.kind != tables.SUBSET or session.state not in BEFORE:
        raise ConflictError(f"Session {session.id} is {session.state}: it has begun already.")


def _note(
    connection: Connection, session: Session, kind: str, name: str, why: str, now_ns: int
) -> None:
    name, why = " ".join(name.split()), " ".join(why.split())
    if not name:
        raise AlignmentError("Say who decides this: give your name.")
    if len(why) > WHY_LENGTH or not why.isprintable():
        raise AlignmentError(f"The reason must be printable, {WHY_LENGTH} characters at most.")
    _record(connection, kind, session.id, actor_of(name), now_ns, {"why": why or None})


def _person(actor: str) -> str:
    return actor.removeprefix("operator:")


def _generation(connection: Connection, station: str) -> int:
    table = tables.station
    query = select(table.c.phone_generation).where(table.c.name == station)
    return int(connection.scalar(query) or 0)


def _width_told(connection: Connection, station: str) -> float | None:
    """The width that was told for this station's monitor last."""
    log, table = tables.event, tables.session
    query = (
        select(log.c.body)
        .join(table, table.c.id == log.c.session)
        .where(table.c.station == station, log.c.kind == ASKED)
        .order_by(log.c.seq.desc())
        .limit(1)
    )
    told = connection.scalar(query)
    width = None if told is None else told.get("width_mm")
    return None if width is None else float(width)


def _next_number(connection: Connection, campaign: str) -> int:
    table = tables.session
    query = select(func.max(table.c.run)).where(
        table.c.campaign == campaign, table.c.kind == tables.ALIGNMENT
    )
    return int(connection.scalar(query) or 0) + 1


def _record(
    connection: Connection, kind: str, session: str, actor: str, now_ns: int, body: dict[str, Any]
) -> None:
    event = Event(kind, now_ns, now_ns, actor, session, body=body)
    projections.record(connection, event)
