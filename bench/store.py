"""How the store bears growing: inserts, pages and bytes, up to 10 million captures."""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert

from bench.capture import machine
from bench.figures import Sample, timed
from bench.store_queries import statements
from bench.store_rows import SUBSET, Shape, body, fill, frame, session_row
from rig.capture import projections, sessions
from rig.capture.stations import Hub
from rig.store import captures, events, tables
from rig.store.database import Database
from rig.store.events import Event
from rig.web.view import session_view

SIZES = (10_507, 224_316, 10_000_000)
"""The paper's set, CheXpert, and as many as a busy laboratory may ever have."""
_TIMES = 30
_PAGES = 200
"""Pages that are asked for, each of another session: one page alone would stay in memory."""
_CHUNK = 50_000
_SEED = 7


def measure(args: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    """Fill a database to each size and measure there; JSON values."""
    with tempfile.TemporaryDirectory(prefix="rig-bench-", dir=args.dir) as scratch:
        folder = Path(scratch)
        floor = _fsync_ms(folder)
        rows = [_at(folder / f"{size}.db", size, tell) for size in args.sizes or SIZES]
        told = machine(folder)
    return {"bench": "store", "machine": told, "fsync_ms": floor, "sizes": rows}


def _at(path: Path, size: int, tell: Callable[[str], None]) -> dict[str, Any]:
    tell(f"filling a store with {size:,} captures")
    shape, began = Shape(size), time.perf_counter()
    with Database.open(path) as database:
        database.write_now(partial(frame, shape=shape))
        framed = time.perf_counter()
        for first in range(0, size, _CHUNK):
            chunk = range(first, min(first + _CHUNK, size))
            database.write_now(partial(fill, shape=shape, chunk=chunk))
            if first % 1_000_000 == 0 and first:
                tell(f"{first:,} of {size:,}, {(time.perf_counter() - framed):.0f} s")
        filled = time.perf_counter() - framed
        tell(f"measuring at {size:,}")
        figures = _figures(database, shape)
    row: dict[str, Any] = {"captures": size, "sessions": shape.sessions, **figures}
    row["bytes"] = path.stat().st_size
    row["bytes_per_capture"] = row["bytes"] / size
    row["framed_s"] = framed - began
    row["filled_s"] = filled
    row["filled_per_s"] = size / filled
    path.unlink()
    return row


def _figures(database: Database, shape: Shape) -> dict[str, Any]:
    """Milliseconds of what live sessions write and what pages ask; sessions are drawn by a seed."""
    rng, hub = random.Random(_SEED), Hub(time.monotonic)
    newest, number = shape.id_of(shape.sessions), iter(range(1, 10**9))
    database.write_now(lambda c: _begin(c, newest))

    def drawn() -> str:
        return shape.id_of(rng.randrange(shape.sessions))

    def page(connection: Connection) -> object:
        return session_view(connection, sessions.find(connection, drawn()), hub)

    def one(connection: Connection) -> None:
        _committed(connection, newest, number)

    def hundred(connection: Connection) -> None:
        for _ in range(100):
            _committed(connection, newest, number)

    samples = {
        "insert": timed(
            lambda: database.write_now(lambda c: _committed(c, newest, number)), _TIMES
        ),
        "insert_in_100": timed(lambda: database.write_now(hundred), _TIMES),
        "session_page": timed(lambda: database.query(page), _PAGES),
        "captures_of_session": timed(
            lambda: database.query(lambda c: captures.committed(c, drawn())), _PAGES
        ),
        "stream_page": timed(
            lambda: database.query(
                lambda c: events.after(c, rng.randrange(shape.captures), limit=100)
            ),
            _PAGES,
        ),
        "sessions_list": timed(lambda: database.query(sessions.every), 3),
    }
    samples["insert_in_100"] = Sample(
        samples["insert_in_100"].p50 / 100, samples["insert_in_100"].p95 / 100
    )
    found: dict[str, Any] = {f"{name}_ms": one.p50 for name, one in samples.items()}
    found |= {f"{name}_p95_ms": one.p95 for name, one in samples.items()}
    found["inserts_per_s"] = 1000 / samples["insert"].p50
    found["session_page_statements"] = database.query(lambda c: statements(c, page))
    return found


def _fsync_ms(folder: Path) -> float:
    """What one durable commit cannot cost less than: append a page and fsync it."""
    took = []
    with (folder / "floor").open("wb") as file:
        for _ in range(_TIMES):
            began = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def _begin(connection: Connection, session: str) -> None:
    """The session that the next events belong to, the newest of all."""
    row = session_row(session, 0, 1, state="running") | {"source_seq": 0, "committed": 0}
    connection.execute(insert(tables.session).values(**row))


def _committed(connection: Connection, session: str, number: Iterator[int]) -> Event:
    """One live event through the code that a session runs through."""
    at = next(number)
    event = Event("committed", at, at, "station:room-1", session, at, at, 1, body(at))
    return projections.record(connection, event)


_TIMED = {
    "insert": "one event, durable",
    "insert_in_100": "one of 100 in a transaction",
    "session_page": "session page's query",
    "captures_of_session": f"{SUBSET} captures of a session",
    "stream_page": "100 events from anywhere",
    "sessions_list": "all sessions",
}
_COUNTED = {
    "inserts_per_s": "events a second, each durable",
    "filled_per_s": "captures a second, filled in bulk",
    "sessions": "sessions",
    "bytes_per_capture": "bytes a capture",
}


def table(result: dict[str, Any]) -> str:
    """*result* as text."""
    told = result["machine"]
    lines = [
        (
            f"{told['cpus']} CPUs, load {told['load_1_min']}, Python {told['python']}, "
            f"{told['filesystem']}; a bare page and fsync: {result['fsync_ms']:.2f} ms"
        ),
        "",
        f"{'captures':>42}" + "".join(f"{row['captures']:>18,}" for row in result["sizes"]),
    ]
    for key, what in _TIMED.items():
        cells = [f"{row[f'{key}_ms']:.2f} / {row[f'{key}_p95_ms']:.2f}" for row in result["sizes"]]
        lines.append(f"{what + ' (ms)':>42}" + "".join(f"{cell:>18}" for cell in cells))
    for key, what in _COUNTED.items():
        cells = "".join(f"{row[key]:>18,.0f}" for row in result["sizes"])
        lines.append(f"{what:>42}{cells}")
    sizes = "".join(f"{row['bytes'] / 1e6:>18,.0f}" for row in result["sizes"])
    lines += [f"{'file (MB)':>42}{sizes}", "", "Times: median / 95th percentile."]
    for one in result["sizes"][-1]["session_page_statements"]:
        if one["scans"]:
            lines.append(
                f"The session page reads a whole table: {one['scans']} ({one['ms']:.2f} ms)"
            )
    return "\n".join(lines)
