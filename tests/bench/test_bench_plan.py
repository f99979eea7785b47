"""The benchmark of planning runs and tells what it promises; how fast it is, no test judges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.plan import SHUFFLES, table


def test_planning_is_measured_and_its_order_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Times in order; bound, plan and random orders in the only order that can be."""
    words = ["plan", "--sizes", "3000", "6000", "--runs", "2", "--dir", str(tmp_path), "--json"]
    assert main(words) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["bench"], result["runs"]) == ("plan", 2)
    assert [row["xrays"] for row in result["sizes"]] == [3000, 6000]
    for row in result["sizes"]:
        assert row["subsets"] >= row["environments"] > 1
        for key in ("create_s", "describe_s", "both_s", "cpu_s"):
            assert 0 < row[key]["min"] <= row[key]["median"] <= row[key]["max"]
        assert row["both_s"]["max"] <= row["create_s"]["max"] + row["describe_s"]["max"] + 1e-9
        minutes = row["minutes"]
        assert 0 < minutes["bound"] <= minutes["planned"] + 1e-6
        assert minutes["planned"] < minutes["random_min"] <= minutes["random_median"]
        assert minutes["random_median"] <= minutes["random_max"]
        assert minutes["dealt_bound"] <= minutes["dealt"] + 1e-6
        assert minutes["dealt"] < minutes["dealt_in_turn"]
        assert minutes["dealt"] < minutes["dealt_random"]
        assert minutes["of_random"] == pytest.approx(minutes["planned"] / minutes["random_median"])
    shown = table(result)
    assert "3,000" in shown
    assert f"median of {SHUFFLES} random orders (min)" in shown
    assert list(tmp_path.iterdir()) == []


def test_the_minutes_are_those_that_the_campaign_itself_tells(tmp_path: Path) -> None:
    """Summed anew from the kept subsets, not read from the design."""
    from bench.plan import _create, _minutes
    from rig.simulation.campaign_catalog import synthetic_xrays
    from rig.store import catalogs
    from rig.store.catalogs import Catalog
    from rig.store.database import Database

    kept = Catalog("c" * 16, "bench", "/b.csv", "/b", "patient", 0, 3000, [], 1)
    with Database.open(tmp_path / "rig.db") as database:
        database.write_now(lambda c: catalogs.save(c, kept, synthetic_xrays(3000, 1)))
        made = database.write_now(lambda c: _create(c, "run-0", ()))
        dealt = database.write_now(lambda c: _create(c, "run-1"))
    assert made.figures is not None
    assert dealt.figures is not None
    minutes = _minutes(made, dealt)
    assert minutes["planned"] == pytest.approx(made.figures["change_minutes"])
    assert minutes["dealt"] == pytest.approx(dealt.figures["dealt_minutes"])
