"""`rig verify`: exit status, JSON and sentences."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

import rig.sample
from rig.cli import main


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


def test_bytes_are_json_even_when_not_verified(files, capsys):
    """NaN and infinity would not be JSON; a strict parser reads every line."""
    assert main(["verify", str(files[0][0]), str(files[1][1]), "--json"]) == 1
    text = capsys.readouterr().out

    def refuse(word: str) -> None:
        raise AssertionError(word)

    json.load(io.StringIO(text), parse_constant=refuse)
