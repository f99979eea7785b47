"""Photos of films: the CSV, the crop by content and by edges, the store."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from rig.catalog.model import COLUMNS
from rig.errors import UserError
from rig.intake.batch import XraySource
from rig.intake.film_border import find_border
from rig.intake.films import CutOrder, _upright, cut, read_films
from rig.intake.geometry import corners
from rig.intake.limits import Limits


def write(file: Path, rows, columns=("photo", "xray")):
    with file.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(columns)
        writer.writerows(rows)
    return file


def pose(size, width, height, seed):
    """A homography that puts a picture of *size* into a photo, a little tilted."""
    rng = np.random.default_rng(seed)
    w, h = size
    scale = 0.72 * min(width / w, height / h)
    box = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    middle = (box - np.array([w, h]) / 2) * scale + np.array([width, height]) / 2
    moved = middle + rng.uniform(-0.025, 0.025, (4, 2)) * width
    return cv2.getPerspectiveTransform(box, moved.astype(np.float32))


def hang(xray, seed, *, around=205.0, size=(1600, 1200), mirrored=False):
    """A film before a light box: the x-ray in perspective, noise, a dim lamp; and the truth."""
    film = xray[:, ::-1] if mirrored else xray
    truth = pose(film.shape[::-1], *size, seed)
    centre = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])
    matrix = centre @ truth @ np.linalg.inv(centre)
    light = np.full((size[1], size[0]), around, np.float32)
    light += np.linspace(-12, 12, size[0], dtype=np.float32)
    shown = cv2.warpPerspective(film.astype(np.float32) * 0.62 + 8, matrix, size)
    where = cv2.warpPerspective(np.ones(film.shape, np.float32), matrix, size)
    photo = light * (1 - where) + shown * where
    photo += np.random.default_rng(seed).normal(0, 3, photo.shape)
    return np.clip(photo, 0, 255).astype(np.uint8), truth


def save(file: Path, photo, **more) -> Path:
    Image.fromarray(photo).save(file, "JPEG", quality=92, **more)
    return file


def source(sample, at):
    file = sample.files[at]
    return XraySource(file, hashlib.sha256(file.read_bytes()).hexdigest())


def alike(data, xray):
    """Correlation of a cropped film with its x-ray."""
    with Image.open(io.BytesIO(data)) as picture:
        crop = np.asarray(picture.convert("L").resize(xray.shape[::-1]), np.float32)
    one, two = (cv2.GaussianBlur(x.astype(np.float32), (0, 0), 2).ravel() for x in (crop, xray))
    return float(np.corrcoef(one, two)[0, 1])


def test_the_csv_names_xrays_by_key_or_by_path(tmp_path):
    """`patient/study/view` with or without folders and ending; the split is valid if not told."""
    file = write(
        tmp_path / "films.csv",
        [["a.jpg", "patient1/study1/view1_frontal", ""],
         ["b.jpg", "CheXpert-v1.0/valid/patient2/study1/view1_frontal.jpg", "test"]],
        ("photo", "xray", "split"),
    )  # fmt: skip
    rows, bad = read_films(file)
    assert bad == ()
    assert [(r.key, r.split, r.row) for r in rows] == [
        ("patient1/study1/view1_frontal", "valid", None),
        ("patient2/study1/view1_frontal", "test", None),
    ]


def test_labels_in_the_csv_are_checked(tmp_path):
    """1 becomes 1.0; a word is no label."""
    cells = ["Male", "60", "Frontal", "PA", "1", "", "0", "-1.0", *[""] * 10]
    bad = [*cells[:4], "yes", *cells[5:]]
    rows = [["a.jpg", "p/s/v", *cells], ["b.jpg", "q/s/v", *bad]]
    read, wrong = read_films(write(tmp_path / "f.csv", rows, ("photo", "Path", *COLUMNS[1:])))
    assert read[0].row == ("p/s/v", "Male", "60", "Frontal", "PA", "1.0", "", "0.0", "-1.0",
                           *[""] * 10)  # fmt: skip
    assert "No Finding is 'yes'" in wrong[0].reason
    assert wrong[0].line == 3


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (["", "p/s/v"], "no photo"), (["a.jpg", ""], "no photo"), (["a.jpg", "p/v"], "names no"),
        (["../a.jpg", "p/s/v"], "out of the folder"), (["/etc/a.jpg", "p/s/v"], "out of"),
        (["a.jpg", "p/../v"], "names no"), (["a.jpg", "p/s/v", "spring"], "no split"),
        (["a.jpg", "p/s/v", "", "more"], "too many"), (["C:\\a.jpg", "p/s/v"], "out of"),
        (["a\0b.jpg", "p/s/v"], "no file's name"), (["x" * 300, "p/s/v"], "no file's name"),
    ],
)  # fmt: skip
def test_a_line_that_says_nothing_usable_is_a_row(tmp_path, row, word):
    rows = [["good.jpg", "p/s/v", ""], row]
    read, bad = read_films(write(tmp_path / "f.csv", rows, ("photo", "xray", "split")))
    assert len(read) == 1
    assert word in bad[0].reason


@pytest.mark.parametrize(
    "text", ["", "name,xray\na,b/c/d\n", "photo,xray\n", 'photo,xray\n"a,b\n', "\xff"]
)
def test_a_file_that_is_no_such_csv_is_one_sentence(tmp_path, text):
    file = tmp_path / "f.csv"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"f\.csv"):
        read_films(file)
    with pytest.raises(UserError, match="cannot be read"):
        read_films(tmp_path / "gone.csv")


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_a_film_is_cropped_and_turned_by_its_content(tmp_path, sample, turn):
    """Whichever way up the camera or the film was."""
    xray = sample.pixels[3]
    photo, truth = hang(xray, 3)
    file = save(tmp_path / "a.jpg", np.ascontiguousarray(np.rot90(photo, turn)))
    made = cut(CutOrder(file, source(sample, 3), Limits()))
    assert made.jpeg is not None, made.reason
    assert (made.way, made.mirrored) == ("content", False)
    assert alike(made.jpeg, xray) > 0.97
    assert made.width / made.height == pytest.approx(xray.shape[1] / xray.shape[0], rel=0.01)
    if turn == 0:
        mine = corners(np.array(made.homography), *xray.shape[::-1])
        assert np.abs(mine - corners(truth, *xray.shape[::-1])).max() < 6


def test_a_film_that_hangs_mirrored_is_turned_over(tmp_path, sample):
    """Left is left again, and that is told."""
    xray = sample.pixels[3]
    photo, _ = hang(xray, 4, mirrored=True)
    made = cut(CutOrder(save(tmp_path / "a.jpg", photo), source(sample, 3), Limits()))
    assert made.mirrored
    assert "mirrored" in made.reason
    assert alike(made.jpeg, xray) > 0.97
    assert np.linalg.det(np.array(made.homography)) < 0


def test_a_film_of_another_xray_is_not_taken(tmp_path, sample):
    """The CSV is wrong in that line; by the edges only when that is asked for."""
    photo, _ = hang(sample.pixels[7], 5)
    file = save(tmp_path / "a.jpg", photo)
    made = cut(CutOrder(file, source(sample, 3), Limits()))
    assert made.jpeg is None
    assert "does not show" in made.reason
    forced = cut(CutOrder(file, source(sample, 3), Limits(), by_border=True))
    assert (forced.way, forced.homography) == ("border", None)
    assert "does not show" in forced.reason


@pytest.mark.parametrize(("around", "seed"), [(205.0, 1), (235.0, 2), (250.0, 4)])
def test_without_a_picture_a_film_is_found_by_its_edges(tmp_path, sample, around, seed):
    """Before a light box, to a few pixels of a photo 1600 wide."""
    xray = sample.pixels[5]
    photo, truth = hang(xray, seed, around=around)
    border = find_border(photo)
    assert border is not None
    assert np.abs(border.corners - corners(truth, *xray.shape[::-1])).max() < 4
    made = cut(CutOrder(save(tmp_path / "a.jpg", photo), None, Limits()))
    assert (made.way, made.found, made.homography) == ("border", None, None)
    assert alike(made.jpeg, xray) > 0.99


@pytest.mark.parametrize("orientation", range(1, 9))
def test_by_its_edges_a_film_is_as_upright_as_the_camera_says(tmp_path, sample, orientation):
    """Every EXIF orientation, as Pillow reads them."""
    stored = np.arange(12, dtype=np.uint8).reshape(3, 4)
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    Image.fromarray(stored).save(out, "PNG", exif=exif.tobytes())
    with Image.open(out) as picture:
        wanted = np.asarray(ImageOps.exif_transpose(picture))
    assert np.array_equal(_upright(stored, orientation), wanted)


def test_where_no_film_is_nothing_is_cut(tmp_path):
    """An even wall, and noise."""
    wall = np.full((600, 800), 128, np.uint8)
    noise = np.random.default_rng(1).integers(0, 255, (600, 800), dtype=np.uint8)
    for photo in (wall, noise):
        made = cut(CutOrder(save(tmp_path / "a.jpg", photo), None, Limits()))
        assert made.jpeg is None
        assert "edges" in made.reason


def test_files_that_are_no_pictures_are_sentences(tmp_path, sample):
    """Missing, damaged, too large: never an exception."""
    assert "cannot be read" in cut(CutOrder(tmp_path / "gone.jpg", None, Limits())).reason
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff" + b"x" * 100)
    assert "damaged" in cut(CutOrder(bad, None, Limits())).reason
    photo, _ = hang(sample.pixels[3], 3)
    large = save(tmp_path / "a.jpg", photo)
    assert "1,000" in cut(CutOrder(large, None, Limits(max_pixels=1000))).reason
