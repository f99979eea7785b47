"""A session's indices in a line: what was kept, taken again, rejected, lost, is to come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from rig.capture.sessions import Session
from rig.capture.states import State
from rig.store import captures, tables

WIDEST = 150
"""Cells; a longer session has several indices in each."""

SHOOTING = frozenset({State.ARMED, State.RUNNING, State.PAUSING, State.STOPPING})
"""States in which an index is being shot."""
_ORDER = ("ahead", "kept", "good", "again", "now", "missing", "bad")
_WORDS: Mapping[str, str] = {
    "ahead": "to come",
    "kept": "kept",
    "good": "kept and verified",
    "again": "taken again",
    "now": "being shot",
    "missing": "missing",
    "bad": "rejected",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One or several neighbouring indices; the worst of them counts."""

    first: int
    last: int
    look: str
    words: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The cells, and how many indices look how."""

    cells: tuple[Cell, ...]
    counts: Mapping[str, int]

    @property
    def words(self) -> str:
        """The line in a sentence, for who does not see it."""
        told = [f"{count} {_WORDS[look]}" for look, count in self.counts.items() if count]
        return ", ".join(told)


def timeline(connection: Connection, session: Session) -> Timeline:
    """The line of *session*."""
    looks = _looks(connection, session)
    counts = dict.fromkeys(_ORDER, 0)
    for index in range(session.first, session.last + 1):
        counts[looks.get(index, ("ahead", ""))[0]] += 1
    step = -(-session.total // WIDEST)
    cells = []
    for first in range(session.first, session.last + 1, step):
        last = min(first + step - 1, session.last)
        cells.append(_cell(first, last, looks))
    return Timeline(tuple(cells), counts)


def _cell(first: int, last: int, looks: Mapping[int, tuple[str, str]]) -> Cell:
    found = [(index, *looks.get(index, ("ahead", ""))) for index in range(first, last + 1)]
    index, look, why = max(found, key=lambda one: _ORDER.index(one[1]))
    span = str(first) if first == last else f"{first} to {last}"
    told = f"{span}: {_WORDS[look]}"
    if why:
        told += f" ({index}, {why})" if first != last else f" ({why})"
    return Cell(first, last, look, told[:300])


def _looks(connection: Connection, session: Session) -> dict[int, tuple[str, str]]:
    """Index -> look and why, for every index that something is known of."""
    found: dict[int, tuple[str, str]] = {}
    capture = tables.claim if session.legacy else tables.capture
    for row in connection.execute(
        select(capture).where(capture.c.session == session.id)
    ).mappings():
        found[row["idx"]] = _taken(row, legacy=session.legacy)
    photo = tables.photo
    query = select(photo.c.idx, photo.c.verified, photo.c.reason).where(
        photo.c.session == session.id
    )
    arrived = set()
    for one in connection.execute(query.order_by(photo.c.idx, photo.c.attempt)):
        arrived.add(one.idx)
        if one.verified is False:
            found[one.idx] = ("bad", str(one.reason or "")[:200])
        elif one.verified and found.get(one.idx, ("kept", ""))[0] in {"kept", "bad"}:
            found[one.idx] = ("good", "")
    batch = captures.batch_of(connection, session.id)
    if batch is not None and batch.complete:
        for index, (look, _) in list(found.items()):
            if look == "kept" and index not in arrived:
                found[index] = ("missing", "no photo of it has come back")
    now = session.painted_index
    if now is not None and now not in found and session.state in SHOOTING:
        found[now] = ("now", "")
    return found


def _taken(row: Mapping[Any, Any], *, legacy: bool) -> tuple[str, str]:
    if legacy:
        return ("again", str(row["suspect"])[:200]) if row["suspect"] else ("kept", "")
    if not row["committed"]:
        return "now", str(row["why"] or "")[:200]
    if row["retakes"]:
        return "again", str(row["why"] or f"{row['retakes']} times")[:200]
    return "kept", ""
