"""VinDr's boxes on their way: DICOM, capture by the two agents, intake, twins, dataset."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from rig.commands.demo_run import Demo
from rig.commands.processes import Programs
from rig.dataset.boxes import carry, iou

pytestmark = pytest.mark.system

VINDR = Path(__file__).parents[1] / "dicom" / "data" / "vindr"


class Chain(Demo):
    """The demo's steps on a catalog that is there already."""

    def _plan(self, xrays: int, subsets: int) -> None:
        campaign = self._post(
            "/api/campaigns",
            {"name": "demo", "catalog": "vindr", "device": "loopback", "seed": 3,
             "size_min": 2, "size_max": 3},
        )  # fmt: skip
        self._subsets = campaign["subsets"]


def test_boxes_of_dicom_images_are_in_every_picture_of_the_released_dataset(tmp_path):
    """Import, shoot, take in, build: each box lies where the homography puts it."""
    home = tmp_path / "home"
    done = subprocess.run(
        [sys.executable, "-m", "rig.cli", "catalog", "import-dicom", "vindr", VINDR / "train",
         "--annotations", VINDR / "annotations", "--home", home, "--json", "--accept-unreviewed"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    ids = {line["image_id"]: line["index"] for line in told[:-1]}
    with Programs(tmp_path / "logs") as programs:
        chain = Chain(
            programs, tmp_path, optics="easy", seed=3, tell=lambda _text: None, quiet=True
        )
        chain.start(5, 2)
        result = chain.capture_and_build()
        chain._http.close()
    assert result["captured"] == result["verified"] == 5
    dataset = Path(result["dataset"])
    rows = pq.read_table(dataset / "boxes.parquet").to_pylist()
    _all_are_there(rows, ids)
    _they_lie_where_the_photo_shows_them(rows, dataset)
    with (dataset / "train.csv").open(newline="") as handle:
        labels = list(csv.DictReader(handle))
    assert len(labels) == 15
    hearts = [row for row in labels if row["Cardiomegaly"] == "1.0"]
    assert len(hearts) == 6  # two images: photo, digital, photographic
    checked = subprocess.run(
        [sys.executable, "-m", "rig.cli", "dataset", "check", str(dataset), "--tables"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


def _all_are_there(rows: list[dict[str, Any]], ids: dict[str, int]) -> None:
    with (VINDR / "annotations" / "annotations_train.csv").open(newline="") as handle:
        source = list(csv.DictReader(handle))
    assert {row["image_id"] for row in rows} == set(ids)
    for kind in ("natural", "digital", "photographic"):
        of_kind = [row for row in rows if f"/{kind}/" in row["path"]]
        assert sorted(row["class_name"] for row in of_kind) == sorted(
            row["class_name"] for row in source
        )
        boxes = [row for row in of_kind if row["class_name"] != "No finding"]
        assert all(row["x_min"] is not None and row["visible"] > 0.5 for row in boxes)
        assert all(row["rad_id"] == "R1" for row in of_kind)
    wanted = {(row["class_name"], round(float(row["x_min"]), 3)) for row in source if row["x_min"]}
    found = {
        (row["class_name"], round(row["source_box"][0], 3)) for row in rows if row["source_box"]
    }
    assert found == wanted


def _they_lie_where_the_photo_shows_them(rows: list[dict[str, Any]], dataset: Path) -> None:
    captures = {row["path"]: row for row in pq.read_table(dataset / "captures.parquet").to_pylist()}
    looked = 0
    for row in rows:
        if "/natural/" in row["path"] and row["source_box"]:
            matrix = captures[row["path"]]["homography"]
            matrix = [matrix[0:3], matrix[3:6], matrix[6:9]] if len(matrix) == 9 else matrix
            carried = carry(tuple(row["source_box"]), matrix, (row["width"], row["height"]))
            edges = tuple(row[name] for name in ("x_min", "y_min", "x_max", "y_max"))
            assert iou(edges, carried.edges) > 0.99
            looked += 1
    assert looked == 4
