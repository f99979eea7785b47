"""The photos of a session as a contact sheet needs them: one row an index, a page at a time.

A row is an index that was shot: its committed photo if that is here, else none. In legacy mode, in
which nothing is committed, it is the best photo of the index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, TextClause, text

PAGE = 120
"""Photos of a page."""


class Verdict(StrEnum):
    """What is known of a photo, the worst first."""

    REJECTED = "rejected"
    MISSING = "missing"
    WARNED = "warned"
    UNCHECKED = "unchecked"
    RIGHT = "right"


class Sort(StrEnum):
    """In which order."""

    DOUBT = "doubt"
    INDEX = "index"


class Show(StrEnum):
    """Which of them."""

    ALL = "all"
    REJECTED = "rejected"
    MISSING = "missing"
    WARNED = "warned"


_ORDER = tuple(Verdict)
_ROWS = """
WITH shot AS (
  SELECT idx FROM capture WHERE session = :session AND committed
  UNION SELECT idx FROM photo WHERE session = :session
  UNION SELECT idx FROM claim WHERE session = :session
), rows AS (
  SELECT shot.idx, c.retakes, c.why AS retake_why, c.time_ns, p.name, p.attempt, p.sha256, p.size,
    p.received_ns, p.verified, p.reason, p.score,
    CASE WHEN p.name IS NULL THEN 1 WHEN p.verified IS NULL THEN 3 WHEN NOT p.verified THEN 0
      WHEN json_array_length(p.detail, '$.quality.warnings') > 0 THEN 2 ELSE 4 END AS place,
    CAST(round((coalesce(p.score, 0) + 1) * 1000000) AS INTEGER) AS fit
  FROM shot
  LEFT JOIN capture c ON c.session = :session AND c.idx = shot.idx AND c.committed
  LEFT JOIN photo p ON p.session = :session AND p.name = coalesce(c.name, (
    SELECT q.name FROM photo q WHERE q.session = :session AND q.idx = shot.idx
    ORDER BY coalesce(q.verified, 0) DESC, q.attempt DESC, q.received_ns DESC LIMIT 1))
)
"""
_PAGE = {
    Sort.DOUBT: "(place, fit, idx) > (:place, :fit, :idx) ORDER BY place, fit, idx",
    Sort.INDEX: "idx > :idx ORDER BY idx",
}
_PLACES = {
    Show.ALL: (0, 1, 2, 3, 4),
    Show.REJECTED: (0,),
    Show.MISSING: (1,),
    Show.WARNED: (2,),
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the sheet; *after*: place of its last row, None when nothing follows."""

    rows: list[dict[str, Any]]
    after: list[int] | None


def counts(connection: Connection, session: str) -> dict[Verdict, int]:
    """How many indices of each verdict."""
    query = _query("SELECT place, count(*) AS n FROM rows GROUP BY place")
    found = {row.place: row.n for row in connection.execute(query, {"session": session})}
    return {verdict: found.get(place, 0) for place, verdict in enumerate(_ORDER)}


def page(
    connection: Connection,
    session: str,
    *,
    sort: Sort,
    show: Show = Show.ALL,
    after: tuple[int, ...] | None = None,
    limit: int = PAGE,
) -> Page:
    """A page of the sheet of *session*.

    Args:
        connection: to read with.
        session: its id.
        sort: the order; ties in doubt are by index.
        show: which verdicts.
        after: `Page.after` of the page before.
        limit: how many.
    """
    place, fit, index = after or (-1, -1, -1)
    places = ", ".join(map(str, _PLACES[show]))
    # Of constants only: what comes from outside is bound.
    query = _query(f"SELECT * FROM rows WHERE place IN ({places}) AND {_PAGE[sort]} LIMIT :limit")  # noqa: S608 - see above
    asked = {"session": session, "place": place, "fit": fit, "idx": index, "limit": limit + 1}
    rows = connection.execute(query, asked).mappings().all()
    last = rows[limit - 1] if len(rows) > limit else None
    following = None if last is None else [last["place"], last["fit"], last["idx"]]
    return Page([_row(one) for one in rows[:limit]], following)


def one(connection: Connection, session: str, index: int) -> dict[str, Any] | None:
    """The row of *index*; None when it was not shot."""
    query = _query("SELECT * FROM rows WHERE idx = :idx")
    row = connection.execute(query, {"session": session, "idx": index}).mappings().first()
    return None if row is None else _row(row)


def beside(connection: Connection, session: str, index: int) -> tuple[int | None, int | None]:
    """The indices before and after *index* that were shot."""
    query = _query(
        "SELECT (SELECT max(idx) FROM shot WHERE idx < :idx) AS before, "
        "(SELECT min(idx) FROM shot WHERE idx > :idx) AS later"
    )
    row = connection.execute(query, {"session": session, "idx": index}).one()
    return row.before, row.later


def _query(tail: str) -> TextClause:
    return text(f"{_ROWS} {tail}")


def _row(row: RowMapping) -> dict[str, Any]:
    kept: Mapping[str, Any] = {name: value for name, value in row.items() if name != "idx"}
    return {**kept, "index": row["idx"], "verdict": _ORDER[row["place"]]}
