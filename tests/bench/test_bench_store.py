"""The benchmark of the store runs and tells what it promises; how fast it is, no test judges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.store import table


def test_the_store_is_measured_at_the_sizes_that_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Positive times, bytes of a file that grows with its captures; nothing is left behind."""
    words = ["store", "--sizes", "1000", "3000", "--dir", str(tmp_path), "--json"]
    assert main(words) == 0
    result = json.loads(capsys.readouterr().out)
    small, large = result["sizes"]
    assert (small["captures"], large["captures"]) == (1000, 3000)
    assert small["bytes"] < large["bytes"]
    for row in (small, large):
        assert all(value > 0 for name, value in row.items() if name.endswith("_ms"))
    assert "3,000" in table(result)
    assert list(tmp_path.iterdir()) == []
