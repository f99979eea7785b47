"""`rig verify`: exit status, JSON and sentences."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

import rig.commands.verify as command
import rig.sample
from rig.cli import main
from rig.intake.limits import Limits


@pytest.fixture(autouse=True)
def nobody_s_home(tmp_path, monkeypatch):
    """Whoever runs the tests may have limits of their own."""
    monkeypatch.setenv("RIG_HOME", str(tmp_path / "no-home"))


@pytest.fixture
def files(tmp_path):
    """A photo (the frame) of each of two x-rays, and the x-rays."""
    with rig.sample.csv_path().open(newline="") as handle:
        rows = list(csv.DictReader(handle))[:2]
    pairs = []
    for row in rows:
        xray = rig.sample.data_dir() / row["Path"]
        with Image.open(xray) as source:
            picture = source.convert("L").resize((1000, 1000))
        frame = Image.new("L", (1920, 1080))
        frame.paste(picture, (460, 40))
        photo = tmp_path / f"{row['Path'].split('/')[2]}.jpg"
        frame.save(photo, quality=90)
        pairs.append((photo, xray))
    return pairs


def lines(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_true_photo_exits_with_0(files, capsys):
    """One JSON object with the contract's fields, nothing else on stdout."""
    photo, xray = files[0]
    assert main(["verify", str(photo), str(xray), "--json"]) == 0
    (row,) = lines(capsys)
    assert {"photo", "xray", "verified", "reason", "score", "homography", "quality", "ms"} <= set(
        row
    )
    assert row["verified"] is True
    assert (row["photo"], row["xray"]) == (str(photo), str(xray))
    matrix = np.array(row["homography"])
    with Image.open(xray) as picture:
        size = picture.size
    centre = matrix @ [size[0] / 2, size[1] / 2, 1]
    assert np.allclose(centre[:2] / centre[2], [960, 540], atol=1)
    assert row["quality"]["focus"] > 0.35


def test_another_xray_exits_with_1(files, capsys):
    """Ran, but not well; in words without --json."""
    assert main(["verify", str(files[0][0]), str(files[1][1])]) == 1
    assert capsys.readouterr().out.startswith("NOT verified")


