"""The optical check: do the pixels of a photo prove which x-ray it shows?"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.intake import geometry
from rig.intake.correlate import Agreement, Float, Mask, agreement, partial
from rig.intake.features import PHOTO_SIDE, Grey, Reference, shrink
from rig.intake.geometry import Matrix
from rig.intake.limits import Limits
from rig.intake.locate import locate
from rig.intake.quality import Quality, measure


@dataclass(frozen=True, slots=True)
class Verification:
    """What the optical check found.

    Attributes:
        verified: the photo shows this x-ray, whole, and not the one before.
        reason: one sentence; why not, or why.
        score: local-contrast-normalised correlation with the x-ray, -1..1; 0 when none was located.
        block_agreement: share of textured 8x8 blocks that agree, 0..1.
        worst_cluster: largest connected area of disagreeing blocks, share of the x-ray, 0..1.
        previous_correlation: partial correlation with the x-ray shown before, given this one; None
            when there was none before or it is the same picture.
        homography: 3x3, x-ray pixel to photo pixel, pixel-edge coordinates; None when not located.
        corners: where the x-ray's corners are in the photo, clockwise from top left; None likewise.
        inliers: feature pairs that support the homography; says nothing about identity.
        quality: sharpness, glare and so on; None when not located.
        ms: wall time of the check, milliseconds.
    """

    verified: bool
    reason: str
    score: float = 0.0
    block_agreement: float = 0.0
    worst_cluster: float = 1.0
    previous_correlation: float | None = None
    homography: tuple[tuple[float, ...], ...] | None = None
    corners: tuple[tuple[float, float], ...] | None = None
    inliers: int = 0
    quality: Quality | None = None
    ms: float = 0.0


def verify(
    photo: NDArray[np.uint8],
    xray: NDArray[np.uint8],
    previous: NDArray[np.uint8] | None = None,
    *,
    limits: Limits | None = None,
    features: Reference | None = None,
    previous_features: Reference | None = None,
) -> Verification:
    """Check that *photo* shows *xray* and nothing of *previous*.

    Deterministic: the same arrays give the same result (but for `ms`) in any order and process.

    Args:
        photo: (H, W) grey or (H, W, 3) uint8, as decoded; orientation does not matter.
        xray: (h, w) uint8, the source image.
        previous: (h', w') uint8, what the monitor showed before; catches half-switched frames.
        limits: thresholds, the design's by default.
        features: `Reference(xray)` when the caller has kept it.
        previous_features: `Reference(previous)` likewise.

    Returns:
        A `Verification`; a photo that shows something else is a result, not an error.

    Raises:
        ValueError: an array is not an 8-bit image.
    """
    started = time.perf_counter()
    limits = limits or Limits()
    grey = as_grey(photo)
    reference = features or Reference(as_grey(xray))
    before = previous_features
    if before is None and previous is not None:
        before = Reference(as_grey(previous))
    found = _check(grey, reference, before, limits)
    return replace(found, ms=1000 * (time.perf_counter() - started))


def as_grey(image: NDArray[np.uint8]) -> Grey:
    """*image* as (H, W) uint8; raises ValueError for anything but an 8-bit grey or RGB picture."""
    if image.dtype != np.uint8 or image.ndim not in {2, 3} or image.size == 0:
        raise ValueError(f"expected an 8-bit picture, got {image.dtype} of shape {image.shape}")
    if image.ndim == 3 and image.shape[2] != 3:
        raise ValueError(f"expected a grey or RGB picture, got shape {image.shape}")
    if image.ndim == 3:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    return image


def _check(
    photo: Grey, reference: Reference, before: Reference | None, limits: Limits
) -> Verification:
    work = shrink(photo, PHOTO_SIDE)
    if float(work.std()) < 2.0:
        return Verification(False, "The photo is blank: nothing but one even tone.")
    sight, why = locate(work, reference, limits)
    if sight is None:
        return Verification(False, f"The x-ray was not found in the photo: {why}.")
    found, ratio = sight.agreement, None
    if before is not None:
        laid, where = _laid(reference, before, limits.screen_aspect)
        shown = where & sight.inside
        ratio = partial(sight.texture, reference.texture.pixels, laid, shown)
        found = agreement(reference.texture, sight.texture, limits.block_correlation, laid)
    size = (photo.shape[1], photo.shape[0])
    to_photo = geometry.scaling(size[0] / work.shape[1], size[1] / work.shape[0])
    grey_to_photo = to_photo @ sight.matrix
    matrix = geometry.normalised(grey_to_photo @ np.linalg.inv(reference.to_xray))
    quad = geometry.corners(matrix, reference.width, reference.height)
    residual = None
    if sight.residual is not None:
        residual = sight.residual * reference.width / reference.grey.shape[1]
    quality = measure(sight.image, reference.grey, sight.inside, quad, size, residual, limits)
    verified, reason = _decide(found, ratio, limits)
    return Verification(
        verified=verified,
        reason=reason,
        score=found.score,
        block_agreement=found.block_agreement,
        worst_cluster=found.worst_cluster,
        previous_correlation=ratio,
        homography=tuple(tuple(float(v) for v in row) for row in matrix),
        corners=tuple((float(x), float(y)) for x, y in quad),
        inliers=sight.inliers,
        quality=quality,
    )


def _laid(reference: Reference, before: Reference, aspect: float) -> tuple[Float, Mask]:
    """The x-ray *before*, normalised, where the screen had shown it, and where it was at all.

    Both are in the frame of `reference.grey`.
    """
    to_before = np.linalg.inv(_screen(before, aspect))
    move = np.asarray(to_before @ _screen(reference, aspect), dtype=np.float64)
    height, width = reference.grey.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    pixels = before.texture.pixels
    laid = cv2.warpPerspective(pixels, geometry.to_centre(move), (width, height), flags=flags)
    box = geometry.corners(
        np.asarray(np.linalg.inv(move), dtype=np.float64), pixels.shape[1], pixels.shape[0]
    )
    (left, top), (right, bottom) = box[0], box[2]
    xs, ys = np.arange(width) + 0.5, np.arange(height) + 0.5
    where = np.outer((ys >= top) & (ys <= bottom), (xs >= left) & (xs <= right))
    return np.asarray(laid, dtype=np.float32), where


def _screen(reference: Reference, aspect: float) -> Matrix:
    """From `grey` to a screen of height 1 on which the x-ray is centred, as large as it fits."""
    height, width = reference.grey.shape
    scale = min(aspect / width, 1 / height)
    move = geometry.translation((aspect - width * scale) / 2, (1 - height * scale) / 2)
    return move @ geometry.scaling(scale, scale)


def _decide(found: Agreement, ratio: float | None, limits: Limits) -> tuple[bool, str]:
    if found.score < limits.score:
        return False, (
            f"The photo does not show this x-ray: correlation {found.score:.2f}, "
            f"needed {limits.score:.2f}."
        )
    if found.block_agreement < limits.block_agreement:
        return False, (
            f"Only {found.block_agreement:.0%} of the x-ray's blocks agree, "
            f"needed {limits.block_agreement:.0%}: something covers it or it is half switched."
        )
    if found.worst_cluster > limits.worst_cluster:
        return False, (
            f"{found.worst_cluster:.1%} of the x-ray in one piece shows something else, "
            f"allowed {limits.worst_cluster:.1%}."
        )
    if ratio is not None and ratio > limits.previous_correlation:
        return False, (
            f"The previous x-ray shines through: partial correlation {ratio:.2f}, "
            f"allowed {limits.previous_correlation:.2f}."
        )
    return True, f"The photo shows this x-ray: correlation {found.score:.2f}."
