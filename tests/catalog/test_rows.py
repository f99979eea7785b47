"""What a row may say, and which x-ray its path names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.catalog.model import COLUMNS, OBSERVATIONS
from rig.catalog.rows import BadRow, key_and_split, locate, parse

PATH = "D/train/patient00001/study1/view1_frontal.jpg"


def cells(**changed: str) -> dict[str, str]:
    named = {name.replace("_", " "): value for name, value in changed.items()}
    return dict.fromkeys(COLUMNS, "") | {"Path": PATH} | named


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (PATH, ("patient00001/study1/view1_frontal", "train")),
        ("D/valid/patient2/study1/view2_lateral.png", ("patient2/study1/view2_lateral", "valid")),
        ("test/patient2/study1/view1.jpg", ("patient2/study1/view1", "test")),
        ("patient2/study1/view1.jpg", ("patient2/study1/view1", "fallback")),
        ("D batch 2 (train 1)/patient2/study1/v.jpg", ("patient2/study1/v", "fallback")),
        ("train/other/patient2/study1/v.tar.jpg", ("patient2/study1/v.tar", "fallback")),
    ],
)
def test_the_tail_is_the_key_and_the_folder_above_it_the_split(
    path: str, expected: tuple[str, str]
) -> None:
    """Whatever stands in front; a split elsewhere in the path does not count."""
    assert key_and_split(path, "fallback") == expected


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/patient1/study1/view1.jpg",
        "C:/x/patient1/study1/view1.jpg",
        "../patient1/study1/view1.jpg",
        "D/../../patient1/study1/view1.jpg",
        "D/train/patient1/study1/..",
        "D/train/patient1/../view1.jpg",
        "D//patient1/study1/view1.jpg",
        "D/./patient1/study1/view1.jpg",
        "D\\train\\patient1\\study1\\view1.jpg",
        "D/train/patient 1/study1/view1.jpg",
        "D/train/-rf/study1/view1.jpg",
        "D/train/.hidden/study1/view1.jpg",
        "D/train/patient1/study1/view1\0.jpg",
        "D/train/patient1/study1/",
        "study1/view1.jpg",
    ],
)
def test_paths_that_leave_or_do_not_name_an_xray_are_refused(path: str) -> None:
    """Absolute, climbing, odd or short paths never reach the disk."""
    with pytest.raises(BadRow, match="Path"):
        key_and_split(path, "train")


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(alphabet="ab./\\ \0~:*é-", max_size=30))
def test_a_key_is_three_plain_names_or_the_path_is_refused(path: str) -> None:
    """No text gets anything else through."""
    try:
        key, _ = key_and_split(path, "train")
    except BadRow:
        return
    parts = key.split("/")
    assert len(parts) == 3
    assert all(p and p[0] not in ".-" and set(p) <= set("ab.-") for p in parts)
    assert ".." not in path.split("/")
    assert not path.startswith("/")


@pytest.mark.parametrize(
    ("written", "kept"),
    [("1", "1.0"), ("0", "0.0"), ("-1", "-1.0"), ("1.0", "1.0"), ("-1.0", "-1.0"), ("", "")],
)
def test_labels_are_kept_in_chexperts_form(written: str, kept: str) -> None:
    """Whole numbers are understood and written with their decimal."""
    assert parse(2, cells(Edema=written), "train").values[COLUMNS.index("Edema")] == kept


@pytest.mark.parametrize("value", ["2.0", "-0.0", "nan", "yes", " 1.0", "1.00", "+1"])
@pytest.mark.parametrize("column", [OBSERVATIONS[0], OBSERVATIONS[-1]])
def test_other_labels_are_refused(column: str, value: str) -> None:
    """The reason names the column and the value."""
    with pytest.raises(BadRow, match=column) as caught:
        parse(2, cells() | {column: value}, "train")
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("age", ["", "0", "57", "57.0", "120"])
def test_ages_in_years_are_kept_as_written(age: str) -> None:
    """Blank is allowed; some tools write 57.0."""
    assert parse(2, cells(Age=age), "train").values[2] == age


@pytest.mark.parametrize("age", ["-1", "121", "57.5", "57Y", "old", " 57", "٣"])
def test_other_ages_are_refused(age: str) -> None:
    """A birth year or a unit is not an age."""
    with pytest.raises(BadRow, match="Age"):
        parse(2, cells(Age=age), "train")


@pytest.mark.parametrize(
    ("column", "value"),
    [("Sex", "M"), ("Sex", "male"), ("Frontal/Lateral", "Front"), ("AP/PA", "XX")],
)
def test_words_outside_the_lists_are_refused(column: str, value: str) -> None:
    """Sex, view and projection have few values."""
    with pytest.raises(BadRow, match=column):
        parse(2, cells() | {column: value}, "train")


def test_all_reasons_are_told_at_once() -> None:
    """One repair round is enough."""
    bad = cells(Sex="?", Age="x", Edema="9") | {"Path": "../x"}
    with pytest.raises(BadRow) as caught:
        parse(2, bad, "train")
    assert all(word in str(caught.value) for word in ("Path", "Sex", "Age", "Edema"))


def test_a_file_is_found_with_and_without_the_dataset_folder(tmp_path: Path) -> None:
    """The folder in front wins when both exist."""
    assert locate(PATH, tmp_path) is None
    short = tmp_path / PATH.removeprefix("D/")
    short.parent.mkdir(parents=True)
    short.touch()
    assert locate(PATH, tmp_path) == short
    long = tmp_path / PATH
    long.parent.mkdir(parents=True)
    long.touch()
    assert locate(PATH, tmp_path) == long
