"""Croissant: `mlcroissant` validates the description and reads the records by it."""

from __future__ import annotations

import hashlib
import json

import mlcroissant
import pytest

from rig.dataset.captures import read_captures
from rig.dataset.check import check
from rig.dataset.errors import DatasetError
from rig.dataset.export import export

# Of the libraries underneath: rdflib's parser warns of its own class, and mlcroissant calls pandas
# in a way that pandas will drop. Neither is ours to change.
pytestmark = [
    pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame:DeprecationWarning"),
]


@pytest.fixture
def described(boxed):
    return mlcroissant.Dataset(boxed.root / "croissant.json")


def records(described, name):
    return list(described.records(name))


def test_the_description_inside_every_dataset_is_valid(described):
    """No error; the two properties that only a publisher knows are recommended, not required."""
    issues = described.metadata.ctx.issues
    assert not issues.errors
    assert len(issues.warnings) == 2
    assert all("citeAs" in w or "datePublished" in w for w in issues.warnings)


def test_rows_are_read(described):
    """Labels are numbers or nothing."""
    rows = records(described, "train")
    assert len(rows) == 11
    assert rows[0]["train/No_Finding"] == 1.0
    assert rows[1]["train/No_Finding"] == -1.0
    assert rows[2]["train/No_Finding"] is None
    assert rows[0]["train/Sex"] == b"Female"
    assert len(records(described, "valid")) == 6


def test_pictures_are_read_and_meet_their_rows(described):
    """By `path`."""
    pictures = records(described, "train-pictures")
    assert len(pictures) == 11
    found = {p["train-pictures/path"]: p["train-pictures/image"].size for p in pictures}
    assert {row["train/path"] for row in records(described, "train")} == set(found)
    assert found[b"train/natural/nokia/patient00001/study1/view1_frontal.jpg"] == (64, 48)


def test_rectified_copies_are_sets_of_their_own(kit):
    """They are not among the pictures of their split."""
    data = (kit.folder / "photo1.jpg").read_bytes()
    kit.build(rectify=lambda photo, homography, size: data, synthetic=())
    described = mlcroissant.Dataset(kit.root / "croissant.json")
    rows = records(described, "rectified-valid")
    pictures = records(described, "rectified-valid-pictures")
    paths = [row["rectified-valid/path"] for row in rows]
    assert paths == [one["rectified-valid-pictures/path"] for one in pictures]
    assert len(paths) == 2
    assert len(records(described, "train-pictures")) == 3


def test_captures_boxes_and_environments_are_read(described, boxed):
    """Every table there is."""
    captures = records(described, "captures")
    wanted = read_captures(boxed.root)
    assert [row["captures/photo_sha256"] for row in captures] == [
        row["photo_sha256"] and row["photo_sha256"].encode() for row in wanted
    ]
    assert captures[0]["captures/index"] == 1
    assert {row["environments/environment"] for row in records(described, "environments")} == {
        b"e01-dark",
        b"e02-bright",
    }
    assert any(row["boxes/x_min"] == 14.0 for row in records(described, "boxes"))


def test_digests_are_those_of_the_tables(boxed):
    """And ids have no spaces."""
    told = json.loads((boxed.root / "croissant.json").read_text())
    files = [part for part in told["distribution"] if "sha256" in part]
    assert {part["contentUrl"] for part in files} == {
        "train.csv", "valid.csv", "captures.parquet", "environments.csv", "boxes.parquet",
        "manifest.jsonl", "boxes.csv",
    }  # fmt: skip
    for part in files:
        data = (boxed.root / part["contentUrl"]).read_bytes()
        assert part["sha256"] == hashlib.sha256(data).hexdigest()
    assert not [i for i in ids(told) if " " in i]


def ids(node) -> list[str]:
    if isinstance(node, dict):
        own = [node["@id"]] if "@id" in node else []
        return own + [found for value in node.values() for found in ids(value)]
    return [found for value in node for found in ids(value)] if isinstance(node, list) else []


def test_it_can_be_written_anew(boxed):
    """For a dataset that came without, or whose tables were changed on purpose."""
    with (boxed.root / "environments.csv").open("a") as handle:
        handle.write("e03-new,,,,0\n")
    assert any("environments.csv changed" in p for p in check(boxed.root).problems)
    assert export(boxed.root, "croissant").path == boxed.root / "croissant.json"
    assert check(boxed.root).problems == ()
    with pytest.raises(DatasetError, match="its paths start there"):
        export(boxed.root, "croissant", boxed.root.parent / "croissant.json")
