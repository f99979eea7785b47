"""Durable files: whole or not there, private where they should be."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from rig.durable import PRIVATE, write_atomic


def test_the_file_is_there_and_nothing_else(tmp_path):
    write_atomic(tmp_path / "a" / "b.jpg", b"one")
    write_atomic(tmp_path / "a" / "b.jpg", b"two")
    assert (tmp_path / "a" / "b.jpg").read_bytes() == b"two"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.jpg"]


def test_a_failed_write_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    target = tmp_path / "b.jpg"
    write_atomic(target, b"old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["b.jpg"]


def test_bytes_are_durable_before_the_name_is_and_the_name_after(tmp_path, monkeypatch):
    """fsync of the file, rename, fsync of the folder; in that order."""
    target, seen = tmp_path / "b.jpg", []
    monkeypatch.setattr(os, "fsync", lambda handle: seen.append(target.exists()))
    write_atomic(target, b"x")
    assert seen == [False, True]


def test_a_private_file_is_never_readable_by_others(tmp_path):
    """Also when the name existed before with wider rights."""
    path = tmp_path / "pair.txt"
    path.write_text("old")
    path.chmod(0o644)
    write_atomic(path, b"new", mode=PRIVATE)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_writers_of_one_file_do_not_mix_their_bytes(tmp_path):
    """Each has a temporary name of its own; one of the two wins, whole."""
    path = tmp_path / "x"
    first, second = b"a" * 300_000, b"b" * 300_000
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda data: write_atomic(path, data), [first, second] * 10))
    assert path.read_bytes() in (first, second)
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
