"""Checking: every way a dataset can be wrong has its sentence."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rig.dataset import findings, partition
from rig.dataset.check import check
from rig.dataset.errors import DatasetError

NATURAL = "train/natural/nokia/patient00001/study1/view1_frontal.jpg"
DIGITAL = "train/synthetic/digital/patient00003/study1/view1_frontal.jpg"


def change(file, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_a_fresh_build_is_well(built):
    """Gaps are listed, not problems."""
    calls = []
    report = check(built.root, progress=lambda done, total: calls.append((done, total)))
    assert report.problems == ()
    assert (report.images, report.gaps) == (17, 1)
    assert calls[-1] == (17, 17)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda r: (r / DIGITAL).unlink(), "has no file"),
        (lambda r: (r / NATURAL).unlink(), "cannot be read"),
        (lambda r: (r / NATURAL).write_bytes(b"other"), "SHA-256 differs"),
        (lambda r: (r / "train/stray.jpg").write_bytes(b""), "stray.jpg is on disk but in no CSV"),
        (lambda r: change(r / "train.csv", "Sex,Age", "Age,Sex"), "19 columns"),
        (lambda r: change(r / "train.csv", ",51,", ",15,"), "other labels than its source row"),
        (lambda r: change(r / "train.csv", ",1.0", ",0.0"), "other labels than its source row"),
        (lambda r: change(r / "train.csv", ",1.0", ",yes"), "the label 'yes'"),
        (lambda r: change(r / "train.csv", "Test-v1.0/", "Other/"), "begins with 'Other'"),
        (lambda r: change(r / "train.csv", "train/natural", "valid/natural"), "in the folder of"),
        (lambda r: change(r / "train.csv", "/natural/nokia", ""), "layout"),
        (lambda r: (r / "captures.parquet").write_bytes(b"PAR1"), "captures.parquet"),
        (lambda r: change(r / "train.csv", "patient00003", "patient00004"), "more than one split"),
        (lambda r: twice(r / "train.csv"), "listed twice"),
        (lambda r: drop(r / "train.csv", NATURAL), "is in no CSV"),
    ],
)
def test_damage_is_told(built, damage, words):
    """One sentence at least says what it is."""
    damage(built.root)
    report = check(built.root)
    assert not report.well
    assert any(words in problem for problem in report.problems), report.problems


def twice(file) -> None:
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines, lines[1]]))


def drop(file, path) -> None:
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if path not in line))


@pytest.mark.parametrize(
    ("damage", "kind", "file", "line", "words"),
    [
        (lambda r: (r / DIGITAL).unlink(), "missing", "train.csv", 8, "has no file"),
        (lambda r: change(r / "train.csv", "Lung Lesion", "Lung lesion"), "csv", "train.csv", 0,
         "column 10 is 'Lung lesion', not 'Lung Lesion'"),
        (lambda r: change(r / "train.csv", ",1.0", ",0.0"), "label", "train.csv", 2,
         "No Finding is '0.0', there '1.0'"),
        (lambda r: (r / DIGITAL).write_bytes(b"x"), "digest", "manifest.jsonl", 4, DIGITAL),
        (lambda r: (r / "manifest.jsonl").write_text("no row\n"), "manifest", "manifest.jsonl", 1,
         "no row of a synthetic image"),
        (lambda r: drop(r / "manifest.jsonl", DIGITAL), "manifest", "train.csv", 8,
         "is not in manifest.jsonl"),
        (lambda r: (r / "environments.csv").write_text("other\n"), "croissant", "croissant.json", 0,
         "environments.csv changed"),
        (lambda r: (r / "environments.csv").unlink(), "croissant", "croissant.json", 0,
         "which is not there"),
        (lambda r: (r / "croissant.json").write_text("{}"), "croissant", "croissant.json", 0,
         "cannot be read"),
        (lambda r: twice(r / "train.csv"), "doubled", "train.csv", 13, "at train.csv, line 2"),
        (lambda r: change(r / "train.csv", "patient00003", "patient00004"), "split", "valid.csv", 2,
         "more than one split: train, valid"),
        (lambda r: (r / "train/s.jpg").write_bytes(b""), "stray", "train/s.jpg", 0, "in no CSV"),
    ],
)  # fmt: skip
def test_a_finding_has_its_kind_and_place(built, damage, kind, file, line, words):
    """What is wrong, where: exactly the thing that was broken is found."""
    damage(built.root)
    found = check(built.root).findings
    assert any(
        (one.kind, one.file, one.line) == (kind, file, line) and words in one.text for one in found
    ), found


def boxes_changed(root, **columns) -> None:
    """The first box that is kept, with other values."""
    table = pq.read_table(root / "boxes.parquet")
    rows = table.to_pylist()
    at = next(i for i, row in enumerate(rows) if row["x_min"] is not None)
    rows[at] |= columns
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), root / "boxes.parquet")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_max": 64.5}, "is not inside 64 x 48"),
        ({"y_min": -1.0}, "is not inside 64 x 48"),
        ({"x_min": 30.0}, "is not inside 64 x 48"),
        ({"width": 65}, "has 64 x 48 pixels, not 65 x 48"),
        ({"path": "train/natural/nokia/patient00001/study9/view1_frontal.jpg"}, "is in no CSV"),
        ({"path": "elsewhere"}, "no image of this layout"),
    ],
)
def test_boxes_are_inside_their_pictures(boxed, changes, words):
    """And of pictures that are there."""
    assert check(boxed.root).problems == ()
    boxes_changed(boxed.root, **changes)
    found = [one for one in check(boxed.root).findings if one.kind == "box"]
    assert len(found) == 1
    assert words in found[0].text
    assert found[0].file == "boxes.parquet"
    assert found[0].line > 0


def test_one_photo_for_two_xrays_is_told(kit):
    """The same bytes cannot show both."""
    kit.photos[1] = kit.photo(2, data=kit.photos[0].file.read_bytes())
    kit.build()
    (found,) = check(kit.root).findings
    assert (found.kind, found.file, found.line) == ("doubled", "captures.parquet", 2)
    assert "has the same bytes as" in found.text


@pytest.mark.parametrize("changes", [{"path": None, "gap": None}, {"key": None}])
def test_a_capture_that_says_nothing_is_told(built, changes):
    """A table from outside may hold anything."""
    table = pq.read_table(built.root / "captures.parquet")
    rows = table.to_pylist()
    rows[1] |= changes
    pq.write_table(pa.Table.from_pylist(rows, table.schema), built.root / "captures.parquet")
    found = check(built.root).findings
    assert ("captures", "captures.parquet", 2) in {(one.kind, one.file, one.line) for one in found}


def test_tables_alone_can_be_compared(built):
    """No picture is opened; labels and rows are."""
    for file in built.root.rglob("*.jpg"):
        file.unlink()
    assert check(built.root, files=False).problems == ()
    change(built.root / "train.csv", ",51,", ",15,")
    kinds = {one.kind for one in check(built.root, files=False).findings}
    assert kinds == {"label", "croissant"}


def test_a_report_does_not_grow_without_bounds(built, monkeypatch):
    """Findings are counted, the first are listed."""
    monkeypatch.setattr(findings, "KEPT", 3)
    for file in built.root.rglob("*.jpg"):
        file.unlink()
    report = check(built.root)
    assert len(report.findings) == 3
    assert report.count > 17


def test_a_check_in_files_finds_what_one_in_memory_finds(boxed, monkeypatch):
    """The records of a large dataset go to temporary files, by patient."""
    change(boxed.root / "train.csv", "patient00003", "patient00004")
    change(boxed.root / "train.csv", ",1.0", ",0.0")
    (boxed.root / NATURAL).write_bytes(b"x")
    expected = check(boxed.root)
    assert expected.count > 4
    monkeypatch.setattr(
        partition.Partition.__init__, "__kwdefaults__", {"scratch": None, "hold": 3}
    )
    assert check(boxed.root) == expected


def test_a_photo_missing_from_the_captures_is_told(built):
    """Every natural row belongs to a capture."""
    built.build(photos=built.photos[:3], synthetic=())
    file = built.root / "train/natural/nokia/patient00003/study1/view1_frontal.jpg"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    with (built.root / "train.csv").open("a") as handle:
        handle.write("Test-v1.0/" + file.relative_to(built.root).as_posix() + "," * 18 + "\n")
    problems = check(built.root).problems
    assert any("is not in captures.parquet" in p for p in problems)


def test_paths_that_lead_outside_are_not_followed(built, tmp_path):
    """A CSV from outside must not make us read other files."""
    change(built.root / "train.csv", "Test-v1.0/train", "Test-v1.0/../../train")
    assert any("layout" in p for p in check(built.root).problems)


def test_no_dataset_is_an_error(tmp_path):
    """Not a problem list."""
    with pytest.raises(DatasetError, match="no dataset"):
        check(tmp_path)


def test_a_renamed_header_is_one_problem_and_not_one_for_each_picture(boxed):
    """Its cause is not drowned in what follows from it; the other split is checked as ever."""
    change(boxed.root / "train.csv", "Edema", "Oedema")
    (boxed.root / "valid/stray.jpg").write_bytes(b"")
    found = check(boxed.root).findings
    assert [(one.kind, one.file) for one in found] == [
        ("croissant", "croissant.json"), ("csv", "train.csv"), ("stray", "valid/stray.jpg"),
    ]  # fmt: skip
    assert "column 11 is 'Oedema', not 'Edema'" in found[1].text
    assert "What it should list further was not compared." in found[1].text


def test_a_row_that_is_cut_off_ends_the_comparison_there(built):
    """What comes after it may be listed: only what was read is compared, and that is told."""
    file = built.root / "train.csv"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[:3], "Test-v1.0/train/natural\n", *lines[4:]]))
    found = check(built.root).findings
    assert [one.kind for one in found] == ["croissant", "csv"]
    assert "line 4: 1 values, not 19" in found[1].text
