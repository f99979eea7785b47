"""Building: exactly the layout, complete or not at all, the same every time."""

from __future__ import annotations

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from PIL import Image

from rig.catalog.model import COLUMNS
from rig.dataset import assemble
from rig.dataset import build as room
from rig.dataset.captures import read_captures
from rig.dataset.check import check
from rig.dataset.errors import DatasetError


def tree(folder) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def rows(file) -> list[list[str]]:
    with file.open(newline="") as handle:
        return list(csv.reader(handle))


def test_the_layout_is_chexphotos(built):
    """Folders, names and files as published."""
    found = set(tree(built.root))
    tail = "patient00001/study1/view1_frontal.jpg"
    assert {
        f"train/natural/nokia/{tail}",
        f"train/synthetic/digital/{tail}",
        f"train/synthetic/photographic/{tail}",
        "valid/natural/nokia/patient00004/study1/view2_frontal.jpg",
        "train.csv",
        "valid.csv",
        "captures.parquet",
        "environments.csv",
        "manifest.jsonl",
        "README.md",
        "croissant.json",
    } <= found
    assert len(found) == 5 + 12 + 7
    assert [p.name for p in built.out.iterdir()] == ["Test-v1.0"]


def test_rows_are_the_sources_but_for_the_path(built):
    """19 columns in order, labels copied, Path begins with the dataset's name."""
    header, *found = rows(built.root / "train.csv")
    assert tuple(header) == COLUMNS
    assert len(found) == 3 + 4 + 4
    assert found[0] == [
        "Test-v1.0/train/natural/nokia/patient00001/study1/view1_frontal.jpg",
        *built.xrays[0].row[1:],
    ]
    assert all((built.out / row[0]).is_file() for row in found)
    assert b"\r" not in (built.root / "train.csv").read_bytes()


def test_photos_keep_their_bytes(built):
    """No location, so nothing is touched."""
    file = built.root / "train/natural/nokia/patient00002/study1/view1_frontal.jpg"
    assert file.read_bytes() == built.photos[2].file.read_bytes()


def test_twins_are_made_of_every_xray_and_told_in_one_manifest(built):
    """Also of x-rays without a photo."""
    lines = (built.root / "manifest.jsonl").read_text().splitlines()
    made = [json.loads(line)["output"] for line in lines]
    assert len(made) == 12
    assert "train/synthetic/photographic/patient00003/study1/view1_frontal.jpg" in made
    with Image.open(built.root / made[0]) as picture:
        assert picture.size == (40, 50)


def test_captures_have_every_factor_and_the_gaps(built):
    """Photos and gaps by index; each factor is a column."""
    found = read_captures(built.root)
    assert [row["index"] for row in found] == [1, 2, 3, 4, 5, 6]
    first, gap = found[0], found[3]
    assert first["environment"] == "e01-dark"
    assert (first["factor_light"], first["factor_cursor"]) == ("off", None)
    assert found[1]["factor_cursor"] == "shown"
    assert first["homography"] == [2, 0, 10, 0, 2, 20, 0, 0, 1]
    assert first["t_trigger_ns"] == built.photos[0].t_trigger_ns
    assert first["photo_sha256"] == built.photos[0].sha256
    assert first["source_sha256"] == built.xrays[0].sha256
    assert tuple(first["source_row"]) == built.xrays[0].row
    assert (gap["gap"], gap["path"], gap["session"]) == ("The photo has not come back.", None, None)


def test_environments_are_listed_with_their_levels(built):
    """Factors in the order of the environments, blank where one has none."""
    assert rows(built.root / "environments.csv") == [
        ["environment", "light", "blinds", "cursor", "images"],
        ["e01-dark", "off", "shut", "", "3"],
        ["e02-bright", "on", "shut", "shown", "2"],
    ]


def test_the_card_tells_counts_making_gaps_and_terms(built):
    """What a stranger needs to know."""
    card = (built.root / "README.md").read_text()
    for words in (
        "| natural/nokia | train | 2 | 3 | 3 |",
        "| synthetic/digital | valid | 1 | 1 | 2 |",
        "seed 5",
        "lowest 0.910, median 0.930, highest 0.960",
        "- 4 (patient00003/study1/view1_frontal): The photo has not come back.",
        "CC0, made by a test.",
    ):
        assert words in card


def test_the_report_counts(kit):
    """Photos, twins and gaps; a gap is not well."""
    calls = []
    report = kit.build(progress=lambda done, total: calls.append((done, total)))
    assert (report.path, report.natural) == (kit.root, 5)
    assert report.synthetic == {"digital": 6, "photographic": 6}
    assert not report.well
    assert calls[-1] == (17, 17)


def test_the_same_input_gives_the_same_bytes(kit, tmp_path):
    """In any order, on any executor, in another folder."""
    kit.build()
    before = tree(kit.root)
    kit.photos.reverse()
    with ThreadPoolExecutor(2) as executor:
        room.build(
            tmp_path / "other",
            name="Test", version="1.0", xrays=kit.xrays, photos=kit.photos, gaps=kit.gaps,
            synthetic=("digital", "photographic"), seed=5, terms="CC0, made by a test.",
            executor=executor,
        )  # fmt: skip
    after = tree(tmp_path / "other" / "Test-v1.0")
    assert sorted(after) == sorted(before)
    assert [name for name in before if after[name] != before[name]] == []


