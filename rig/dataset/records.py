"""What a build reads: one record per x-ray, in the order of the catalog, as often as it likes."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from rig.catalog.model import Xray
from rig.dataset.conditions import Conditions
from rig.dataset.errors import DatasetError
from rig.dataset.model import CapturedPhoto, Gap
from rig.planning.model import Environment


@dataclass(frozen=True, slots=True)
class Record:
    """An x-ray with its photos (at most one a device, by device) and its gaps.

    `xray` is None for a gap whose index the catalog does not have.
    """

    xray: Xray | None
    photos: tuple[CapturedPhoto, ...] = ()
    gaps: tuple[Gap, ...] = ()


class Source(Protocol):
    """Gives the same records, by index, every time it is iterated."""

    def __iter__(self) -> Iterator[Record]: ...


def listed(
    xrays: Sequence[Xray], photos: Sequence[CapturedPhoto], gaps: Sequence[Gap]
) -> list[Record]:
    """Records of what is in memory already.

    Raises:
        DatasetError: two x-rays with one key, or a photo of an unknown x-ray.
    """
    by_key = {xray.key: xray for xray in xrays}
    if len(by_key) != len(xrays):
        raise DatasetError("Two x-rays have the same key; each image could be either's.")
    shown: dict[str, list[CapturedPhoto]] = {}
    for photo in photos:
        if by_key.get(photo.xray.key) != photo.xray:
            raise DatasetError(f"The photo of index {photo.xray.index} shows an unknown x-ray.")
        shown.setdefault(photo.xray.key, []).append(photo)
    known = {xray.index for xray in xrays}
    missing: dict[int, list[Gap]] = {}
    for gap in gaps:
        missing.setdefault(gap.index, []).append(gap)
    found = [
        (
            xray.index,
            Record(
                xray,
                tuple(sorted(shown.get(xray.key, ()), key=lambda photo: photo.device)),
                tuple(sorted(missing.get(xray.index, ()), key=lambda gap: gap.reason)),
            ),
        )
        for xray in xrays
    ]
    found += [(i, Record(None, (), tuple(them))) for i, them in missing.items() if i not in known]
    return [record for _, record in sorted(found, key=lambda pair: pair[0])]


def _by_fields(one: Any) -> tuple[type, tuple[Any, ...]]:
    """How to make a dataclass with slots anew; several times as fast as its own way."""
    return type(one), tuple(getattr(one, name) for name in type(one).__slots__)


def _by_name(path: Path) -> tuple[type, tuple[str]]:
    return Path, (str(path),)


_REDUCED: dict[type, Callable[[Any], Any]] = {
    **dict.fromkeys((Record, Xray, CapturedPhoto, Conditions, Gap, Environment), _by_fields),
    type(Path()): _by_name,
}


class Spool:
    """Records kept in a temporary file: a snapshot that fits into any memory.

    Reading a store takes one short transaction this way, and every pass sees the same.
    """

    def __init__(self, records: Iterable[Record], *, scratch: Path | None = None) -> None:
        self._file = tempfile.TemporaryFile(prefix="rig-records-", dir=scratch)  # noqa: SIM115 - closed by close()
        pickler = pickle.Pickler(self._file, protocol=pickle.HIGHEST_PROTOCOL)
        pickler.dispatch_table = _REDUCED
        for record in records:
            pickler.clear_memo()
            pickler.dump(record)
        self._end = self._file.tell()

    def __iter__(self) -> Iterator[Record]:
        at = 0
        while at < self._end:
            self._file.seek(at)  # another pass may have moved it
            record: Record = pickle.load(self._file)  # noqa: S301 - written by this object
            at = self._file.tell()
            yield record

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
