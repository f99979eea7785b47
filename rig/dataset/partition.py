"""Records sorted out by patient in bounded memory: what belongs together comes back together."""

from __future__ import annotations

import marshal
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

BUCKETS = 1024
"""Files the records go to when there are many; each holds all records of its patients."""
HOLD = 10_000
"""Records kept in memory before they go to the files."""


class Partition:
    """Takes records in any order and gives all of one patient in one group.

    Few records stay in memory and come back as one group in their order. Many are spread over
    files of a temporary folder by a checksum of the patient, so that a group holds about one in
    `BUCKETS` of them, whatever their number. Within a group the order is that of `add`.
    """

    def __init__(self, *, scratch: Path | None = None, hold: int = HOLD) -> None:
        self._scratch, self._hold = scratch, hold
        self._few: list[tuple[str, tuple[Any, ...]]] = []
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
            group: list[tuple[Any, ...]] = []
            with file.open("rb") as handle:
                size = file.stat().st_size
                while handle.tell() < size:
                    group += marshal.load(handle)  # noqa: S302 - written by this object
            yield group

    def _spill(self) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix=".rig-sort-", dir=self._scratch)
        buckets: dict[int, list[tuple[Any, ...]]] = {}
        for patient, record in self._few:
            buckets.setdefault(zlib.crc32(patient.encode()) % BUCKETS, []).append(record)
        for number, records in buckets.items():
            with (Path(self._folder.name) / f"{number:04d}").open("ab") as handle:
                handle.write(marshal.dumps(records))
        self._few.clear()
