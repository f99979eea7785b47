"""How alike a rectified photo and an x-ray are, whole and block by block.

Chest x-rays all look alike in the large. What tells two apart is the *local* structure, so both
images are first normalised to local mean 0 and local contrast 1; that also takes out brightness,
contrast, vignetting and soft glare.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

BLOCKS = 8
"""Blocks along each side."""
LOCAL_SHARE = 0.012
"""Gaussian radius of *local*, in image diagonals."""
RIM_SHARE = 0.004
"""Width of the rim that is not compared, in image diagonals."""
SMOOTH_SHARE = 0.005
"""Gaussian radius of the smoothing before, in image diagonals: takes out noise and fine moire."""
FLAT = 5.0
"""Local contrast, in grey levels of the x-ray, below which nothing is amplified any further."""
GHOST = 0.6
"""Correlation with the previous x-ray from which on a flat block shows it."""
UNEXPLAINED = 0.03
"""Least unexplained variance that a partial correlation is measured against."""
TEXTURED = 3.0
"""Median local contrast, in grey levels, from which on a block counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """A normalised x-ray.

    Attributes:
        pixels: (h, w) float32, local mean 0, local contrast about 1.
        deviation: (h, w) float32, from the local mean, grey levels: before the contrast is evened.
        blocks: (8, 8) bool, the blocks that have texture.
        contrast: mean local contrast before, grey levels.
    """

    pixels: Float
    deviation: Float
    blocks: Mask
    contrast: float


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """How far photo and x-ray agree.

    Attributes:
        score: correlation of the whole, -1..1.
        blocks: (8, 8) correlation per block; NaN where the x-ray has no texture or is not seen.
        block_agreement: share of textured blocks that agree, 0..1.
        cluster: largest connected area of textured blocks that do not agree, share of the x-ray.
        ghosts: largest connected area of flat blocks that show the x-ray before, share of the
            x-ray.
    """

    score: float
    blocks: NDArray[np.float64]
    block_agreement: float
    cluster: float
    ghosts: float


def _rimless(image: NDArray[np.uint8]) -> Float:
    """*image* with its rim painted over by what is next to it.

    A homography wrong by one pixel lets the monitor's black in at the rim, and one black line has
    more contrast than all of the lung beside it.
    """
    rim = max(1, round(RIM_SHARE * float(np.hypot(*image.shape))))
    inner = image[rim:-rim, rim:-rim].astype(np.float32)
    padded = cv2.copyMakeBorder(inner, rim, rim, rim, rim, cv2.BORDER_REPLICATE)
    return np.asarray(padded, dtype=np.float32)


def _mean(image: Float) -> Float:
    """Local mean: three box filters, a Gaussian of radius *local* for a tenth of the time."""
    side = 2 * round(LOCAL_SHARE * float(np.hypot(*image.shape))) | 1
    for _ in range(3):
        image = np.asarray(
            cv2.blur(image, (side, side), borderType=cv2.BORDER_REFLECT), dtype=np.float32
        )
    return image


def _local(picture: NDArray[np.uint8]) -> tuple[Float, Float]:
    """Deviation from the local mean, and the local standard deviation."""
    image = _rimless(picture)
    sigma = SMOOTH_SHARE * float(np.hypot(*image.shape))
    smooth = np.asarray(
        cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), dtype=np.float32
    )
    mean = _mean(smooth)
    square = _mean(smooth * smooth)
    return smooth - mean, np.sqrt(np.maximum(square - mean * mean, 0))


def textured(grey: NDArray[np.uint8]) -> Texture:
    """Normalise an x-ray (h, w) uint8 and find the blocks that have texture."""
    deviation, contrast = _local(grey)
    blocks = np.array([[np.median(b) for b in row] for row in _blocks(contrast)]) >= TEXTURED
    return Texture(deviation / (contrast + FLAT), deviation, blocks, float(contrast.mean()))


def normalise(photo: NDArray[np.uint8], reference: Texture, inside: Mask) -> Float:
    """Normalise a rectified *photo* as `textured` does the x-ray; 0 outside *inside*.

    A dim photo has little contrast everywhere; the floor follows its overall contrast.
    """
    return seen(photo, reference, inside)[0]


