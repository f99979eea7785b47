"""What a large dataset takes of memory: it must not grow with the rows, step by step."""

from __future__ import annotations

import gc
import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bench import dataset as large
from rig.dataset import collection, files, gather, layout, partition, row_groups, statistics
from rig.dataset.captures import CaptureWriter, gap_row, iter_captures
from rig.dataset.export import export
from rig.dataset.labels import read_rows
from rig.dataset.model import Gap

SMALL, LARGE = 1_000, 4_000
BYTES = 30
"""A row more may take this much at the peak: less than any list or set of rows, keys or lines."""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is held at a time is small, so that a few thousand rows are many."""
    held = {"scratch": None, "hold": 100}
    monkeypatch.setattr(partition.Partition.__init__, "__kwdefaults__", held)
    monkeypatch.setattr(partition, "GROUP_BYTES", 10_000)
    monkeypatch.setattr(row_groups, "ROWS", 64)
    monkeypatch.setattr(row_groups, "GROUP", 512)


def peak(step: Callable[[], object]) -> int:
    """Bytes that *step* has of Python's at most, over those it began with."""
    usual = gc.get_threshold()
    # Rubbish that waits for its collection is none of the step's. How long it waits goes by how
    # much else there is: that is set aside.
    gc.freeze()
    gc.collect()
    gc.set_threshold(100, 2, 2)
    tracemalloc.start()
    try:
        step()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.set_threshold(*usual)
        gc.unfreeze()


def growth(step: Callable[[int], object]) -> float:
    """Bytes a row more takes at the peak; a first round fills what is kept from call to call.

    In one of the rounds the interpreter may have made its table of names anew, which is megabytes
    at once and no step's: what only one of two rounds takes is left out.
    """
    step(SMALL)
    small = peak(lambda: step(SMALL))
    more = min(peak(lambda: step(LARGE)) for _ in range(2))
    return (more - small) / (LARGE - SMALL)


def built(tmp_path: Path, *, pictures: bool = False) -> None:
    """Tables of both sizes, each below a folder of its size; every picture is the same file."""
    out = io.BytesIO()
    Image.new("L", (8, 6), 90).save(out, "JPEG")
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(out.getvalue())
    for size in (SMALL, LARGE):
        folder = tmp_path / str(size)
        folder.mkdir()
        large.STEPS["build"](folder, size)
        root = folder / large.NAME
        for row in read_rows(root) if pictures else ():
            target = folder / row.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(picture)


def test_a_build_of_many(tmp_path):
    """Survey, tables, card, description."""
    rounds = iter(range(9))

    def step(size: int) -> None:
        folder = tmp_path / str(next(rounds))
        folder.mkdir()
        large.STEPS["build"](folder, size)

    assert growth(step) < BYTES


@pytest.mark.parametrize("name", ["stats", "check"])
def test_statistics_and_a_check_of_many(tmp_path, name):
    """Their tables only."""
    built(tmp_path)
    assert growth(lambda size: large.STEPS[name](tmp_path / str(size), size)) < BYTES


@pytest.mark.parametrize("form", ["hf", "webdataset", "croissant"])
def test_exports_of_many(tmp_path, form):
    """With the pictures."""
    built(tmp_path, pictures=True)
    report = export(tmp_path / str(SMALL) / large.NAME, form)
    assert report.images == SMALL - SMALL // 100
    assert growth(lambda size: export(tmp_path / str(size) / large.NAME, form)) < BYTES


def test_folders_of_many_names(tmp_path):
    """Looked through, made durable and deleted without a list of the names."""
    for size in (SMALL, LARGE):
        (tmp_path / f"{size}/train").mkdir(parents=True)
        for number in range(size):
            (tmp_path / f"{size}/train/{number:08d}.jpg").touch()

    def look(size: int) -> None:
        assert sum(1 for _ in files.files_below(tmp_path / str(size))) == size
        assert sum(1 for _ in gather._pictures(tmp_path / str(size))) == size
        assert collection._bytes(tmp_path / str(size)) == 0
        files.settle(tmp_path / str(size))

    assert growth(look) < BYTES
    small, more = (
        peak(lambda size=size: files.remove_tree(tmp_path / str(size))) for size in (SMALL, LARGE)
    )
    assert (more - small) / (LARGE - SMALL) < BYTES
    assert list(tmp_path.iterdir()) == []


