"""The screens' benchmark runs and tells what it promises; how fast any is, no test judges."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.screens import KINDS, table

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.system
def test_every_screen_is_measured_with_the_xray_prepared_and_not(tmp_path: Path) -> None:
    """Positive times in order, ratios within the run, and no process is left."""
    words = ["screens", "--captures", "3", "--runs", "1", "--dir", str(tmp_path), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    rows = {(row["screen"], row["prefetch"]): row for row in result["screens"]}
    assert set(rows) == {(kind, way) for kind in KINDS for way in ("hit", "miss")}
    for row in rows.values():
        pixels = row["pixels_ms"]
        assert 0 < pixels["min"] <= pixels["median"] <= pixels["p99"]
        assert row["of_pygame_hit"] > 0
    assert rows["pygame", "hit"]["of_pygame_hit"] == 1
    shown = table(result)
    assert all(f"{kind}, hit" in shown for kind in KINDS)
