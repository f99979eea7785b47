"""Where a lamp's reflection has washed the x-ray out: pixels that say nothing, for or against.

A clipped area counts as glare only when its surroundings glow: light of a lamp in the screen's
glass fades over many pixels. A window, a hand or a sheet of paper ends at an edge, so it is never
taken for glare and never excused.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.intake.correlate import Mask

Grey = NDArray[np.uint8]
CLIPPED = 248
"""Grey level from which on a photo shows no structure any more."""
WHITE = 235
"""Grey level of the x-ray from which on a clipped pixel is what was to be expected."""
BRIGHT = 0.75
"""Brightness, from 0 the x-ray's own to 1 white, of the area around clipped pixels that is taken
as one: noise clips only some pixels of an even area."""
NEAR_SHARE, FAR_SHARE = 0.004, 0.014
"""Inner and outer edge of the ring around it that must glow, in image diagonals. The inner one is
beyond what a soft lens makes of an edge."""
GLOW = 0.3
"""Least brightness in the ring."""
EVERYWHERE = 10
"""Percentile of the ring that must glow: nearly all of it."""
CLOSE_SHARE = 0.004
"""Gaps of twice this, in image diagonals, are closed: noise leaves holes in a bright area."""
SMALLEST = 0.0003
"""Share of the x-ray below which a clipped speck is not looked at."""
MARGIN_SHARE = 0.012
"""How far from a clipped pixel the local mean and contrast are spoilt too, in image diagonals."""
FLANK_SHARE, FLANK = 0.03, 0.15
"""How far from a clipped pixel, and from which brightness on, glare is too steep to compare."""


def washed_out(photo: Grey, xray: Grey, inside: Mask) -> Mask:
    """Where in the rectified *photo* (h, w) glare leaves nothing to compare with the *xray*."""
    clipped = inside & (photo >= CLIPPED) & (xray < WHITE)
    none = np.zeros(photo.shape, np.bool_)
    if clipped.mean() < SMALLEST:
        return none
    expected = usual(photo, xray, inside)
    brighter = cv2.GaussianBlur(photo, (0, 0), 1.5) - expected
    glow = np.asarray(brighter / np.maximum(255 - expected, 20), dtype=np.float32)
    soft = _soft(clipped, glow, inside & (expected < 200))
    if not soft.any():
        return none
    diagonal = float(np.hypot(*photo.shape))
    core = cv2.dilate(soft, _disc(MARGIN_SHARE * diagonal)) > 0
    flank = (cv2.dilate(soft, _disc(FLANK_SHARE * diagonal)) > 0) & (glow >= FLANK)
    return np.asarray((core | flank) & inside, dtype=np.bool_)


def _soft(clipped: Mask, glow: NDArray[np.float32], tells: Mask) -> Grey:
    """The bright areas with clipped pixels that fade away, 0 or 1; judged by the pixels *tells*.

    Where the x-ray itself is bright nothing could be seen to glow.
    """
    diagonal = float(np.hypot(*clipped.shape))
    bright = (clipped | (glow >= BRIGHT)).astype(np.uint8)
    bright = np.asarray(
        cv2.morphologyEx(bright, cv2.MORPH_CLOSE, _disc(0.004 * diagonal)), np.uint8
    )
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
    burnt = np.bincount(labels[clipped], minlength=count)
    soft = np.zeros(clipped.shape, np.uint8)
    for label in range(1, count):
        if burnt[label] < SMALLEST * clipped.size or stats[label, cv2.CC_STAT_AREA] == 0:
            continue
        area = (labels == label).astype(np.uint8)
        near = cv2.dilate(area, _disc(NEAR_SHARE * diagonal))
        far = cv2.dilate(area, _disc(FAR_SHARE * diagonal))
        ring = (far > 0) & (near == 0) & tells
        if ring.sum() >= 50 and np.percentile(glow[ring], EVERYWHERE) >= GLOW:
            soft |= area
    return soft


def usual(photo: Grey, xray: Grey, inside: Mask) -> NDArray[np.float32]:
    """How bright the photo usually is where the x-ray has the grey it has here, (h, w).

    The brightness is taken below the median: glare over half of a grey's pixels must not become
    the usual.
    """
    levels = (xray // 8).astype(np.intp)
    values = np.full(32, np.nan)
    kept_levels, kept_values = levels[inside], photo[inside]
    order = np.argsort(kept_levels, kind="stable")
    sorted_levels, sorted_values = kept_levels[order], kept_values[order]
    ends = np.searchsorted(sorted_levels, np.arange(33))
    for level in range(32):
        here = sorted_values[ends[level] : ends[level + 1]]
        if here.size >= 20:
            values[level] = np.percentile(here, 35)
    known = ~np.isnan(values)
    if not known.any():
        return np.full(photo.shape, float(photo.mean()), np.float32)
    curve = np.interp(np.arange(32), np.flatnonzero(known), values[known]).astype(np.float32)
    return np.asarray(curve[levels], dtype=np.float32)


def _disc(radius: float) -> Grey:
    side = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), dtype=np.uint8)
