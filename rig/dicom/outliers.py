"""Is it a usable picture? Figures of the displayed grey levels, and what is doubted of them.

Not a diagnosis of quality: a rule only asks a person to look, except where there is no picture at
all. Limits have their evidence in `PictureLimits`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.dicom.doubts import Decision, Doubt

WORK_SIZE = 1024
"""Long side in pixels at which figures are taken, so that limits hold for every detector."""


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What a usable picture has. Chosen on 74 of 148 published chest x-rays, tried on the others.

    Attributes:
        least_side: pixels of the shorter side; smaller films tell no finding. Refused below a half.
        longest_aspect: longer side to shorter; the x-rays reach 1.25.
        nothing: bits of entropy below which there is no picture: a blank, a test field. Refused.
        least_entropy: bits; the x-rays have 5.7 at least.
        most_black: share of pixels at 0; the x-rays reach 0.15.
        most_white: share of pixels at 255; the x-rays reach 0.004.
        most_border: share of the area that even borders take; the x-rays reach 0.14.
        least_sharpness: of `Figures.sharpness`; the x-rays have 0.34 at least; at most
            0.25 when blurred by a Gaussian of 3 pixels at `WORK_SIZE`.
    """

    least_side: int = 256
    longest_aspect: float = 1.6
    nothing: float = 1.5
    least_entropy: float = 5.0
    most_black: float = 0.30
    most_white: float = 0.10
    most_border: float = 0.30
    least_sharpness: float = 0.28


PICTURE = PictureLimits()


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one picture.

    Attributes:
        rows: pixels.
        columns: pixels.
        entropy: of the grey levels, 0..8 bits.
        black: share of pixels at 0.
        white: share of pixels at 255.
        border: share of the area outside the smallest box around all that varies.
        sharpness: detail finer than 1.5 pixels by detail of 1.5 to 6 pixels (standard deviations of
            Gaussians) at `WORK_SIZE`, each the 95th percentile of its size.
    """

    rows: int
    columns: int
    entropy: float
    black: float
    white: float
    border: float
    sharpness: float


def figures(shown: NDArray[np.uint8]) -> Figures:
    """Look at a picture.

    Args:
        shown: grey levels, (rows, columns), at least one pixel.
    """
    rows, columns = shown.shape
    counts = np.bincount(shown.ravel(), minlength=256)
    shares = counts[counts > 0] / shown.size
    return Figures(
        rows=rows,
        columns=columns,
        entropy=float(-(shares * np.log2(shares)).sum()),
        black=float(counts[0] / shown.size),
        white=float(counts[255] / shown.size),
        border=_border(shown),
        sharpness=_sharpness(shown),
    )


def _border(shown: NDArray[np.uint8]) -> float:
    """Rows and columns at the edge that hardly vary hold nothing."""
    spread = 6.0
    rows = np.flatnonzero(shown.std(axis=1) > spread)
    columns = np.flatnonzero(shown.std(axis=0) > spread)
    if rows.size == 0 or columns.size == 0:
        return 1.0
    inside = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
    return float(1.0 - inside / shown.size)


def _sharpness(shown: NDArray[np.uint8]) -> float:
    scale = WORK_SIZE / max(shown.shape)
    picture = shown.astype(np.float32)
    if scale < 1:
        size = (max(1, round(shown.shape[1] * scale)), max(1, round(shown.shape[0] * scale)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
    levels = [picture, *(cv2.GaussianBlur(picture, (0, 0), s) for s in (1.5, 6.0))]
    fine, coarse = (float(np.percentile(np.abs(levels[n] - levels[n + 1]), 95)) for n in range(2))
    return fine / coarse if coarse > 0 else 0.0


def picture_doubts(shown: NDArray[np.uint8], limits: PictureLimits = PICTURE) -> Iterator[Doubt]:
    """What the picture alone has against an image.

    Args:
        shown: grey levels, (rows, columns).
        limits: what a usable picture has.
    """
    seen = figures(shown)
    short, long = sorted((seen.rows, seen.columns))
    if short < limits.least_side:
        sure = Decision.REFUSE if short < limits.least_side / 2 else Decision.REVIEW
        sentence = f"It has {seen.columns} x {seen.rows} pixels; {limits.least_side} are wanted."
        yield Doubt("size", sentence, sure, float(short))
    if seen.entropy < limits.nothing:
        sentence = f"It shows nothing: {seen.entropy:.1f} bits of grey levels."
        yield Doubt("empty", sentence, Decision.REFUSE, seen.entropy)
        return
    if long > limits.longest_aspect * short:
        sentence = f"It is {long / short:.1f} times as long as wide."
        yield Doubt("shape", sentence, Decision.REVIEW, long / short)
    checks = (
        ("grey levels", limits.least_entropy - seen.entropy, seen.entropy,
         f"It has few grey levels: {seen.entropy:.1f} bits."),
        ("clipping", seen.black - limits.most_black, seen.black,
         f"{seen.black:.0%} of it is wholly black."),
        ("clipping", seen.white - limits.most_white, seen.white,
         f"{seen.white:.0%} of it is wholly white."),
        ("border", seen.border - limits.most_border, seen.border,
         f"{seen.border:.0%} of it is empty border."),
        ("blur", limits.least_sharpness - seen.sharpness, seen.sharpness,
         f"It is not sharp: {seen.sharpness:.2f}, where {limits.least_sharpness} is wanted."),
    )  # fmt: skip
    for rule, beyond, score, sentence in checks:
        if beyond > 0:
            yield Doubt(rule, sentence, Decision.REVIEW, score)
