"""The documented way from a PACS to a photographed dataset with boxes, run line by line."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pydicom
import pytest
from PIL import Image

from display_agent.compose import compose, decode
from rig.catalog.model import OBSERVATIONS
from rig.catalog.vindr import chexpert_labels, read_tables, write_tables

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
NAME = "ward-nokia-v1.0"
PROGRAMS = {
    "rig": "rig.cli",
    "display-agent": "display_agent.cli",
    "phone-agent": "phone_agent.cli",
}


def documented() -> str:
    """The one shell block under its heading."""
    text = (ROOT / "docs" / "pacs.md").read_text()
    (found,) = re.findall(r"\n## The whole way\n.*?```sh\n(.*?)```", text, re.DOTALL)
    return str(found)


def programs(folder: Path) -> Path:
    """The console scripts of this tree, wherever another one is installed."""
    folder.mkdir()
    for name, module in PROGRAMS.items():
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m {module} "$@"\n')
        script.chmod(0o755)
    return folder


@pytest.fixture
def place(tmp_path: Path, dicoms: dict[str, Any]) -> Path:
    """A folder with the readers' tables, whose images are named by SOP Instance UID."""
    vindr = dicoms["data"] / "vindr"
    uids = {
        file.stem: str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID)
        for file in (vindr / "train").glob("*.dicom")
    }
    place = tmp_path / "place"
    place.mkdir()
    written = write_tables(read_tables(vindr / "annotations"), uids, place / "annotations")
    assert written["boxes"] == len(uids)
    return place


def end(place: Path) -> None:
    """Whatever the lines left running."""
    file = place / "pids"
    for pid in file.read_text().split() if file.exists() else ():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            continue


def test_the_documented_way_from_the_pacs_to_a_dataset_with_boxes(
    orthanc: Any, dicoms: dict[str, Any], place: Path, tmp_path: Path
) -> None:
    """Real Orthanc, real importer, real agents; nothing of a patient is left at the end."""
    data = dicoms["data"]
    orthanc.take(sorted(data.glob("*.dcm")))
    orthanc.take(sorted((data / "vindr" / "train").glob("*.dicom")))
    (place / "walk.sh").write_text("set -eu -o pipefail\n" + documented())
    environment = {
        **os.environ,
        "PATH": f"{programs(tmp_path / 'bin')}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "RIG_HOME": str(place / "home"),
    }
    environment.pop("RIG_TOKEN", None)
    try:
        done = subprocess.run(
            [*orthanc.space.inside, "bash", "walk.sh"],
            cwd=place, env=environment, capture_output=True, text=True, check=False, timeout=1000,
        )  # fmt: skip
    finally:
        end(place)
    logs = "".join(file.read_text(errors="replace") for file in sorted(place.glob("*.log")))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:] + logs[-4000:]
    check_reviews(place, done.stdout)
    check_boxes(place, dicoms)
    check_nothing_left(place, dicoms, done.stdout + done.stderr + logs)


def check_reviews(place: Path, said: str) -> None:
    """Somebody was asked about each doubt; nothing in doubt came in or stayed out without her."""
    waited = [json.loads(line) for line in (place / "waiting").read_text().splitlines()]
    assert {one["state"] for one in waited} == {"waits"}
    decided = dict(line.split(" ", 1) for line in (place / "decisions").read_text().splitlines())
    assert sorted(decided.values()) == ["accept", "accept --suspected", "refuse"]
    assert "no catalog was made" not in said.rpartition("0 wait for a person")[2]
    folder = place / "home" / "catalogs" / "ward"
    images = {file.stem for file in (folder / "images").rglob("*.png")}
    assert set(decided) - images == {i for i, what in decided.items() if what == "refuse"}
    for one in waited:
        if decided[one["image_id"]] == "accept --suspected":
            (file,) = (folder / "images").rglob(f"{one['image_id']}.png")
            with Image.open(file) as picture:
                darkest = picture.getextrema()[0]
                for box in one["boxes"]:
                    assert picture.crop(box).getextrema() == (darkest, darkest)


def check_boxes(place: Path, dicoms: dict[str, Any]) -> None:
    """All annotated x-rays are in the dataset, each box in its photo, where its picture lies."""
    root = place / "datasets" / NAME
    catalog = place / "home" / "catalogs" / "ward"
    ours = read_tables(catalog / "annotations")
    theirs = read_tables(dicoms["data"] / "vindr" / "annotations")
    wanted = [box for box in ours.boxes if box.edges is not None]
    assert sorted((box.finding, box.edges) for box in wanted) == sorted(
        (box.finding, box.edges) for box in theirs.boxes if box.edges is not None
    )
    assert len(ours.splits) == len(theirs.splits) == 5
    with (root / "boxes.csv").open() as handle:
        rows = [row for row in csv.DictReader(handle) if row["x_min"]]
    assert sorted((row["image_id"], row["class_name"]) for row in rows) == sorted(
        (box.image, box.finding) for box in wanted
    )
    for row in rows:
        with Image.open(root / row["path"].removeprefix(f"{NAME}/")) as picture:
            assert picture.size == (int(row["width"]), int(row["height"]))
        xray = next((catalog / "images").rglob(f"{row['image_id']}.png"))
        with Image.open(xray) as picture:
            size = picture.size
        expected = on_screen(xray, size, [float(n) for n in row["source_box"].split()])
        found = [float(row[name]) for name in ("x_min", "y_min", "x_max", "y_max")]
        assert found == pytest.approx(expected, abs=4)
    (coco,) = (place / "datasets").glob(f"{NAME}-coco/**/*train*.json")
    assert len(json.loads(coco.read_text())["annotations"]) == len(rows)
    with (root / "train.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert set(ours.splits) <= {Path(row["Path"]).stem for row in rows}
    for row in rows:
        expected_labels = chexpert_labels(ours, Path(row["Path"]).stem)
        assert {name: row[name] for name in OBSERVATIONS} == expected_labels


def on_screen(xray: Path, size: tuple[int, int], box: list[float]) -> list[float]:
    """Where the display shows *box*; the loopback camera without optics photographs just that."""
    left, top, width, height = compose(decode(xray.read_bytes()), (1920, 1080)).rect
    across, down = width / size[0], height / size[1]
    return [
        left + box[0] * across, top + box[1] * down, left + box[2] * across, top + box[3] * down,
    ]  # fmt: skip


def check_nothing_left(place: Path, dicoms: dict[str, Any], said: str) -> None:
    """No identifier of any header in what was printed, in the home or in the dataset."""
    secrets = set()
    data = dicoms["data"]
    for file in [*data.glob("*.dcm"), *(data / "vindr" / "train").glob("*.dicom")]:
        header = pydicom.dcmread(file, stop_before_pixels=True)
        names = (
            "PatientName",
            "PatientID",
            "AccessionNumber",
            "SOPInstanceUID",
            "StudyInstanceUID",
        )
        secrets |= {str(header.get(name, "")) for name in names}
    secrets = {text.encode() for text in secrets if len(text) > 7}
    assert len(secrets) > 20
    kept = [
        file
        for folder in ("home", "datasets", "phone", "display")
        for file in (place / folder).rglob("*")
        if file.is_file()
    ]
    assert kept
    for text in secrets:
        assert text not in said.encode()
        assert not [file for file in kept if text in file.read_bytes()], text
    assert not (place / "quarantine").exists()
