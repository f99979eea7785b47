"""Statistics: CheXphoto's tables."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from rig.catalog.model import COLUMNS, OBSERVATIONS
from rig.dataset import partition
from rig.dataset.balance import cramers_v
from rig.dataset.collection import middle
from rig.dataset.errors import DatasetError
from rig.dataset.layout import find
from rig.dataset.plots import draw
from rig.dataset.statistics import statistics
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


def test_label_statistics_are_the_sources_for_what_was_captured(built):
    """Counted here from the x-rays themselves, for photos and for all."""
    found = statistics(built.root).observations
    for split in ("train", "valid"):
        rows = [xray.labels for xray in built.xrays if xray.split == split]
        for name in OBSERVATIONS:
            values = [row[name] for row in rows]
            counts = found[split][name]
            assert counts.positive == values.count("1.0")
            assert counts.uncertain == values.count("-1.0")
            assert counts.negative == values.count("0.0")
            assert counts.blank == values.count("")


def test_photos_alone_have_the_labels_of_their_own_xrays(kit):
    """A partial campaign: what was not shot is not counted."""
    kit.build(synthetic=())
    found = statistics(kit.root).observations["all"]
    shown = [photo.xray.labels for photo in kit.photos]
    assert len(shown) == 5
    for name in OBSERVATIONS:
        assert found[name].total == 5
        assert found[name].positive == sum(row[name] == "1.0" for row in shown)


def test_the_collection_is_vindrs_table_2(kit):
    """Medians and shares over what is known."""
    for at, (sex, age) in enumerate((("Male", "40"), ("Unknown", ""), ("Female", "61"))):
        old = kit.xrays[at]
        new = replace(old, row=(old.path, sex, age, *old.row[3:]))
        kit.xrays[at] = new
        kit.photos[at] = replace(kit.photos[at], xray=new)
    kit.build()
    found = statistics(kit.root).collection
    assert (found.years, found.xrays, found.images) == ((2023, 2023), 6, 17)
    assert found.size == (64, 48)
    assert (found.age, found.ages_known) == (55, 5)  # 40, 54, 55, 56, 61
    assert (found.male, found.female, found.sexes_known) == (20.0, 80.0, 5)
    pictures = sum(file.stat().st_size for file in kit.root.rglob("*.jpg"))
    assert found.gigabytes == pytest.approx(pictures / 1e9, abs=1e-6)


@pytest.mark.parametrize(
    ("numbers", "median"),
    [([3], 3), ([1, 2], 1.5), ([1, 2, 9], 2), ([5, 5, 1, 9], 5), ([1] * 4, 1)],
)
def test_the_median_of_counted_numbers(numbers, median):
    """As of the list."""
    assert middle(Counter(numbers)) == median


def test_findings_are_counted_by_majority_of_each_xrays_readers(boxed):
    """Figure 4: each x-ray once, however many pictures show it."""
    found = statistics(boxed.root).findings
    assert found.readers == {1: 2, 2: 1}
    assert found.xrays == {"Cardiomegaly": 1, "Nodule/Mass": 1}
    assert sum(found.boxes.values()) > 10
    assert found.dropped > 3
    text = statistics_text(statistics(boxed.root))
    assert "Boxes that fall out of their picture" in text
    assert "x-rays by readers" in text


def test_statistics_in_files_are_those_in_memory(boxed, monkeypatch):
    """A large dataset's rows go to temporary files, by patient."""
    expected = statistics(boxed.root).as_json()
    defaults = {"scratch": None, "hold": 3}
    monkeypatch.setattr(partition.Partition.__init__, "__kwdefaults__", defaults)
    assert statistics(boxed.root).as_json() == expected


def test_every_table_is_drawn_the_same_every_time(boxed, tmp_path):
    """SVG with its words as words."""
    found = statistics(boxed.root)
    files = draw(found, tmp_path / "a")
    again = draw(found, tmp_path / "b")
    names = ["labels", "images", "environments", "balance", "findings"]
    assert [file.stem for file in files] == names
    for one, two in zip(files, again, strict=True):
        assert one.read_bytes() == two.read_bytes()
    text = {file.stem: file.read_text() for file in files}
    assert "Cardiomegaly" in text["labels"]
    assert "natural/nokia" in text["images"]
    assert "e01-dark" in text["environments"]
    assert "Cram" in text["balance"]
    assert "Nodule/Mass" in text["findings"]


def test_what_a_dataset_has_not_is_not_drawn(tmp_path, kit):
    """No photos, no environments, no findings."""
    kit.build(photos=[], gaps=[], synthetic=("digital",))
    files = draw(statistics(kit.root), tmp_path / "plots", image_labels={"Edema": 3})
    assert [file.stem for file in files] == ["labels", "images", "findings"]


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
