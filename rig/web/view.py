"""A session as the page shows it: what is confirmed, in words and numbers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, select

from rig.capture import campaigns, queue, reshoot, sessions
from rig.capture.sessions import Session
from rig.capture.states import ALLOWED, ENDED, Request, State
from rig.capture.stations import Hub
from rig.capture.watch import RESUMES
from rig.store import captures, catalogs, events, tables
from rig.web import devices
from rig.web.alignment import alignment_view
from rig.web.conditions import conditions_view
from rig.web.legacy import doubt, legacy_step, legacy_view, legacy_words
from rig.web.sentences import say

NOTEWORTHY = frozenset(
    {"retake", "paused", "aborted", "link_lost", "refused", "stopped", "light_out"}
)

_WORDS = {
    State.CREATED: "Ready to start",
    State.ENVIRONMENT: "Setting the room",
    State.ALIGNMENT: "Aligning the phone",
    State.LOADING: "Getting ready: waiting for the phone",
    State.ARMED: "Armed: the first x-ray follows",
    State.RUNNING: "Shooting",
    State.PAUSING: "Pausing after this image",
    State.PAUSED: "Paused",
    State.STOPPING: "Stopping",
    State.INTERRUPTED: "Interrupted",
    State.ABORTED: "Aborted",
    State.STOPPED: "Stopped",
    State.COMPLETED: "Completed",
}
_ASKED = {
    Request.START: "start asked for, not confirmed yet",
    Request.PAUSE: "pause asked for, not confirmed yet",
    Request.PAUSE_NOW: "pause at once asked for, not confirmed yet",
    Request.STOP: "stop asked for, not confirmed yet",
    Request.RESUME: "resume asked for, not confirmed yet",
    Request.ABORT: "abort asked for, not confirmed yet",
    Request.REARM: "re-arm asked for, not confirmed yet",
    Request.RESOLVE: "your answer is on its way, not confirmed yet",
}


def words(session: Session) -> str:
    """The state in a few words."""
    text = _WORDS[session.state]
    if session.legacy:
        return legacy_words(session, text)
    if session.state is State.PAUSING and session.painted_index is not None:
        now = session.requested is Request.PAUSE_NOW
        text = f"Pausing {'in the middle of' if now else 'after'} {session.painted_index}"
    if session.state is State.STOPPING and session.painted_index is not None:
        text = f"Stopping after {session.painted_index}"
    if session.state is State.STOPPED:
        text = f"Stopped with {session.committed} of {session.total}"
    if session.state is State.LOADING and session.link == "up":
        text = "Getting ready: the phone is connected"
    return text


def next_step(session: Session, *, connected: bool) -> str:
    """What the person in the room does now."""
    if session.refused:
        return session.refused
    if session.requested is Request.ABORT:
        told = "told to it" if connected else "told as soon as its display agent is back"
        return f"Wait until station {session.station} confirms the abort: it is {told}."
    if not connected and session.state not in ENDED:
        return f"Station {session.station} is not connected: start its display agent."
    if session.state is State.ABORTED:
        return "Read what happened, mend it, then re-arm with the number that is shown."
    if session.legacy and (step := legacy_step(session)) is not None:
        return step
    if session.state is State.PAUSED:
        return _paused(session)
    if session.state is State.INTERRUPTED:
        return f"Resume goes on at {_next_index(session)}; what was shot is kept."
    if session.state in ENDED:
        return _after_end(session)
    return {
        State.CREATED: "Check the room, then start.",
        State.ENVIRONMENT: "Set and confirm every level of the environment, then start.",
        State.ALIGNMENT: "Follow the words of the alignment shot, then start.",
        State.STOPPING: "Wait until the phone has closed its books; if it is lost, abort.",
        State.LOADING: "Pair the phone if it does not connect by itself.",
    }.get(session.state, "Nothing: leave the room as it is.")


def _paused(session: Session) -> str:
    told = session.paused or {}
    why = str(told.get("why") or "somebody asked for it").rstrip(".")
    then = RESUMES.get(str(told.get("code")), "Resume when the cause is mended.")
    return f"Reason: {why}. {then} It goes on at {_next_index(session)}."


def _after_end(session: Session) -> str:
    waiting = session.committed - session.photos
    if waiting > 0:
        are = "photo is" if waiting == 1 else "photos are"
        return f"Leave the phone on: {waiting} {are} still to arrive."
    if session.rejected:
        return f"{session.rejected} photos were rejected: see the list, shoot them again."
    if session.state is State.STOPPED:
        left = "A new session of the subset takes the rest."
        return f"All photos have arrived. {left}" if session.committed else left
    return "All photos have arrived."


def _next_index(session: Session) -> str:
    return str(session.first if session.last_index is None else session.last_index + 1)


def session_view(
    connection: Connection,
    session: Session,
    hub: Hub,
    clock_ns: Callable[[], int] = time.time_ns,
) -> dict[str, Any]:
    """Everything that the live page shows; `seq` is where its event stream begins."""
    campaign = campaigns.find(connection, session.campaign, only=session.subset)
    subset = campaigns.subset_of(campaign, session.subset)
    speed = sessions.progress(connection, session)
    station = hub.view(session.station)
    batch = captures.batch_of(connection, session.id)
    here = queue.place(connection, session)
    notes = events.latest(connection, session=session.id, kinds=NOTEWORTHY, limit=50)
    return {
        **session.to_json(),
        "seq": events.last_seq(connection),
        "campaign_name": campaign.name,
        "catalog": campaign.catalog,
        "device": campaign.device,
        "environment": {
            "name": subset.environment.name,
            "levels": dict(subset.environment.levels),
        },
        "words": words(session),
        "asked": None if session.requested is None else _ASKED[session.requested],
        "asked_by": session.asked,
        "next_step": next_step(session, connected=bool(station["connected"])),
        "may": [one for one in Request if _may(session, one)],
        "interval_s": speed.interval_s,
        "eta_s": speed.eta_s,
        "station_view": station,
        "batch": None
        if batch is None
        else {"count": batch.count, "missing": batch.missing, "complete": batch.complete},
        "shown": _shown(connection, session, campaign.catalog_id),
        "notes": [one.to_json() | {"words": say(one)} for one in notes],
        "conditions": conditions_view(connection, session),
        "alignment_view": alignment_view(connection, session),
        "queue": None if here is None else asdict(here),
        "devices": devices.latest(connection, session.id, clock_ns()),
        "rejects": _rejects(connection, session.id),
        "reshoot_sessions": [
            {"id": one.id, "first": one.first, "last": one.last, "words": words(one)}
            for one in reshoot.of(connection, session.id)
        ],
        "legacy_view": legacy_view(connection, session, hub),
    }


def _may(session: Session, wanted: Request) -> bool:
    if session.state not in ALLOWED[wanted]:
        return False
    if session.requested is Request.ABORT and wanted is not Request.ABORT:
        return False
    if session.legacy and wanted in {Request.PAUSE_NOW, Request.STOP}:
        return False
    if wanted is Request.START:
        return session.started_ns is None
    if wanted is Request.RESOLVE:
        return doubt(session) is not None
    if wanted is Request.RESUME:
        # Paused before any phone came: the station has begun, only it never shot.
        begun = session.started_ns is not None or session.state is State.PAUSED
        return begun and doubt(session) is None
    return True


def _rejects(connection: Connection, session: str) -> list[dict[str, Any]]:
    """Photos that do not show what they should, by index."""
    photo = tables.photo
    query = (
        select(photo.c.idx.label("index"), photo.c.attempt, photo.c.name, photo.c.reason)
        .where(photo.c.session == session, photo.c.verified.is_(False))
        .order_by(photo.c.idx)
        .limit(100)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def _shown(connection: Connection, session: Session, catalog_id: str) -> dict[str, Any] | None:
    """The newest photo that arrived (or else the newest capture) and the x-ray it shows."""
    if session.kind != tables.SUBSET:
        return None  # the card is no x-ray
    photo, capture = tables.photo, tables.capture
    row = (
        connection.execute(
            select(photo.c.idx, photo.c.name, photo.c.verified, photo.c.reason, photo.c.score)
            .where(photo.c.session == session.id)
            .order_by(photo.c.idx.desc(), photo.c.attempt.desc())
            .limit(1)
        )
        .mappings()
        .first()
    )
    if row is not None:
        index, shown = row["idx"], {**row, "here": True}
    else:
        index = session.last_index if session.last_index is not None else session.painted_index
        if index is None:
            return None
        told = tables.claim if session.legacy else capture
        name = connection.scalar(
            select(told.c.name).where(told.c.session == session.id, told.c.idx == index)
        )
        shown = {"name": name, "here": False, "verified": None, "reason": None, "score": None}
    found = catalogs.xrays(connection, catalog_id, index, index)
    if not found:
        return None
    shown.pop("idx", None)
    return {"index": index, "xray_sha256": found[0].sha256, **shown}
