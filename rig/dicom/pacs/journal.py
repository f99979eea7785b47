"""Lines of JSON, each durable when `append` returns; a torn last line is cut off."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rig.dicom.pacs.errors import OutOfSpace, PacsError
from rig.durable import PRIVATE, sync_folder

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Journal:
    """One file, one writer.

    Attributes:
        rows: what was in it when it was opened.
    """

    def __init__(self, path: Path) -> None:
        """Open or create *path*.

        Raises:
            PacsError: it is damaged before its end.
            OSError: it cannot be opened.
        """
        self._path = path
        self._handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, PRIVATE)
        try:
            data = path.read_bytes()
            whole = data[: data.rfind(b"\n") + 1]
            self.rows = [self._row(line, n) for n, line in enumerate(whole.splitlines(), 1)]
            self._end = len(whole)
            os.ftruncate(self._handle, self._end)
            os.fsync(self._handle)
            sync_folder(path.parent)
        except BaseException:
            os.close(self._handle)
            raise

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write *rows* at the end.

        Raises:
            OutOfSpace: the disk is full; nothing of *rows* is in the journal then.
        """
        data = b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)
        if not data:
            return
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._handle, rest) :]
            os.fsync(self._handle)
        except OSError as error:
            os.ftruncate(self._handle, self._end)
            if error.errno in _FULL:
                raise OutOfSpace(f"The disk of {self._path.parent} is full: make room.") from error
            raise PacsError(f"{self._path} cannot be written: {error.strerror}.") from error
        self._end += len(data)

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    def _row(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            row = json.loads(line)
            if isinstance(row, dict):
                return row
        except ValueError:
            pass
        raise PacsError(
            f"{self._path}, line {number}, is damaged: move the folder away and pull again."
        )
