"""What planning a campaign takes, and what its order of environments saves."""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from bench.capture import machine
from bench.programs import BenchError
from rig.capture import campaigns
from rig.capture.campaigns import Campaign
from rig.capture.describe import describe
from rig.planning.model import Environment
from rig.planning.order import change_minutes
from rig.simulation.campaign_catalog import synthetic_xrays
from rig.store import catalogs
from rig.store.catalogs import Catalog
from rig.store.database import Database

SIZES = (10_507, 224_316)
"""The paper's set and CheXpert."""
SHUFFLES = 20
STATIONS = ("room-1", "room-2")
"""That the subsets are dealt to."""
_SEED = 7


def measure(args: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    """Plan a campaign over a synthetic catalog of each size, `--runs` times; JSON values."""
    with tempfile.TemporaryDirectory(prefix="rig-bench-", dir=args.dir) as scratch:
        folder = Path(scratch)
        rows = [_at(folder / f"{size}.db", size, args.runs, tell) for size in args.sizes or SIZES]
        told = machine(folder)
    return {"bench": "plan", "machine": told, "runs": args.runs, "sizes": rows}


def _at(path: Path, size: int, runs: int, tell: Callable[[str], None]) -> dict[str, Any]:
    tell(f"a catalog of {size:,} x-rays")
    kept = Catalog("c" * 16, "bench", "/b.csv", "/b", "patient", 0, size, [], 1)
    created, described, cpu = list[float](), list[float](), list[float]()
    plans = list[Campaign]()
    with Database.open(path) as database:
        database.write_now(lambda c: catalogs.save(c, kept, synthetic_xrays(size, _SEED)))
        for run in range(runs):
            tell(f"planning {size:,}, run {run + 1} of {runs}")
            name = f"run-{run}"
            began, busy = time.perf_counter(), time.process_time()
            plans.append(database.write_now(partial(_create, name=name)))
            between = time.perf_counter()
            shown = database.query(partial(describe, name=name))
            created.append(between - began)
            described.append(time.perf_counter() - between)
            cpu.append(time.process_time() - busy)
        alone = database.write_now(partial(_create, name="run-999", stations=()))
    if any(one.subsets != plans[0].subsets for one in plans):
        raise BenchError("the same seed gave two plans: the solver was stopped by the clock")
    return {
        "xrays": size,
        "subsets": len(plans[0].subsets),
        "environments": plans[0].figures["environments"] if plans[0].figures else None,
        "create_s": _spread(created),
        "describe_s": _spread(described),
        "both_s": _spread([a + b for a, b in zip(created, described, strict=True)]),
        "cpu_s": _spread(cpu),
        "warnings": len(shown["balance"]["warnings"]),
        "minutes": _minutes(alone, plans[0]),
    }


def _create(connection: Connection, name: str, stations: Sequence[str] = STATIONS) -> Campaign:
    number = int(name.removeprefix("run-"))
    return campaigns.create(
        connection,
        new_id=f"{number:016x}",
        name=name,
        catalog="bench",
        device="nokia",
        now_ns=1,
        seed=_SEED,
        stations=stations,
    )


def _minutes(plan: Campaign, dealt: Campaign) -> dict[str, float]:
    """Minutes of changing rooms: as planned, in random orders, and what no order can be below.

    *plan* is for one station, *dealt* the same for `STATIONS`, whose minutes are told together.
    """
    figures = plan.figures or {}
    order = [subset.environment for subset in plan.subsets]
    rng = random.Random(_SEED)
    orders = [rng.sample(order, len(order)) for _ in range(SHUFFLES)]
    shuffled = [_length(plan, one) for one in orders]
    planned = _length(plan, order)
    bound, at_random = float(figures["change_minutes_bound"]), statistics.median(shuffled)
    lists = dealt.figures or {}
    ends = [len(one["subsets"]) for one in lists["stations"]]
    return {
        "dealt": _cut(dealt, [subset.environment for subset in dealt.subsets], ends),
        "dealt_bound": float(lists["dealt_minutes_bound"]),
        "dealt_in_turn": float(lists["dealt_minutes_in_turn"]),
        "dealt_random": statistics.median(_cut(plan, one, ends) for one in orders),
        "planned": planned,
        "bound": bound,
        "gap": planned / bound - 1 if bound else 0.0,
        "random_median": at_random,
        "random_min": min(shuffled),
        "random_max": max(shuffled),
        "of_random": planned / at_random if at_random else 1.0,
    }


def _cut(plan: Campaign, order: Sequence[Environment], lengths: Sequence[int]) -> float:
    """Minutes of all stations together when *order* is cut into lists of these lengths."""
    ends = list(itertools.accumulate(lengths, initial=0))
    return sum(_length(plan, order[a:b]) for a, b in itertools.pairwise(ends))


def _length(plan: Campaign, order: Sequence[Environment]) -> float:
    factors = plan.scheme.factors if plan.scheme else ()
    return sum(
        change_minutes(one.levels, other.levels, factors)
        for one, other in itertools.pairwise(order)
    )


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    return {"min": min(seconds), "median": statistics.median(seconds), "max": max(seconds)}


def table(result: dict[str, Any]) -> str:
    """*result* as text."""
    told, sizes = result["machine"], result["sizes"]
    lines = [
        (
            f"{result['runs']} runs, {told['cpus']} CPUs, load {told['load_1_min']}, "
            f"Python {told['python']}, {told['filesystem']}"
        ),
        "",
        f"{'x-rays':>44}" + "".join(f"{row['xrays']:>22,}" for row in sizes),
        f"{'subsets / environments':>44}"
        + "".join(f"{row['subsets']:>13,} / {row['environments']:>6,}" for row in sizes),
    ]
    for key, what in (
        ("create_s", "plan and keep (s)"),
        ("describe_s", "show, with Cramér's V (s)"),
        ("both_s", "both (s)"),
        ("cpu_s", "CPU of both (s)"),
    ):
        cells = [" / ".join(f"{row[key][n]:.2f}" for n in row[key]) for row in sizes]
        lines.append(f"{what:>44}" + "".join(f"{cell:>22}" for cell in cells))
    for key, what in (
        ("planned", "changing rooms, one station (min)"),
        ("bound", "no order can be below (min)"),
        ("random_median", f"median of {SHUFFLES} random orders (min)"),
        ("random_min", "best of them (min)"),
        ("dealt", f"dealt to {len(STATIONS)} stations, together (min)"),
        ("dealt_bound", "no dealing can be below (min)"),
        ("dealt_in_turn", "the next one of one list in turn (min)"),
        ("dealt_random", "random dealings, median (min)"),
    ):
        cells = [f"{row['minutes'][key]:,.1f}" for row in sizes]
        lines.append(f"{what:>44}" + "".join(f"{cell:>22}" for cell in cells))
    for key, what in (("gap", "above the bound"), ("of_random", "of a random order")):
        cells = [f"{row['minutes'][key]:.1%}" for row in sizes]
        lines.append(f"{what:>44}" + "".join(f"{cell:>22}" for cell in cells))
    lines += ["", "Seconds: min / median / max of the runs."]
    return "\n".join(lines)
