"""The folder of an export: whole or not at all, and only its own like is replaced."""

from __future__ import annotations

import pytest

from rig.dataset.errors import DatasetError
from rig.dataset.export import export, huggingface


def names(folder) -> set[str]:
    return {p.name for p in folder.iterdir()}


def test_the_default_is_beside_the_dataset_and_is_replaced(built):
    """Twice the same; pictures of the first are not left behind."""
    out = built.out / "Test-v1.0-hf"
    assert export(built.root, "hf").path == out
    (out / "train" / "old.jpg").write_bytes(b"x")
    calls = []
    report = export(built.root, "hf", progress=lambda done, total: calls.append((done, total)))
    assert (report.images, report.boxes, calls[-1]) == (17, 0, (17, 17))
    assert not (out / "train" / "old.jpg").exists()
    assert names(built.out) == {"Test-v1.0", "Test-v1.0-hf"}


def test_anything_else_is_left_alone(built, tmp_path):
    """A folder that is no export of this dataset in this form."""
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.doc").write_text("mine")
    with pytest.raises(DatasetError, match="not an earlier hf export"):
        export(built.root, "hf", out)
    assert names(out) == {"thesis.doc"}
    export(built.root, "hf", tmp_path / "other")
    with pytest.raises(DatasetError, match="not an earlier webdataset export"):
        export(built.root, "webdataset", tmp_path / "other")


@pytest.mark.parametrize("where", [".", "inside", ".."])
def test_dataset_and_export_are_not_inside_each_other(built, where):
    """Either would destroy the other."""
    with pytest.raises(DatasetError, match="inside each other"):
        export(built.root, "hf", (built.root / where).resolve())


def test_a_failing_export_leaves_nothing_and_the_earlier_one(built, monkeypatch):
    """Complete or not at all."""
    export(built.root, "hf")
    before = names(built.out / "Test-v1.0-hf")
    monkeypatch.setattr(huggingface, "place", full)
    with pytest.raises(OSError, match="No space"):
        export(built.root, "hf")
    assert names(built.out) == {"Test-v1.0", "Test-v1.0-hf"}
    assert names(built.out / "Test-v1.0-hf") == before


def full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_dataset_with_a_missing_picture_is_refused(built):
    """With the line, and what to do."""
    (built.root / "train/natural/nokia/patient00001/study2/view1_frontal.jpg").unlink()
    with pytest.raises(
        DatasetError, match=r"train\.csv, line 3: .* has no file; rig dataset check"
    ):
        export(built.root, "hf")
    assert names(built.out) == {"Test-v1.0"}


def test_tables_in_another_order_are_refused(boxed):
    """Boxes must not end up with the wrong picture, nor nowhere."""
    lines = (boxed.root / "train.csv").read_text().splitlines(keepends=True)
    (boxed.root / "train.csv").write_text("".join([lines[0], *reversed(lines[1:])]))
    with pytest.raises(DatasetError, match=r"not in the order of train\.csv"):
        export(boxed.root, "coco")


def test_a_value_that_is_no_number_is_refused(built):
    """With its place, not with a traceback."""
    text = (built.root / "train.csv").read_text().replace(",51,", ",old,", 1)
    (built.root / "train.csv").write_text(text)
    with pytest.raises(DatasetError, match=r"train\.csv, line 2: Age is 'old', no number"):
        export(built.root, "hf")


def test_no_dataset_is_a_sentence(tmp_path):
    """Not a traceback."""
    with pytest.raises(DatasetError, match="no dataset"):
        export(tmp_path, "hf")
