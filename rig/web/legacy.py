"""Legacy mode on the pages: what is weaker, what is only claimed, what a person does about it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from rig.capture.sessions import Session
from rig.capture.states import State
from rig.capture.stations import Hub
from rig.protocol.legacy import WEAKER_DISPLAY
from rig.store import events, tables

SHOWN = 100
"""Suspects and problems that a page lists."""
_UNTOUCHED = frozenset({State.CREATED, State.LOADING})


def doubt(session: Session) -> int | None:
    """The index whose request a person has to resolve, if there is one."""
    if not session.legacy or session.state is not State.PAUSED:
        return None
    found = (session.paused or {}).get("doubt")
    return found if isinstance(found, int) else None


def legacy_words(session: Session, text: str) -> str:
    """*text*, and how little it means: claimed is not proved."""
    if session.state is not State.COMPLETED or session.verified == session.total:
        return text
    return f"{text}, but only claimed: {session.verified} of {session.total} photos are proved"


def legacy_step(session: Session) -> str | None:
    """What the person in the room does now, where legacy mode differs; None elsewhere."""
    if (index := doubt(session)) is not None:
        return (
            f"Number {index} is in doubt: read the app's log on the phone, then answer below "
            "whether the photo was taken."
        )
    if session.state is State.LOADING:
        start = (session.app or {}).get("start_number")
        return f"Set the app's start number to {start} and start its server."
    if session.state is not State.COMPLETED:
        return None
    if session.verified == session.total:
        return "The optical check has verified every photo."
    if session.photos:
        return (
            f"{session.total - session.verified} of {session.total} photos are missing or "
            "rejected: see the list, shoot them again."
        )
    return (
        "The photos are only claimed: copy the phone's CheXpeditor folder here and import it: "
        f"rig batch import {session.id} FOLDER"
    )


def legacy_view(connection: Connection, session: Session, hub: Hub) -> dict[str, Any] | None:
    """What the session page says of legacy mode, or None for an XCAP/1 session.

    A session that nobody has started yet is shown as what its station would make of it.
    """
    link = hub.get(session.station)
    ahead = link is not None and link.legacy and session.state in _UNTOUCHED
    if not session.legacy and not ahead:
        return None
    claim = tables.claim
    query = (
        select(claim.c.idx.label("index"), claim.c.suspect.label("why"))
        .where(claim.c.session == session.id, claim.c.suspect.is_not(None))
        .order_by(claim.c.idx)
    )
    suspects = [dict(row) for row in connection.execute(query).mappings()]
    told = events.latest(connection, session=session.id, kinds=frozenset({"exported"}), limit=1)
    problems = list(told[0].body.get("problems", ())) if told else []
    return {
        "weaker": list(WEAKER_DISPLAY),
        "claimed": session.claimed,
        "suspects": suspects[:SHOWN],
        "suspect_count": len(suspects),
        "audited": bool(told),
        "problems": problems[:SHOWN],
        "problem_count": len(problems),
        "doubt": doubt(session),
        "app": session.app,
    }
