"""Where the screen was in the last photo: the start for the next photo of a rig that stands still.

X-rays differ in shape, the screen does not; so what is carried from photo to photo is the place of
the *screen*, and each x-ray's own place follows from how it is composed (centred, as large as it
fits).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rig.intake.geometry import Matrix, on_screen

if TYPE_CHECKING:
    from rig.intake.verify import Verification

Rows = tuple[tuple[float, ...], ...]
"""A 3x3 matrix, row by row."""


@dataclass(frozen=True, slots=True)
class Prior:
    """The place of a screen in photos of one size.

    Attributes:
        screen: 3x3, screen of height 1 and width *aspect* -> photo pixel, pixel-edge.
        photo: width and height of the photo, px; a photo of another size has no use for it.
        aspect: width:height of the screen.
    """

    screen: Rows
    photo: tuple[int, int]
    aspect: float

    def expected(self, xray: tuple[int, int]) -> Matrix:
        """Homography x-ray pixel -> photo pixel of an x-ray of (width, height)."""
        return np.array(self.screen) @ on_screen(*xray, self.aspect)


def prior_of(
    homography: Rows, xray: tuple[int, int], photo: tuple[int, int], aspect: float
) -> Prior:
    """The prior that a known homography x-ray -> photo gives.

    Args:
        homography: x-ray pixel -> photo pixel, pixel-edge.
        xray: width and height of the x-ray, px.
        photo: width and height of the photo, px.
        aspect: width:height of the screen (an alignment shot of the whole screen, seen as an x-ray
            of the screen's own shape, works too).
    """
    matrix = np.array(homography) @ np.linalg.inv(on_screen(*xray, aspect))
    rows = matrix / matrix[2, 2]
    return Prior(tuple(tuple(float(v) for v in row) for row in rows), photo, aspect)


def next_prior(found: Verification, last: Prior | None, aspect: float) -> Prior | None:
    """The prior for the photo after *found*: its own place when it was verified, else *last*.

    A photo that was not verified may have been located anywhere.
    """
    if not found.verified or found.homography is None:
        return last
    return prior_of(found.homography, found.xray_size, found.photo_size, aspect)
