"""`rig synthesize`, from its words to its exit status."""

import csv
import json
from pathlib import Path

import pytest

from rig.cli import build_parser
from rig.errors import UserError
from rig.synthesis.image import decode


def rig(*words):
    args = build_parser("synthesize").parse_args(["synthesize", *map(str, words)])
    return args.run(args)


@pytest.fixture
def dataset(items, tmp_path):
    """The words of a whole command over the items, and its output folder."""
    table = tmp_path / "in.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Path", "Sex", "Edema"])
        writer.writerows([f"CheXpert/train/{item.key}.jpg", "Male", "-1.0"] for item in items)
    out = tmp_path / "out"
    words = ["--csv", table, "--data-dir", tmp_path / "source", "--out", out, "--seed", 3]
    return words, out


def table_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("workers", [1, 2])
def test_twins_table_and_summary(dataset, items, capsys, workers):
    words, out = dataset
    status = rig(*words, "--recipe", "photographic", "--workers", workers, "--level", 2, "--json")
    assert status == 0
    report = json.loads(capsys.readouterr().out)
    assert report.pop("seconds") > 0
    assert report == {
        "recipe": "spatial",
        "level": 2,
        "seed": 3,
        "made": 6,
        "skipped": 0,
        "failed": [],
        "csv": [str(out / "train.csv")],
        "manifest": str(out / "manifest.jsonl"),
    }
    rows = table_of(out / "train.csv")
    assert [row["Path"] for row in rows] == [f"train/{item.key}.jpg" for item in items]
    assert {(row["Sex"], row["Edema"]) for row in rows} == {("Male", "-1.0")}
    shapes = [decode((out / row["Path"]).read_bytes()).shape for row in rows]
    assert shapes == [decode(item.source.read_bytes()).shape for item in items]


def test_a_second_run_goes_on_and_ends_with_the_same_table(dataset, capsys):
    words, out = dataset
    rig(*words, "--recipe", "digital", "--workers", 1)
    before = (out / "train.csv").read_bytes()
    assert rig(*words, "--recipe", "digital", "--workers", 1) == 0
    assert (out / "train.csv").read_bytes() == before
    assert "0 made, 6 already there, 0 failed" in capsys.readouterr().out


def test_failed_rows_are_listed_left_out_and_told_by_the_status(dataset, items, capsys):
    words, out = dataset
    items[2].source.write_bytes(b"broken")
    with words[1].open("a") as file:
        file.write("../../secret.jpg,Male,\n")
    assert rig(*words, "--recipe", "digital", "--workers", 1, "--json") == 1
    unsafe, broken = json.loads(capsys.readouterr().out)["failed"]
    assert (unsafe["line"], unsafe["source"]) == (8, "../../secret.jpg")
    assert (broken["key"], broken["source"]) == (items[2].key, str(items[2].source))
    assert len(table_of(out / "train.csv")) == 5
    assert rig(*words, "--recipe", "digital", "--workers", 1) == 1
    said = capsys.readouterr()
    assert "line 8" in said.err
    assert items[2].key in said.err
    assert "0 made, 5 already there, 2 failed" in said.out


def test_a_table_without_splits_keeps_its_name(dataset, items, tmp_path):
    words, out = dataset
    (tmp_path / "source" / "one.jpg").write_bytes(items[0].source.read_bytes())
    words[1].write_text("Path\none.jpg\n")
    assert rig(*words, "--recipe", "digital") == 0
    assert table_of(out / "in.csv") == [{"Path": "one.jpg"}]


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (["--recipe", "sepia"], "no recipe 'sepia'"),
        (["--recipe", "digital", "--level", 5], "Level 5"),
        (["--recipe", "digital", "--workers", 0], "--workers 0"),
        (["--recipe", "digital", "--quality", 101], "--quality 101"),
        (["--recipe", "digital", "--data-dir", "nowhere"], "not a folder"),
        (["--recipe", "digital", "--csv", "nowhere.csv"], "cannot be read"),
        (["--recipe", "digital", "--out", __file__], "is a file"),
        ([], "--recipe missing"),
    ],
)
def test_bad_usage_is_one_sentence(dataset, extra, reason):
    words, out = dataset
    with pytest.raises(UserError, match=reason):
        rig(*words, *extra)
    assert not out.exists()


def test_the_source_table_is_never_overwritten(dataset, tmp_path):
    words, _ = dataset
    table = words[1].rename(tmp_path / "train.csv")
    before = table.read_bytes()
    with pytest.raises(UserError, match="would be overwritten"):
        rig(*words, "--csv", table, "--out", tmp_path, "--recipe", "digital")
    assert table.read_bytes() == before


def test_an_output_folder_that_cannot_be_written_is_one_sentence(dataset):
    words, out = dataset
    (out / "manifest.jsonl").mkdir(parents=True)
    with pytest.raises(UserError, match=r"manifest\.jsonl failed: Is a directory"):
        rig(*words, "--recipe", "digital")


def test_preview_draws_a_grid(items, tmp_path, capsys):
    picture = tmp_path / "new" / "grid.png"
    assert rig("preview", items[0].source, "--out", picture) == 0
    height, width = decode(picture.read_bytes()).shape
    assert height > width > 1000
    assert capsys.readouterr().out.strip() == str(picture)


def test_preview_of_no_image_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="cannot be read: No such file"):
        rig("preview", tmp_path / "none.jpg", "--out", tmp_path / "grid.png")
    with pytest.raises(UserError, match="known format"):
        rig("preview", Path(__file__), "--out", tmp_path / "grid.png")


def test_help_shows_examples(capsys):
    for words in (["--help"], ["preview", "--help"]):
        with pytest.raises(SystemExit):
            rig(*words)
        assert "example" in capsys.readouterr().out
