"""Look-up tables of a header: modality LUT and VOI LUT (PS3.3 C.11.1 and C.11.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from rig.dicom import elements

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lut:
    """A table: the first stored value it maps, and its entries of `bits` bits each."""

    first: int
    bits: int
    entries: NDArray[np.uint16]

    def apply(self, values: Values) -> Values:
        """Values below the first take the first entry, values beyond the last the last."""
        places = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1)
        result: Values = self.entries[places.astype(np.int64)].astype(np.float64)
        return result

    @property
    def top(self) -> float:
        """The largest value an entry can have."""
        return float(max((1 << self.bits) - 1, int(self.entries.max())))


def lut_of(dataset: Dataset, keyword: str, *, signed: bool) -> Lut | None:
    """The table in the first item of sequence *keyword*; None when there is none that makes sense.

    Args:
        dataset: the image's.
        keyword: `ModalityLUTSequence` or `VOILUTSequence`.
        signed: whether the values that go in are signed, as the table's first one then is.
    """
    item = elements.item(dataset, keyword)
    if item is None:
        return None
    told = elements.numbers(item, "LUTDescriptor")
    entries = _entries(elements.value(item, "LUTData"), wide=len(told) == 3 and told[2] > 8)
    if len(told) != 3 or entries is None or not all(one == int(one) for one in told):
        return None
    count, first, bits = (int(one) for one in told)
    count = count % 65536 or 65536  # 0 stands for 65536
    if not 2 <= count <= len(entries) or not 8 <= bits <= 16:
        return None
    # US and SS are told apart by luck in some writers: the low 16 bits are what was meant.
    first %= 65536
    return Lut(first - 65536 if signed and first >= 32768 else first, bits, entries[:count])


def _entries(found: Any, *, wide: bool) -> NDArray[np.uint16] | None:
    if isinstance(found, bytes):
        kind = "<u2" if wide else "u1"
        return np.frombuffer(found[: len(found) // 2 * 2], kind).astype(np.uint16)
    try:
        return (np.asarray(list(found), dtype=np.int64) & 0xFFFF).astype(np.uint16)
    except (TypeError, ValueError, OverflowError):
        return None