def test_a_partition_of_many_has_no_large_group(tmp_path):
    """Of however many records."""

    def step(size: int) -> None:
        with partition.Partition(scratch=tmp_path) as some:
            for number in range(size * 3):
                some.add(f"patient{number // 3}", (number, "x" * 40))
            largest = 0
            for group in some.groups():
                largest = max(largest, len(group))
                assert len({number // 3 for number, _ in group}) * 3 == len(group)
            assert largest < 300

    assert growth(step) < BYTES
    assert list(tmp_path.iterdir()) == []


def test_one_patient_of_very_many_records_is_one_group(tmp_path):
    """It cannot be divided; that ends."""
    with partition.Partition(scratch=tmp_path) as some:
        for number in range(2000):
            some.add("patient1", (number, "x" * 40))
        assert list(some.groups()) == [[(number, "x" * 40) for number in range(2000)]]


def test_a_large_table_has_few_groups_of_rows(tmp_path, monkeypatch):
    """What Parquet keeps of each is held until the file is closed, by writer and reader alike."""
    monkeypatch.undo()
    assert row_groups.GROUP >= 32_768
    monkeypatch.setattr(row_groups, "ROWS", 64)
    monkeypatch.setattr(row_groups, "GROUP", 512)
    with CaptureWriter(tmp_path / layout.CAPTURES, "Test-v1", ("light",)) as writer:
        for number in range(1300):
            writer.add(gap_row(Gap(number, f"p{number}/s/v", "Lost."), None))
    told = pq.read_metadata(tmp_path / layout.CAPTURES)
    assert [told.row_group(n).num_rows for n in range(told.num_row_groups)] == [512, 512, 276]
    assert [row["index"] for row in iter_captures(tmp_path)] == list(range(1300))


def test_a_tree_that_cannot_be_deleted_stays_and_ends(tmp_path, monkeypatch):
    """As of another user; a link is not followed."""
    (tmp_path / "tree/inside").mkdir(parents=True)
    (tmp_path / "tree/inside/kept").touch()
    (tmp_path / "link").symlink_to(tmp_path / "tree")
    files.remove_tree(tmp_path / "link")
    assert (tmp_path / "tree/inside/kept").exists()

    def refuse(*_: object) -> None:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        files.remove_tree(tmp_path / "tree")
    assert (tmp_path / "tree/inside/kept").exists()
    files.remove_tree(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()
    files.remove_tree(tmp_path / "tree")


def test_statistics_read_only_the_columns_they_count(tmp_path, monkeypatch):
    """Ten million homographies are not made into numbers for nothing."""
    built(tmp_path)
    asked = []

    def spy(root: Path, columns: tuple[str, ...], *, also: tuple[str, ...]) -> object:
        asked.extend([*columns, *also])
        return iter_captures(root, columns, also=also)

    monkeypatch.setattr(statistics, "iter_captures", spy)
    large.STEPS["stats"](tmp_path / str(SMALL), SMALL)
    assert "homography" not in asked
    assert {"gap", "environment", "device", "source_row", "width"} <= set(asked)


def test_rows_are_read_and_let_go_again(monkeypatch, tmp_path):
    """Arrow keeps something of every group while one iteration goes over all of them."""
    monkeypatch.undo()
    count = 150_000
    table = pa.table(
        {
            "path": [f"train/patient{n:06}" for n in range(count)],
            "digest": [f"{n * 7919:064x}" for n in range(count)],
        }
    )
    pq.write_table(table, tmp_path / "rows", row_group_size=2048)
    del table
    held, before = 0, pa.total_allocated_bytes()
    with pq.ParquetFile(tmp_path / "rows") as parquet:
        for n, row in enumerate(row_groups.rows(parquet, ["path", "digest"])):
            if n % 5000 == 0:
                assert row["path"] == f"train/patient{n:06}"
                held = max(held, pa.total_allocated_bytes() - before)
    assert n == count - 1
    assert held < 800_000
