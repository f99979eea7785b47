"""The journal on disk."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rig
from rig.protocol.journal import JournalCorrupt, encode_record, parse_journal
from rig.protocol.journal_file import JournalFile, fsync_folder

RECORDS = [{"k": "RUN", "n": 1}, {"k": "INTENT", "n": 2}, {"k": "STORED", "n": 3}]
ENV = {**os.environ, "PYTHONPATH": str(Path(rig.__file__).parents[1])}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent" / "journal"


def _write(path: Path, *records: dict[str, object]) -> None:
    journal = JournalFile(path)
    journal.append(records)
    journal.close()


def _read(path: Path) -> list[object]:
    journal = JournalFile(path)
    journal.close()
    return list(journal.records)


def test_a_new_journal_is_empty_private_and_preallocated(path: Path):
    """Mode 0600 and 1 MiB of zeros, so that a full disk can still take an abort."""
    assert _read(path) == []
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size >= 1 << 20
    assert path.stat().st_blocks * 512 >= 1 << 20


def test_reopening_goes_on_where_it_ended(path: Path):
    for record in RECORDS:
        _write(path, record)
    assert _read(path) == RECORDS
    assert path.read_bytes().startswith(b"".join(encode_record(r) for r in RECORDS) + b"\0")


def test_several_records_are_one_write(path: Path, monkeypatch: pytest.MonkeyPatch):
    """VOID and INTENT of a supersede become durable together or not at all."""
    journal, calls = JournalFile(path), []
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda *a: calls.append("write") or real(*a))
    sync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: calls.append("sync") or sync(fd))
    journal.append(RECORDS)
    journal.close()
    assert calls == ["write", "sync"]


def test_the_journal_works_without_fdatasync(path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where the system has none, fsync does it."""
    monkeypatch.delattr(os, "fdatasync")
    _write(path, *RECORDS)
    assert _read(path) == RECORDS


def test_a_tail_torn_at_any_byte_is_cut_and_overwritten(tmp_path: Path):
    whole = b"".join(encode_record(r) for r in RECORDS)
    keep = len(whole) - len(encode_record(RECORDS[2]))
    for cut in range(keep, len(whole)):
        path = tmp_path / f"cut{cut}"
        path.write_bytes(whole[:cut] + bytes(64))
        _write(path, {"k": "VOID", "n": 4})
        assert _read(path) == [*RECORDS[:2], {"k": "VOID", "n": 4}]


def test_a_damaged_middle_refuses_to_open_and_changes_nothing(path: Path):
    _write(path, *RECORDS)
    data = bytearray(path.read_bytes())
    data[len(encode_record(RECORDS[0])) + 12] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalCorrupt):
        JournalFile(path)
    assert path.read_bytes() == data


def test_a_page_of_zeros_in_the_middle_refuses_to_open_and_changes_nothing(path: Path):
    """The records behind the hole are evidence; they are never truncated away."""
    _write(path, *RECORDS)
    data = bytearray(path.read_bytes())
    first = len(encode_record(RECORDS[0]))
    data[first : first + 10] = bytes(10)
    path.write_bytes(data)
    with pytest.raises(JournalCorrupt):
        JournalFile(path)
    assert path.read_bytes() == data


def test_the_reserve_is_renewed_before_it_is_used_up(path: Path):
    """After a megabyte of records there is still half a megabyte of reserve."""
    journal = JournalFile(path)
    big = {"k": "FAIL", "why": "x" * 60_000}
    for _ in range(20):
        journal.append([big])
    used = 20 * len(encode_record(big))
    assert path.stat().st_size - used >= 1 << 19
    journal.close()
    assert _read(path) == [big] * 20


def test_a_full_disk_leaves_the_reserve(path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing more can be allocated, yet VOID, FAIL and ABORT still fit; then it is an error."""
    journal = JournalFile(path)

    def full(fd: int, start: int, length: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    big = {"k": "FAIL", "why": "x" * 100_000}
    for _ in range(10):
        journal.append([big])
    with pytest.raises(OSError, match="no space"):
        journal.append([big])
    journal.close()
    monkeypatch.undo()
    assert _read(path) == [big] * 10


def test_a_file_system_that_cannot_preallocate_is_filled_with_zeros(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Some have no fallocate; that is no reason to refuse a journal."""

    def cannot(fd: int, start: int, length: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(os, "posix_fallocate", cannot)
    _write(path, *RECORDS)
    assert path.stat().st_size >= 1 << 20
    assert _read(path) == RECORDS


def test_a_system_without_fallocate_fills_with_zeros(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "posix_fallocate")
    _write(path, *RECORDS)
    assert path.stat().st_size >= 1 << 20
    assert _read(path) == RECORDS


def test_a_write_that_comes_up_short_is_continued(path: Path, monkeypatch: pytest.MonkeyPatch):
    """The system may take fewer bytes than it was given; a record is durable whole or not."""
    journal = JournalFile(path)
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, bytes(data)[:7], at))
    journal.append(RECORDS)
    journal.close()
    monkeypatch.undo()
    assert _read(path) == RECORDS


def test_a_write_that_makes_no_progress_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch):
    journal = JournalFile(path)
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: 0)
    with pytest.raises(OSError, match="journal"):
        journal.append(RECORDS)
    journal.close()


def test_a_sync_that_fails_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch):
    journal = JournalFile(path)

    def broken(fd: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(OSError, match="input/output"):
        journal.append(RECORDS)
    journal.close()


def test_a_journal_that_cannot_be_opened_leaves_no_descriptor(path: Path):
    path.parent.mkdir()
    path.write_bytes(b"damaged\n" + encode_record(RECORDS[0]))
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(JournalCorrupt):
        JournalFile(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_renames_in_a_folder_can_be_made_durable(tmp_path: Path):
    fsync_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        fsync_folder(tmp_path / "nowhere")


FILL = """
import resource, sys
from pathlib import Path
from rig.protocol.journal_file import JournalFile
path, limit = Path(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
journal = JournalFile(path)
try:
    for n in range(100):
        journal.append([{"k": "FAIL", "n": n, "why": "x" * 50000}])
        print(n, flush=True)
except OSError:
    sys.exit(3)
"""


@pytest.mark.parametrize("limit", [0, 100_000, 1 << 20, (1 << 20) + 1, 1_200_000, 1_600_000])
def test_every_record_that_was_confirmed_is_there_after_the_disk_was_full(path: Path, limit: int):
    """A real limit in a real process: confirmed means durable, and the file opens again."""
    done = subprocess.run(
        [sys.executable, "-c", FILL, path, str(limit)], env=ENV, capture_output=True, check=False
    )
    assert done.returncode == 3, done.stderr
    confirmed = [int(n) for n in done.stdout.split()]
    assert bool(confirmed) == (limit >= 1 << 20)
    records, _ = parse_journal(path.read_bytes())
    assert [r["n"] for r in records][: len(confirmed)] == confirmed
    assert [r["n"] for r in _read(path)] == [r["n"] for r in records]
