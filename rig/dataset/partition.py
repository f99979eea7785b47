"""Records sorted out by patient in bounded memory: what belongs together comes back together."""

from __future__ import annotations

import marshal
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

BUCKETS = 64
"""Files the records go to when there are many; each holds all records of its patients."""
HOLD = 10_000
"""Records kept in memory before they go to the files."""
GROUP_BYTES = 2_000_000
"""A file that is larger is spread over `BUCKETS` further ones instead of being read at once."""
_LEVELS = 5
"""Times that is done at most: after that the checksum has no bits left."""

_Kept = tuple[str, tuple[Any, ...]]
"""A patient and a record."""


class Partition:
    """Takes records in any order and gives all of one patient in one group.

    Few records stay in memory and come back as one group in their order. Many are spread over
    files of a temporary folder by a checksum of the patient, and files that are large over more
    files, so that no group but that of a single patient is larger than `GROUP_BYTES`, however many
    records there are. Within a group the order is that of `add`.
    """

    def __init__(self, *, scratch: Path | None = None, hold: int = HOLD) -> None:
        self._scratch, self._hold = scratch, hold
        self._few: list[_Kept] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, patient: str, record: tuple[Any, ...]) -> None:
        """Keep *record* (text, numbers, None, tuples and lists of them) with its patient."""
        self._few.append((patient, record))
        if len(self._few) >= self._hold:
            self._spill()

    def groups(self) -> Iterator[list[tuple[Any, ...]]]:
        """Every record once; all of a patient in one group."""
        if self._folder is None:
            yield [record for _, record in self._few]
            return
        self._spill()
        for file in sorted(Path(self._folder.name).iterdir()):
            yield from self._of(file, level=0)

    def _spill(self) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix=".rig-sort-", dir=self._scratch)
        _spread(self._few, Path(self._folder.name), level=0)
        self._few.clear()

    def _of(self, file: Path, *, level: int) -> Iterator[list[tuple[Any, ...]]]:
        """The groups of one file: the whole of it, or those of the files it is spread over."""
        if file.stat().st_size <= GROUP_BYTES or level == _LEVELS - 1:
            yield [record for piece in _pieces(file) for _, record in piece]
            return
        with tempfile.TemporaryDirectory(prefix=".rig-sort-", dir=self._scratch) as folder:
            some: list[_Kept] = []
            for piece in _pieces(file):
                some += piece
                if len(some) >= self._hold:
                    _spread(some, Path(folder), level=level + 1)
                    some.clear()
            _spread(some, Path(folder), level=level + 1)
            some.clear()
            for each in sorted(Path(folder).iterdir()):
                yield from self._of(each, level=level + 1)
                each.unlink()


def _spread(records: Iterable[_Kept], folder: Path, *, level: int) -> None:
    """Append *records* to the files of *folder*; each level goes by other bits of the checksum."""
    buckets: dict[int, list[_Kept]] = {}
    for kept in records:
        number = zlib.crc32(kept[0].encode()) // BUCKETS**level % BUCKETS
        buckets.setdefault(number, []).append(kept)
    for number, some in buckets.items():
        with (folder / f"{number:04d}").open("ab") as handle:
            handle.write(marshal.dumps(some))


def _pieces(file: Path) -> Iterator[list[_Kept]]:
    """What was appended to *file*, piece by piece."""
    with file.open("rb") as handle:
        size = file.stat().st_size
        while handle.tell() < size:
            yield marshal.load(handle)  # noqa: S302 - written by this module
