"""The benchmark runs and tells what it promises; how fast anything is, no test judges."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.capture import PHASES, phases
from bench.figures import Figure, Sample, sample
from bench.floors import FLOORS
from bench.session import plan_of, sample_xrays
from bench.table import table
from rig.planning.plan import from_json, to_json

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One short benchmark by the real programs."""
    scratch = tmp_path_factory.mktemp("bench")
    words = ["capture", "--captures", "6", "--runs", "1", "--dir", str(scratch), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not list(scratch.iterdir()), "the benchmark left files behind"
    return dict(json.loads(done.stdout))


@pytest.mark.system
def test_one_json_object_has_every_figure_with_positive_numbers(result: dict[str, Any]) -> None:
    """Six captures: rate, phases, floors, CPU and photo size are there and above zero."""
    assert result["captures"] == 6
    assert result["captures_per_s"]["median"] > 0
    assert result["photo_bytes"] > 0
    assert set(result["capture"]) == set(PHASES)
    assert set(result["floors"]) == set(FLOORS)
    for figure in (*result["capture"].values(), *result["floors"].values()):
        assert 0 < figure["p50_ms"] <= figure["p95_ms"]
        assert figure["per_udp_round_trip"] > 0
        assert figure["share_of_interval"] > 0
        noise = figure["noise"]
        assert 0 < noise["min"] <= noise["median"] <= noise["max"]
    for process in ("display", "phone"):
        assert result["cpu_ms_per_capture"][process]["all"]["median"] > 0
    assert all(math.isfinite(figure["ms"]) for figure in result["derived"].values())


@pytest.mark.system
def test_the_relay_counts_the_four_datagrams_of_each_capture(result: dict[str, Any]) -> None:
    """CAPTURE, ACCEPTED, CAPTURED and ACK at least once a capture; a slow machine may repeat."""
    counts = result["datagrams"]["by_type"]
    assert all(counts[kind] >= 6 for kind in ("CAPTURE", "ACCEPTED", "CAPTURED", "ACK"))
    assert "unknown" not in counts
    assert result["datagrams"]["per_capture"] >= 4


@pytest.mark.system
def test_the_table_names_every_figure(result: dict[str, Any]) -> None:
    """People read the same figures as programs."""
    text = table(result)
    for figure in (*result["capture"].values(), *result["floors"].values()):
        assert figure["what"] in text
    assert "captures/s" in text


def test_a_plan_longer_than_the_sample_repeats_x_rays_under_distinct_keys() -> None:
    """The plan passes the product's own checks, which refuse a doubled key."""
    xrays = sample_xrays()
    plan = plan_of(xrays, 2 * len(xrays) + 3)
    assert from_json(to_json(plan)) == plan
    assert plan.items[0].file == plan.items[len(xrays)].file
    assert plan.settle_ms == 0


def test_phases_of_a_capture_add_up_to_its_interval() -> None:
    """A repeated painting counts from the last one; times are milliseconds."""
    events = [
        {"event": "committed", "index": 1, "time_ns": 0, "t_trigger_ns": 0, "t_done_ns": 0},
        {"event": "painted", "index": 2, "time_ns": 1_000_000},
        {"event": "painted", "index": 2, "time_ns": 2_000_000},
        {
            "event": "committed", "index": 2, "time_ns": 20_000_000,
            "t_trigger_ns": 5_000_000, "t_done_ns": 11_000_000,
        },
    ]  # fmt: skip
    took = phases(events)
    assert took == {
        "interval": [20.0], "paint": [2.0], "request": [3.0], "camera": [6.0], "keep": [9.0],
    }  # fmt: skip


def test_ratios_are_taken_within_each_run() -> None:
    """A machine that slows down between runs does not move a ratio."""
    figure = Figure("x", 3, [Sample(10.0, 11.0), Sample(40.0, 50.0)])
    told = figure.as_json(udp=[1.0, 4.0], interval=[100.0, 400.0])
    assert told["per_udp_round_trip"] == 10.0
    assert told["share_of_interval"] == pytest.approx(0.3)
    assert told["noise"] == {"runs": 2, "min": 10.0, "median": 25.0, "max": 40.0}


def test_a_sample_gives_median_and_nearest_rank_percentile() -> None:
    """Of 1..100 in any order: 50.5 and 95; of a single value: that value twice."""
    assert sample([float(n) for n in range(100, 0, -1)]) == Sample(50.5, 95.0)
    assert sample([7.0]) == Sample(7.0, 7.0)


@pytest.mark.parametrize("words", [["--captures", "1"], ["--runs", "0"], ["nothing"]])
def test_bad_usage_is_refused(words: list[str]) -> None:
    """One capture has no interval, no run no figure, and unknown entries are not guessed."""
    with pytest.raises(SystemExit) as refused:
        main(words)
    assert refused.value.code == 2


def test_the_protocol_alone_is_measured(tmp_path: Path) -> None:
    """Real cores in two processes: every figure is there and positive."""
    words = ["protocol", "--captures", "8", "--runs", "1", "--dir", str(tmp_path), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["captures_per_s"]["capture-rig"]["median"] > 0
    assert result["phone_cpu_ms_per_capture"]["median"] > 0
    assert 4 <= result["datagrams_per_capture"] < 12
    assert result["interval_per_udp_round_trip"] > 0
