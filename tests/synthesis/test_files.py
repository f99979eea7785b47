import os

import pytest

from rig.synthesis.files import write_atomic


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
