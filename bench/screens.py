"""From the command to paint until the pixels can be read on the root window, for every screen."""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from bench.capture import machine
from bench.figures import spread
from bench.programs import BenchError
from bench.session import plan_of, sample_xrays
from bench.xvfb import Root, x_server
from display_agent.compose import Composition
from display_agent.images import LocalImages
from display_agent.prefetch import Prefetch
from display_agent.screens import Screen
from display_agent.screens.open import ScreenOptions, open_screen
from rig.planning.plan import SubsetPlan

SIZE = (1920, 1080)
KINDS = ("pygame", "tk", "browser", "null")
BASE = ("pygame", "hit")
"""What everything is compared with, within each run."""
_POINTS = [(x, y) for x in (0.42, 0.5, 0.58) for y in (0.3, 0.5, 0.7)]
_GIVEN_UP = 5.0


@dataclass(slots=True)
class Times:
    """Milliseconds of one run: until nine pixels could be read, and until `show` had returned."""

    pixels: list[float] = field(default_factory=list)
    returned: list[float] = field(default_factory=list)


def measure(args: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    """Paint `args.captures` x-rays on every screen, prepared and not, `args.runs` times.

    Raises:
        BenchError: Xvfb, openbox or Chromium is missing, or pixels never came.
    """
    plan = plan_of(sample_xrays(), args.captures)
    found: dict[tuple[str, str], list[Times]] = {}
    with x_server(SIZE):
        for run in range(1, args.runs + 1):
            for kind in KINDS:
                tell(f"run {run} of {args.runs}: {args.captures} x-rays on {kind}, twice")
                for way, times in asyncio.run(_run(kind, plan)).items():
                    found.setdefault((kind, way), []).append(times)
    base = [statistics.median(times.pixels) for times in found[BASE]]
    return {
        "bench": "screens",
        "captures": args.captures,
        "runs": args.runs,
        "machine": machine(args.dir),
        "screens": [_figure(*key, times, base) for key, times in found.items()],
    }


async def _run(kind: str, plan: SubsetPlan) -> dict[str, Times]:
    sandbox = " --no-sandbox" if os.geteuid() == 0 else ""
    screen = open_screen(kind, ScreenOptions(SIZE, browser_command=f"chromium{sandbox}"))
    root = None if kind == "null" else Root()
    try:
        await screen.open()
        return {way: await _paint(screen, root, plan, way == "hit") for way in ("hit", "miss")}
    finally:
        await screen.close()
        if root is not None:
            root.close()


async def _paint(screen: Screen, root: Root | None, plan: SubsetPlan, prepared: bool) -> Times:
    times = Times()
    prefetch = Prefetch(LocalImages(plan), screen.size)
    # Composed apart from what is measured: the looker must know what to look for.
    known = Prefetch(LocalImages(plan), screen.size)
    try:
        for item in plan.items:
            wanted, _ = await known.get(item)
            if prepared:
                await prefetch.get(item)
            with _Looker(root, wanted) as looker:
                composition, hit = await prefetch.get(item)
                if hit is not prepared:
                    raise BenchError(f"x-ray {item.index} was {'' if hit else 'not '}prepared")
                await screen.show(item.index.to_bytes(8, "big"), composition)
                returned = (time.perf_counter() - looker.began) * 1000
            times.returned.append(returned)
            times.pixels.append(returned if root is None else looker.milliseconds())
    finally:
        await prefetch.close()
        await known.close()
    return times


class _Looker:
    """Looks at nine pixels of the root window from its start until they are those of *wanted*."""

    def __init__(self, root: Root | None, wanted: Composition) -> None:
        self._root = root
        frame = wanted.frame.convert("RGB")
        self._wanted = {at: frame.getpixel(at) for at in _places(frame.size)}
        self._seen: float | None = None
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.began = 0.0

    def __enter__(self) -> Self:
        self.began = time.perf_counter()
        if self._root is not None:
            if self._matches():
                raise BenchError("two x-rays in a row look the same at the nine points")
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.ident is not None:
            self._thread.join()

    def milliseconds(self) -> float:
        if self._seen is None:
            raise BenchError(f"the pixels did not come within {_GIVEN_UP:g} s")
        return (self._seen - self.began) * 1000

    def _look(self) -> None:
        while time.perf_counter() < self.began + _GIVEN_UP:
            if self._matches():
                self._seen = time.perf_counter()
                return
            time.sleep(0.0005)

    def _matches(self) -> bool:
        root = self._root
        return root is not None and all(
            root.pixel(*at) == level for at, level in self._wanted.items()
        )


def _places(size: tuple[int, int]) -> list[tuple[int, int]]:
    return [(int(x * size[0]), int(y * size[1])) for x, y in _POINTS]


def _figure(kind: str, way: str, runs: Sequence[Times], base: Sequence[float]) -> dict[str, Any]:
    medians = [statistics.median(times.pixels) for times in runs]
    together = sorted(value for times in runs for value in times.pixels)
    return {
        "screen": kind,
        "prefetch": way,
        "pixels_ms": {
            "min": together[0],
            "median": statistics.median(together),
            "p99": together[math.ceil(0.99 * len(together)) - 1],
        },
        "returned_ms": statistics.median(value for times in runs for value in times.returned),
        "of_pygame_hit": statistics.median(a / b for a, b in zip(medians, base, strict=True)),
        "noise": spread(medians),
    }


def table(result: dict[str, Any]) -> str:
    """*result* as text."""
    told = result["machine"]
    counted = f"{result['captures']} x-rays a run, {result['runs']} runs"
    where = f"load {told['load_1_min']}, {told['platform']}, Python {told['python']}"
    lines = [
        f"{counted}, {told['cpus']} CPUs, {where}",
        "",
        f"{'milliseconds':16}{'min':>8}{'median':>8}{'p99':>8}{'x':>7}{'returned':>10}  runs",
    ]
    for row in result["screens"]:
        pixels, noise = row["pixels_ms"], row["noise"]
        lines.append(
            f"{row['screen'] + ', ' + row['prefetch']:16}{pixels['min']:8.1f}"
            f"{pixels['median']:8.1f}{pixels['p99']:8.1f}{row['of_pygame_hit']:7.2f}"
            f"{row['returned_ms']:10.1f}  "
            f"{noise['min']:.1f} / {noise['median']:.1f} / {noise['max']:.1f}"
        )
    lines += [
        "",
        "Until nine pixels of the root window could be read (null: until show returned).",
        "x: beside pygame with the x-ray prepared, in the same run. returned: show has returned,",
        "read-back and settle included. Runs: min / median / max of the medians.",
    ]
    return "\n".join(lines)
