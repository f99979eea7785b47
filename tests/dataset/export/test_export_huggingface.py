"""Hugging Face: the export loads with `datasets.load_dataset`, without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when the library is imported

import datasets

from rig.dataset.errors import DatasetError
from rig.dataset.export import export


@pytest.fixture
def loaded(boxed, tmp_path):
    export(boxed.root, "hf", tmp_path / "hf")
    datasets.disable_progress_bars()
    return datasets.load_dataset(str(tmp_path / "hf"), cache_dir=str(tmp_path / "cache"))


def test_splits_rows_and_pictures_load(loaded, boxed):
    """`valid` becomes `validation`; every row of the CSVs is there, its picture decoded."""
    assert {name: len(rows) for name, rows in loaded.items()} == {"train": 11, "validation": 6}
    first = loaded["train"][0]
    assert first["image"].size == (64, 48)
    assert first["Path"] == "Test-v1.0/train/natural/nokia/patient00001/study1/view1_frontal.jpg"
    assert (first["source"], first["patient"]) == ("natural/nokia", "patient00001")
    assert (first["Sex"], first["Age"]) == ("Female", 51.0)
    assert (first["environment"], first["factor_light"]) == ("e01-dark", "off")
    assert first["score"] == pytest.approx(0.91)


def test_labels_are_float32_with_nulls_in_both_splits(loaded):
    """One schema, though Age and labels differ between the splits."""
    assert loaded["train"].features == loaded["validation"].features
    assert str(loaded["train"].features["No Finding"].dtype) == "float32"
    assert loaded["train"][0]["No Finding"] == 1.0
    assert loaded["train"][1]["No Finding"] == -1.0
    assert loaded["train"][2]["No Finding"] is None


def test_boxes_load_as_objects(loaded):
    """Left, top, width, height; none for a picture without."""
    first = loaded["train"][0]["objects"]
    assert first["category"] == ["Nodule/Mass"]
    assert first["bbox"] == [[14.0, 26.0, 9.0, 12.0]]
    assert loaded["train"][2]["objects"]["bbox"] == []


def test_pictures_are_links_or_copies(boxed, tmp_path):
    """By choice."""
    tail = "train/natural/nokia/patient00001/study1/view1_frontal.jpg"
    export(boxed.root, "hf", tmp_path / "a")
    export(boxed.root, "hf", tmp_path / "b", copy=True)
    assert (tmp_path / "a" / tail).samefile(boxed.root / tail)
    assert not (tmp_path / "b" / tail).samefile(boxed.root / tail)
    assert (tmp_path / "b" / tail).read_bytes() == (boxed.root / tail).read_bytes()


def test_file_names_start_at_the_metadata(boxed, tmp_path):
    """As `imagefolder` wants them."""
    export(boxed.root, "hf", tmp_path / "hf")
    table = pq.read_table(tmp_path / "hf/train/metadata.parquet")
    names = table.column("file_name").to_pylist()
    assert all((tmp_path / "hf/train" / name).is_file() for name in names)


def test_a_split_that_is_all_blank_loads(kit, tmp_path):
    """Nulls have a type."""
    from dataclasses import replace

    blank = ("", "", "", "", "", *[""] * 14)
    for at in (4, 5):
        xray = replace(kit.xrays[at], row=(kit.xrays[at].path, *blank[1:]))
        kit.photos[at - 1] = replace(kit.photos[at - 1], xray=xray)
        kit.xrays[at] = xray
    kit.build(synthetic=())
    export(kit.root, "hf", tmp_path / "hf")
    found = datasets.load_dataset(str(tmp_path / "hf"), cache_dir=str(tmp_path / "cache"))
    assert found["validation"][0]["Age"] is None
    assert found["train"].features == found["validation"].features


def test_a_missing_package_is_a_sentence(boxed, tmp_path):
    """The rig itself runs without the extra; asked for, it says what to install."""
    code = (
        "import sys; sys.modules['webdataset'] = None\n"
        "from rig.cli import main\n"
        f"sys.exit(main(['dataset', 'export', {str(boxed.root)!r}, '--to', 'webdataset']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=Path.cwd()
    )
    assert done.returncode == 2
    assert "needs the Python package webdataset" in done.stderr
    assert "capture-rig[export]" in done.stderr
    assert not boxed.root.with_name("Test-v1.0-webdataset").exists()


def test_an_unknown_form_is_a_sentence(boxed):
    """With those there are."""
    with pytest.raises(DatasetError, match="choose one of hf, croissant, webdataset, coco"):
        export(boxed.root, "zip")
