"""The controller under load: 2,000 events a second in, 20 browsers out; and what its pages take."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from bench.capture import machine
from bench.figures import timed
from bench.programs import BenchError, Program
from bench.store_bulk import chunks, fill
from bench.store_rows import SUBSET, Shape, frame
from bench.web_load import Found, Load, put_on
from rig.sample import csv_path, data_dir
from rig.store.database import Database
from rig.web.paging import encode

SIZES = (10_507, 224_316)
"""With `--sizes` 1,000,000 and 10,000,000 too: the last needs 21 GB below `--dir`."""
LOADS = (Load(5, 20, 1), Load(5, 20, 20), Load(2000, 15, 20))
"""A lone event now and then, to one browser and to twenty; then the flood."""
_TIMES = 15
_SEED = 7
_STARTS_WITHIN = 300.0


@dataclass(frozen=True, slots=True)
class Target:
    """A running controller."""

    port: int
    token: str
    pid: int
    http: httpx.Client

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """A command; raises BenchError when it is refused."""
        answer = self.http.post(path, json=body)
        if not answer.is_success:
            raise BenchError(f"the controller refused {path}: {answer.text[:300]}")
        return dict(answer.json())

    def cpu_s(self) -> float:
        """CPU seconds it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(args: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    """Load one controller, and time the pages of larger ones; JSON values.

    Raises:
        BenchError: the controller did not do its work.
    """
    with tempfile.TemporaryDirectory(prefix="rig-bench-", dir=args.dir) as made:
        folder = Path(made)
        told = machine(folder)
        loads = [] if getattr(args, "pages_only", False) else _loads(folder / "load", tell)
        pages = [_pages(folder / str(size), size, tell) for size in args.sizes or SIZES]
    return {"bench": "web", "machine": told, "loads": loads, "pages": pages}


def _loads(folder: Path, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    folder.mkdir()
    rows: list[dict[str, Any]] = []
    with _controller(folder) as target:
        station, session = _session(target, folder)
        cpu = [target.cpu_s()]

        def note(found: Found) -> None:
            load = LOADS[len(rows)]
            cpu.append(target.cpu_s())
            used = {"cpu_s": cpu[-1] - cpu[-2], "memory_mb": target.memory_mb()}
            rows.append(asdict(load) | asdict(found) | used)
            tell(
                f"{load.rate:g} events a second, {load.browsers} browsers: {found.p50_ms:.0f} ms, "
                f"p99 {found.p99_ms:.0f} ms, {used['cpu_s']:.1f} s of CPU"
            )

        # All loads on one connection: the station's numbers go on.
        work = put_on("127.0.0.1", target.port, target.token, station, session, LOADS, note)
        asyncio.run(work)
    return rows


def _pages(folder: Path, size: int, tell: Callable[[str], None]) -> dict[str, Any]:
    tell(f"filling a store with {size:,} captures")
    folder.mkdir()
    shape = Shape(size)
    (folder / "home").mkdir(mode=0o700)
    with Database.open(folder / "home" / "rig.db") as database:
        database.write_now(partial(frame, shape=shape))
        for chunk in chunks(shape):
            database.write_now(partial(fill, shape=shape, chunk=chunk))
    stored = sum(one.stat().st_size for one in (folder / "home").iterdir())
    with _controller(folder) as target:
        tell(f"timing pages at {size:,}")
        rows = {what: _timed(target, path) for what, path in _asked(shape).items()}
    shutil.rmtree(folder / "home")  # the next one is larger
    told = {"captures": size, "sessions": shape.sessions, "bytes": stored}
    return told | {"load_1_min": os.getloadavg()[0], "pages": rows}


def _asked(shape: Shape) -> dict[str, Callable[[], str]]:
    rng = random.Random(_SEED)

    def some() -> str:
        return shape.id_of(rng.randrange(max(1, shape.captures // SUBSET)))  # a full one

    last = encode([shape.id_of(shape.sessions - 1), 1])
    middle = encode([shape.id_of(shape.sessions // 2), 250])
    follows = encode([some(), 250])
    return {
        "home": lambda: "/",
        "list of campaigns": lambda: "/campaigns",
        "campaign": lambda: "/campaigns/bench-0",
        "balance of a campaign": lambda: "/campaigns/bench-0/balance",
        "re-shoot list of a campaign": lambda: "/campaigns/bench-0/reshoot",
        "photos by hand": lambda: "/campaigns/bench-0/hand",
        "list of sessions": lambda: "/sessions",
        "sessions of the oldest campaign": lambda: "/sessions?campaign=bench-0",
        "sessions of a station": lambda: "/sessions?station=room-1",
        "a session": lambda: f"/sessions/{some()}",
        "its contact sheet": lambda: f"/sessions/{some()}/photos",
        "its re-shoot list": lambda: f"/sessions/{some()}/reshoot",
        "a station": lambda: "/stations/room-1",
        "a catalog": lambda: "/catalogs/bench",
        "datasets": lambda: "/datasets",
        "jobs": lambda: "/jobs",
        "audit log": lambda: "/audit",
        "API: 20 campaigns": lambda: "/api/campaigns?limit=20",
        "API: a campaign": lambda: "/api/campaigns/bench-0",
        "API: re-shoot list of a campaign": lambda: "/api/campaigns/bench-0/reshoot",
        "API: a session": lambda: f"/api/sessions/{some()}",
        "API: 200 sessions": lambda: "/api/sessions?limit=200",
        "API: first 500 captures": lambda: "/api/captures?limit=500",
        "API: 500 captures in the middle": lambda: f"/api/captures?limit=500&cursor={middle}",
        "API: the last captures": lambda: f"/api/captures?limit=500&cursor={last}",
        "API: 500 captures of a campaign": lambda: "/api/captures?limit=500&campaign=bench-0",
        "API: captures further on in it": (
            lambda: f"/api/captures?limit=500&campaign=bench-0&cursor={follows}"
        ),
        "API: captures of a session": lambda: f"/api/sessions/{some()}/captures",
        "API: photos of a session": lambda: f"/api/sessions/{some()}/photos",
        "API: events of a session": lambda: f"/api/sessions/{some()}/events?limit=200",
        "API: rates of a session": lambda: f"/api/sessions/{some()}/series",
        "API: photos by hand": lambda: "/api/campaigns/bench-0/hand",
        "API: jobs": lambda: "/api/jobs",
        "API: audit log": lambda: "/api/audit",
    }


def _timed(target: Target, path: Callable[[], str]) -> dict[str, float]:
    size = 0

    def ask() -> None:
        nonlocal size
        where = path()
        answer = target.http.get(where, headers={"Accept": "text/html, application/json"})
        if not answer.is_success:
            raise BenchError(f"{where} was answered with {answer.status_code}.")
        size = len(answer.content)

    began = time.perf_counter()
    ask()  # templates are compiled, figures that are kept are computed
    first = (time.perf_counter() - began) * 1000
    took = timed(ask, _TIMES)
    return {"first_ms": first, "p50_ms": took.p50, "p95_ms": took.p95, "bytes": size}


@contextmanager
def _controller(folder: Path) -> Iterator[Target]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["serve", "--home", str(folder / "home"), "--port", str(port), "--json"]
    with Program("controller", "rig.cli", words, folder / "controller.log") as program:
        said = program.said("token", _STARTS_WITHIN)
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {said['token']}"},
            trust_env=False,
            timeout=300,
        ) as http:
            yield Target(port, str(said["token"]), int(said["pid"]), http)


def _session(target: Target, folder: Path) -> tuple[str, str]:
    """A station's token and the id of a session that it may tell events of."""
    rows = folder / "train.csv"
    rows.write_text("".join(csv_path().read_text().splitlines(keepends=True)[:4]))
    target.post("/api/catalogs", name="s", order="csv", csv=str(rows), data_dir=str(data_dir()))
    target.post("/api/campaigns", name="c", catalog="s", device="nokia", size_min=3, size_max=3)
    token = str(target.post("/api/stations", name="s")["token"])
    made = target.post("/api/sessions", campaign="c", subset=1, station="s")
    return token, str(made["id"])


_COLUMNS = (
    "events/s", "browsers", "told/s", "p50 ms", "p99 ms", "max ms", "CPU", "kB/s each",
)  # fmt: skip


def table(result: dict[str, Any]) -> str:
    """*result* as text."""
    told = result["machine"]
    lines = [
        (
            f"{told['cpus']} CPUs, load {told['load_1_min']}, Python {told['python']}, "
            f"{told['filesystem']}; sender, controller and browsers on this machine"
        ),
        "",
        "".join(f"{one:>10}" for one in _COLUMNS),
    ]
    for row in result["loads"]:
        share = row["cpu_s"] / row["seconds"]
        lines.append(
            f"{row['rate']:>10g}{row['browsers']:>10}{row['told_per_s']:>10.0f}"
            f"{row['p50_ms']:>10.1f}{row['p99_ms']:>10.1f}{row['max_ms']:>10.1f}{share:>10.0%}"
            f"{row['bytes_per_browser_s'] / 1000:>10.0f}"
        )
    sizes = result["pages"]
    lines += ["", f"{'ms: first, then median / 95th percentile':>42}"]
    lines[-1] += "".join(f"{row['captures']:>20,}" for row in sizes)
    for what in sizes[0]["pages"] if sizes else ():
        cells = [row["pages"][what] for row in sizes]
        shown = [
            f"{one['first_ms']:.0f}, {one['p50_ms']:.0f} / {one['p95_ms']:.0f}" for one in cells
        ]
        lines.append(f"{what:>42}" + "".join(f"{one:>20}" for one in shown))
    return "\n".join(lines)
