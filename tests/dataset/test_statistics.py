"""Statistics: CheXphoto's tables."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from rig.catalog.model import COLUMNS, OBSERVATIONS
from rig.dataset.errors import DatasetError
from rig.dataset.layout import find
from rig.dataset.statistics import cramers_v, statistics
from rig.dataset.tables import statistics_text, text_table


def test_labels_are_counted_once_per_xray_and_blanks_are_negative(built):
    """Table 1: every row sums to the number of x-rays, however many images show each."""
    found = statistics(built.root).as_json()["observations"]["train"]
    first = found[OBSERVATIONS[0]]
    assert (first["positive"], first["uncertain"], first["negative"]) == (1, 1, 2)
    assert first["percent"] == {"positive": 25.0, "uncertain": 25.0, "negative": 50.0}
    for counts in found.values():
        assert counts["positive"] + counts["uncertain"] + counts["negative"] == 4


def test_blanks_can_be_listed_apart(built):
    """What was not mentioned was not denied."""
    found = statistics(built.root).as_json(blanks=True)["observations"]["all"]
    assert found[OBSERVATIONS[0]] == {
        "positive": 2,
        "uncertain": 1,
        "negative": 1,
        "blank": 2,
        "percent": {"positive": 33.33, "uncertain": 16.67, "negative": 16.67, "blank": 33.33},
    }


def test_images_are_counted_per_split_and_device_synthetic_once(built):
    """Table 3."""
    found = statistics(built.root).as_json()
    assert found["sets"]["train"] == {
        "natural/nokia": {"patients": 2, "studies": 3, "images": 3},
        "synthetic": {"patients": 3, "studies": 4, "images": 4},
        "synthetic/digital": {"patients": 3, "studies": 4, "images": 4},
        "synthetic/photographic": {"patients": 3, "studies": 4, "images": 4},
    }
    assert found["sets"]["valid"]["natural/nokia"] == {"patients": 1, "studies": 1, "images": 2}
    assert found["xrays"] == {"train": 4, "valid": 2, "all": 6}
    assert found["gaps"] == 1


def test_overlap_is_counted(built):
    """A dataset somebody else made may have it."""
    assert statistics(built.root).overlap == ()
    with (built.root / "valid.csv").open("a", newline="") as handle:
        path = "Test-v1.0/valid/natural/nokia/patient00001/study1/view1_frontal.jpg"
        csv.writer(handle).writerow([path, *[""] * 18])
    assert statistics(built.root).as_json()["patient_overlap"] == 1


def test_environments_and_balance_come_from_the_captures(built):
    """Environment x images, and how far a label goes with the room."""
    found = statistics(built.root)
    assert found.environments == {"e01-dark": {"nokia": 3}, "e02-bright": {"nokia": 2}}
    assert found.balance[OBSERVATIONS[0]] == pytest.approx(0.6667)
    assert found.balance[OBSERVATIONS[3]] is None


def test_the_released_datasets_need_no_captures(tmp_path):
    """CheXphoto itself, films included, has CSVs only."""
    root = tmp_path / "CheXphoto-v1.0"
    root.mkdir()
    tail = "patient64541/study1/view1_frontal.jpg"
    with (root / "valid.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(COLUMNS)
        for source in ("film", "natural/oneplus", "synthetic/digital"):
            writer.writerow([f"CheXphoto-v1.0/valid/{source}/{tail}", *[""] * 18])
    found = statistics(root)
    assert set(found.sets["valid"]) == {"film", "natural/oneplus", "synthetic", "synthetic/digital"}
    assert found.environments == {}


def test_cramers_v():
    """0 for independence, 1 for one and the same, None where nothing varies."""
    assert cramers_v(np.array([[10.0, 10], [20, 20]])) == 0
    assert cramers_v(np.array([[10.0, 0], [0, 10]])) == 1
    assert cramers_v(np.array([[10.0, 0], [5, 0]])) is None


def test_text_has_the_tables(built):
    """Aligned, with thousands separated and percentages."""
    text = statistics_text(statistics(built.root), blanks=True)
    assert "No Finding" in text
    assert "1 (25.0%)" in text
    assert "train natural/nokia" in text
    assert "Patients in more than one split: 0" in text
    assert text_table(("a", "b"), [["long", "1"]]) == "a     b\n----  -\nlong  1"


@pytest.mark.parametrize(
    "text",
    ["", "Path,Sex\n", ",".join(COLUMNS) + "\nshort,row\n", ",".join(COLUMNS) + "\nx" + "," * 18],
)
def test_a_bad_csv_is_a_sentence(tmp_path, text):
    """Wrong columns, short rows, paths of another layout."""
    (tmp_path / "train.csv").write_text(text)
    with pytest.raises(DatasetError):
        statistics(tmp_path)


def test_a_dataset_is_found_in_the_folder_around_it(built, tmp_path):
    """One inside: that one; none or several: a sentence."""
    assert find(built.root) == built.root
    assert find(built.out) == built.root
    with pytest.raises(DatasetError, match="no dataset"):
        find(tmp_path / "nowhere")
    built.build(name="Second", synthetic=())
    with pytest.raises(DatasetError, match=r"Second-v1\.0, Test-v1\.0"):
        find(built.out)