def test_a_rebuild_replaces_the_earlier_build(built):
    """Files of the earlier build do not stay behind."""
    report = built.build(photos=built.photos[:1], synthetic=())
    assert report.natural == 1
    assert "manifest.jsonl" not in tree(built.root)
    assert [p.name for p in built.out.iterdir()] == ["Test-v1.0"]


def test_anything_else_of_that_name_is_left_alone(kit):
    """A folder that is no build of this dataset is refused and stays as it is."""
    kit.root.mkdir(parents=True)
    (kit.root / "thesis.doc").write_text("mine")
    with pytest.raises(DatasetError, match="not an earlier build"):
        kit.build()
    assert tree(kit.out) == {"Test-v1.0/thesis.doc": b"mine"}


def test_a_build_of_another_name_is_refused(built):
    """Renamed by hand: not ours to delete."""
    other = built.out / "Other-v1.0"
    built.root.rename(other)
    with pytest.raises(DatasetError, match="not an earlier build"):
        built.build(name="Other")


def test_a_failing_build_leaves_the_earlier_one_as_it_was(built, monkeypatch):
    """Complete or not at all."""
    before = tree(built.out)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(assemble, "card", full)
    with pytest.raises(OSError, match="No space"):
        built.build()
    assert tree(built.out) == before


def test_a_replacement_cut_by_a_power_failure_is_undone(built):
    """Between the two renames the old build has another name; the next run puts it back."""
    before = tree(built.root)
    built.root.rename(built.out / ".Test-v1.0.old")
    with pytest.raises(DatasetError):
        built.build(name="Test", synthetic=("infrared",))
    with pytest.raises(ValueError, match="stopped"):
        built.build(progress=stop)
    assert tree(built.root) == before


def stop(*_: object) -> None:
    raise ValueError("stopped")


def test_a_patient_in_two_splits_is_refused_with_the_list(kit):
    """All of them, before anything is written."""
    kit.xrays[1] = replace(kit.xrays[1], split="valid")
    kit.xrays[5] = replace(kit.xrays[5], split="test")
    with pytest.raises(
        DatasetError, match=r"patient00001 \(train and valid\), patient00004 \(test and valid\)"
    ):
        kit.build(photos=[])
    assert not kit.out.exists()


def test_lost_and_changed_photos_become_gaps(kit):
    """They stop nothing."""
    kit.photos[0].file.unlink()
    kit.photos[1].file.write_bytes(b"edited")
    report = kit.build()
    assert report.natural == 3
    assert [gap.index for gap in report.gaps] == [1, 2, 4]
    assert "cannot be read" in report.gaps[0].reason
    assert "bytes" in report.gaps[1].reason
    assert len(read_captures(kit.root)) == 6


def test_an_xray_that_cannot_be_read_fails_its_twins_only(kit):
    """Told as sentences; the rows that remain have their files."""
    kit.xrays[0].file.write_bytes(b"broken")
    report = kit.build()
    assert report.synthetic == {"digital": 5, "photographic": 5}
    assert len(report.failed) == 2
    assert check(kit.root).well


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"name": "../x"}, "dataset name"),
        ({"name": ""}, "dataset name"),
        ({"version": "1/2"}, "version"),
        ({"synthetic": ("infrared",)}, "infrared"),
    ],
)
def test_names_that_are_no_folders_are_refused(kit, changes, word):
    """Names from outside never become paths unchecked."""
    with pytest.raises(DatasetError, match=word):
        kit.build(**changes)
    assert not kit.out.exists()


@pytest.mark.parametrize("key", ["../../etc/passwd", "a/b", "a/b/c/d", "a//c", "a/../c"])
def test_keys_that_are_no_paths_are_refused(kit, key):
    """Also those of the catalog."""
    bad = replace(kit.xrays[0], key=key)
    with pytest.raises(DatasetError):
        kit.build(xrays=[bad], photos=[replace(kit.photos[0], xray=bad)], gaps=[], synthetic=())
    assert not kit.root.exists()


def test_doubled_and_unknown_photos_are_refused(kit):
    """A caller's mistake must not become a silent choice."""
    with pytest.raises(DatasetError, match="two photos by nokia"):
        kit.build(photos=[kit.photos[0], kit.photos[0]])
    with pytest.raises(DatasetError, match="unknown x-ray"):
        kit.build(xrays=kit.xrays[1:])


def test_two_devices_share_one_dataset(kit):
    """An x-ray may have a photo by each."""
    second = replace(kit.photos[0], device="iphone")
    assert kit.build(photos=[*kit.photos, second], synthetic=()).natural == 6
    assert (kit.root / "train/natural/iphone/patient00001/study1/view1_frontal.jpg").is_file()


def test_an_empty_campaign_builds_an_empty_dataset(kit):
    """Nothing shot yet: a gap per x-ray, no crash."""
    kit.build(photos=[], synthetic=(), gaps=[])
    assert rows(kit.root / "valid.csv") == [list(COLUMNS)]
