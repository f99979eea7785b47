"""A batch taken in end to end: a folder of photos through `rig batch import`, twice."""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.capture import machine
from bench.figures import spread
from bench.intake_batch import PRESET, SESSION, Batch, new_home, photographed
from bench.programs import BenchError
from rig.store import captures
from rig.store.database import Database


def measure(args: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    """Take in `args.captures` photos, `args.runs` times; JSON values.

    Raises:
        BenchError: the import did not verify them all.
    """
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    first: list[float] = []
    cpu: list[float] = []
    peaks: list[float] = []
    second: list[float] = []
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="rig-bench-", dir=args.dir) as made:
        folder = Path(made)
        tell(f"photographing {args.captures} x-rays at {args.megapixels:g} megapixels")
        batch = photographed(folder, args.captures, args.megapixels, workers, tell)
        for run in range(1, args.runs + 1):
            home = new_home(folder / f"home-{run}", batch)
            tell(f"run {run} of {args.runs}: {args.captures} photos, {workers} workers")
            before = _cpu_s()
            first.append(_import(home, batch, workers, peaks))
            cpu.append((_cpu_s() - before) / args.captures)
            second.append(_import(home, batch, workers, peaks))
            found = _located(home)
            shutil.rmtree(home)
        told = machine(folder)
    return {
        "bench": "intake", "machine": told, "photos": args.captures, "runs": args.runs,
        "megapixels": args.megapixels, "preset": PRESET,
        "photo_bytes": batch.bytes // args.captures,
        "workers": workers, "located_by": dict(sorted(found.items())),
        "seconds": spread(first),
        "photos_per_s": args.captures / spread(first)["median"],
        "mb_per_s": batch.bytes / 1e6 / spread(first)["median"],
        "cpu_s_per_photo": spread(cpu),
        "again_seconds": spread(second),
        "peak_rss_mb": max(peaks) or None,
    }  # fmt: skip


def _cpu_s() -> float:
    """Processor time of the programs that have ended so far."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def table(result: dict[str, Any]) -> str:
    """*result* as text."""
    told, time_s, again = result["machine"], result["seconds"], result["again_seconds"]
    return "\n".join(
        [
            (
                f"{told['cpus']} CPUs, load {told['load_1_min']}, Python {told['python']}, "
                f"{told['filesystem']}; {result['runs']} runs"
            ),
            (
                f"{result['photos']} photos, all different, of {result['megapixels']:g} megapixels "
                f"({result['photo_bytes'] / 1e6:.1f} MB each, optics {result['preset']}), "
                f"{result['workers']} workers:"
            ),
            (
                f"  copied, hashed, verified, on record: {time_s['median']:.0f} s "
                f"({time_s['min']:.0f} to {time_s['max']:.0f}), "
                f"{result['photos_per_s']:.2f} photos/s, {result['mb_per_s']:.1f} MB/s"
            ),
            f"  CPU: {result['cpu_s_per_photo']['median']:.2f} s a photo, decoding and all",
            "  found by: " + ", ".join(f"{k} {n}" for k, n in result["located_by"].items()),
            f"  the same command again: {again['median']:.1f} s",
            f"  largest process: {result['peak_rss_mb'] or 0:.0f} MB",
        ]
    )


@contextmanager
def _watched(pid: int, peaks: list[float]) -> Iterator[None]:
    """Add to *peaks* the memory, MB, of the largest of the processes *pid* and below; 0 unknown.

    Asked of the kernel while they run: what it tells after their end counts what they were forked
    from, and that is this program with its photos.
    """
    over = threading.Event()
    largest = [0.0]

    def look() -> None:
        while not over.wait(0.2):
            largest[0] = max(largest[0], *(_peak_mb(one) for one in _family(pid)))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        peaks.append(largest[0])


def _family(pid: int) -> list[int]:
    """*pid* and its descendants, where the system has /proc."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # The name of the program, in brackets, may hold spaces.
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def _peak_mb(pid: int) -> float:
    try:
        told = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    peak = re.search(r"VmHWM:\s+(\d+) kB", told)
    return int(peak[1]) / 1024 if peak else 0.0


def _located(home: Path) -> Counter[str]:
    """How the x-rays were found in the photos that are verified."""
    with Database.open(home / "rig.db") as database, database.read() as connection:
        kept = captures.photos(connection, SESSION)
    return Counter(str((one.detail or {}).get("located_by")) for one in kept if one.verified)


def _import(home: Path, batch: Batch, workers: int, peaks: list[float]) -> float:
    """Seconds of one `rig batch import`; the memory of its largest process goes to *peaks*."""
    words = [sys.executable, "-m", "rig.cli", "batch", "import", SESSION, str(batch.card)]
    words += ["--home", str(home), "--workers", str(workers), "--json"]
    began = time.perf_counter()
    with (
        subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as program,
        _watched(program.pid, peaks),
    ):
        out, errors = program.communicate()
    took = time.perf_counter() - began
    if program.returncode not in {0, 1} or not out:
        raise BenchError(f"rig batch import failed: {errors.strip()[-300:]}")
    said = json.loads(out)
    if said["copied"] + said["present"] != batch.count or said["verified"] < 0.99 * batch.count:
        raise BenchError(
            f"{said['verified']} of {batch.count} photos were verified: {said['not_verified'][:3]}"
        )
    return took
