"""How a dataset's tables bear growing: time and peak memory of each step, up to 10 million rows."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.capture import machine
from bench.programs import BenchError
from rig.catalog.model import Xray
from rig.dataset import layout
from rig.dataset.assemble import Assembly, Plan
from rig.dataset.captures import Stored
from rig.dataset.check import check
from rig.dataset.model import CapturedPhoto, Gap
from rig.dataset.records import Record, Spool
from rig.dataset.reuse import Earlier
from rig.dataset.statistics import statistics
from rig.dataset.survey import survey
from rig.dataset.tables import text_table
from rig.planning.model import Environment

SIZES = (224_316,)
"""CheXpert's own size."""
LARGE = 10_000_000
LIMIT_MB = 300
"""No step may take more memory than this, whatever the size: all of it is streamed."""
NAME = "Large-v1"
_VIEWS = 3  # x-rays of a patient, about as in CheXpert
_VALUES = ("1.0", "", "", "0.0", "", "-1.0", "")


def measure(args: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    """Build the tables of each size, then describe and check them; JSON values.

    Each step runs in a process of its own: its peak is that step's. No picture is written: a
    photo's bytes go through memory one at a time whatever their number.

    Raises:
        BenchError: a step failed, or took more than `LIMIT_MB`.
    """
    sizes = args.sizes or (*SIZES, *((LARGE,) if args.large else ()))
    rows = []
    with tempfile.TemporaryDirectory(prefix="rig-bench-", dir=args.dir) as scratch:
        for size in sizes:
            folder = Path(scratch) / str(size)
            folder.mkdir()
            for step in STEPS:
                tell(f"{step} of {size:,} x-rays")
                command = [sys.executable, "-m", "bench.dataset", step, str(folder), str(size)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    why = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
                    raise BenchError(f"{step} of {size:,} x-rays failed: {why}")
                rows.append({"xrays": size, "step": step, **json.loads(done.stdout)})
                tell(f"  {rows[-1]['seconds']:.0f} s, peak {rows[-1]['peak_mb']:.0f} MB")
                if rows[-1]["peak_mb"] > LIMIT_MB:
                    raise BenchError(
                        f"{step} of {size:,} x-rays took {rows[-1]['peak_mb']:.0f} MB at its peak; "
                        f"at most {LIMIT_MB} MB are allowed."
                    )
        told = machine(Path(scratch))
    return {"bench": "dataset", "machine": told, "steps": rows}


def table(result: dict[str, Any]) -> str:
    """For people."""
    header = ("x-rays", "step", "seconds", "peak MB", "of it at start MB")
    rows = [
        (
            f"{row['xrays']:,}", row["step"], f"{row['seconds']:.1f}", f"{row['peak_mb']:.0f}",
            f"{row['start_mb']:.0f}",
        )
        for row in result["steps"]
    ]  # fmt: skip
    peak = max(row["peak_mb"] for row in result["steps"])
    return f"{text_table(header, rows)}\npeak of all steps {peak:.0f} MB, allowed {LIMIT_MB} MB"


class Many:
    """That many x-rays, each with a photo but every hundredth; the same every time."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._rooms = [
            Environment(f"e{n:02d}", {"light": f"l{n % 4}", "room": f"r{n % 5}"}) for n in range(20)
        ]

    def __iter__(self) -> Iterator[Record]:
        for index in range(1, self._size + 1):
            xray = _xray(index)
            if index % 100 == 0:
                yield Record(xray, (), (Gap(index, xray.key, "The photo has not come back."),))
            else:
                yield Record(xray, (_photo(xray, self._rooms[index % 20]),))


def _xray(index: int) -> Xray:
    patient, view = divmod(index, _VIEWS)
    split = "valid" if patient % 50 == 0 else "train"
    key = f"patient{patient:08d}/study1/view{view + 1}_frontal"
    path = f"CheXpert-v1.0/{split}/{key}.jpg"
    labels = tuple(_VALUES[(index * 7 + n * 3) % 7] for n in range(14))
    row = (path, "Female", str(index % 90), "Frontal", "AP", *labels)
    digest = f"{index:064x}"
    return Xray(index, key, path, Path("x.jpg"), digest, 2828, 2320, split, row)


def _photo(xray: Xray, room: Environment) -> CapturedPhoto:
    eye = ((1.5, 0.0, 10.0 + xray.index % 7), (0.0, 1.5, 20.0), (0.0, 0.0, 1.0))
    return CapturedPhoto(
        xray, Path("p.jpg"), f"s{xray.index // 500:016x}", xray.index // 500 + 1, room, "nokia", 1,
        1_700_000_000_000_000_000 + xray.index, f"{2**255 + xray.index:064x}",
        0.9 + xray.index % 90 / 1000, eye,
    )  # fmt: skip


class _Tables(Assembly):
    """Builds everything but the pictures."""

    def _store(self, photo: CapturedPhoto) -> Gap | tuple[Stored, None]:
        path = str(layout.natural(photo.xray, photo.device))
        return Stored(photo, path, photo.sha256, 3_000_000, (4032, 3024)), None


def _build(folder: Path, size: int) -> None:
    root = folder / NAME
    root.mkdir()
    with Spool(Many(size), scratch=folder) as source:
        seen = survey(source, scratch=folder)
        plan = Plan(
            folder=root, final=root, root=NAME, kinds=(), seed=0, terms="", annotations=None,
            visible=0.1, rectify=None, executor=None, progress=None, survey=seen,
        )  # fmt: skip
        with _Tables(plan, Earlier(None), scratch=folder) as work:
            report = work.run(source, ())
    if report.natural + report.missing != size:
        raise ValueError(f"{report.natural} photos and {report.missing} gaps are not {size}")


def _describe(folder: Path, size: int) -> None:
    found = statistics(folder / NAME, scratch=folder)
    if found.xrays["all"] + found.gaps != size or found.overlap:
        raise ValueError(f"{found.xrays} and {found.gaps} gaps are not {size}")


def _check(folder: Path, size: int) -> None:
    found = check(folder / NAME, files=False, scratch=folder)
    if not found.well or found.images + found.gaps != size:
        raise ValueError(f"{found.images} images, {found.count} problems: {found.problems[:3]}")


STEPS: dict[str, Callable[[Path, int], None]] = {
    "build": _build,
    "stats": _describe,
    "check": _check,
}


def _peak_mb() -> float:
    """Peak resident memory of this process, MB; of Linux its own since it was started."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1000
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main() -> None:
    """One step: `python -m bench.dataset STEP FOLDER SIZE`."""
    step, folder, size = sys.argv[1:]
    start, began = _peak_mb(), time.perf_counter()
    STEPS[step](Path(folder), int(size))
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "peak_mb": _peak_mb(), "start_mb": start}))


if __name__ == "__main__":
    main()
