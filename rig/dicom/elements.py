"""Values of a dataset that may be malformed in any way: as found, or not at all, never an error."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as DicomSequence
from pydicom.tag import Tag

from rig.dicom.quiet import quiet

_LONGEST = 1024


def value(dataset: Dataset, keyword: str) -> Any:
    """The value of an element, or None when it is missing, empty or cannot be understood."""
    with quiet():  # a malformed value is warned of together with the value
        try:
            found = dataset[Tag(keyword)].value
        except Exception:  # noqa: BLE001 - a library given damaged bytes may raise anything
            return None
    return None if found is None or found == "" else found


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """All values as stripped text."""
    found = value(dataset, keyword)
    if found is None or isinstance(found, bytes | DicomSequence):
        return ()
    many = found if isinstance(found, MultiValue | list | tuple) else (found,)
    return tuple(str(one)[:_LONGEST].strip(" \0") for one in many)


def text(dataset: Dataset, keyword: str) -> str:
    """The first value as stripped text, or empty."""
    return next(iter(texts(dataset, keyword)), "")


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """All values as numbers, `nan` where one is none; empty when the element is."""
    return tuple(_number(one) for one in texts(dataset, keyword))


def number(dataset: Dataset, keyword: str) -> float | None:
    """The first value when it is a finite number."""
    return next((one for one in numbers(dataset, keyword)[:1] if math.isfinite(one)), None)


def whole(dataset: Dataset, keyword: str) -> int | None:
    """The first value when it is a whole number."""
    found = number(dataset, keyword)
    return int(found) if found is not None and found == int(found) else None


def item(dataset: Dataset, keyword: str) -> Dataset | None:
    """The first item of a sequence."""
    found = value(dataset, keyword)
    if not isinstance(found, DicomSequence) or not len(found):
        return None
    first: Dataset = found[0]
    return first


def missing(dataset: Dataset, keywords: Iterable[str]) -> list[str]:
    """Those of *keywords* that have no value."""
    return [keyword for keyword in keywords if not text(dataset, keyword)]


def _number(written: str) -> float:
    try:
        return float(written)
    except ValueError:
        return math.nan
