"""What is known of a session's alignment shots; the same live and when rebuilding.

The column `session.alignment` is null until one is asked for, then an object of
`asked` (the newest shot: `shot`, `time_ns`, `by`, `width_mm`, `generation`, `stale`), `result` (the
newest that was measured: `shot`, `verdict`, `words`, `picture`, `photo`, `measures` and the fields
of its `asked`; `accepted`: by whom) and `waived` (`by`, `why`, `time_ns`). `stale` is null or what
changed in the room after the shot was asked for. Only the controller's own events count.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping

from rig.capture import condition_rows
from rig.capture.condition_rows import NOTHING, Known
from rig.store import tables
from rig.store.events import Event

ASKED, ALIGNED = "alignment_asked", "aligned"
ACCEPTED, WAIVED = "alignment_accepted", "alignment_waived"
_RESULT = ("shot", "verdict", "words", "picture", "photo", "measures")

Changes = dict[str, Any]


def changes(connection: Connection, row: RowMapping, event: Event) -> Changes:
    """What *event* of the session in *row* changes in its columns."""
    if event.source_seq is not None or row["kind"] != tables.SUBSET:
        return {}
    known = row["alignment"] or {}
    body = event.body
    match event.kind:
        case "alignment_asked":
            fresh = {key: body.get(key) for key in ("shot", "width_mm", "generation")}
            known = known | {
                "asked": {**fresh, "time_ns": event.time_ns, "by": event.actor, "stale": None}
            }
        case "aligned":
            asked = known.get("asked") or {}
            if asked.get("shot") != body["shot"]:
                return {}  # a newer one was asked for
            fresh = {key: body.get(key) for key in _RESULT}
            known = known | {"result": {**asked, **fresh, "accepted": None}, "waived": None}
        case "alignment_accepted" if known.get("result"):
            known = known | {"result": {**known["result"], "accepted": event.actor, "stale": None}}
        case "alignment_waived":
            waived = {"by": event.actor, "why": body.get("why"), "time_ns": event.time_ns}
            known = known | {"waived": waived}
        case _:
            return _room_changed(connection, row, event)
    return {"alignment": known}


def _room_changed(connection: Connection, row: RowMapping, event: Event) -> Changes:
    """A level that was set or lost since makes every earlier shot one of another room.

    A waiver stays: whoever gives it does without a shot of any room.
    """
    if row["alignment"] is None or event.kind not in condition_rows.OWN:
        return {}
    levels = condition_rows.levels_of(connection, row["campaign"], row["subset"])
    before = condition_rows.facts(connection, row["id"])
    moved = [
        factor
        for factor, fact in condition_rows.changes(event, levels, before)
        if fact.state is not (was := before.get(factor, NOTHING).state)
        and Known.CONFIRMED in {fact.state, was}
    ]
    if not moved:
        return {}
    known = dict(row["alignment"])
    for part in ("asked", "result"):
        if known.get(part):
            known[part] = {**known[part], "stale": ", ".join(moved)}
    return {"alignment": known}
