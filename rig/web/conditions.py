"""The conditions of a session as the page and the API show them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from rig.capture import conditions
from rig.capture.condition_rows import Known
from rig.capture.condition_words import named
from rig.capture.conditions import DISPLAY, OPERATOR, Condition
from rig.capture.sessions import Session
from rig.capture.states import ENDED
from rig.web.room import SHOOTING

_MARKS = {
    Known.WAITING: ("", "waiting"),
    Known.CONFIRMED: ("completed", "confirmed"),
    Known.UNCONFIRMED: ("paused", "set, cannot tell"),
    Known.FAILED: ("failed", "failed"),
    Known.DIFFERS: ("failed", "is not so"),
}
"""State -> class of its mark, words."""


def conditions_view(connection: Connection, session: Session) -> dict[str, Any]:
    """Everything on the checklist of *session*."""
    every = conditions.every(connection, session)
    told = [one.blocker() for one in every]
    return {
        "session": session.id,
        "factors": [_row(one) for one in every],
        "blockers": [one for one in told if one is not None],
        "ready": not any(told),
        "unchanged": [one.factor for one in every if one.for_person and not one.changed],
        "devices": any(one.by_device for one in every),
        "open": session.state not in ENDED,
        "may_apply": session.state not in ENDED | SHOOTING,
        "first": not any(one.before for one in every),
    }


def _row(one: Condition) -> dict[str, Any]:
    fact = one.fact
    mark, words = _MARKS[fact.state]
    return {
        "factor": one.factor,
        "named": named(one.factor),
        "level": one.level,
        "set_by": one.set_by,
        "sentence": one.sentence,
        "changed": one.changed,
        "before": one.before,
        "state": fact.state,
        "mark": mark,
        "words": words + _by(one),
        "by": fact.by,
        "name": fact.name,
        "note": fact.note,
        "readback": fact.readback,
        "why": fact.why,
        "time_ns": fact.time_ns or None,
        "evidence": [dict(picture) for picture in fact.evidence],
        "may_confirm": one.set_by != DISPLAY,
        "needs_person": one.for_person,
        "needs_note": fact.state in {Known.FAILED, Known.DIFFERS},
    }


def _by(one: Condition) -> str:
    if one.fact.state is Known.CONFIRMED:
        return f" by {one.fact.name or one.fact.by}"
    if one.fact.state is Known.WAITING and one.set_by == DISPLAY:
        return ": the display draws it"
    if one.fact.state is Known.WAITING and one.set_by != OPERATOR:
        return f" for {one.set_by}"
    return ""
