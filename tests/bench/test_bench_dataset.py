"""The benchmark of a dataset's tables: every step runs and says what it took."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from bench import dataset
from bench.programs import BenchError
from rig.dataset.labels import read_rows


def test_every_step_is_measured_in_a_process_of_its_own(tmp_path):
    """Build, statistics, check; the figures of each, as JSON and as a table."""
    args = argparse.Namespace(sizes=[300], large=False, dir=tmp_path)
    told = []
    result = dataset.measure(args, told.append)
    assert [row["step"] for row in result["steps"]] == ["build", "stats", "check"]
    begun = [text for text in told if not text.startswith(" ")]
    assert begun == [f"{step} of 300 x-rays" for step in ("build", "stats", "check")]
    for row in result["steps"]:
        assert row["peak_mb"] >= row["start_mb"] > 10
    assert "build" in dataset.table(result)
    assert f"allowed {dataset.LIMIT_MB} MB" in dataset.table(result)
    assert list(tmp_path.iterdir()) == []


def test_too_much_memory_or_a_failed_step_ends_it(tmp_path, monkeypatch):
    """The limit is held, not only printed; nothing is left behind."""
    args = argparse.Namespace(sizes=[200], large=False, dir=tmp_path)
    monkeypatch.setattr("bench.dataset.LIMIT_MB", 5)
    with pytest.raises(BenchError, match=r"build of 200 x-rays took \d+ MB .* at most 5 MB"):
        dataset.measure(args, lambda _: None)
    monkeypatch.setattr("bench.dataset.STEPS", {"nothing": None})
    with pytest.raises(BenchError, match="nothing of 200 x-rays failed: KeyError"):
        dataset.measure(args, lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_what_is_built_is_a_dataset(tmp_path):
    """297 photos and three gaps, with labels of every kind."""
    dataset.STEPS["build"](Path(tmp_path), 300)
    rows = list(read_rows(tmp_path / dataset.NAME))
    assert len(rows) == 297
    assert {value for row in rows for value in row.labels} == {"1.0", "0.0", "-1.0", ""}
    assert {row.split for row in rows} == {"train", "valid"}
    for step in ("stats", "check"):
        dataset.STEPS[step](tmp_path, 300)
