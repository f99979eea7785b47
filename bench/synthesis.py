"""What twins cost: CPU of the whole process tree, beside the codec alone and the original."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import simplejpeg
from PIL import Image

from bench.capture import machine
from bench.programs import ROOT, BenchError

SIZES = ((390, 320), (2320, 2828))
"""CheXpert's small edition, and a whole x-ray."""
_OURS = {SIZES[0]: 1500, SIZES[1]: 16}
_FLOORS = {SIZES[0]: 2000, SIZES[1]: 16}
_THEIRS = {
    (SIZES[0], "digital"): 2000,
    (SIZES[0], "spatial"): 50,
    (SIZES[1], "digital"): 16,
    (SIZES[1], "spatial"): 1,
}
_COUNTS = {SIZES[0]: (1500, 4000), SIZES[1]: (60, 80)}
"""Images of a run of one or two workers, and of the codec alone beside it."""
_STEPS = {"digital": "random-digital", "spatial": "glare_matte,moire,tilt"}


@dataclass(frozen=True, slots=True)
class Used:
    """What a process and its children used: CPU and wall seconds, peak memory in MB."""

    cpu: float
    wall: float
    peak_mb: float
    out: str


def measure(args: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    """Time both recipes at both sizes, memory, start and, with the original, parity."""
    with tempfile.TemporaryDirectory(prefix="rig-bench-", dir=args.dir) as scratch:
        folder = Path(scratch)
        images = {size: _xray(folder, size) for size in (*SIZES, (8, 8))}
        start = min(_ours(folder, images[8, 8], 1, "digital").cpu for _ in range(args.runs))
        rows = []
        for size in SIZES:
            for recipe in _STEPS:
                tell(f"{size[0]}x{size[1]} {recipe}")
                rows.append(_row(args, folder, images, size, recipe, start))
        tell("memory and workers")
        return {
            "machine": machine(folder),
            "start_cpu_s": start,
            "rows": rows,
            "peak_mb": {
                level: round(_ours(folder, images[SIZES[1]], 1, "spatial", level).peak_mb)
                for level in (1, 2, 3, 4)
            },
            "workers": [_workers(args, folder, images[size], size) for size in SIZES],
            "parity": _parity(args.original, images[SIZES[0]]) if args.original else [],
        }


def table(result: dict[str, Any]) -> str:
    """*result* as text: ratios are what counts, milliseconds belong to one machine and day."""
    told = result["machine"]
    head = (
        f"{told['cpus']} CPUs, load {told['load_1_min']}, {told['platform']}, "
        f"Python {told['python']}; start of `rig synthesize` {result['start_cpu_s']:.2f} s of CPU"
    )
    lines = [
        head,
        "",
        "CPU ms an image           ours    codec   / codec   original   original / ours",
    ]
    for row in result["rows"]:
        theirs = row["original_ms"]
        beside = f"{theirs:10.1f} {theirs / row['ms']:16.1f}x" if theirs else ""
        name = f"{row['size'][0]}x{row['size'][1]} {row['recipe']}"
        lines.append(
            f"{name:22} {row['ms']:8.2f} {row['floor_ms']:8.2f} {row['per_floor']:9.2f} {beside}"
        )
    peaks = ", ".join(f"{mb} MB at level {level}" for level, mb in result["peak_mb"].items())
    lines += [
        "",
        f"Peak memory at 2320x2828, spatial: {peaks}.",
        *(
            f"Two workers: {row['times']:.2f} times one at {row['size'][0]}x{row['size'][1]}; the "
            f"codec alone in two processes: {row['codec_times']:.2f} (load {row['load_1_min']})."
            for row in result["workers"]
        ),
    ]
    if result["parity"]:
        lines += ["", "With the original's parameters   max diff   mean diff     SSIM"]
        lines += [
            f"{row['name']:22} level {row['level']} {row['max']:10.0f} {row['mean']:11.3f} "
            f"{row['ssim']:8.4f}"
            for row in result["parity"]
        ]
    return "\n".join(lines)


def _row(
    args: argparse.Namespace,
    folder: Path,
    images: dict[tuple[int, int], Path],
    size: tuple[int, int],
    recipe: str,
    start: float,
) -> dict[str, Any]:
    """One line of the table: the best of some runs, each beside its own floor."""
    best: tuple[float, float, float] | None = None
    for _ in range(args.runs):
        floor = json.loads(_child("floor", images[size], _FLOORS[size]).out)["ms"]
        used = _ours(folder, images[size], _OURS[size], recipe)
        ms = (used.cpu - start) * 1e3 / _OURS[size]
        best = min(best or (ms / floor, ms, floor), (ms / floor, ms, floor))
    assert best is not None
    theirs = None
    if args.original:
        times = _THEIRS[size, recipe]
        words = [args.original, images[size], folder / "theirs", times, _STEPS[recipe], 1]
        idle = _child("original", *words[:1], images[8, 8], folder / "idle", 1, "identity", 1)
        theirs = (_child("original", *words).cpu - idle.cpu) * 1e3 / times
    return {
        "size": list(size),
        "recipe": recipe,
        "ms": best[1],
        "floor_ms": best[2],
        "per_floor": best[0],
        "original_ms": theirs,
    }


def _xray(folder: Path, size: tuple[int, int]) -> Path:
    """A bundled x-ray as a grey JPEG of *size*."""
    source = next(
        path
        for path in sorted(Path(str(files("rig.sample"))).rglob("*.jpg"))
        if Image.open(path).size >= (390, 320)
    )
    picture = Image.open(source).convert("L").resize(size, Image.Resampling.LANCZOS)
    path = folder / f"{size[0]}x{size[1]}.jpg"
    path.write_bytes(simplejpeg.encode_jpeg(_pixels(picture), 90, "GRAY", "GRAY"))
    return path


def _pixels(picture: Image.Image) -> Any:
    import numpy as np

    return np.asarray(picture)[:, :, None]


def _ours(
    folder: Path, image: Path, times: int, recipe: str, level: int = 1, workers: int = 1
) -> Used:
    """`rig synthesize` over *times* names of *image*."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        data = Path(place) / "data"
        data.mkdir()
        for n in range(times):
            (data / f"{n}.jpg").hardlink_to(image)
        table = Path(place) / "in.csv"
        table.write_text("\n".join(["Path", *(f"{n}.jpg" for n in range(times))]))
        words = ["--csv", table, "--data-dir", data, "--out", Path(place) / "out"]
        words += ["--recipe", recipe, "--level", level, "--workers", workers, "--json"]
        used = _run("rig.cli", "synthesize", *words)
    report = json.loads(used.out)
    if report["made"] != times:
        raise BenchError(f"rig synthesize made {report['made']} of {times}: {report['failed'][:1]}")
    return used


def _workers(
    args: argparse.Namespace, folder: Path, image: Path, size: tuple[int, int]
) -> dict[str, Any]:
    """How much faster two workers are than one, less the start, and what the machine allows.

    Runs alternate, so that whatever else the machine does meets all of them; the best of each.
    The allowance is the codec alone, in two processes of which neither knows of the other.
    """
    load = round(os.getloadavg()[0], 2)
    count, floors = _COUNTS[size]
    walls: dict[str, float] = {}

    def best(name: str, wall: float) -> None:
        walls[name] = min(walls.get(name, wall), wall)

    for _ in range(args.runs):
        for workers in (1, 2):
            start = _ours(folder, image, workers, "spatial", workers=workers).wall
            used = _ours(folder, image, count, "spatial", workers=workers).wall
            # Of the one worker's run one image was taken away, of the two workers' run two.
            best(f"workers {workers}", (used - start) / (count - workers))
            best(f"codec {workers}", _codecs(image, floors, workers) / workers)
    return {
        "size": list(size),
        "times": walls["workers 1"] / walls["workers 2"],
        "codec_times": walls["codec 1"] / walls["codec 2"],
        "load_1_min": load,
    }


def _codecs(image: Path, times: int, processes: int) -> float:
    """Wall milliseconds of an image while that many processes do the codec alone."""
    words = [sys.executable, "-m", "bench.synthesis_child", "floor", str(image), str(times)]
    running = [subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(processes)]
    told = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise BenchError("The codec alone failed.")
    return max(float(json.loads(out)["wall_ms"]) for out in told)


def _parity(clone: Path, image: Path) -> list[dict[str, Any]]:
    return list(json.loads(_child("parity", clone, image).out))


def _child(*words: object) -> Used:
    return _run("bench.synthesis_child", *words)


def _run(module: str, *words: object) -> Used:
    """Run a module to its end; what it and all it started used."""
    command: Sequence[str] = [sys.executable, "-m", module, *map(str, words)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said.seek(0)
        if process.returncode:
            tail = said.read().decode(errors="replace").strip().splitlines()[-1:]
            raise BenchError(f"{module} ended with {process.returncode}: {''.join(tail)}")
        cpu = usage.ru_utime + usage.ru_stime
        return Used(cpu, wall, usage.ru_maxrss / 1024, out.read().decode())
