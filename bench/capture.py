"""Captures per second with the loopback camera, beside a bare UDP round trip and the fsyncs."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.figures import Figure, Sample, ratio, sample, spread
from bench.floors import FLOORS, UDP, Material
from bench.floors import measure as measure_floors
from bench.session import Shots, plan_of, sample_xrays, shoot
from bench.table import table
from display_agent.session import subset_of
from rig.catalog.model import Xray

__all__ = ["machine", "measure", "phases", "table"]

INTERVAL = "interval"
PHASES: dict[str, str] = {
    INTERVAL: "one capture: from one 'committed' event to the next",
    "paint": "of it: event 'committed' durable, next x-ray on the screen",
    "request": "of it: CAPTURE to the phone, INTENT durable, to the camera",
    "camera": "of it: the camera (frame over HTTP, write + fsync)",
    "keep": "of it: photo checked and stored, CAPTURED, surface, DONE",
}
_STORAGE = ("journal", "outbox", "photo_store")
_WORK = ("photo_check", "screen_show", "screen_check", "codec", UDP)
"""Floors on the critical path, beside the camera. CAPTURE and CAPTURED make one round trip."""
_PER_CAPTURE = frozenset({"CAPTURE", "ACCEPTED", "CAPTURED", "FAILED", "ACK"})


def measure(args: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    """Shoot and measure the floors in turn, `args.runs` times; JSON values.

    Raises:
        BenchError: a program of the rig did not do its part.
    """
    xrays = sample_xrays()
    with tempfile.TemporaryDirectory(prefix="rig-bench-", dir=args.dir) as scratch:
        folder = Path(scratch)
        tell("a single capture, to know what starting the programs costs")
        single = shoot(folder / "single", plan_of(xrays, 1))
        tell(f"{args.captures} captures through a relay that counts datagrams")
        plan = plan_of(xrays, args.captures)
        counted = shoot(folder / "counted", plan, relayed=True)
        material = _material(counted, xrays, subset_of(plan).metadata)
        runs, floors = [], []
        for number in range(1, args.runs + 1):
            tell(f"run {number} of {args.runs}: floors, then {args.captures} captures")
            floors.append(measure_floors(folder / f"floors{number}", material))
            runs.append(shoot(folder / f"run{number}", plan_of(xrays, args.captures)))
        told = machine(folder)
    return _result(args, told, single, counted, runs, floors, len(material.photo))


def _material(shots: Shots, xrays: Sequence[Xray], metadata: Sequence[bytes]) -> Material:
    """The photo of median size."""
    ranked = sorted(shots.committed, key=lambda event: int(event["size"]))
    middle = ranked[len(ranked) // 2]
    at = int(middle["index"]) - 1
    photo = (shots.photos / middle["name"]).read_bytes()
    return Material(photo, xrays[at % len(xrays)].file, metadata[at])


def phases(events: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """Milliseconds of each phase of every capture but the first, from the display's events.

    The phases of one capture add up to its interval. All clocks are this machine's.
    """
    # A repeated exposure paints again: the last painting before a commit is the one that counts.
    painted = {e["index"]: int(e["time_ns"]) for e in events if e["event"] == "painted"}
    committed = [e for e in events if e["event"] == "committed"]
    took: dict[str, list[float]] = {name: [] for name in PHASES}
    for before, after in pairwise(committed):
        marks = (
            int(before["time_ns"]), painted[after["index"]], int(after["t_trigger_ns"]),
            int(after["t_done_ns"]), int(after["time_ns"]),
        )  # fmt: skip
        spans = (marks[-1] - marks[0], *(b - a for a, b in pairwise(marks)))
        for name, span in zip(PHASES, spans, strict=True):
            took[name].append(span / 1e6)
    return took


def _result(
    args: argparse.Namespace,
    told: dict[str, Any],
    single: Shots,
    counted: Shots,
    runs: Sequence[Shots],
    floors: Sequence[dict[str, Sample]],
    photo_bytes: int,
) -> dict[str, Any]:
    seen = {name: Figure(what) for name, what in PHASES.items()}
    bare = {name: Figure(what, times) for name, (what, times) in FLOORS.items()}
    rates = []
    for run, floor in zip(runs, floors, strict=True):
        took = phases(run.events)
        rates.append(1000 / statistics.fmean(took[INTERVAL]))
        for name, figure in seen.items():
            figure.runs.append(sample(took[name]))
        for name, figure in bare.items():
            figure.runs.append(floor[name])
    udp = [run.p50 for run in bare[UDP].runs]
    interval = [run.p50 for run in seen[INTERVAL].runs]
    rests = _rests(seen, bare)
    return {
        "bench": "capture",
        "captures": args.captures,
        "runs": args.runs,
        "machine": told,
        "photo_bytes": photo_bytes,
        "captures_per_s": spread(rates),
        "capture": {name: figure.as_json(udp, interval) for name, figure in seen.items()},
        "floors": {name: figure.as_json(udp, interval) for name, figure in bare.items()},
        "derived": {
            name: {
                "what": what,
                "ms": statistics.median(values),
                "noise": spread(values),
                "per_udp_round_trip": ratio(values, udp),
                "share_of_interval": ratio(values, interval),
            }
            for name, (what, values) in rests.items()
        },
        "cpu_ms_per_capture": _cpu(single, runs, args.captures),
        "datagrams": _datagrams(counted, args.captures),
        "retakes": sum(e["event"] == "retake" for run in runs for e in run.events),
        "prefetch_hits": statistics.fmean(
            bool(e["prefetch_hit"]) for run in runs for e in run.events if e["event"] == "painted"
        ),
    }


def _rests(seen: dict[str, Figure], bare: dict[str, Figure]) -> dict[str, tuple[str, list[float]]]:
    """What is left of the interval when the floors on its path are taken away, run by run."""

    def floor(names: Sequence[str], run: int) -> float:
        return sum(bare[name].times * bare[name].runs[run].p50 for name in names)

    count = range(len(seen[INTERVAL].runs))
    storage = [floor(_STORAGE, run) for run in count]
    work = [floor(_WORK, run) for run in count]
    protocol = [
        seen[INTERVAL].runs[run].p50 - seen["camera"].runs[run].p50 - storage[run] for run in count
    ]
    rest = [left - known for left, known in zip(protocol, work, strict=True)]
    return {
        "storage": ("floors of journals, events and store in one capture", storage),
        "protocol": ("interval - camera - storage: the rig's own overhead", protocol),
        "work": ("floors of hashing, JPEG check, screen, codec, UDP", work),
        "unexplained": ("overhead beyond these floors: waiting, threads, contention", rest),
    }


def _cpu(single: Shots, runs: Sequence[Shots], captures: int) -> dict[str, Any]:
    """CPU of each process a capture: with everything, and without what starting it costs."""
    result: dict[str, Any] = {}
    for name in ("display", "phone"):
        whole = [getattr(run, f"{name}_cpu") * 1000 for run in runs]
        start = getattr(single, f"{name}_cpu") * 1000
        result[name] = {
            "all": spread([cpu / captures for cpu in whole]),
            "each_further": spread([(cpu - start) / (captures - 1) for cpu in whole]),
            "single_capture_run": start,
        }
    return result


def _datagrams(counted: Shots, captures: int) -> dict[str, Any]:
    counts = counted.datagrams or {}
    capturing = {name: count for name, count in sorted(counts.items()) if name in _PER_CAPTURE}
    return {
        "per_capture": sum(capturing.values()) / captures,
        "all_per_capture": sum(counts.values()) / captures,
        "by_type": dict(sorted(counts.items())),
    }


def machine(folder: Path) -> dict[str, Any]:
    """What the figures depend on besides the code."""
    return {
        "cpus": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "load_1_min": round(os.getloadavg()[0], 2),
        "platform": platform.platform(terse=True),
        "python": platform.python_version(),
        "filesystem": _filesystem(folder),
    }


def _filesystem(folder: Path) -> str:
    """Type of the file system below *folder*: on one in memory a fsync costs nothing."""
    mounts, best = Path("/proc/self/mounts"), ("", "unknown")
    if mounts.exists():
        for line in mounts.read_text().splitlines():
            _, place, kind, *_ = line.split()
            if folder.is_relative_to(place) and len(place) >= len(best[0]):
                best = (place, kind)
    return best[1]
