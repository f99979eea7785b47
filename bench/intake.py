"""A batch taken in end to end: a folder of photos through `rig batch import`, twice."""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.capture import machine
from bench.figures import spread
from bench.programs import BenchError
from rig.capture import campaigns, sessions, stations
from rig.capture.importing import import_catalog
from rig.capture.messages import AgentEvent
from rig.catalog.model import COLUMNS
from rig.planning.model import Environment
from rig.protocol.names import PhotoName, encode_name
from rig.sample import csv_path, data_dir
from rig.simulation.optics import photograph
from rig.store import catalogs
from rig.store.database import Database

MEGAPIXELS = 12.0
DIFFERENT = 8
"""X-rays that are really photographed; further ones are the same photos under other names."""
PRESET = "typical"
SESSION = "s" + "b" * 16
CAMPAIGN = "be" * 8
_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class Batch:
    """A home with a session, and a folder with its photos."""

    home: Path
    card: Path
    bytes: int


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
    total = 0
    with tempfile.TemporaryDirectory(prefix="rig-bench-", dir=args.dir) as made:
        folder = Path(made)
        tell(f"photographing {min(DIFFERENT, args.captures)} x-rays at {MEGAPIXELS:g} megapixels")
        photos = _photos(min(DIFFERENT, args.captures))
        for run in range(1, args.runs + 1):
            batch = _batch(folder / str(run), args.captures, photos)
            total = batch.bytes
            tell(f"run {run} of {args.runs}: {args.captures} photos, {workers} workers")
            before = _cpu_s()
            first.append(_import(batch, workers, args.captures, peaks))
            cpu.append((_cpu_s() - before) / args.captures)
            second.append(_import(batch, workers, args.captures, peaks))
        told = machine(folder)
    return {
        "bench": "intake", "machine": told, "photos": args.captures, "runs": args.runs,
        "megapixels": MEGAPIXELS, "preset": PRESET, "photo_bytes": total // args.captures,
        "workers": workers,
        "seconds": spread(first),
        "photos_per_s": args.captures / spread(first)["median"],
        "mb_per_s": total / 1e6 / spread(first)["median"],
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
                f"{result['photos']} photos of {result['megapixels']:g} megapixels "
                f"({result['photo_bytes'] / 1e6:.1f} MB each, optics {result['preset']}), "
                f"{result['workers']} workers:"
            ),
            (
                f"  copied, hashed, verified, on record: {time_s['median']:.0f} s "
                f"({time_s['min']:.0f} to {time_s['max']:.0f}), "
                f"{result['photos_per_s']:.2f} photos/s, {result['mb_per_s']:.1f} MB/s"
            ),
            f"  CPU: {result['cpu_s_per_photo']['median']:.2f} s a photo, decoding and all",
            f"  the same command again: {again['median']:.1f} s",
            f"  largest process: {result['peak_rss_mb'] or 0:.0f} MB",
        ]
    )


def _photos(count: int) -> list[tuple[Path, bytes]]:
    """X-rays of the sample and a photo of each, all from one tripod."""
    made = []
    with csv_path().open(newline="") as handle:
        paths = [data_dir() / row["Path"] for row in csv.DictReader(handle)][:count]
    for number, path in enumerate(paths):
        frame = Image.new("L", (1920, 1080))
        with Image.open(path) as xray:
            scale = min(1920 / xray.width, 1080 / xray.height)
            size = (round(xray.width * scale), round(xray.height * scale))
            shown = xray.convert("L").resize(size)
        frame.paste(shown, ((1920 - shown.width) // 2, (1080 - shown.height) // 2))
        photo = photograph(
            frame, PRESET, np.random.default_rng(number), megapixels=MEGAPIXELS,
            tripod=np.random.default_rng(7),
        )  # fmt: skip
        out = io.BytesIO()
        photo.save(out, "JPEG", quality=90)
        made.append((path, out.getvalue()))
    return made


def _batch(folder: Path, count: int, photos: list[tuple[Path, bytes]]) -> Batch:
    """A home with *count* x-rays in one subset that was shot, and the photos on a card."""
    home, card, data = folder / "home", folder / "card", folder / "data"
    for one in (home, card, data):
        one.mkdir(parents=True)
    table_ = folder / "xrays.csv"
    with table_.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(COLUMNS)
        for index in range(1, count + 1):
            name = f"patient{index:05d}/study1/view1_frontal.jpg"
            (data / name).parent.mkdir(parents=True)
            (data / name).write_bytes(photos[(index - 1) % len(photos)][0].read_bytes())
            writer.writerow([name, "Female", "60", "Frontal", "PA", *[""] * 14])
    total = 0
    with Database.open(home / "rig.db") as database:
        import_catalog(
            database, new_id="c" * 16, name="bench", csv=table_, data_dir=data, order="csv", seed=0,
            skip_bad=False, now_ns=1, actor="bench",
        )  # fmt: skip

        def plan(connection: Any) -> None:
            campaigns.create(
                connection, new_id=CAMPAIGN, name="bench", catalog="bench", device="phone",
                chosen=[Environment("e1", {})], size_min=count, size_max=count, seed=1, now_ns=2,
            )  # fmt: skip
            stations.add(connection, "bench", "token", 3)
            sessions.create(connection, new_id=SESSION, campaign="bench", subset=1,
                            station="bench", now_ns=4)  # fmt: skip

        database.write_now(plan)
        with database.read() as connection:
            xrays = catalogs.xrays(connection, "c" * 16)
        events = []
        for xray in xrays:
            data_of = _unique(photos[(xray.index - 1) % len(photos)][1], xray.index)
            total += len(data_of)
            events.append(_event(xray, data_of, card))
        for at in range(0, len(events), _TOGETHER):
            some = events[at : at + _TOGETHER]
            database.write_now(lambda c, some=some: sessions.ingest(c, "bench", some, 60))
    return Batch(home, card, total)


def _unique(photo: bytes, index: int) -> bytes:
    """*photo* with a comment, so that no two files of the batch have the same bytes."""
    comment = f"bench {index}".encode()
    return photo[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + photo[2:]


def _event(xray: Any, data: bytes, card: Path) -> AgentEvent:
    digest = hashlib.sha256(data).hexdigest()
    name = encode_name(PhotoName(CAMPAIGN, 1, xray.index, 1, "e1", xray.key, "0" * 16, digest[:16]))
    (card / name).write_bytes(data)
    return AgentEvent(
        event="committed", session=SESSION, seq=xray.index, time_ns=50, index=xray.index, attempt=1,
        sha256=digest, size=len(data), name=name, source_sha256=xray.sha256,
    )  # type: ignore[call-arg] # fmt: skip


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


def _import(batch: Batch, workers: int, count: int, peaks: list[float]) -> float:
    """Seconds of one `rig batch import`; the memory of its largest process goes to *peaks*."""
    words = [sys.executable, "-m", "rig.cli", "batch", "import", SESSION, str(batch.card)]
    words += ["--home", str(batch.home), "--workers", str(workers), "--json"]
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
    if said["copied"] + said["present"] != count or said["verified"] < 0.99 * count:
        raise BenchError(
            f"{said['verified']} of {count} photos were verified: {said['not_verified'][:3]}"
        )
    return took