def test_pairs_print_one_line_each_in_order(files, tmp_path, capsys, monkeypatch):
    """Relative paths start at the CSV's folder; an unreadable photo is a row."""
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no")
    table = tmp_path / "pairs.csv"
    rows = [
        ("photo", "xray", "previous"),
        (files[0][0].name, files[0][1], ""),
        (files[1][0].name, files[1][1], files[0][1]),
        (files[0][0].name, files[1][1], files[0][1]),
        ("broken.jpg", files[0][1], ""),
        ("missing.jpg", files[0][1], ""),
    ]
    with table.open("w", newline="") as handle:
        csv.writer(handle).writerows(rows)
    assert main(["verify", "--pairs", str(table), "--workers", "2", "--json"]) == 1
    found = lines(capsys)
    assert [row["verified"] for row in found] == [True, True, False, False, False]
    assert [row["photo"] for row in found] == [row[0] for row in rows[1:]]
    assert found[1]["previous_correlation"] < 0.3
    assert found[3]["homography"] is None
    assert found[3]["quality"] == {}
    assert "broken.jpg" in found[3]["reason"]


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "photo,xray\n", "photo,xray\nx.jpg,\n", "photo,xray\n\0,\x01\n"]
)
def test_a_bad_csv_exits_with_2_or_names_the_row(tmp_path, text, capsys):
    """No columns, no rows, empty cells: one sentence."""
    table = tmp_path / "pairs.csv"
    table.write_text(text)
    status = main(["verify", "--pairs", str(table)])
    assert status == (1 if "\0" in text else 2)
    told = capsys.readouterr()
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["a.jpg"],
        ["a.jpg", "b.jpg"],
        ["a.jpg", "b.jpg", "--pairs", "c.csv"],
        ["--pairs", "gone.csv"],
        ["--pairs", "c.csv", "--workers", "0"],
    ],
)
def test_bad_usage_exits_with_2(words, tmp_path, monkeypatch, capsys):
    """With a sentence on stderr and nothing on stdout."""
    monkeypatch.chdir(tmp_path)
    assert main(["verify", *words]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("rig verify: ")


def many(tmp_path, files, count: int):
    """A CSV of *count* rows: the two photos in turn."""
    table = tmp_path / "many.csv"
    with table.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(("photo", "xray"))
        writer.writerows((files[at % 2][0].name, files[at % 2][1]) for at in range(count))
    return table


def test_a_fixed_rig_starts_from_the_last_photo_whatever_the_workers(files, tmp_path, capsys):
    """Rows in order, found by the prior, the same figures with one process and with two."""
    table = many(tmp_path, files, 18)
    told = []
    for workers in ("1", "2"):
        words = ["verify", "--pairs", str(table), "--fixed-rig", "--workers", workers, "--json"]
        assert main(words) == 0
        rows = lines(capsys)
        told.append([{k: v for k, v in row.items() if k != "ms"} for row in rows])
    assert told[0] == told[1]
    found = [row["located_by"] for row in told[0]]
    # A chunk of 16 rows hands its place on; the next begins anew.
    assert found == ["orb", *["prior"] * 15, "orb", "prior"]
    assert told[0][1]["drift"]["px"] < 2
    assert told[0][1]["drift"]["sentence"] is None


def test_a_rig_that_moved_is_told(files, tmp_path, capsys):
    """In words and in JSON, and the photo itself is still verified."""
    moved = tmp_path / "moved.jpg"
    with Image.open(files[0][0]) as picture:
        frame = Image.new("L", picture.size)
        frame.paste(picture, (25, 0))
        frame.save(moved, quality=90)
    table = tmp_path / "two.csv"
    rows = [("photo", "xray"), (files[0][0].name, files[0][1]), ("moved.jpg", files[0][1])]
    with table.open("w", newline="") as handle:
        csv.writer(handle).writerows(rows)
    assert main(["verify", "--pairs", str(table), "--fixed-rig"]) == 0
    assert "bumped" in capsys.readouterr().out


def test_thresholds_come_from_a_file(files, tmp_path, capsys):
    """What is printed can be changed and given back; nonsense is bad usage."""
    assert main(["verify", "--print-thresholds"]) == 0
    text = capsys.readouterr().out
    file = tmp_path / "limits.toml"
    file.write_text(text.replace("score = 0.75", "score = 1.0"))
    photo, xray = files[0]
    assert main(["verify", str(photo), str(xray), "--thresholds", str(file)]) == 1
    assert "needed 1.00" in capsys.readouterr().out
    file.write_text("sore = 1")
    assert main(["verify", str(photo), str(xray), "--thresholds", str(file)]) == 2
    assert "sore" in capsys.readouterr().err


def test_thresholds_of_the_home_hold_without_a_file_of_ones_own(files, tmp_path, capsys):
    """As for whatever the home takes in; `--thresholds` goes first; nonsense is bad usage."""
    home = tmp_path / "home"
    home.mkdir()
    words = ["verify", str(files[0][0]), str(files[0][1]), "--home", str(home)]
    assert main(words) == 0
    (home / "thresholds.toml").write_text("score = 1.0\n")
    capsys.readouterr()
    assert main(words) == 1
    assert "needed 1.00" in capsys.readouterr().out
    assert main(["verify", "--print-thresholds", "--home", str(home)]) == 0
    assert "score = 1.0\n" in capsys.readouterr().out
    own = tmp_path / "own.toml"
    own.write_text("score = 0.75\n")
    assert main([*words, "--thresholds", str(own)]) == 0
    table = tmp_path / "pairs.csv"
    table.write_text(f"photo,xray\n{files[0][0]},{files[0][1]}\n")
    assert main(["verify", "--pairs", str(table), "--home", str(home)]) == 1
    (home / "thresholds.toml").write_text("scroe = 0.9\n")
    capsys.readouterr()
    assert main(words) == 2
    assert "there is no threshold 'scroe'" in capsys.readouterr().err


def test_features_are_kept_in_a_home_that_is_there(files, tmp_path, capsys):
    """And nowhere else: a home is not made by looking at photos."""
    table, home = many(tmp_path, files, 2), tmp_path / "home"
    words = ["verify", "--pairs", str(table), "--home", str(home)]
    assert main(words) == 0
    assert not home.exists()
    home.mkdir()
    assert main([*words, "--no-cache"]) == 0
    assert not list(home.iterdir())
    assert main(words) == 0
    kept = list((home / "cache" / "features").rglob("*.features"))
    assert len(kept) == 2
    kept[0].write_bytes(b"spoilt")
    capsys.readouterr()
    assert main(words) == 0
    assert "damaged" in capsys.readouterr().err


def test_a_long_list_is_never_all_in_memory(tmp_path, monkeypatch):
    """Rows are read as they are worked on, a chunk at a time."""
    table = tmp_path / "long.csv"
    table.write_text("photo,xray\n" + "p.jpg,x.jpg\n" * 5000)
    drawn = []

    def told(pairs):
        for pair in pairs:
            drawn.append(pair)
            yield pair

    def row(chunk, manner):
        return iter([{"verified": True} for _ in chunk])

    monkeypatch.setattr(command, "check_all", row)
    manner = command.Manner(Limits(), None, fixed=False, strict=False)
    rows = command._rows(told(command.read_pairs(table)), 1, manner)
    next(rows)
    assert len(drawn) == command.CHUNK
    assert sum(1 for _ in rows) == 4999


def test_bytes_are_json_even_when_not_verified(files, capsys):
    """NaN and infinity would not be JSON; a strict parser reads every line."""
    assert main(["verify", str(files[0][0]), str(files[1][1]), "--json"]) == 1
    text = capsys.readouterr().out

    def refuse(word: str) -> None:
        raise AssertionError(word)

    json.load(io.StringIO(text), parse_constant=refuse)
