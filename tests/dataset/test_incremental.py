"""A second build writes what changed and nothing else, and gives what a first one would."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import pytest

from rig.dataset import reuse
from rig.dataset.captures import read_captures
from rig.dataset.check import check
from rig.dataset.errors import DatasetError
from rig.dataset.vindr import read_annotations

TABLES = {
    "train.csv", "valid.csv", "captures.parquet", "environments.csv", "manifest.jsonl",
    "README.md", "croissant.json",
}  # fmt: skip


def files(root) -> dict[str, os.stat_result]:
    found = (p for p in root.rglob("*") if p.is_file())
    return {p.relative_to(root).as_posix(): p.stat() for p in found}


def content(root) -> dict[str, str]:
    found = (p for p in root.rglob("*") if p.is_file())
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in found
    }


def written(before, after) -> set[str]:
    """Files that are new on the disk: another inode than any before."""
    inodes = {stat.st_ino for stat in before.values()}
    return {name for name, stat in after.items() if stat.st_ino not in inodes}


@pytest.fixture
def many(kit):
    """Forty x-rays, each with a photo."""
    first = kit.xrays[0]
    for index in range(7, 41):
        key = f"patient{index:05d}/study1/view1_frontal"
        kit.xrays.append(replace(first, index=index, key=key))
        kit.photos.append(kit.photo(index))
    kit.photos.append(kit.photo(4))
    kit.gaps = []
    return kit


def keep_open(root):
    """Hold every inode of a tree, so that a number is not given out again after the old build."""
    return [os.open(p, os.O_RDONLY) for p in root.rglob("*") if p.is_file()]


def build_again(kit, **changes) -> set[str]:
    before = files(kit.root)
    held = keep_open(kit.root)
    try:
        kit.build(**changes)
        return written(before, files(kit.root))
    finally:
        for handle in held:
            os.close(handle)


def test_ten_photos_shot_again_are_all_that_is_written(many, tmp_path):
    """Besides the tables; and the result is that of a build from nothing."""
    many.build()
    chosen = range(11, 21)
    fresh = {index: many.photo(index, data=jpeg_of(index), attempt=2) for index in chosen}
    many.photos = [fresh.get(photo.xray.index, photo) for photo in many.photos]
    photos = {
        f"train/natural/nokia/patient{index:05d}/study1/view1_frontal.jpg" for index in chosen
    }
    assert build_again(many) == photos | TABLES
    here = content(many.root)
    elsewhere = replace_out(many, tmp_path)
    elsewhere.build()
    assert content(elsewhere.root) == here
    assert check(many.root).problems == ()


def jpeg_of(index: int) -> bytes:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.effect_noise((64, 48), 10 + index).save(out, "JPEG")
    return out.getvalue()


def replace_out(kit, tmp_path):
    """The same input with another place to build in."""
    other = type(kit)(tmp_path / "elsewhere", kit.xrays, kit.photos, kit.gaps)
    other.folder.mkdir()
    return other


def test_nothing_but_tables_is_written_when_nothing_changed(many):
    """Photos and twins are links to the earlier build's."""
    many.build()
    assert build_again(many) == TABLES


def test_a_changed_xray_makes_its_twins_anew(many):
    """Recognized by its digest."""
    many.build()
    file = many.folder / "other.jpg"
    file.write_bytes(jpeg_of(99))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    changed = replace(many.xrays[9], file=file, sha256=digest)
    many.xrays[9] = changed
    many.photos = [
        replace(p, xray=changed) if p.xray.index == changed.index else p for p in many.photos
    ]
    tail = "patient00010/study1/view1_frontal.jpg"
    made = {f"train/synthetic/{kind}/{tail}" for kind in ("digital", "photographic")}
    assert build_again(many) == made | TABLES


def test_a_file_damaged_in_the_earlier_build_is_written_anew(many):
    """Nothing is taken on trust: bytes are compared, not names."""
    many.build()
    photo = many.root / "train/natural/nokia/patient00010/study1/view1_frontal.jpg"
    twin = many.root / "train/synthetic/digital/patient00012/study1/view1_frontal.jpg"
    clean = content(many.root)
    for file in (photo, twin):
        file.write_bytes(b"x" * file.stat().st_size)
    names = {file.relative_to(many.root).as_posix() for file in (photo, twin)}
    assert names <= build_again(many)
    assert content(many.root) == clean


