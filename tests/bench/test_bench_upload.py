"""The benchmarks of upload and store run and tell what they promise; no test judges a speed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import upload
from bench.__main__ import main

ROOT = Path(__file__).resolve().parents[2]


def _bench(tmp_path: Path, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words, "--dir", str(tmp_path), "--json"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir()), "the benchmark left files behind"
    return dict(json.loads(done.stdout))


@pytest.mark.system
def test_the_agent_and_curl_send_the_same_photos(tmp_path: Path) -> None:
    """Every way that this machine has, each with its ratio to the agent in the same run."""
    result = _bench(tmp_path, "upload", "--captures", "2", "--runs", "2")
    wanted = {way for way in upload.WAYS if "curl" not in way or shutil.which("curl")}
    rows = {row["way"]: row for row in result["ways"]}
    assert set(rows) == wanted
    for row in rows.values():
        rate = row["mb_per_s"]
        assert 0 < rate["min"] <= rate["median"] <= rate["max"]
        assert rate["runs"] == 2
        assert row["of_agent"] > 0
    assert rows[upload.BASE]["of_agent"] == 1
    shown = upload.table(result)
    assert all(way in shown for way in wanted)


@pytest.mark.parametrize("sizes", ["", "0", "1,", "a", "-5"])
def test_sizes_are_numbers(sizes: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Bad usage: exit 2 and what was wrong."""
    with pytest.raises(SystemExit) as caught:
        main(["store", "--sizes", sizes])
    assert caught.value.code == 2
    assert "--sizes" in capsys.readouterr().err
