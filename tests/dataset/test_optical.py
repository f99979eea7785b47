"""The check by pixels: real x-rays, photos of them, two of which are swapped."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from rig.catalog.chexpert import import_csv
from rig.cli import main
from rig.commands.dataset_optics import PoolOptics
from rig.dataset.build import build
from rig.dataset.check import check
from rig.dataset.model import CapturedPhoto
from rig.planning.model import Environment
from rig.sample import csv_path

OPTICS = PoolOptics(None)
ROOM = Environment("e01", {})


def photographed(file: Path) -> bytes:
    """The x-ray on a dark screen, a little turned, as a camera would see it."""
    with Image.open(file) as xray:
        shown = xray.convert("L").resize((760, 900), Image.Resampling.LANCZOS)
    photo = Image.new("L", (1200, 1100), 12)
    photo.paste(shown, (220, 90))
    out = io.BytesIO()
    photo.rotate(2.5, Image.Resampling.BICUBIC, fillcolor=12).save(out, "JPEG", quality=92)
    return out.getvalue()


@pytest.fixture
def xrays(tmp_path):
    """Four x-rays that come with the program."""
    with csv_path().open(newline="", encoding="utf-8") as handle:
        rows = list(csv.reader(handle))
    short = tmp_path / "train.csv"
    with short.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows(rows[:5])
    found = import_csv(short, csv_path().parent.parent)
    assert not found.problems
    return found.xrays


@pytest.fixture
def make(xrays, tmp_path):
    def made(order=(0, 1, 2, 3), synthetic=("digital",)) -> Path:
        photos = []
        for xray, shown in zip(xrays, order, strict=True):
            data = photographed(xrays[shown].file)
            file = tmp_path / f"{xray.index}.jpg"
            file.write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            photos.append(CapturedPhoto(xray, file, "s", 1, ROOM, "nokia", 1, 1, digest, 0.9, None))
        return build(
            tmp_path / "out", name="Real", version="1", xrays=xrays, photos=photos,
            synthetic=synthetic,
        ).path  # fmt: skip

    return made


def kinds(report) -> list[str]:
    return sorted({one.kind for one in report.findings})


def test_photos_of_their_xrays_are_well_by_twins_and_by_sources(make):
    """The digital twins stand for the x-rays when these are not at hand."""
    root = make()
    report = check(root, optics=OPTICS)
    assert (report.problems, report.looked, report.unlooked) == ((), 4, 0)
    report = check(make(synthetic=()), optics=OPTICS, sources=csv_path().parent.parent)
    assert (report.problems, report.looked, report.unlooked) == ((), 4, 0)


def test_the_home_s_thresholds_hold_for_a_check_as_for_intake(make, tmp_path, capsys):
    """A photo is judged as it was when it came in."""
    words = ["dataset", "check", str(make()), "--workers", "1", "--home", str(tmp_path)]
    assert main(words) == 0
    (tmp_path / "thresholds.toml").write_text("score = 1.0\nblock_agreement = 1.0\n")
    capsys.readouterr()
    assert main(words) == 1
    assert capsys.readouterr().out.count("needed 1.00") == 4
    (tmp_path / "thresholds.toml").write_text("scroe = 1.0\n")
    assert main(words) == 2
    assert "there is no threshold 'scroe'" in capsys.readouterr().err


def test_without_any_xray_nothing_is_claimed(make):
    """Photos that could not be looked at are counted."""
    report = check(make(synthetic=()), optics=OPTICS)
    assert (report.well, report.looked, report.unlooked) == (True, 0, 4)


def test_a_pair_swapped_before_the_build_is_found_by_its_pixels(make):
    """Every digest is right; only the pictures tell."""
    root = make(order=(0, 2, 1, 3))
    assert check(root).problems == ()
    report = check(root, optics=OPTICS)
    assert kinds(report) == ["swapped"]
    assert [one.line for one in report.findings] == [2, 3]
    first, second = (one.text for one in report.findings)
    assert first.split(" shows ")[0] in second
    assert second.split(" shows ")[0] in first


def test_a_pair_swapped_on_the_disk_is_named_too(make):
    """By digest and by pixels."""
    root = make()
    one, two = sorted(root.glob("train/natural/**/*.jpg"))[:2]
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    report = check(root, optics=OPTICS)
    assert kinds(report) == ["digest", "swapped"]
    assert report.count == 4


def test_a_photo_of_something_else_is_told(make):
    """No other photo is its partner."""
    root = make()
    file = min(root.glob("train/natural/**/*.jpg"))
    Image.effect_noise((1200, 1100), 90).save(file)
    report = check(root, optics=OPTICS)
    assert kinds(report) == ["digest", "optical"]


def test_another_xray_in_the_sources_is_told(make, xrays, tmp_path):
    """The folder given is not the one that was photographed."""
    root = make(synthetic=())
    other = tmp_path / "sources"
    file = other / xrays[0].path
    file.parent.mkdir(parents=True)
    Image.effect_noise((40, 40), 90).save(file)
    report = check(root, optics=OPTICS, sources=other)
    assert kinds(report) == ["optical"]
    assert "is not the one that was photographed" in report.problems[0]
    assert (report.looked, report.unlooked) == (0, 4)


def test_a_source_that_leads_elsewhere_is_not_opened(make, tmp_path):
    """A table from outside must not make us read other files."""
    root = make(synthetic=())
    table = pq.read_table(root / "captures.parquet")
    rows = table.column("source_row").to_pylist()
    rows[0][0] = "../../etc/passwd"
    at = table.schema.get_field_index("source_row")
    changed = table.set_column(at, table.schema.field(at), pa.array(rows))
    pq.write_table(changed, root / "captures.parquet")
    report = check(root, optics=OPTICS, sources=csv_path().parent.parent)
    assert (report.looked, report.unlooked) == (3, 1)
