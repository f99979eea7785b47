"""Reading in bounded memory: partitions, snapshots, surveys."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rig.dataset.build import build_from
from rig.dataset.captures import iter_captures
from rig.dataset.check import check
from rig.dataset.errors import DatasetError
from rig.dataset.partition import Partition
from rig.dataset.records import Spool, listed
from rig.dataset.statistics import statistics
from rig.dataset.survey import survey


def test_few_records_come_back_as_one_group_in_their_order(tmp_path):
    """No file is made for them."""
    with Partition(scratch=tmp_path) as some:
        for number in range(10):
            some.add(f"p{number % 3}", (number,))
        assert list(some.groups()) == [[(number,) for number in range(10)]]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("largest", [500, 2_000_000])
def test_many_records_come_back_by_patient_and_leave_nothing(tmp_path, monkeypatch, largest):
    """All of a patient in one group, in their order; every record once."""
    from rig.dataset import partition

    monkeypatch.setattr(partition, "GROUP_BYTES", largest)
    with Partition(scratch=tmp_path, hold=100) as some:
        for number in range(5000):
            some.add(f"p{number % 700}", (f"p{number % 700}", number, None, [1.5, "x"]))
        groups = list(some.groups())
        assert len(groups) > (100 if largest < 10_000 else 50)
        assert list(some.groups()) == groups
    where = {}
    for place, group in enumerate(groups):
        for patient, *_ in group:
            assert where.setdefault(patient, place) == place
        for patient in {patient for patient, *_ in group}:
            numbers = [number for who, number, *_ in group if who == patient]
            assert numbers == sorted(numbers)
    assert sum(map(len, groups)) == 5000
    assert list(tmp_path.iterdir()) == []


def test_a_snapshot_gives_the_same_records_again_and_at_once(kit, tmp_path):
    """Two passes may be under way."""
    records = listed(kit.xrays, kit.photos, kit.gaps)
    (tmp_path / "scratch").mkdir()
    with Spool(iter(records), scratch=tmp_path / "scratch") as spool:
        assert list(spool) == records
        one, two = iter(spool), iter(spool)
        assert [next(one), next(one), next(two), next(one)] == [
            records[0], records[1], records[0], records[2],
        ]  # fmt: skip
    assert list((tmp_path / "scratch").iterdir()) == []


def test_records_are_by_index_with_photos_by_device(kit):
    """Whatever the order they came in; a gap of no x-ray stays."""
    from rig.dataset.model import Gap

    second = replace(kit.photos[0], device="apple")
    found = listed(kit.xrays[::-1], [*kit.photos, second], [*kit.gaps, Gap(0, "?", "Why.")])
    assert [record.xray and record.xray.index for record in found] == [None, 1, 2, 3, 4, 5, 6]
    assert [photo.device for photo in found[1].photos] == ["apple", "nokia"]


def test_a_survey_in_files_refuses_what_one_in_memory_refuses(kit, tmp_path, monkeypatch):
    """Patients in two splits among many."""
    from rig.dataset import partition

    kit.xrays[1] = replace(kit.xrays[1], split="valid")
    kit.xrays[5] = replace(kit.xrays[5], split="test")
    defaults = {"scratch": None, "hold": 2}
    monkeypatch.setattr(partition.Partition.__init__, "__kwdefaults__", defaults)
    with pytest.raises(
        DatasetError, match=r"patient00001 \(train and valid\), patient00004 \(test and valid\)"
    ):
        survey(listed(kit.xrays, [], []), scratch=tmp_path)


def test_films_are_stored_in_their_folder_with_their_own_labels(kit):
    """`valid/film`, without an index, checked like the others."""
    photo = kit.folder / "film.jpg"
    import hashlib

    from PIL import Image

    Image.effect_noise((60, 50), 70).save(photo)

    row = ("x", "Male", "70", "Frontal", "PA", "0.0", *[""] * 13)
    film = replace(
        kit.xrays[4], index=0, file=photo, row=row,
        sha256=hashlib.sha256(photo.read_bytes()).hexdigest(),
    )  # fmt: skip
    kit.build(films=[film])
    path = "valid/film/patient00004/study1/view1_frontal.jpg"
    assert (kit.root / path).read_bytes() == photo.read_bytes()
    lines = (kit.root / "valid.csv").read_text().splitlines()
    assert f"Test-v1.0/{path},Male,70,Frontal,PA,0.0" in "".join(lines)
    row = next(row for row in iter_captures(kit.root) if row["device"] == "film")
    assert (row["index"], row["path"], row["environment"]) == (None, path, None)
    assert check(kit.root).problems == ()
    assert statistics(kit.root).sets["valid"]["film"].images == 1
    assert "| film | valid | 1 | 1 | 1 |" in (kit.root / "README.md").read_text()
    text = (kit.root / "valid.csv").read_text().replace(",Male,70,", ",Male,71,")
    (kit.root / "valid.csv").write_text(text)
    assert any("Age is '71', there '70'" in p for p in check(kit.root).problems)


def test_a_film_of_a_patient_of_another_split_is_refused(kit):
    """As any image."""
    film = replace(kit.xrays[0], index=0, split="valid")
    with pytest.raises(DatasetError, match=r"patient00001 \(train and valid\)"):
        kit.build(films=[film])


def test_a_lost_film_is_told_and_stops_nothing(kit):
    """Like a lost photo."""
    film = replace(kit.xrays[4], index=0, file=kit.folder / "gone.jpg")
    report = kit.build(films=[film], synthetic=())
    assert report.failed == (
        "film patient00004/study1/view1_frontal: it cannot be read: No such file or directory.",
    )
    assert check(kit.root).problems == ()


def test_a_build_from_a_snapshot_is_that_from_lists(kit, tmp_path):
    """Byte for byte."""
    kit.build()
    with Spool(listed(kit.xrays, kit.photos, kit.gaps)) as spool:
        build_from(
            tmp_path / "other", spool, name="Test", version="1.0",
            synthetic=("digital", "photographic"), seed=5, terms="CC0, made by a test.",
        )  # fmt: skip
    for file in kit.root.rglob("*"):
        if file.is_file():
            other = tmp_path / "other/Test-v1.0" / file.relative_to(kit.root)
            assert file.read_bytes() == other.read_bytes()
