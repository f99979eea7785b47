"""The manifest of a run while it grows: rows on the disk, only their places in memory.

A row takes ten kilobytes as objects, and a collection may have a quarter of a million of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from rig.durable import write_atomic
from rig.synthesis import manifest
from rig.synthesis.manifest import Row


class Journal(Mapping[str, Row]):
    """Rows of the manifest at *path* by output, the last one of each; to be used in a `with`.

    A line that is torn or foreign is passed over: its image is merely made again.
    """

    def __init__(self, path: Path) -> None:
        """Begin with what is there; the file and its folder are made when missing.

        Raises:
            OSError: it cannot be read or written.
        """
        self._path = path
        self._places: dict[str, tuple[str, int]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("a+b")
        try:
            self._close_torn_line()
            self._scan()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __getitem__(self, output: str) -> Row:
        """The row of *output*; KeyError when there is none."""
        row: Row = json.loads(self._line(self._places[output][1]))
        return row

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, output: object) -> bool:
        return output in self._places

    def append(self, rows: Iterable[Row]) -> None:
        """Note *rows*; see `manifest.append`."""
        noted = list(rows)
        at = self._file.seek(0, os.SEEK_END)
        for row, length in zip(noted, manifest.append(self._file, noted), strict=True):
            self._places[row["output"]] = (str(row.get("key")), at)
            at += length

    def settle(self) -> None:
        """Replace the file by the rows that count, ordered by key and output, durably.

        Nothing can be read or noted after that.
        """
        ordered = sorted(self._places.items(), key=lambda place: (place[1][0], place[0]))
        write_atomic(self._path, (self._line(at) for _, (_, at) in ordered))
        self._file.close()

    def _line(self, at: int) -> bytes:
        self._file.seek(at)
        return self._file.readline()

    def _close_torn_line(self) -> None:
        if self._file.seek(0, os.SEEK_END):
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")
                self._file.flush()

    def _scan(self) -> None:
        at = self._file.seek(0)
        for line in self._file:
            row = manifest.parsed(line)
            if row is not None:
                self._places[row["output"]] = (str(row.get("key")), at)
            at += len(line)
