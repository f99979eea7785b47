"""A folder as a tar that is sent as it is read: never whole in memory, never on disk.

What is in it, in which order and how long it is are known before its first byte. So a download
tells its size, and one that broke goes on where it was (RFC 9110, section 14).
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHUNK: Final = 256 * 1024
"""Bytes that are read at once."""
_BLOCK: Final = tarfile.BLOCKSIZE
_RANGE: Final = re.compile(r"bytes=(\d{1,18})-(\d{0,18})", re.ASCII)


class ChangedError(OSError):
    """A file became shorter while it was sent: the download ends, and can be begun anew."""


class RangeError(ValueError):
    """The range begins behind the end."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the tar: its name inside, where it is, its bytes and its time (Unix, seconds)."""

    name: str
    file: Path
    size: int
    mtime: int

    def header(self) -> bytes:
        """What stands before its bytes, POSIX.1-2001 (pax)."""
        info = tarfile.TarInfo(self.name)
        info.size, info.mtime, info.mode = self.size, self.mtime, 0o644
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")

    @property
    def padding(self) -> int:
        """Zero bytes behind its own."""
        return -self.size % _BLOCK


class Tar:
    """The tar of *root*, whose files lie below its name; links and hidden files are left out."""

    def __init__(self, root: Path) -> None:
        self.entries = tuple(sorted(_files(root), key=lambda one: one.name))
        told = hashlib.sha256()
        size = 2 * _BLOCK
        for one in self.entries:
            size += len(one.header()) + one.size + one.padding
            told.update(f"{one.name}\0{one.size}\0{one.mtime}\n".encode("utf-8", "surrogateescape"))
        self.size = size
        """Bytes of all."""
        self.etag = f'"{told.hexdigest()[:32]}"'

    def read(self, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from *begin* up to *end*.

        Raises:
            OSError: a file is gone or cannot be read.
            ChangedError: a file became shorter.
        """
        end = self.size if end is None else end
        at = 0
        for one in self.entries:
            head = one.header()
            whole = len(head) + one.size + one.padding
            if at + whole > begin and at < end:
                yield from _cut(head, at, begin, end)
                yield from _body(one, at + len(head), begin, end)
                yield from _cut(bytes(one.padding), at + len(head) + one.size, begin, end)
            at += whole
        yield from _cut(bytes(2 * _BLOCK), at, begin, end)


def range_of(asked: str | None, size: int) -> tuple[int, int] | None:
    """Begin and end of a `Range` header; None: all of it is to be sent.

    Raises:
        RangeError: it begins behind the end.
    """
    match = _RANGE.fullmatch((asked or "").replace(" ", ""))
    if match is None:
        return None
    begin = int(match[1])
    last = int(match[2]) if match[2] else max(begin, size - 1)
    if last < begin:
        return None
    if begin >= size:
        raise RangeError(f"There are {size} bytes: none follow byte {begin}.")
    return begin, min(last + 1, size)


def _files(root: Path) -> Iterator[Entry]:
    for folder, folders, names in os.walk(root):
        folders[:] = [one for one in folders if not one.startswith(".")]
        for name in names:
            file = Path(folder, name)
            found = file.lstat()
            if stat.S_ISREG(found.st_mode) and not name.startswith("."):
                inside = f"{root.name}/{file.relative_to(root).as_posix()}"
                yield Entry(inside, file, found.st_size, int(found.st_mtime))


def _cut(data: bytes, at: int, begin: int, end: int) -> Iterator[bytes]:
    """What of *data*, which stands at *at*, is wanted."""
    piece = data[max(begin - at, 0) : max(end - at, 0)]
    if piece:
        yield piece


def _body(one: Entry, at: int, begin: int, end: int) -> Iterator[bytes]:
    first, last = max(begin - at, 0), min(end - at, one.size)
    if first >= last:
        return
    with one.file.open("rb") as file:
        file.seek(first)
        while first < last:
            data = file.read(min(CHUNK, last - first))
            if not data:
                raise ChangedError(f"{one.name} became shorter while it was sent.")
            first += len(data)
            yield data
