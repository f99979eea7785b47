"""An earlier build of the same dataset: what is the same is linked, not written again."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from rig.dataset import layout
from rig.dataset.captures import iter_captures
from rig.dataset.errors import DatasetError
from rig.dataset.files import write_unsettled
from rig.synthesis import manifest


class Earlier:
    """The build at *root*, or nothing at all; it is read, never changed.

    Linked files share their bytes with the earlier build, which goes away when the new one is
    whole; nothing ever writes into a file of a dataset.
    """

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._groups = iter(()) if root is None else _by_index(root)
        self._at, self._here = 0, list[Mapping[str, Any]]()
        self._manifest = _Offsets(None if root is None else root / layout.MANIFEST)

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


def _by_index(root: Path) -> Iterator[tuple[int, list[Mapping[str, Any]]]]:
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
    """Where each row of a manifest begins: 16 bytes an image, whatever the rows weigh."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        hashes, offsets = array("Q"), array("Q")
        if file is not None and file.is_file():
            with file.open("rb") as handle:
                at = 0
                for line in handle:
                    if (row := _parsed(line)) is not None:
                        hashes.append(_hash(row["output"]))
                        offsets.append(at)
                    at += len(line)
        order = np.argsort(np.frombuffer(hashes, np.uint64)) if hashes else np.zeros(0, np.int64)
        self._hashes = np.array(hashes, np.uint64)[order]
        self._offsets = np.array(offsets, np.uint64)[order]

    def row(self, output: str) -> manifest.Row | None:
        """The row of *output*, None when there is none."""
        if self._file is None or not len(self._hashes):
            return None
        place = int(np.searchsorted(self._hashes, np.uint64(_hash(output))))
        if place >= len(self._hashes):
            return None
        with self._file.open("rb") as handle:
            handle.seek(int(self._offsets[place]))
            row = _parsed(handle.readline())
        return row if row is not None and row["output"] == output else None


def _parsed(line: bytes) -> manifest.Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    good = isinstance(row, dict) and isinstance(row.get("output"), str)
    return row if good else None


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
