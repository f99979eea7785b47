"""`rig films`: a folder of photos of films, with a CSV that names them."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from rig.catalog.model import COLUMNS
from rig.cli import main
from rig.store import hand


def hung(file, out, seed=1, size=(1100, 800)):
    """A photo of the x-ray *file* as a film before a light box, straight."""
    with Image.open(file) as picture:
        film = picture.convert("L")
        film.thumbnail((560, 560))
    light = np.full((size[1], size[0]), 225, np.float32)
    light += np.random.default_rng(seed).normal(0, 2, light.shape)
    photo = Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))
    photo.paste(film.point(lambda v: v * 0.62 + 6), (250, 120))
    photo.save(out, "JPEG", quality=92)
    return out


class Box:
    """Films in a folder, a CSV, and a home whose catalog's first six x-rays may be valid."""

    def __init__(self, card_rig, tmp_path):
        self.rig = card_rig
        self.folder = tmp_path / "films"
        self.folder.mkdir()
        self.csv = tmp_path / "films.csv"
        self.rows = []

    def split(self, index):
        return self.rig.xray(index).split

    def add(self, index, name, key=None, split=None, at=None):
        hung(self.rig.xray(at or index).file, self.folder / name, seed=index)
        self.rows.append([name, key or self.rig.xray(index).key, split or self.split(index)])

    def run(self, capsys, *more, columns=("photo", "xray", "split")):
        with self.csv.open("w", newline="") as handle:
            csv.writer(handle).writerows([columns, *self.rows])
        words = ["films", "import", str(self.folder), str(self.csv), "--campaign", "camp"]
        words += ["--device", "pixel", "--home", str(self.rig.home), "--workers", "1", "--json"]
        status = main([*words, *more])
        return status, json.loads(capsys.readouterr().out.splitlines()[-1])

    def films(self):
        with self.rig.database.read() as connection:
            return hand.films(connection, self.rig.home, self.rig.campaign)


@pytest.fixture
def box(card_rig, tmp_path):
    return Box(card_rig, tmp_path)


def test_films_are_cropped_kept_and_on_record(box, capsys):
    """Original byte for byte, the crop beside it, labels from the catalog."""
    box.add(1, "a.jpg")
    box.add(2, "b.jpg")
    status, told = box.run(capsys)
    assert (status, told["films"], told["new"], told["by_content"]) == (0, 2, 2, 2)
    one = next(film for film in box.films() if film.key == box.rig.xray(1).key)
    assert one.file.read_bytes() == (box.folder / "a.jpg").read_bytes()
    assert hashlib.sha256(one.crop.read_bytes()).hexdigest() == one.crop_sha256
    assert one.row == box.rig.xray(1).row
    assert one.score > 0.9
    with Image.open(one.crop) as crop:
        assert crop.size == (one.width, one.height)
    assert main(["films", "show", "camp", "--home", str(box.rig.home)]) == 0
    assert "film/" in capsys.readouterr().out


def test_the_same_folder_again_cuts_nothing(box, capsys, monkeypatch):
    """Idempotent; a crop that is gone is made again."""
    box.add(1, "a.jpg")
    box.run(capsys)
    (film,) = box.films()
    monkeypatch.setattr("rig.intake.films.verify", None)
    assert box.run(capsys)[1]["new"] == 0
    assert len(box.rig.log(hand.FILM)) == 1
    monkeypatch.undo()
    film.crop.unlink()
    status, told = box.run(capsys)
    assert (status, told["new"]) == (0, 1)
    assert film.crop.is_file()


def test_each_that_is_not_taken_has_a_reason(box, capsys):
    """Wrong x-ray, no such file, twice, no labels, a patient in two splits, not in the CSV."""
    box.add(1, "good.jpg")
    box.add(2, "wrong.jpg", at=7)
    box.rows.append(["gone.jpg", box.rig.xray(3).key, box.split(3)])
    shutil.copy(box.folder / "good.jpg", box.folder / "same.jpg")
    box.rows.append(["same.jpg", box.rig.xray(4).key, box.split(4)])
    box.add(1, "again.jpg")
    box.add(5, "strange.jpg", key="patient99999/study1/view1_frontal")
    other = "test" if box.split(6) != "test" else "train"
    box.add(6, "leak.jpg", split=other)
    (box.folder / "extra.jpg").write_bytes(b"x")
    (box.folder / "broken.jpg").write_bytes(b"\xff\xd8\xff" + b"0" * 99)
    box.rows.append(["broken.jpg", box.rig.xray(8).key, box.split(8)])
    status, told = box.run(capsys)
    assert (status, told["films"]) == (1, 1)
    why = {row["photo"]: row["reason"] for row in told["not_taken"]}
    assert "does not show" in why["wrong.jpg"]
    assert "no such file" in why["gone.jpg"]
    assert "same photo as in line" in why["same.jpg"]
    assert "already" in why["again.jpg"]
    assert "no labels" in why["strange.jpg"]
    assert "two" in why["leak.jpg"]
    assert "No line" in why["extra.jpg"]
    assert "damaged" in why["broken.jpg"]
    box.run(capsys, "--by-border")
    assert {film.way for film in box.films()} == {"content", "border"}


def test_a_film_of_an_xray_that_nobody_has_brings_its_own_labels(box, capsys):
    """Found by its edges; the CSV's cells are the dataset's."""
    cells = ["Female", "44", "Frontal", "PA", "1.0", *[""] * 13]
    hung(box.rig.xray(7).file, box.folder / "own.jpg")
    box.rows = [["own.jpg", "patient88888/study1/view1_frontal", *cells]]
    status, told = box.run(capsys, columns=("photo", "xray", *COLUMNS[1:]))
    assert (status, told["by_border"]) == (0, 1)
    (film,) = box.films()
    assert (film.split, film.way, film.homography) == ("valid", "border", None)
    assert film.row[1:6] == ("Female", "44", "Frontal", "PA", "1.0")


def test_a_film_that_was_a_mistake_is_withdrawn(box, capsys):
    """Out of the dataset, its files kept; imported again it is back."""
    box.add(1, "a.jpg")
    box.run(capsys)
    (film,) = box.films()
    words = ["films", "withdraw", "camp", film.key, "--home", str(box.rig.home), "--by", "anna"]
    assert main(words) == 0
    assert box.films() == ()
    assert film.file.is_file()
    assert main(words) == 2
    assert "rig films show" in capsys.readouterr().err
    assert box.run(capsys)[1]["new"] == 1


def test_bad_input_is_one_sentence(box, capsys, tmp_path):
    at = ["--campaign", "camp", "--device", "pixel", "--home", str(box.rig.home)]
    assert main(["films", "import", str(tmp_path / "gone"), str(box.csv), *at]) == 2
    assert "not a folder" in capsys.readouterr().err
    assert main(["films", "import", str(box.folder), str(box.csv), *at]) == 2
    assert "cannot be read as CSV" in capsys.readouterr().err
