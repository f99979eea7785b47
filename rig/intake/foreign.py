"""What is in the photo and not in the x-ray: a window, a hand, a part of another film.

The photo's local structure is explained as the x-ray's, times a gain that changes slowly over the
picture (glare and vignetting take contrast away), plus noise. What is left is compared, in small
overlapping windows, with what the photo's own noise and the imperfect fit would leave. A window on
the screen leaves its edges and its text; where it hides structure, that structure is missing.

A block-wise correlation cannot do this: in a block with little structure noise alone brings the
correlation down, so it must be lenient, and a small window slips through.
"""

from __future__ import annotations

import cv2
import numpy as np

from rig.intake.correlate import Float, Mask

WINDOW_SHARE = 0.05
"""Side of the windows, in the longest sides of the image."""
REGION_SHARE = 0.12
"""Side of the region over which the gain is taken as constant."""
MISFIT = 0.25
"""Share of the x-ray's own energy that tone curve and remaining shifts leave unexplained."""
NOISE_FACTOR = 2.0
"""A window may hold so many times the photo's noise."""
EXCESS = 2.5
"""From so many times the allowed energy on, a window holds something else."""
QUIET = 30
"""Percentile of the x-ray's energy below which windows tell the photo's noise."""
GAP_SHARE = 0.012
"""Half the width of the gaps that are closed, in the longest sides of the image."""
LEAST_SEEN = 0.3
"""Share of a window that must be visible for its middle to be judged."""
LEAST_NOISE = 0.05
"""Noise energy, squared grey levels, that rounding leaves in any photo."""


def foreign(expected: Float, seen: Float, visible: Mask) -> tuple[Mask, Mask]:
    """Where *seen* holds what *expected* does not explain, and where that was judged, (h, w) each.

    Args:
        expected: deviation of the x-ray from its local mean, grey levels.
        seen: that of the rectified photo.
        visible: the pixels to judge by; elsewhere nothing is found. A visible pixel among hidden
            ones is not judged either.
    """
    side = max(seen.shape)
    weight = visible.astype(np.float32)
    seen = np.asarray(seen * weight, dtype=np.float32)
    expected = np.asarray(expected * weight, dtype=np.float32)
    window, region = round(WINDOW_SHARE * side) | 1, round(REGION_SHARE * side) | 1
    # Weighted means, so that what is not visible neither accuses nor excuses.
    local = np.maximum(_mean(weight, window), 1e-3)
    square = np.square(expected)
    both = _mean(np.multiply(expected, seen), region)
    own = _mean(square, region)
    # A region without structure takes over the gain of the whole.
    steady = 0.1 * float(square.mean()) + 1e-6
    whole = float((expected * seen).sum()) / max(float(square.sum()), 1e-6)
    gain = (both + steady * whole) / (own + steady)
    rest = np.asarray((seen - gain * expected) * weight, dtype=np.float32)
    left = _mean(rest * rest, window) / local
    explained = gain * gain * _mean(square, window) / local
    enough = np.asarray(local > LEAST_SEEN, dtype=np.bool_)
    if not enough.any():
        return np.zeros(seen.shape, np.bool_), enough
    quiet = enough & (explained <= np.percentile(explained[enough], QUIET))
    noise = max(float(np.median(left[quiet])), LEAST_NOISE)
    found = left > EXCESS * (NOISE_FACTOR * noise + MISFIT * explained)
    return _filled(np.asarray(found & enough, dtype=np.bool_)), enough & visible


def unproven(found: Mask, judged: Mask) -> float:
    """The largest connected area that may be anything: *found* to be else, or not *judged*, 0..1.

    What covers the x-ray stands in that area wholly, however glare and sight divide it; so whatever
    covers more than the largest such area was seen, and there is none.
    """
    return largest(_filled(np.asarray(found | ~judged, dtype=np.bool_)))


def _filled(found: Mask) -> Mask:
    """*found* without gaps and holes: of a window often only the edge and the text stand out."""
    side = 2 * round(GAP_SHARE * max(found.shape)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    closed = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_CLOSE, disc)
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(closed, outlines, -1, 1, cv2.FILLED)
    return np.asarray(closed > 0, dtype=np.bool_)


def largest(found: Mask) -> float:
    """The largest connected area of *found*, share of the whole, 0..1."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=4)
    return int(stats[1:, cv2.CC_STAT_AREA].max(initial=0)) / found.size


def _mean(image: Float, side: int) -> Float:
    once = cv2.blur(image, (side, side))
    return np.asarray(cv2.blur(once, (side, side)), dtype=np.float32)
