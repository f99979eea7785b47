"""The CSVs by the reading rules of torchxrayvision's `CheX_Dataset` (1.5.2, June 2026).

The library needs PyTorch, whose CPU build comes from an index of its own, so its rules are stated
here anew and applied to what we build:

1. Columns are found by name: Path, Sex, Age, Frontal/Lateral, AP/PA, No Finding and 13 more.
2. The view of a row is its AP/PA when it is Frontal, `L` when it is Lateral, `UNKNOWN` when blank;
   only rows of the views asked for stay, `PA` by default.
3. By default one row a patient stays, the patient being the first `patient<digits>` in Path. Each
   column's value is the first that is *not blank* among the patient's rows.
4. Where No Finding is 1, every other pathology but Support Devices becomes 0.
5. Labels are float32 in the alphabetical order of their names; -1 becomes NaN, as blank is.
6. `patientid` is what stands between `train/` and `/study` in Path, without the word `patient`.
   Whether `train/` or `valid/` counts is decided by the CSV's own path: `train` anywhere in it
   comes first, else `valid` must be in it. So valid.csv must not lie below a folder with `train`
   in its name.
7. Age is a number; Sex is compared with Male and Female.
8. The picture is Path below the image folder, after `CheXpert-v1.0-small/` or `CheXpert-v1.0/` is
   taken out: for our datasets the image folder is the one that holds the dataset's folder.
"""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import pytest
from PIL import Image

from rig.catalog.model import OBSERVATIONS

PATHOLOGIES = sorted(set(OBSERVATIONS) - {"No Finding"})


def load(images: Path, file: Path, views=("PA",), *, unique_patients=True) -> list[dict]:
    """What the rules make of a CSV: a dict per sample."""
    with file.open(newline="") as handle:
        rows = [{k: v or None for k, v in row.items()} for row in csv.DictReader(handle)]
    chosen = [row for row in rows if "*" in views or view_of(row) in views]
    if unique_patients:
        people: dict[str, dict] = {}
        for row in chosen:
            who = re.search(r"patient\d+", row["Path"])[0]
            known = people.setdefault(who, dict(row))
            known.update({k: v for k, v in row.items() if known[k] is None})
        chosen = [people[who] for who in sorted(people)]
    return [sample(row, images, str(file)) for row in chosen]


def view_of(row: dict) -> str:
    if row["Frontal/Lateral"] == "Frontal":
        return row["AP/PA"] or "UNKNOWN"
    return "L" if row["Frontal/Lateral"] == "Lateral" else "UNKNOWN"


def sample(row: dict, images: Path, file: str) -> dict:
    healthy = row["No Finding"] is not None and float(row["No Finding"]) == 1
    labels = {}
    for name in PATHOLOGIES:
        value = math.nan if row[name] is None else float(row[name])
        if healthy and name != "Support Devices":
            value = 0.0
        labels[name] = math.nan if value == -1 else value
    split = "train/" if "train" in file else "valid/" if "valid" in file else None
    if split is None:
        raise NotImplementedByTheLibrary(file)
    tail = row["Path"].split(split)[1].split("/study")[0]
    picture = row["Path"].replace("CheXpert-v1.0-small/", "").replace("CheXpert-v1.0/", "")
    return {
        "labels": labels,
        "patientid": tail.replace("patient", ""),
        "age": None if row["Age"] is None else float(row["Age"]),
        "male": row["Sex"] == "Male",
        "picture": images / picture,
    }


class NotImplementedByTheLibrary(Exception):
    """What the library says of such a CSV."""


@pytest.fixture
def here(kit, tmp_path_factory):
    """A build in a folder without `train` or `valid` in its name, as rule 6 wants."""
    kit.build()
    place = tmp_path_factory.mktemp("data")
    target = place / "Test-v1.0"
    kit.root.rename(target)
    return target


def test_every_row_is_a_sample_with_a_picture_that_opens(here):
    """All views, all rows: nothing is left out and nothing fails."""
    for split, rows in (("train", 11), ("valid", 6)):
        found = load(here.parent, here / f"{split}.csv", views=("*",), unique_patients=False)
        assert len(found) == rows
        for one in found:
            with Image.open(one["picture"]) as picture:
                picture.load()


def test_the_defaults_keep_one_sample_a_patient_of_the_view_asked_for(here):
    """By rule 3 a photo, as these come first in the CSV."""
    assert load(here.parent, here / "train.csv") == []  # these x-rays are AP
    found = load(here.parent, here / "train.csv", views=("AP",))
    assert [one["patientid"] for one in found] == [
        "natural/nokia/00001", "natural/nokia/00002", "synthetic/digital/00003",
    ]  # fmt: skip
    assert [one["age"] for one in found] == [51, 53, 54]
    assert not any(one["male"] for one in found)


def test_labels_come_through(here):
    """Positive, negative, uncertain and blank."""
    found = load(here.parent, here / "train.csv", views=("*",), unique_patients=False)
    first, second, third = (one["labels"] for one in found[:3])
    # patient00001/study1 has No Finding: everything but Support Devices is 0.
    assert first["Edema"] == 0
    assert math.isnan(first["Support Devices"])
    assert second["Cardiomegaly"] == 0
    assert math.isnan(second["Edema"])
    assert third["Enlarged Cardiomediastinum"] == 1


def test_a_folder_named_train_breaks_valid_and_that_is_known(here, tmp_path):
    """Rule 6: why docs/dataset.md says where to put a dataset."""
    place = tmp_path / "training"
    place.mkdir()
    here.rename(place / here.name)
    with pytest.raises(IndexError):
        load(place, place / here.name / "valid.csv", views=("*",))
    assert load(place, place / here.name / "train.csv", views=("AP",))


def test_natural_and_synthetic_images_of_a_patient_are_told_apart_in_patientid(here):
    """Rule 6 keeps the set in it: a patient's images differ, a split has to be made by our CSVs."""
    found = load(here.parent, here / "train.csv", views=("*",), unique_patients=False)
    assert {one["patientid"].rpartition("/")[0] for one in found} == {
        "natural/nokia", "synthetic/digital", "synthetic/photographic",
    }  # fmt: skip
