"""Samples, and what is told of them."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Sample:
    """Median and 95th percentile of one run, milliseconds."""

    p50: float
    p95: float


def sample(values_ms: Sequence[float]) -> Sample:
    """The sample of *values_ms*, at least one; the percentile is the nearest rank."""
    ranked = sorted(values_ms)
    return Sample(statistics.median(ranked), ranked[math.ceil(0.95 * len(ranked)) - 1])


def timed(work: Callable[[], object], times: int) -> Sample:
    """*work* done *times* times after one that is not counted."""
    work()
    took = []
    for _ in range(times):
        began = time.perf_counter_ns()
        work()
        took.append((time.perf_counter_ns() - began) / 1e6)
    return sample(took)


@dataclass(slots=True)
class Figure:
    """One line of the table: a time in milliseconds, measured once in each run.

    Attributes:
        what: for people.
        runs: one sample of each run, in order.
        times: how often it happens in one capture; 0 for what is no part of it.
    """

    what: str
    times: int = 0
    runs: list[Sample] = field(default_factory=list)

    def as_json(self, udp: Sequence[float], interval: Sequence[float]) -> dict[str, Any]:
        """Median over the runs; ratios are taken within each run, then their median."""
        medians = [run.p50 for run in self.runs]
        return {
            "what": self.what,
            "times_per_capture": self.times,
            "p50_ms": statistics.median(medians),
            "p95_ms": statistics.median(run.p95 for run in self.runs),
            "noise": spread(medians),
            "per_udp_round_trip": ratio(medians, udp),
            "share_of_interval": ratio(medians, interval) * max(self.times, 1),
        }


def ratio(these: Sequence[float], those: Sequence[float]) -> float:
    """Median of the ratios, run by run."""
    return statistics.median(a / b for a, b in zip(these, those, strict=True))


def spread(medians: Sequence[float]) -> dict[str, float]:
    """How far the runs lie apart."""
    return {
        "runs": len(medians),
        "min": min(medians),
        "median": statistics.median(medians),
        "max": max(medians),
    }
