"""Captures per second and datagrams per capture when the network loses datagrams."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.capture import INTERVAL, machine, phases
from bench.figures import sample, spread
from bench.plot import picture
from bench.relay import Weather
from bench.session import plan_of, sample_xrays, shoot

LOSSES = (0.0, 0.05, 0.2, 0.4)
"""Shares that are lost, in each direction."""


def measure(args: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    """Shoot through each loss in turn, `args.runs` times; JSON values.

    Raises:
        BenchError: a program of the rig did not do its part.
    """
    xrays = sample_xrays()
    rates: dict[float, list[float]] = {loss: [] for loss in LOSSES}
    intervals: dict[float, list[float]] = {loss: [] for loss in LOSSES}
    slowest: dict[float, list[float]] = {loss: [] for loss in LOSSES}
    datagrams: dict[float, list[float]] = {loss: [] for loss in LOSSES}
    with tempfile.TemporaryDirectory(prefix="rig-bench-", dir=args.dir) as scratch:
        folder = Path(scratch)
        for run in range(1, args.runs + 1):
            for loss in LOSSES:
                tell(f"run {run} of {args.runs}: {args.captures} captures at {loss:.0%} loss")
                plan = plan_of(xrays, args.captures)
                weather = Weather(loss=loss, seed=run)
                shots = shoot(folder / f"{run}-{loss}", plan, relayed=True, weather=weather)
                took = phases(shots.events)[INTERVAL]
                rates[loss].append(1000 / statistics.fmean(took))
                intervals[loss].append(sample(took).p50)
                slowest[loss].append(sample(took).p95)
                datagrams[loss].append(sum((shots.datagrams or {}).values()) / args.captures)
        told = machine(folder)
    result = {
        "bench": "loss",
        "captures": args.captures,
        "runs": args.runs,
        "machine": told,
        "losses": [
            {
                "loss": loss,
                "captures_per_s": spread(rates[loss]),
                "of_clean": _of_clean(rates, loss),
                "interval_ms": {
                    "p50": statistics.median(intervals[loss]),
                    "p95": statistics.median(slowest[loss]),
                },
                "datagrams_per_capture": spread(datagrams[loss]),
                "datagrams_of_clean": _of_clean(datagrams, loss),
            }
            for loss in LOSSES
        ],
    }
    if args.svg is not None:
        args.svg.write_text(picture(result), encoding="utf-8")
    return result


def _of_clean(values: dict[float, list[float]], loss: float) -> float:
    """Median of the ratios to the clean network, run by run."""
    return statistics.median(a / b for a, b in zip(values[loss], values[LOSSES[0]], strict=True))


def table(result: dict[str, Any]) -> str:
    """*result* as text."""
    told = result["machine"]
    lines = [
        (
            f"{result['captures']} captures a run, {result['runs']} runs; {told['cpus']} CPUs, "
            f"load {told['load_1_min']}, Python {told['python']}, {told['filesystem']}"
        ),
        "",
        "loss each way  captures/s  runs: min / max  of clean  p50 ms  p95 ms  datagrams  of clean",
    ]
    for each in result["losses"]:
        rate, sent = each["captures_per_s"], each["datagrams_per_capture"]
        took = each["interval_ms"]
        lines.append(
            f"{each['loss']:>13.0%}  {rate['median']:>10.2f}  "
            f"{rate['min']:>7.2f} / {rate['max']:<5.2f}  {each['of_clean']:>8.3f}  "
            f"{took['p50']:>6.0f}  {took['p95']:>6.0f}  "
            f"{sent['median']:>9.2f}  {each['datagrams_of_clean']:>8.2f}"
        )
    return "\n".join(lines)
