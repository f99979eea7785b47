"""`rig demo`, as a person and as a script run it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rig.sample import csv_path

pytestmark = pytest.mark.system


def test_the_demo_makes_a_labelled_dataset_of_the_sample(tmp_path: Path) -> None:
    """Two subsets, two environments, all verified; twins and labels; the JSON of the contract."""
    out = tmp_path / "demo"
    words = ["demo", "--headless", "--json", "--out", str(out), "--xrays", "24", "--subsets", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "rig.cli", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["captured"] == result["verified"] == 24
    assert result["rejected"] == []
    assert (result["skipped"], result["duplicated"]) == (0, 0)
    assert result["synthetic"] == {"digital": 24, "photographic": 24}
    assert all(seconds >= 0 for seconds in result["seconds"].values())
    dataset = Path(result["dataset"])
    _labels_are_the_sources(dataset)
    captures = pq.read_table(dataset / "captures.parquet").to_pylist()
    assert sorted(row["index"] for row in captures) == list(range(1, 25))
    assert len({row["environment"] for row in captures}) == 2
    checked = subprocess.run(
        [sys.executable, "-m", "rig.cli", "dataset", "check", str(dataset), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    logs = "".join(p.read_text() for p in (out / "logs").iterdir())
    assert "Traceback" not in logs
    for secret in (out / "station.token", out / "display" / "psk"):
        assert secret.stat().st_mode & 0o077 == 0
    assert (out / "station.token").read_text() not in logs


def _labels_are_the_sources(dataset: Path) -> None:
    with csv_path().open(newline="") as source:
        wanted = {_tail(row["Path"]): row for row in list(csv.DictReader(source))[:24]}
    with (dataset / "train.csv").open(newline="") as made:
        rows = list(csv.DictReader(made))
    assert len(rows) == 72
    for row in rows:
        source_row = wanted[_tail(row["Path"])]
        assert {k: v for k, v in row.items() if k != "Path"} == {
            k: v for k, v in source_row.items() if k != "Path"
        }
        assert (dataset.parent / row["Path"]).is_file()


def _tail(path: str) -> str:
    return "/".join(path.split("/")[-3:])


def test_the_demo_never_empties_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    """A folder with something else in it is refused and left as it is."""
    (tmp_path / "thesis.tex").write_text("do not delete")
    words = ["demo", "--headless", "--json", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "rig.cli", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert (tmp_path / "thesis.tex").read_text() == "do not delete"
