"""What a radiologist would see: stored values to grey levels, in one fixed order.

Modality LUT or rescale; then VOI LUT, else the first sound window, else the 1st to 99th percentile;
then grey levels; then MONOCHROME1 or a presentation LUT shape INVERSE is turned, so that large is
bright. All of it is worked out once for each value that occurs, not for each pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from rig.dicom import elements
from rig.dicom.decoding import Stored
from rig.dicom.lut import Lut, Values, lut_of
from rig.dicom.quiet import quiet
from rig.dicom.window import Function, Window

Shown = NDArray[np.uint8] | NDArray[np.uint16]
PERCENTILES = (1.0, 99.0)


class How(StrEnum):
    """What set the grey levels."""

    VOI_LUT = "VOI LUT"
    WINDOW = "window"
    PERCENTILES = "1st to 99th percentile"


@dataclass(frozen=True, slots=True)
class Grey:
    """A table from stored values to grey levels.

    Attributes:
        how: what set them.
        window: the window in use, when one is.
        inverted: whether it was turned at the end.
        lowest: the stored value of the table's first entry.
        levels: 0 black to 1 white, one for each stored value from `lowest` up.
        values: what the modality LUT or the rescale makes of each, likewise.
        linear: centre and width of the LINEAR window that sets the same levels before any turning,
            if there is one.
    """

    how: How
    window: Window | None
    inverted: bool
    lowest: int
    levels: Values
    values: Values
    linear: tuple[float, float] | None


def render(dataset: Dataset, stored: Stored, bits: Literal[8, 16] = 8) -> Shown:
    """Grey levels of an image, large is bright; 0..255 or, with 16 *bits*, 0..65535.

    Args:
        dataset: its header.
        stored: its stored values, see `rig.dicom.decoding.decode`.
        bits: of the result.
    """
    return paint(grey_of(dataset, stored), stored, bits)


def paint(grey: Grey, stored: Stored, bits: Literal[8, 16] = 8) -> Shown:
    """Put *stored* through a table; halves are rounded up."""
    kind: Any = np.uint8 if bits == 8 else np.uint16
    table = np.floor(grey.levels * ((1 << bits) - 1) + 0.5).astype(kind)
    places = stored if grey.lowest == 0 else stored.astype(np.int32) - grey.lowest
    shown: Shown = np.take(table, places)
    return shown


def grey_of(dataset: Dataset, stored: Stored) -> Grey:
    """The table for an image; `stored` says which values occur, and how often."""
    lowest = min(int(stored.min()), 0)
    flat = stored.ravel()
    counts = np.bincount(flat if lowest == 0 else flat.astype(np.int32) - lowest)
    raw = np.arange(lowest, lowest + len(counts), dtype=np.float64)
    signed = stored.dtype.kind == "i"
    with quiet():
        values = _modality(dataset, raw, signed=signed)
        signed_values = bool(values.min() < 0)
        voi = lut_of(dataset, "VOILUTSequence", signed=signed_values)
        windows = _windows(dataset)
        padding = elements.whole(dataset, "PixelPaddingValue")
        inverted = is_inverted(dataset)
    how, window, levels, linear = _levels(values, counts, voi, windows, lowest, padding)
    turned = 1 - levels if inverted else levels
    return Grey(how, window, inverted, lowest, turned, values, linear)


def _levels(
    values: Values,
    counts: NDArray[np.int64],
    voi: Lut | None,
    windows: list[Window],
    lowest: int,
    padding: int | None,
) -> tuple[How, Window | None, Values, tuple[float, float] | None]:
    occur = counts > 0
    if voi is not None:
        return How.VOI_LUT, None, voi.apply(values) / voi.top, None
    for window in windows:
        levels = window.apply(values)
        if _shows_something(levels[occur]):
            return How.WINDOW, window, levels, window.linear
    kept = counts.copy()
    if padding is not None and 0 <= padding - lowest < len(kept) and occur.sum() > 1:
        kept[padding - lowest] = 0  # what surrounds an image says nothing of its greys
    low, high = _percentiles(values, kept)
    if high <= low:
        low, high = float(values[occur].min()), float(values[occur].max())
    # As a window, so that a file that has this window looks the same to the last grey level.
    window = Window(low + (high - low or 1.0) / 2 + 0.5, (high - low or 1.0) + 1)
    return How.PERCENTILES, None, window.apply(values), window.linear


def _shows_something(levels: Values) -> bool:
    """A window far beside the image makes one grey of it, which cannot have been meant."""
    return len(levels) < 2 or bool(np.ptp(np.floor(levels * 255 + 0.5)) > 0)


def _percentiles(values: Values, counts: NDArray[np.int64]) -> tuple[float, float]:
    """As `numpy.percentile` of every pixel, out of a histogram."""
    order = np.argsort(values, kind="stable")
    ends = np.cumsum(counts[order])
    last = int(ends[-1]) - 1

    def at(rank: float) -> float:
        below, above = int(np.floor(rank)), int(np.ceil(rank))
        a, b = (values[order[np.searchsorted(ends, one, side="right")]] for one in (below, above))
        return float(a + (b - a) * (rank - below))

    low, high = (at(share / 100 * last) for share in PERCENTILES)
    return low, high


def _modality(dataset: Dataset, raw: Values, *, signed: bool) -> Values:
    table = lut_of(dataset, "ModalityLUTSequence", signed=signed)
    if table is not None:
        return table.apply(raw)
    slope = elements.number(dataset, "RescaleSlope")
    intercept = elements.number(dataset, "RescaleIntercept")
    if slope is None or slope == 0 or abs(slope) > 1e9 or abs(intercept or 0.0) > 1e9:
        return raw
    return raw * slope + (intercept or 0.0)


def _windows(dataset: Dataset) -> list[Window]:
    """The sound ones, in the order of the header: the first is the one that is meant."""
    told = elements.text(dataset, "VOILUTFunction").upper()
    function = Function(told) if told in set(Function) else Function.LINEAR
    centres = elements.numbers(dataset, "WindowCenter")
    widths = elements.numbers(dataset, "WindowWidth")
    pairs = zip_longest(centres, widths, fillvalue=float("nan"))
    return [one for one in (Window(c, w, function) for c, w in pairs) if one.sound]


def is_inverted(dataset: Dataset) -> bool:
    """Whether its small values are the bright ones."""
    # The two say the same thing in a proper DX header (PS3.3 C.8.11.3.1.2), so once is enough.
    shape = elements.text(dataset, "PresentationLUTShape").upper()
    photometric = elements.text(dataset, "PhotometricInterpretation")
    return photometric == "MONOCHROME1" or shape == "INVERSE"
