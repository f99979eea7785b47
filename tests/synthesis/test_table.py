from pathlib import PurePosixPath

import pytest

from rig.synthesis.table import read_table, split_tables, write_table
from rig.synthesis.transform import SynthesisError


@pytest.fixture
def read(tmp_path):
    """Read a table of these Paths below tmp_path/data, where the named files exist."""

    def read_paths(*paths, files=()):
        for name in files:
            (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "data" / name).write_bytes(b"x")
        text = "\n".join(["Path,Sex", *(f"{path},Male" for path in paths)])
        (tmp_path / "some.csv").write_text(text)
        return read_table(tmp_path / "some.csv", tmp_path / "data")

    return read_paths


TAIL = "train/patient00001/study1/view1_frontal.jpg"


@pytest.mark.parametrize(
    ("written", "on_disk"),
    [(TAIL, TAIL), (f"CheXpert/{TAIL}", TAIL), (f"CheXpert/{TAIL}", f"CheXpert/{TAIL}")],
)
def test_the_dataset_folder_may_be_in_the_path_or_not(read, tmp_path, written, on_disk):
    row = read(written, files=[on_disk]).rows[0]
    assert row.item.source == tmp_path / "data" / on_disk
    assert row.item.output == PurePosixPath(TAIL)
    assert row.item.key == "patient00001/study1/view1_frontal"
    assert (row.split, row.line) == ("train", 2)


def test_the_last_split_folder_counts(read):
    row = read("train/set/valid/p/s/v.png", files=["train/set/valid/p/s/v.png"]).rows[0]
    assert (row.item.output, row.split) == (PurePosixPath("valid/p/s/v.jpg"), "valid")


def test_a_path_without_split_keeps_what_it_has(read):
    table = read("set/a.jpg", "test.jpg", files=["a.jpg", "test.jpg"])
    assert [(r.item.output.as_posix(), r.item.key, r.split) for r in table.rows] == [
        ("a.jpg", "a", None),
        ("test.jpg", "test", None),
    ]


def test_a_missing_file_still_has_its_item(read, tmp_path):
    row = read(f"CheXpert/{TAIL}").rows[0]
    assert row.item.source == tmp_path / "data" / "CheXpert" / TAIL
    assert row.item.output == PurePosixPath(TAIL)


@pytest.mark.parametrize(
    "path", ["../a.jpg", "/etc/a.jpg", "train/../../a.jpg", "C:/a.jpg", "a\\b"]
)
def test_unsafe_paths_are_bad_rows(read, path):
    table = read(path, "ok.jpg")
    assert len(table.rows) == 1
    assert (table.bad[0].line, table.bad[0].path) == (2, path)
    assert "lead out" in table.bad[0].reason


def test_rows_of_the_wrong_length_are_bad_rows(read):
    table = read("a.jpg,1", "", "b.jpg")
    assert [row.reason for row in table.bad] == [
        "The row has 3 cells where the header has 2.",
        "The Path is empty.",
    ]
    assert [row.line for row in table.rows] == [4]


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"Name,Sex\n", "no column named Path"), (b"", "no column"), (b"Path\n\xff\n", "not a UTF-8")],
)
def test_what_is_no_such_table_is_refused(tmp_path, data, reason):
    (tmp_path / "x.csv").write_bytes(data)
    with pytest.raises(SynthesisError, match=reason):
        read_table(tmp_path / "x.csv", tmp_path)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(SynthesisError, match=r"cannot be read: No such file"):
        read_table(tmp_path / "x.csv", tmp_path)


def test_written_tables_differ_in_the_path_alone(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text(
        "\ufeffSex,Path,Note\n"
        'Male,D/train/p1/s/v.png,"a, ""b"""\n'
        "Female,D/valid/p2/s/v.jpg,\n"
        "Male,D/train/p1/s/v.jpg,the same output\n"
        "Male,D/p3.jpg,1.0\n",
        encoding="utf-8",
    )
    table = read_table(source, tmp_path)
    files = split_tables(table, "in.csv")
    assert {name: [row.line for row in rows] for name, rows in files.items()} == {
        "train.csv": [2],
        "valid.csv": [3],
        "in.csv": [5],
    }
    write_table(tmp_path / "train.csv", table.header, files["train.csv"])
    assert (tmp_path / "train.csv").read_text() == (
        'Sex,Path,Note\nMale,train/p1/s/v.jpg,"a, ""b"""\n'
    )
