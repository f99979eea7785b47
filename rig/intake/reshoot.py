"""Which photos must be shot again, index by index, and why; read from the store, changes nothing.

An index is done when any session has a verified photo of it: the newest one counts. Else the newest
session that shot it says what is wrong. What nobody shot yet is another matter: a new session of
the subset takes it, no re-shoot.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, String, and_, cast, func, select

from rig.store import captures, tables
from rig.store.captures import Photo
from rig.store.errors import NotFoundError

DOUBTS = ("soft:", "glare ")
"""How the warnings begin that make a verified photo doubtful; framing alone does not."""
_OVER = frozenset({"completed", "stopped", "aborted"})


class Kind(StrEnum):
    """What is wrong with the photo of an index."""

    MISSING = "missing"
    """It was shot, but no photo of it has come back."""
    REJECTED = "rejected"
    """Its photo does not show the x-ray, or is too poor to keep."""
    DOUBTFUL = "doubtful"
    """Its photo is verified and soft or glaring, or was not looked at yet."""


@dataclass(frozen=True, slots=True)
class Row:
    """One index that must, or (doubtful) may, be shot again.

    Attributes:
        index: of the x-ray.
        kind: what is wrong.
        reason: a sentence.
        session: that shot it last.
        subset: its subset.
        name: of the photo, when one is here.
        again: the session that is about to shoot it again already; None when there is none.
    """

    index: int
    kind: Kind
    reason: str
    session: str
    subset: int
    name: str | None = None
    again: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the API and the command show it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ReshootList:
    """Rows by index, and how many indices were looked at.

    Attributes:
        rows: what must or may be shot again.
        shot: indices that were shot.
        unshot: indices of the subsets that nobody shot yet.
    """

    rows: tuple[Row, ...]
    shot: int
    unshot: int

    def wanted(self, *, doubtful: bool = False) -> tuple[Row, ...]:
        """Rows for which a session is to be made: no other one is under way for them."""
        kinds = set(Kind) if doubtful else {Kind.MISSING, Kind.REJECTED}
        return tuple(row for row in self.rows if row.kind in kinds and row.again is None)

    def to_json(self) -> dict[str, Any]:
        """As the API and the command show it."""
        rows = [row.to_json() for row in self.rows]
        return {"shot": self.shot, "unshot": self.unshot, "reshoot": rows}


@dataclass(slots=True)
class _State:
    """What the sessions say, the newest word last."""

    bad: dict[int, Row] = field(default_factory=dict)
    good: dict[int, Row | None] = field(default_factory=dict)
    again: dict[int, str] = field(default_factory=dict)


def of_session(connection: Connection, session: str) -> ReshootList:
    """The list of *session*, with what its re-shoots have mended.

    Raises:
        NotFoundError: no such session.
    """
    s = tables.session
    here = connection.execute(select(s).where(s.c.id == session)).mappings().first()
    if here is None:
        raise NotFoundError(f"No session has the id {session[:40]!r}.")
    root = here["reshoots"] or here["id"]
    query = select(s).where((s.c.id == root) | (s.c.reshoots == root))
    rows = _by_age(connection.execute(query).mappings())
    return _list(connection, rows, range(here["first"], here["last"] + 1))


def of_campaign(connection: Connection, name: str) -> ReshootList:
    """The list of the campaign *name*, over all its sessions.

    Raises:
        NotFoundError: no such campaign.
    """
    c, s, t = tables.campaign, tables.session, tables.subset
    campaign = connection.scalar(select(c.c.id).where(c.c.name == name))
    if campaign is None:
        known = ", ".join(connection.scalars(select(c.c.name).order_by(c.c.name)))
        raise NotFoundError(f"No campaign is named {name!r}. Known: {known or 'none yet'}.")
    rows = _by_age(connection.execute(select(s).where(s.c.campaign == campaign)).mappings())
    spans = select(t.c.first, t.c.last).where(t.c.campaign == campaign, t.c.retired.is_(None))
    wanted = [i for one in connection.execute(spans) for i in range(one.first, one.last + 1)]
    return _list(connection, rows, wanted)


def _by_age(rows: Iterable[RowMapping]) -> list[RowMapping]:
    return sorted(rows, key=lambda row: (row["created_ns"], row["id"]))


def _list(
    connection: Connection, sessions: Sequence[RowMapping], indices: Iterable[int]
) -> ReshootList:
    state = _State()
    for session in sessions:
        _hear(connection, session, state)
    shot = unshot = 0
    rows = []
    for index in indices:
        row = state.good[index] if index in state.good else state.bad.get(index)
        if index not in state.good and index not in state.bad:
            unshot += 1
            continue
        shot += 1
        if row is not None:
            again = state.again.get(index)
            rows.append(row if again in {None, row.session} else _with(row, again))
    return ReshootList(tuple(sorted(rows, key=lambda row: row.index)), shot, unshot)


def _with(row: Row, again: str | None) -> Row:
    return Row(row.index, row.kind, row.reason, row.session, row.subset, row.name, again)


def _hear(connection: Connection, session: RowMapping, state: _State) -> None:
    """Add what one session has to say of its indices."""
    if session["reshoots"] is not None and session["state"] not in _OVER:
        for index in range(session["first"], session["last"] + 1):
            state.again[index] = session["id"]
    right = set() if session["legacy"] else _plainly_right(connection, session["id"])
    state.good.update(dict.fromkeys(right))
    rest = None if session["legacy"] else _taken(connection, session["id"]) - right
    if rest is not None and not rest:
        return
    photos: dict[int, Photo] = {}
    for photo in captures.photos(connection, session["id"], indices=rest):
        before = photos.get(photo.index)
        if before is None or _rank(photo) >= _rank(before):
            photos[photo.index] = photo
    taken = {one.index: one for one in captures.committed(connection, session["id"], indices=rest)}
    claimed = _claims(connection, session["id"]) if session["legacy"] else set()
    batch = captures.batch_of(connection, session["id"])
    complete = batch is not None and batch.complete
    for index in sorted({*taken, *claimed, *(photos if session["legacy"] else ())}):
        found = photos.get(index)
        commit = taken.get(index)
        other = found is not None and commit is not None and found.sha256 != commit.sha256
        row = _judged(index, session, found, other=other, complete=complete)
        if found is not None and found.verified and not other:
            state.good[index] = row
        else:
            state.bad[index] = row or Row(
                index, Kind.MISSING, _NOT_BACK, session["id"], session["subset"]
            )


def _plainly_right(connection: Connection, session: str) -> set[int]:
    """Indices whose only photo is the committed one, verified and without a doubt.

    Nearly all photos are: a campaign of 200,000 is looked at in a second, as SQLite does it.
    """
    c, p = tables.capture, tables.photo
    detail = func.coalesce(cast(p.c.detail, String), "")
    same = and_(p.c.session == c.c.session, p.c.name == c.c.name, p.c.sha256 == c.c.sha256)
    several = select(p.c.idx).where(p.c.session == session).group_by(p.c.idx)
    several = several.having(func.count() > 1)
    # One text instead of a row for each: rows cost more than finding them.
    query = select(func.json_group_array(c.c.idx)).select_from(c).join(p, same)
    query = query.where(c.c.session == session, c.c.committed, p.c.verified)
    query = query.where(p.c.idx == c.c.idx, c.c.idx.not_in(several))
    # Before the text of the JSON is read: a warning is a text that begins so.
    for doubt in DOUBTS:
        query = query.where(func.instr(detail, f'"{doubt}') == 0)
    return _indices(connection.scalar(query))


def _taken(connection: Connection, session: str) -> set[int]:
    table = tables.capture
    query = select(func.json_group_array(table.c.idx))
    query = query.where(table.c.session == session, table.c.committed)
    return _indices(connection.scalar(query))


def _indices(text: str | None) -> set[int]:
    return set(json.loads(text or "[]"))


def _rank(photo: Photo) -> tuple[bool, int, int]:
    return bool(photo.verified), photo.attempt, photo.received_ns


_NOT_BACK = "No photo of it has come back."


def _judged(
    index: int, session: RowMapping, photo: Photo | None, *, other: bool, complete: bool
) -> Row | None:
    """What is wrong with *photo*, None for nothing."""
    kind, reason = Kind.REJECTED, ""
    if photo is None:
        kind, reason = Kind.MISSING, _NOT_BACK
        if not complete:
            reason += " The phone may still have it: bring it by `rig batch import` first."
    elif other:
        reason = "The photo that came back is not the committed one."
    elif photo.verified is None:
        kind, reason = Kind.DOUBTFUL, "Its photo was not looked at yet."
    elif not photo.verified:
        reason = photo.reason or "Its photo was rejected."
    else:
        doubts = _doubts(photo)
        if not doubts:
            return None
        kind, reason = Kind.DOUBTFUL, f"Verified, but {'; '.join(doubts)}."
    name = None if photo is None else photo.name
    return Row(index, kind, reason, session["id"], session["subset"], name)


def _doubts(photo: Photo) -> list[str]:
    quality = (photo.detail or {}).get("quality") or {}
    return [str(one) for one in quality.get("warnings", ()) if str(one).startswith(DOUBTS)]


def _claims(connection: Connection, session: str) -> set[int]:
    table = tables.claim
    return set(connection.scalars(select(table.c.idx).where(table.c.session == session)))
