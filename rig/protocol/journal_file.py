"""The journal on disk: append, make durable, and go on after a torn write."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from rig.protocol.failpoint import hit
from rig.protocol.journal import Record, encode_record, parse_journal

_CHUNK = 1 << 20
"""Preallocated ahead, so that a full disk can still take VOID, FAIL and ABORT."""
_CANNOT_ALLOCATE = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})
"""What a file system says that knows no preallocation; zeros are written instead."""


def fsync_folder(folder: Path) -> None:
    """Make renames in *folder* durable."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class JournalFile:
    """One journal; one writer. `append` returns when the records are durable."""

    def __init__(self, path: Path) -> None:
        """Open or create *path*; a torn last record is cut off.

        Raises:
            JournalCorrupt: damage before the last record.
            OSError: the file cannot be opened or preallocated.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        existed = path.exists()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            data = path.read_bytes()
            self.records, self._end = parse_journal(data)
            self._size = len(data)
            if data[self._end :].strip(b"\0"):
                os.ftruncate(self._fd, self._end)
                self._size = self._end
            self._reserve(0)
            os.fsync(self._fd)
            if not existed:
                fsync_folder(path.parent)
        except BaseException:
            os.close(self._fd)
            raise

    def append(self, records: Iterable[Record]) -> None:
        """Write *records* at the end and make them durable, all in one."""
        records = list(records)
        for record in records:
            hit(f"before_{str(record['k']).lower()}")
        data = b"".join(encode_record(r) for r in records)
        self._reserve(len(data))
        _write(self._fd, data, self._end)
        _datasync(self._fd)
        self._end += len(data)
        for record in records:
            hit(f"after_{str(record['k']).lower()}")

    def close(self) -> None:
        """Release the file."""
        os.close(self._fd)

    def _reserve(self, more: int) -> None:
        """Have a spare chunk of zeros behind the next *more* bytes, if the disk allows."""
        if self._size - self._end - more >= _CHUNK // 2:
            return
        want = self._end + more + _CHUNK
        try:
            _allocate(self._fd, self._size, want - self._size)
            self._size = want
        except OSError:
            # The reserve may be used up; only a write that does not fit is an error.
            if self._size - self._end < more:
                raise


def _allocate(fd: int, start: int, length: int) -> None:
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(fd, start, length)
        except OSError as error:
            if error.errno not in _CANNOT_ALLOCATE:
                raise
        else:
            return
    _write(fd, bytes(length), start)


def _write(fd: int, data: bytes, at: int) -> None:
    """All of *data*: the system may take fewer bytes at a time than it is given."""
    rest = memoryview(data)
    while rest:
        taken = os.pwrite(fd, rest, at)
        if taken <= 0:
            raise OSError(errno.EIO, "the journal takes no more bytes")
        rest, at = rest[taken:], at + taken


def _datasync(fd: int) -> None:
    getattr(os, "fdatasync", os.fsync)(fd)
