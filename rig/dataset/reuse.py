"""An earlier build of the same dataset: what is the same is linked, not written again."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from rig.dataset import layout
from rig.dataset.captures import iter_captures
from rig.dataset.errors import DatasetError
from rig.dataset.files import write_unsettled
from rig.synthesis import manifest

_Rows = Iterator[tuple[int, list[Mapping[str, Any]]]]


class Earlier:
    """The build at *root*, or nothing at all; it is read, never changed.

    Linked files share their bytes with the earlier build, which goes away when the new one is
    whole; nothing ever writes into a file of a dataset. What is known of its rows lies in *scratch*
    until the block ends.
    """

    def __init__(self, root: Path | None, *, scratch: Path | None = None) -> None:
        self._root = root
        self._groups: _Rows = iter(()) if root is None else _by_index(root)
        self._at, self._here = 0, list[Mapping[str, Any]]()
        self._manifest = _Offsets(None if root is None else root / layout.MANIFEST, scratch)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._groups = iter(())  # closes the captures, which a new build is to replace
        self._manifest.close()

    def put(self, data: bytes, folder: Path, path: str) -> bool:
        """Make `folder/path` hold *data*: linked when the earlier build has it; True when it did.

        What is written is not durable before `settle`.

        Raises:
            OSError: the disk is full or the folder cannot be written.
        """
        if self._root is not None and _holds(self._root / path, data) and self.link(folder, path):
            return True
        write_unsettled(folder / path, data)
        return False

    def link(self, folder: Path, path: str) -> bool:
        """Link the earlier file at *path* into *folder*; False where that cannot be done."""
        if self._root is None:
            return False
        target = folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(self._root / path)
        except OSError:  # no such file, no links on this file system, or too many of them
            return False
        return True

    def capture(self, index: int, path: str) -> Mapping[str, Any] | None:
        """The earlier row of the photo at *path*; to be asked with indices that never fall."""
        while self._at < index:
            found = next(self._groups, None)
            if found is None:
                return None
            self._at, self._here = found
        same = self._here if self._at == index else []
        return next((row for row in same if row["path"] == path), None)

    def twins(self, folder: Path, outputs: Iterable[str]) -> list[manifest.Row]:
        """Link the earlier twins among *outputs* into *folder*; their rows of the manifest.

        Twins of another version of the program or of its libraries are left behind.
        """
        rows = []
        for output in outputs:
            row = self._manifest.row(output)
            if row and row.get("versions") == manifest.versions() and self.link(folder, output):
                rows.append(row)
        return rows


def _by_index(root: Path) -> _Rows:
    """Rows of the captures with an index, together; nothing when they cannot be read."""
    try:
        rows = (row for row in iter_captures(root) if row["index"] is not None)
        for index, group in groupby(rows, key=lambda row: int(row["index"])):
            yield index, list(group)
    except DatasetError:
        return


def _holds(file: Path, data: bytes) -> bool:
    try:
        return file.stat().st_size == len(data) and file.read_bytes() == data
    except OSError:
        return False


class _Offsets:
    """Where each row of a manifest begins, in a table on disk: rows may be many millions."""

    def __init__(self, file: Path | None, scratch: Path | None) -> None:
        self._file = file if file is not None and file.is_file() else None
        self._stack = ExitStack()
        if self._file is None:
            return
        with ExitStack() as stack:
            folder = stack.enter_context(TemporaryDirectory(prefix=".rig-rows-", dir=scratch))
            opened = sqlite3.connect(Path(folder) / "rows.sqlite", isolation_level=None)
            self._table = stack.enter_context(closing(opened))
            self._rows = stack.enter_context(self._file.open("rb"))
            # Nobody reads it after a power cut, and 8 MB of it are in memory, whatever it holds.
            for each in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-8000"):
                self._table.execute(f"PRAGMA {each}")
            self._table.execute("CREATE TABLE place(hash INTEGER, at INTEGER)")
            self._table.execute("BEGIN")
            self._table.executemany("INSERT INTO place VALUES(?, ?)", self._places())
            # Sorted once: put in by hash, each row would be a page read and written.
            self._table.execute("CREATE INDEX by_hash ON place(hash, at)")
            self._table.execute("COMMIT")
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Drop the table."""
        self._stack.close()
        self._file = None

    def _places(self) -> Iterator[tuple[int, int]]:
        at = 0
        for line in self._rows:
            if (row := _parsed(line)) is not None:
                yield _hash(row["output"]), at
            at += len(line)

    def row(self, output: str) -> manifest.Row | None:
        """The row of *output*, the first of several; None when there is none."""
        if self._file is None:
            return None
        found = self._table.execute(
            "SELECT at FROM place WHERE hash=? ORDER BY at", [_hash(output)]
        )
        for (at,) in found.fetchall():
            self._rows.seek(at)
            row = _parsed(self._rows.readline())
            if row is not None and row["output"] == output:
                return row
        return None


def _parsed(line: bytes) -> manifest.Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    good = isinstance(row, dict) and isinstance(row.get("output"), str)
    return row if good else None


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), signed=True)
