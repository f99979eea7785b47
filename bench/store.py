"""How the store bears growing: inserts, pages and bytes, up to 10 million captures."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, text

from bench.capture import machine
from bench.figures import timed
from rig.capture import projections, sessions
from rig.capture.stations import Hub
from rig.store import captures, events, tables
from rig.store.database import Database
from rig.store.events import Event
from rig.web.view import session_view

SIZES = (10_507, 224_316, 10_000_000)
"""The paper's set, CheXpert, and as many as a busy laboratory may ever have."""
SUBSET = 500
_TIMES = 30
_CHUNK = 50_000


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
    began = time.perf_counter()
    with Database.open(path) as database:
        database.write_now(_frame)
        for first in range(0, size, _CHUNK):
            chunk = range(first, min(first + _CHUNK, size))
            database.write_now(partial(_fill, chunk=chunk))
        filled = time.perf_counter() - began
        newest, middle = _session(size), f"s{(size // SUBSET) // 2:016x}"
        database.write_now(lambda c: _begin(c, newest))
        number = iter(range(1, 10**9))
        hub = Hub(time.monotonic)
        row = {
            "captures": size,
            "insert_ms": _ms(lambda: database.write_now(lambda c: _committed(c, newest, number))),
            "insert_in_100_ms": _ms(
                lambda: database.write_now(
                    lambda c: [_committed(c, newest, number) for _ in range(100)]
                )
            )
            / 100,
            "session_page_ms": _ms(
                lambda: database.query(lambda c: session_view(c, sessions.find(c, middle), hub))
            ),
            "captures_of_session_ms": _ms(
                lambda: database.query(lambda c: captures.committed(c, middle))
            ),
            "stream_page_ms": _ms(
                lambda: database.query(lambda c: events.after(c, size // 2, limit=100))
            ),
            "sessions_list_ms": _ms(lambda: database.query(sessions.every), 3),
        }
        database.write_now(_counted)
    row["bytes"] = path.stat().st_size
    row["bytes_per_capture"] = row["bytes"] / size
    row["filled_s"] = filled
    path.unlink()
    return row


def _ms(work: Callable[[], object], times: int = _TIMES) -> float:
    return timed(work, times).p50


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


def _session(at: int) -> str:
    return f"s{at // SUBSET:016x}"


def _frame(connection: Connection) -> None:
    """A catalog, a campaign and a station for everything to hang on."""
    t = tables
    connection.execute(insert(t.catalog).values(
        id="c" * 16, name="bench", csv="/b.csv", data_dir="/b", ordering="csv", seed=0, count=0,
        problems=[], created_ns=1,
    ))  # fmt: skip
    connection.execute(insert(t.campaign).values(
        id="a" * 16, name="bench", catalog="c" * 16, device="nokia", seed=0, revision=1,
        size_min=SUBSET, size_max=SUBSET, settle_ms=150, subsets=1, xrays=SUBSET, created_ns=1,
    ))  # fmt: skip
    connection.execute(insert(t.subset).values(
        campaign="a" * 16, id=1, first=1, last=SUBSET, environment="e01", levels={"light": "dim"},
    ))  # fmt: skip
    connection.execute(insert(t.station).values(name="room-1", token_sha256="0", created_ns=1))


def _body(at: int) -> dict[str, Any]:
    return {
        "sha256": f"{at:064x}", "size": 3_000_000, "name": f"x1_{at:0220d}.jpg",
        "t_trigger_ns": at * 10**9, "t_done_ns": at * 10**9 + 10**8, "w": 4000, "h": 3000,
        "rtt_ms": 3.5, "source_sha256": f"{at:064x}",
    }  # fmt: skip


def _fill(connection: Connection, chunk: range) -> None:
    """The rows that live events would have left, written in bulk through the driver."""
    ends = [at for at in chunk if at % SUBSET == 0]
    if ends:
        connection.execute(insert(tables.session), [_session_row(at) for at in ends])
    connection.exec_driver_sql(
        "INSERT INTO event (time_ns, received_ns, actor, session, source_seq, idx, attempt, kind, "
        "body) VALUES (?, ?, 'station:room-1', ?, ?, ?, 1, 'committed', ?)",
        [
            (at, at, _session(at), at % SUBSET + 1, at % SUBSET + 1, json.dumps(_body(at)))
            for at in chunk
        ],
    )
    names = ("sha256", "size", "name", "t_trigger_ns", "t_done_ns", "w", "h", "rtt_ms")
    connection.exec_driver_sql(
        "INSERT INTO capture (session, idx, attempt, committed, retakes, time_ns, "
        f"{', '.join(names)}, source_sha256) VALUES (?, ?, 1, 1, 0, ?{', ?' * len(names)}, ?)",
        [
            (
                _session(at), at % SUBSET + 1, at,
                *(_body(at)[name] for name in names), f"{at:064x}",
            )
            for at in chunk
        ],
    )  # fmt: skip


def _session_row(at: int, state: str = "completed") -> dict[str, Any]:
    return {
        "id": _session(at), "campaign": "a" * 16, "subset": 1, "station": "room-1", "first": 1,
        "last": SUBSET, "state": state, "created_ns": at, "updated_ns": at, "started_ns": at,
        "source_seq": SUBSET, "committed": SUBSET, "retakes": 0, "photos": 0, "verified": 0,
        "rejected": 0,
    }  # fmt: skip


def _begin(connection: Connection, session: str) -> None:
    """The session that the next events belong to."""
    present = connection.execute(
        text("SELECT 1 FROM session WHERE id = :id"), {"id": session}
    ).first()
    if present is None:
        row = _session_row(0, "running") | {"id": session, "source_seq": 0, "committed": 0}
        connection.execute(insert(tables.session).values(**row))


def _committed(connection: Connection, session: str, number: Iterator[int]) -> Event:
    """One live event through the code that a session runs through."""
    at = next(number)
    event = Event(
        "committed", at, at, "station:room-1", session, 10_000 + at, 10_000 + at, 1, _body(at)
    )
    return projections.record(connection, event)


def _counted(connection: Connection) -> None:
    connection.exec_driver_sql("ANALYZE")


def table(result: dict[str, Any]) -> str:
    """*result* as text."""
    told = result["machine"]
    keys = {
        "insert_ms": "one event, durable (ms)",
        "insert_in_100_ms": "one of 100 in a transaction (ms)",
        "session_page_ms": "session page's query (ms)",
        "captures_of_session_ms": f"{SUBSET} captures of a session (ms)",
        "stream_page_ms": "100 events from the middle (ms)",
        "sessions_list_ms": "all sessions (ms)",
        "bytes_per_capture": "bytes a capture",
    }
    head = f"{'captures':>36}" + "".join(f"{row['captures']:>14,}" for row in result["sizes"])
    lines = [
        (
            f"{told['cpus']} CPUs, load {told['load_1_min']}, Python {told['python']}, "
            f"{told['filesystem']}; a bare page and fsync: {result['fsync_ms']:.2f} ms"
        ),
        "",
        head,
    ]
    for key, what in keys.items():
        cells = "".join(f"{row[key]:>14.3f}" for row in result["sizes"])
        lines.append(f"{what:>36}{cells}")
    sizes = "".join(f"{row['bytes'] / 1e6:>14,.0f}" for row in result["sizes"])
    lines.append(f"{'file (MB)':>36}{sizes}")
    return "\n".join(lines)
