"""Windows: the three functions of PS3.3 C.11.2.1.2 and C.11.2.1.3, from values to 0..1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_LARGEST = float(2**31)


class Function(StrEnum):
    """VOI LUT Function (0028,1056)."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True, slots=True)
class Window:
    """Centre and width in the values that come out of the modality LUT."""

    centre: float
    width: float
    function: Function = Function.LINEAR

    @property
    def sound(self) -> bool:
        """Whether the standard allows it: LINEAR asks for a width of at least 1, others above 0."""
        if not (math.isfinite(self.centre) and math.isfinite(self.width)):
            return False
        if abs(self.centre) > _LARGEST or self.width > _LARGEST:
            return False
        return self.width >= 1 if self.function is Function.LINEAR else self.width > 0

    @property
    def linear(self) -> tuple[float, float] | None:
        """Centre and width of the LINEAR window that gives the same levels, if there is one."""
        match self.function:
            case Function.LINEAR:
                return self.centre, self.width
            case Function.LINEAR_EXACT:
                return self.centre + 0.5, self.width + 1
            case Function.SIGMOID:
                return None

    def apply(self, values: Values) -> Values:
        """Where each value lies from black, 0, to white, 1."""
        match self.function:
            case Function.LINEAR:
                return self._ramp(values, self.centre - 0.5, self.width - 1)
            case Function.LINEAR_EXACT:
                return self._ramp(values, self.centre, self.width)
            case Function.SIGMOID:
                # Beyond 700 the exponential overflows, and its logistic is 0 or 1 anyway.
                steep = np.clip(-4 * (values - self.centre) / self.width, -700, 700)
                return 1 / (1 + np.exp(steep))

    @staticmethod
    def _ramp(values: Values, centre: float, width: float) -> Values:
        if width == 0:  # LINEAR of width 1: a threshold
            return (values > centre).astype(np.float64)
        return np.clip((values - centre) / width + 0.5, 0, 1)
