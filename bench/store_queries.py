"""Which statements a page sends, how long each takes, and whether it reads a whole table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, event

_TIMES = 5


def statements(
    connection: Connection, page: Callable[[Connection], object]
) -> list[dict[str, Any]]:
    """What *page* sends to *connection*, in order, as JSON values.

    `scans` holds the steps of SQLite's query plan that go through a whole table or index and are
    not asked for one row of its end (`max(seq)`), `ms` the median of a few executions alone.
    """
    sent: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, sql: str, values: Any, *_: object) -> None:
        if sql != "BEGIN":
            sent.append((sql, values))

    event.listen(connection, "before_cursor_execute", note)
    try:
        page(connection)
    finally:
        event.remove(connection, "before_cursor_execute", note)
    return [_told(connection, sql, values) for sql, values in sent]


def _told(connection: Connection, sql: str, values: Any) -> dict[str, Any]:
    plan = [str(row[-1]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
    took = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        rows = len(connection.exec_driver_sql(sql, values).all())
        took.append((time.perf_counter() - began) * 1000)
    return {
        "sql": " ".join(sql.split()),
        "plan": plan,
        "scans": [step for step in plan if step.startswith("SCAN")],
        "rows": rows,
        "ms": statistics.median(took),
    }
