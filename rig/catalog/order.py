"""Which x-ray gets which index: three orders, the same on every machine and in every year."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Literal

from rig.catalog.rows import Row

Order = Literal["csv", "patient", "shuffle"]
ORDERS: tuple[Order, ...] = ("csv", "patient", "shuffle")

_DIGITS = re.compile(r"(\d+)", re.ASCII)


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """A sort key under which `study2` comes before `study10`."""
    # (number, text) pairs keep numbers and words comparable; a number sorts before a word.
    return tuple(
        (int(part), "") if part.isascii() and part.isdigit() else (-1, part)
        for part in _DIGITS.split(text)
    )


def _by_patient(row: Row) -> tuple[object, ...]:
    # The key itself settles ties such as view1 and view01.
    return (*(natural(part) for part in row.key.split("/")), row.key)


def arrange(rows: Sequence[Row], order: Order, seed: int) -> list[Row]:
    """The rows in their final order.

    `csv` keeps the file's order. `patient` sorts by patient, study and view, numbers as numbers.
    `shuffle` puts the patients in a random order that depends on *seed* and the patient's name
    alone, and keeps the images of a patient together: a patient more or less moves no other.
    """
    if order == "csv":
        return list(rows)
    by_patient = sorted(rows, key=_by_patient)
    if order == "patient":
        return by_patient
    return sorted(by_patient, key=lambda row: _rank(seed, row.key.split("/", maxsplit=1)[0]))


def _rank(seed: int, patient: str) -> tuple[bytes, str]:
    digest = hashlib.blake2b(f"{seed}/{patient}".encode(), person=b"catalog-shuffle").digest()
    return digest, patient
