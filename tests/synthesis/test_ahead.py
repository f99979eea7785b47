import os

import pytest

from rig.synthesis.ahead import read_ahead


def open_files():
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208 - counts, no paths


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{n}" for n in range(7)]
    for n, path in enumerate(paths):
        path.write_bytes(bytes([n]) * n * 50_000)
    return paths


def test_every_file_comes_in_its_turn(files):
    assert list(read_ahead(files)) == [bytes([n]) * n * 50_000 for n in range(7)]
    assert list(read_ahead([])) == []


def test_what_cannot_be_read_is_an_error_in_its_place(files, tmp_path):
    files[1].unlink()
    files[4] = tmp_path
    found = list(read_ahead(files))
    assert isinstance(found[1], FileNotFoundError)
    assert isinstance(found[4], IsADirectoryError)
    assert [len(z) for z in found if isinstance(z, bytes)] == [
        0,
        100_000,
        150_000,
        250_000,
        300_000,
    ]


def test_a_pipe_that_nobody_writes_to_holds_up_nobody(files, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert list(read_ahead([tmp_path / "pipe", files[1]])) == [b"", b"\1" * 50_000]


def test_files_are_closed_even_when_the_reader_stops(files):
    before = open_files()
    reader = read_ahead(files)
    next(reader)
    reader.close()
    assert open_files() == before