def test_another_version_of_the_program_makes_the_twins_anew(many, monkeypatch):
    """What decides the pixels is part of the input."""
    many.build()
    now = reuse.manifest.versions() | {"opencv": "another"}
    monkeypatch.setattr(reuse.manifest, "versions", lambda: now)
    again = build_again(many)
    assert sum("/synthetic/" in name for name in again) == 80
    assert not any("/natural/" in name for name in again)


def test_without_hard_links_files_are_written(many, monkeypatch):
    """A file system that has none loses the gain, nothing else."""
    from pathlib import Path

    many.build()
    before = content(many.root)

    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    many.build()
    assert content(many.root) == before


def test_gaps_of_the_earlier_build_do_not_stay(many):
    """Nor photos of what is a gap now."""
    lost, many.photos = many.photos[3], many.photos[:3] + many.photos[4:]
    many.build()
    many.photos.append(lost)
    many.build()
    gone = "train/natural/nokia/patient00001/study1/view1_frontal.jpg"
    many.photos = [p for p in many.photos if p.xray.index != 1]
    many.build()
    assert not (many.root / gone).exists()
    assert len(read_captures(many.root)) == 39
    assert check(many.root).problems == ()


def test_rectified_copies_are_made_once(many):
    """Until the photo or its homography changes; also in other threads."""
    from concurrent.futures import ThreadPoolExecutor

    calls = []

    def copy(data: bytes, homography, size) -> bytes:
        calls.append(size)
        return jpeg_of(len(data) % 50)

    many.build(rectify=copy, synthetic=())
    assert len(calls) == 40
    assert set(calls) == {(40, 50)}
    many.build(rectify=copy, synthetic=())
    assert len(calls) == 40
    many.photos[5] = replace(many.photos[5], homography=((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    with ThreadPoolExecutor(2) as executor:
        many.build(rectify=copy, synthetic=(), executor=executor)
    assert len(calls) == 41
    assert check(many.root).problems == ()


def test_rectified_copies_have_rows_boxes_and_digests(kit, annotations):
    """In a tree of their own that the usual loaders do not see; boxes are those of the x-ray."""
    from rig.dataset.box_table import iter_boxes
    from rig.dataset.statistics import statistics

    kit.build(
        rectify=lambda data, homography, size: sized(size),
        synthetic=(),
        annotations=read_annotations(annotations),
    )
    copy = "rectified/train/natural/nokia/patient00001/study1/view1_frontal.jpg"
    first, *_ = (kit.root / "rectified/train.csv").read_text().splitlines()[1:]
    assert first.startswith(f"Test-v1.0/{copy},Female,51,")
    assert statistics(kit.root).collection.images == 5
    boxes = [row for row in iter_boxes(kit.root) if row["path"] == copy]
    assert boxes[0]["source_box"] == [boxes[0][n] for n in ("x_min", "y_min", "x_max", "y_max")]
    assert check(kit.root).problems == ()
    (kit.root / copy).write_bytes(b"other")
    assert any("rectified" in p and "SHA-256" in p for p in check(kit.root).problems)


def sized(size) -> bytes:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.effect_noise(size, 30).save(out, "JPEG")
    return out.getvalue()


def test_a_photo_that_cannot_be_rectified_stops_nothing(kit):
    """It is told, and has no copy."""

    def refuse(data: bytes, homography, size) -> bytes:
        raise ValueError("the homography maps the x-ray to no area of the photo")

    report = kit.build(rectify=refuse, synthetic=())
    assert (report.natural, report.unmade) == (5, 5)
    assert "no area" in report.failed[0]
    assert not (kit.root / "rectified").exists()
    assert check(kit.root).problems == ()


class Dead(Executor):
    """A pool whose processes were killed."""

    def submit(self, *_: object, **__: object) -> Future:
        gone: Future = Future()
        gone.set_exception(BrokenProcessPool("A process in the process pool was terminated"))
        return gone


def test_dead_workers_stop_the_build_and_leave_nothing(kit):
    """With a sentence; not as many photos without a copy."""
    with pytest.raises(DatasetError, match="A worker process died"):
        kit.build(rectify=sized, synthetic=(), executor=Dead())
    assert list(kit.out.iterdir()) == []