def seen(photo: NDArray[np.uint8], reference: Texture, inside: Mask) -> tuple[Float, Float]:
    """`normalise`, and with it the deviation from the local mean, grey levels."""
    if not inside.any():
        return np.zeros(photo.shape, np.float32), np.zeros(photo.shape, np.float32)
    deviation, contrast = _local(photo)
    gain = float(contrast[inside].mean()) / max(reference.contrast, 1e-3)
    result = deviation / (contrast + max(FLAT * min(gain, 1.0), 0.5))
    result[~inside] = 0
    return np.asarray(result, dtype=np.float32), deviation


def correlation(a: Float, b: Float) -> float:
    """Pearson correlation of two arrays of one shape; 0 when either is constant."""
    x, y = a.ravel() - a.mean(), b.ravel() - b.mean()
    norm = float(np.sqrt(np.dot(x, x) * np.dot(y, y)))
    return float(np.dot(x, y)) / norm if norm > 1e-6 else 0.0


def _blocks(image: NDArray[np.float32]) -> list[list[NDArray[np.float32]]]:
    return [np.array_split(row, BLOCKS, axis=1) for row in np.array_split(image, BLOCKS, axis=0)]


def agreement(
    reference: Texture,
    photo: Float,
    least: float,
    previous: Float | None = None,
    hidden: Mask | None = None,
) -> Agreement:
    """Compare the normalised *photo* with *reference*; a block agrees from *least* on.

    Where the x-ray is flat there is nothing to agree with, but the x-ray shown before may have
    structure there: a flat block in which *previous* is found disagrees.

    Args:
        reference: the x-ray.
        photo: as `normalise` gives it.
        least: correlation from which on a block agrees.
        previous: the x-ray shown before, normalised, in the same frame.
        hidden: pixels that are not compared; blocks hidden for the most part are not counted.
    """
    visible = None if hidden is None or not hidden.any() else ~hidden
    found = _per_block(reference.pixels, photo, visible)
    known = ~np.isnan(found)
    judged = reference.blocks & known
    bad = judged & ~(found >= least)
    ghosts = np.zeros_like(bad)
    if previous is not None:
        old = _per_block(previous, photo, visible)
        # Edges and collimation lie alike in many x-rays: the old one must explain more.
        ghosts = ~reference.blocks & known & (old >= GHOST) & (old > found + 0.2)
    total = int(judged.sum() + ghosts.sum())
    share = 1 - int(bad.sum() + ghosts.sum()) / total if total else 0.0
    found[~reference.blocks] = np.nan
    a, b = (
        (reference.pixels, photo)
        if visible is None
        else (reference.pixels[visible], photo[visible])
    )
    return Agreement(correlation(a, b), found, share, _largest(bad), _largest(ghosts))


def _largest(blocks: Mask) -> float:
    """The largest connected area of *blocks*, share of all, 0..1."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(blocks.astype(np.uint8), connectivity=4)
    return int(stats[1:, cv2.CC_STAT_AREA].max(initial=0)) / BLOCKS**2


def _per_block(a: Float, b: Float, visible: Mask | None) -> NDArray[np.float64]:
    """(8, 8) correlations of the blocks of *a* and *b*; NaN where less than half is *visible*."""
    if visible is None:
        rows = zip(_blocks(a), _blocks(b), strict=True)
        return np.array([[correlation(p, q) for p, q in zip(*row, strict=True)] for row in rows])
    found = np.full((BLOCKS, BLOCKS), np.nan)
    shown = _blocks(visible.astype(np.float32))
    for row, (left, right) in enumerate(zip(_blocks(a), _blocks(b), strict=True)):
        for column, (p, q) in enumerate(zip(left, right, strict=True)):
            here = shown[row][column] > 0
            if here.mean() >= 0.5:
                found[row, column] = correlation(p[here], q[here])
    return found


def partial(photo: Float, expected: Float, previous: Float, where: Mask) -> float | None:
    """Partial correlation of *photo* with *previous*, given *expected*, over the pixels *where*.

    None when it says nothing: hardly any common area, or two x-rays that are the same picture.
    """
    if where.mean() < 0.05:
        return None
    p, e, q = photo[where], expected[where], previous[where]
    pe, pq, eq = correlation(p, e), correlation(p, q), correlation(e, q)
    if eq > 0.95:
        return None
    # A near-perfect photo leaves only rounding unexplained, and that may correlate by chance.
    rest = max(1 - pe * pe, UNEXPLAINED) * (1 - eq * eq)
    return (pq - pe * eq) / float(np.sqrt(rest))
