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
        "changed": [],
        "differs": [],
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


RECIPE = """
reference_size = 100
[[steps]]
transform = "glare_matte"
level = 3
[[steps]]
transform = "translation"
params = { dx = -20, dy = 0 }
"""


def test_a_recipe_file_boxes_and_a_replay(dataset, items, tmp_path, capsys):
    words, out = dataset
    (tmp_path / "own.toml").write_text(RECIPE)
    boxes = tmp_path / "boxes.csv"
    lines = ["Path,x_min,y_min,x_max,y_max", f"train/{items[0].key}.jpg,30,5,50,15"]
    boxes.write_text("\n".join([*lines, f"train/{items[1].key}.jpg,0,5,22,15", "x.jpg,1,1,2,2"]))
    words = [*words, "--recipe", tmp_path / "own.toml", "--boxes", boxes, "--workers", 1, "--json"]
    assert rig(*words) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["recipe"], report["level"], report["made"]) == ("own", None, 6)
    expected = {"csv": str(out / "boxes.csv"), "kept": 1, "dropped": 1, "unmatched": 1}
    assert report["boxes"] == expected
    kept, dropped, lost = table_of(out / "boxes.csv")
    assert (kept["x_min"], kept["x_max"], kept["box_status"]) == ("10.000", "30.000", "kept")
    assert dropped["box_status"] == "dropped: visible 0.0909, less than 0.25"
    assert lost["box_status"] == "dropped: no image of this run has that name"
    row = json.loads((out / "manifest.jsonl").read_text().splitlines()[0])
    assert row["reference_size"] == 100
    assert row["steps"][0]["params"]["sigma"] == 150 * 50 / 100

    again = tmp_path / "again"
    assert rig("--replay", out / "manifest.jsonl", "--out", again, "--workers", 1, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["made"], report["failed_before"]) == (6, 0)
    for item in items:
        assert (again / item.output).read_bytes() == (out / item.output).read_bytes()


def test_a_replay_that_differs_is_told_by_the_status(dataset, tmp_path, capsys):
    words, out = dataset
    rig(*words, "--recipe", "digital", "--workers", 1)
    text = (out / "manifest.jsonl").read_text().replace('"contrast": ', '"contrast": 1', 1)
    (tmp_path / "edited.jsonl").write_text(text)
    assert rig("--replay", tmp_path / "edited.jsonl", "--out", tmp_path / "x", "--workers", 1) == 1
    assert "differs: patient00000" in capsys.readouterr().err


def test_a_changed_source_is_said(dataset, items, capsys):
    words, _ = dataset
    rig(*words, "--recipe", "digital", "--workers", 1)
    items[2].source.write_bytes(items[1].source.read_bytes())
    assert rig(*words, "--recipe", "digital", "--workers", 1) == 0
    assert f"made anew: {items[2].key}: its source is not" in capsys.readouterr().err


def test_channels_and_reference_size_may_be_asked_for(dataset, items, capsys):
    words, out = dataset
    more = ["--recipe", "spatial", "--colour", "rgb", "--reference-size", "25", "--workers", 1]
    assert rig(*words, *more) == 0
    assert decode((out / items[0].output).read_bytes()).ndim == 3
    row = json.loads((out / "manifest.jsonl").read_text().splitlines()[0])
    assert (row["colour"], row["reference_size"]) == ("rgb", 25)
    assert row["steps"][0]["params"]["sigma"] == 100
    assert rig(*words, *more) == 0
    assert "0 made, 6 already there" in capsys.readouterr().out


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
        (["--recipe", "none.toml"], "none.toml cannot be read"),
        (["--recipe", "x.toml", "--level", 2], "Each step of a recipe file has its own level"),
        (["--recipe", "digital", "--reference-size", 0], "--reference-size 0"),
        (["--recipe", "digital", "--min-visible", 2], "--min-visible 2"),
        (["--recipe", "digital", "--boxes", "none.csv"], "none.csv cannot be read"),
        (["--recipe", "digital", "--replay", "m.jsonl"], "--replay takes everything"),
        (["--recipe", "digital", "--workers", 2, "--scheduler", "tcp://x:1"], "workers of its own"),
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


def test_preview_draws_a_contact_sheet_of_recipes(items, tmp_path):
    picture = tmp_path / "sheet.png"
    sources = [item.source for item in items[:3]]
    assert (
        rig("preview", *sources, "--recipe", "digital", "--recipe", "spatial", "--out", picture)
        == 0
    )
    height, width = decode(picture.read_bytes()).shape
    assert (height, width) == (3 * 344 + 6, 3 * 326 + 6)
    with pytest.raises(UserError, match="The grid is of one image"):
        rig("preview", *sources, "--out", picture)


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
