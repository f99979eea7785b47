"""The rows of `bench.store_rows`, and their photos, made by SQLite itself: millions in a minute."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, insert

from bench.store_rows import SUBSET, Shape, session_row
from rig.store import tables

CHUNK = 500_000
"""Captures of a transaction."""

_AT = """
WITH RECURSIVE number(at) AS (
  SELECT :first UNION ALL SELECT at + 1 FROM number WHERE at + 1 < :last
), placed AS (
  SELECT at, at % :xrays + 1 AS idx, printf('%064x', at) AS sha256,
    printf('s%016x', at / :xrays * :subsets + at % :xrays / :subset) AS session,
    printf('x1_%0220d.jpg', at) AS name
  FROM number
)
"""
_EVENTS = """
INSERT INTO event (time_ns, received_ns, actor, session, source_seq, idx, attempt, kind, body)
SELECT at, at, 'station:room-1', session, (idx - 1) % :subset + 1, idx, 1, 'committed',
  printf('{"sha256": "%s", "size": 3000000, "name": "%s", "t_trigger_ns": %d, "t_done_ns": %d, '
    || '"w": 4000, "h": 3000, "rtt_ms": 3.5, "source_sha256": "%s"}',
    sha256, name, at * 1000000000, at * 1000000000 + 100000000, sha256)
FROM placed
"""
_CAPTURES = """
INSERT INTO capture (session, idx, attempt, committed, retakes, time_ns, sha256, size, name,
  t_trigger_ns, t_done_ns, w, h, rtt_ms, source_sha256)
SELECT session, idx, 1, 1, 0, at, sha256, 3000000, name, at * 1000000000,
  at * 1000000000 + 100000000, 4000, 3000, 3.5, sha256
FROM placed
"""
_PHOTOS = """
INSERT INTO photo (session, name, idx, attempt, sha256, size, received_ns, verified, score,
  detail, verified_ns, released)
SELECT session, name, idx, 1, sha256, 3000000, at, 1, at % 997 / 997.0,
  '{"quality": {"warnings": []}, "ms": 41.0, "inliers": 180}', at, 0
FROM placed
"""


def chunks(shape: Shape) -> Iterator[range]:
    """All captures of *shape*, a transaction's worth at a time."""
    for first in range(0, shape.captures, CHUNK):
        yield range(first, min(first + CHUNK, shape.captures))


def fill(connection: Connection, shape: Shape, chunk: range) -> None:
    """Sessions, events, captures, seen photos and complete batches of *chunk*."""
    rows = []
    for at in (one for one in chunk if one % shape.xrays % SUBSET == 0):  # each session's first
        session, campaign, index = shape.place(at)
        row = session_row(shape.id_of(session), campaign, (index - 1) // SUBSET + 1, at=at)
        rows.append(row | {"photos": SUBSET, "verified": SUBSET, "ended_ns": at})
    if rows:
        connection.execute(insert(tables.session), rows)
        batches = [
            {"session": row["id"], "count": SUBSET, "chain": "", "missing": 0, "complete": True,
             "updated_ns": row["created_ns"], "completed_ns": row["created_ns"]}
            for row in rows
        ]  # fmt: skip
        connection.execute(insert(tables.batch), batches)
    asked = {
        "first": chunk.start, "last": chunk.stop, "xrays": shape.xrays, "subsets": shape.subsets,
        "subset": SUBSET,
    }  # fmt: skip
    for statement in (_EVENTS, _CAPTURES, _PHOTOS):
        connection.exec_driver_sql(_whole(statement), asked)


def _whole(statement: str) -> str:
    """The rows come first in SQLite's INSERT: `INSERT INTO t (...) WITH ... SELECT ...`."""
    head, _, tail = statement.partition("SELECT ")
    return f"{head}{_AT}SELECT {tail}"
