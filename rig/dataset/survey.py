"""Look through the input before anything is written: what no dataset can be made of is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.catalog.model import SPLITS, Xray
from rig.dataset.errors import DatasetError
from rig.dataset.partition import Partition
from rig.dataset.records import Source

_LISTED = 1000
"""Patients a refusal names; nobody reads more."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What is there: x-rays, photos, splits in the usual order, factors by name."""

    xrays: int
    photos: int
    splits: tuple[str, ...]
    factors: tuple[str, ...]


def survey(source: Source, films: Sequence[Xray] = (), *, scratch: Path | None = None) -> Survey:
    """Count what *source* has.

    Raises:
        DatasetError: a patient in two splits, doubled keys or photos, photos of something else.
    """
    factors: set[str] = set()
    splits: set[str] = set()
    xrays = photos = 0
    with Partition(scratch=scratch) as patients:
        for record in source:
            if record.xray is None:
                continue
            xrays += 1
            one = record.xray
            splits.add(one.split)
            patients.add(one.patient, (one.patient, one.split, one.key))
            devices: set[str] = set()
            for photo in record.photos:
                _refuse_photo(one, photo.xray, photo.device, devices)
                factors.update(photo.environment.levels)
                photos += 1
        for film in films:
            splits.add(film.split)
            patients.add(film.patient, (film.patient, film.split, f"film {film.key}"))
        _refuse(patients)
    known = tuple(s for s in SPLITS if s in splits)
    return Survey(xrays, photos, known, tuple(sorted(factors)))


def overlap(patients: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Of (patient, split): patients in more than one split -> those splits."""
    splits: dict[str, set[str]] = {}
    for who, split in patients:
        splits.setdefault(who, set()).add(split)
    return {who: tuple(sorted(found)) for who, found in sorted(splits.items()) if len(found) > 1}


def _refuse_photo(xray: Xray, shown: Xray, device: str, devices: set[str]) -> None:
    if shown != xray:
        raise DatasetError(f"The photo of index {shown.index} shows an unknown x-ray.")
    if device in devices:
        raise DatasetError(f"Index {xray.index} has two photos by {device}.")
    devices.add(device)


def _refuse(patients: Partition) -> None:
    shared: dict[str, tuple[str, ...]] = {}
    count = 0
    for group in patients.groups():
        for who, found in overlap((who, split) for who, split, _ in group).items():
            count += 1
            if count <= _LISTED:
                shared[who] = found
        if double := next(_doubles(key for _, _, key in group), None):
            raise DatasetError(f"Two x-rays have the same key {double}; each image is either's.")
    if shared:
        names = [f"{who} ({' and '.join(found)})" for who, found in sorted(shared.items())]
        more = f" and {count - _LISTED} more" if count > _LISTED else ""
        raise DatasetError(
            f"Patients in more than one split: {', '.join(names)}{more}. Put each into one split."
        )


def _doubles(keys: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            yield key
        seen.add(key)
