"""Label statistics of a dataset are those of the source CSV, for the x-rays that were captured.

From the CSV as a person may have written it, through the catalog and the build, to the tables;
counted here by another hand, straight from the CSV's text.
"""

from __future__ import annotations

import csv
import hashlib
import io
import random
from collections import Counter

import pytest
from PIL import Image

from rig.catalog.chexpert import import_csv
from rig.catalog.model import COLUMNS, OBSERVATIONS
from rig.dataset.build import build
from rig.dataset.check import check
from rig.dataset.model import CapturedPhoto, Gap
from rig.dataset.statistics import statistics
from rig.planning.model import Environment

COUNT = 48
CELLS = ("1.0", "0.0", "-1.0", "", "1", "0", "-1", "")
"""As CSVs in the wild have them."""
MEANING = {"1": "positive", "0": "negative", "-1": "uncertain", "": "blank"}
ROOM = Environment("e1", {"light": "on"})


@pytest.fixture
def source(tmp_path):
    """48 x-rays of 16 patients in two splits, labels of every kind."""
    draw = random.Random(6)
    file = tmp_path / "labels.csv"
    with file.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(COLUMNS)
        for at in range(COUNT):
            split = "valid" if at // 3 % 5 == 0 else "train"
            path = f"Src/{split}/patient{at // 3:05d}/study1/view{at % 3 + 1}_frontal.png"
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            Image.effect_noise((40, 32), 20 + at).save(tmp_path / path)
            cells = [draw.choice(CELLS) for _ in OBSERVATIONS]
            writer.writerow([path, draw.choice(["Male", "Female"]), "50", "Frontal", "PA", *cells])
    return tmp_path, file


def counted(file, captured: set[str], split: str | None = None) -> dict[str, Counter]:
    """Observation -> how often each answer is in the rows of *captured*, text as it stands."""
    found = {name: Counter() for name in OBSERVATIONS}
    with file.open(newline="") as handle:
        for row in csv.DictReader(handle):
            key = "/".join(row["Path"].split("/")[-3:]).removesuffix(".png")
            if key in captured and split in {None, row["Path"].split("/")[1]}:
                for name in OBSERVATIONS:
                    found[name][MEANING[row[name].removesuffix(".0")]] += 1
    return found


@pytest.mark.parametrize("lost", [(), (1, 2, 3, 17, 30, 31, 48)])
@pytest.mark.parametrize("synthetic", [(), ("digital",)])
def test_the_tables_are_the_source_s_own_for_what_was_captured(source, lost, synthetic):
    """Every observation, every answer, per split and in all; twins and gaps change no share."""
    folder, file = source
    xrays = import_csv(file, folder).xrays
    photos, gaps = [], []
    for one in xrays:
        if one.index in lost:
            gaps.append(Gap(one.index, one.key, "The photo has not come back."))
            continue
        out = io.BytesIO()
        Image.effect_noise((64, 48), 30 + one.index).save(out, "JPEG")
        photo = folder / f"photo{one.index}.jpg"
        photo.write_bytes(out.getvalue())
        photos.append(
            CapturedPhoto(one, photo, "s" * 17, 1, ROOM, "nokia", 1, one.index,
                          hashlib.sha256(out.getvalue()).hexdigest(), 0.9, None)
        )  # fmt: skip
    report = build(folder / "out", name="T", version="1", xrays=xrays, photos=photos, gaps=gaps,
                   synthetic=synthetic, seed=1)  # fmt: skip
    assert (report.natural, report.missing) == (COUNT - len(lost), len(lost))
    # A twin is made of every x-ray, so with twins all of them are in the dataset.
    shown = {one.key for one in xrays if synthetic or one.index not in lost}
    told = statistics(report.path)
    for split in ("train", "valid", None):
        wanted = counted(file, shown, split)
        for name, counts in told.observations[split or "all"].items():
            answers = {word: getattr(counts, word) for word in MEANING.values()}
            assert answers == {word: wanted[name][word] for word in MEANING.values()}, (split, name)
            assert counts.total == sum(wanted[name].values())
    assert told.xrays["all"] == len(shown)
    assert check(report.path).problems == ()
    if synthetic:
        return
    # And not only in sum: row by row, without our own reader.
    by_key = {}
    for split in ("train", "valid"):
        with (report.path / f"{split}.csv").open(newline="") as handle:
            for row in csv.DictReader(handle):
                key = "/".join(row["Path"].split("/")[-3:]).removesuffix(".jpg")
                by_key[key] = [row[name].removesuffix(".0") for name in OBSERVATIONS]
    with file.open(newline="") as handle:
        for row in csv.DictReader(handle):
            key = "/".join(row["Path"].split("/")[-3:]).removesuffix(".png")
            if key in shown:
                assert by_key.pop(key) == [row[name].removesuffix(".0") for name in OBSERVATIONS]
    assert by_key == {}
