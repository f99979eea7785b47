"""Checking: every way a dataset can be wrong has its sentence."""

from __future__ import annotations

import pytest

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
    assert calls[-1] == (6, 6)


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
