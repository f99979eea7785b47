"""Numbers of a header that may leave: only what is in a plausible range for its element."""

from __future__ import annotations

from pydicom.dataset import Dataset

from rig.dicom import elements

# Lowest and highest plausible value, and how many values at most.
_DECIMALS: dict[str, tuple[float, float, int]] = {
    "PatientSize": (0.2, 2.6, 1),
    "PatientWeight": (0.3, 400.0, 1),
    "LossyImageCompressionRatio": (1.0, 1000.0, 8),
    "PixelSpacing": (0.001, 10.0, 2),
    "WindowCenter": (-(2.0**20), 2.0**20, 8),
    "WindowWidth": (0.0, 2.0**20, 8),
    "RescaleIntercept": (-(2.0**20), 2.0**20, 1),
    "RescaleSlope": (-(2.0**20), 2.0**20, 1),
}


def decimals(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """All values of an element; empty when one of them is not plausible, or too many are there."""
    found = elements.numbers(dataset, keyword)
    return found if are_plausible(keyword, found) else ()


def are_plausible(keyword: str, values: tuple[float, ...]) -> bool:
    """Whether an element may have these values."""
    lowest, highest, most = _DECIMALS[keyword]
    return len(values) <= most and all(lowest <= one <= highest for one in values)


def rescale(dataset: Dataset) -> tuple[float, float] | None:
    """Slope and intercept (PS3.3 C.11.1.1.2) when they mean something and may be kept.

    A slope without intercept has one of 0. An intercept alone, or with a slope of 0, says nothing.
    """
    slope = decimals(dataset, "RescaleSlope")
    intercept = decimals(dataset, "RescaleIntercept")
    if not slope or slope[0] == 0 or (not intercept and "RescaleIntercept" in dataset):
        return None
    return slope[0], intercept[0] if intercept else 0.0
