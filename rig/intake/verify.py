"""The optical check: do the pixels of a photo prove which x-ray it shows?"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.intake import geometry
from rig.intake.correlate import Float, Mask, agreement, partial
from rig.intake.features import Grey, Reference, Snapshot
from rig.intake.limits import Limits
from rig.intake.locate import locate
from rig.intake.prior import Prior
from rig.intake.quality import Quality, measure


@dataclass(frozen=True, slots=True)
class Verification:
    """What the optical check found.

    Attributes:
        verified: the photo shows this x-ray, whole, and not the one before.
        reason: one sentence; why not, or why.
        score: local-contrast-normalised correlation with the x-ray, -1..1; 0 when none was located.
        block_agreement: share of textured 8x8 blocks that agree, 0..1.
        block_cluster: largest connected area of 8x8 blocks that do not agree, share of the x-ray.
        worst_cluster: largest connected area that shows something else, share of the x-ray, 0..1.
        unproven: the largest with what glare or the photo's edge hides: nothing larger can cover
            the x-ray unseen.
        previous_correlation: partial correlation with the x-ray shown before, given this one; None
            when there was none before or it is the same picture.
        previous_in_part: the same over the upper or the lower quarter of the x-ray, whichever is
            larger: a torn frame keeps the x-ray before at one end only.
        homography: 3x3, x-ray pixel to photo pixel, pixel-edge coordinates; None when not located.
        corners: where the x-ray's corners are in the photo, clockwise from top left; None likewise.
        inliers: feature pairs that support the homography; says nothing about identity.
        quality: sharpness, glare, framing; None when not located.
        ms: wall time of the check, milliseconds.
        located_by: "prior" (from the last photo's place), "orb" or "sift"; None when not located.
        hidden: share of the x-ray that glare washed out, so that it was not compared, 0..1.
        xray_size, photo_size: width and height, px.
    """

    verified: bool
    reason: str
    score: float = 0.0
    block_agreement: float = 0.0
    worst_cluster: float = 1.0
    previous_correlation: float | None = None
    previous_in_part: float | None = None
    homography: tuple[tuple[float, ...], ...] | None = None
    corners: tuple[tuple[float, float], ...] | None = None
    inliers: int = 0
    quality: Quality | None = None
    ms: float = 0.0
    located_by: str | None = None
    hidden: float = 0.0
    block_cluster: float = 0.0
    unproven: float = 1.0
    xray_size: tuple[int, int] = (0, 0)
    photo_size: tuple[int, int] = (0, 0)


def verify(
    photo: NDArray[np.uint8] | Snapshot,
    xray: NDArray[np.uint8],
    previous: NDArray[np.uint8] | None = None,
    *,
    limits: Limits | None = None,
    features: Reference | None = None,
    previous_features: Reference | None = None,
    prior: Prior | None = None,
) -> Verification:
    """Check that *photo* shows *xray* and nothing of *previous*.

    Deterministic: the same arrays give the same result (but for `ms`) in any order and process.

    Args:
        photo: (H, W) grey or (H, W, 3) uint8, as decoded; orientation does not matter. A
            `Snapshot` of a grey one when it is held against many x-rays.
        xray: (h, w) uint8, the source image.
        previous: (h', w') uint8, what the monitor showed before; catches half-switched frames.
        limits: thresholds, the design's by default.
        features: `Reference(xray)` when the caller has kept it.
        previous_features: `Reference(previous)` likewise.
        prior: where the screen was in the last photo of a rig that stands still. Only a start: what
            it leads to is held to the same limits, and without success the cascade follows.

    Returns:
        A `Verification`; a photo that shows something else is a result, not an error.

    Raises:
        ValueError: an array is not an 8-bit image.
    """
    started = time.perf_counter()
    limits = limits or Limits()
    snapshot = photo if isinstance(photo, Snapshot) else Snapshot(as_grey(photo))
    reference = features or Reference(as_grey(xray))
    before = previous_features
    if before is None and previous is not None:
        before = Reference(as_grey(previous))
    found = _check(snapshot, reference, before, limits, prior)
    return replace(
        found,
        ms=1000 * (time.perf_counter() - started),
        xray_size=reference.size,
        photo_size=snapshot.size,
    )


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
    photo: Snapshot,
    reference: Reference,
    before: Reference | None,
    limits: Limits,
    prior: Prior | None,
) -> Verification:
    work, size = photo.work, photo.size
    to_photo = geometry.scaling(size[0] / work.shape[1], size[1] / work.shape[0])
    if float(work.std()) < 2.0:
        return Verification(False, "The photo is blank: nothing but one even tone.")
    start = None
    if prior is not None and prior.photo == size:
        expected = prior.expected(reference.size) @ reference.to_xray
        start = np.asarray(np.linalg.inv(to_photo) @ expected, dtype=np.float64)
    sight, why = locate(photo, reference, limits, start)
    if sight is None:
        return Verification(False, f"The x-ray was not found in the photo: {why}.")
    found, ratio, part = sight.agreement, None, None
    if before is not None:
        laid, where = _laid(reference, before, limits.screen_aspect)
        shown = where & sight.inside & ~sight.hidden
        pictures = (sight.texture, reference.texture.pixels, laid)
        ratio = partial(*pictures, shown)
        part = _at_a_side(*pictures, shown)
        found = agreement(
            reference.texture, sight.texture, limits.block_correlation, laid, sight.hidden
        )
        sight = replace(sight, agreement=found)
    grey_to_photo = to_photo @ sight.matrix
    matrix = geometry.normalised(grey_to_photo @ np.linalg.inv(reference.to_xray))
    quad = geometry.corners(matrix, reference.width, reference.height)
    residual = None
    if sight.residual is not None:
        residual = sight.residual * reference.width / reference.grey.shape[1]
    quality = measure(sight.image, reference.grey, sight.inside, quad, size, residual, limits)
    values = Verification(
        verified=False,
        reason="",
        score=found.score,
        block_agreement=found.block_agreement,
        worst_cluster=sight.worst_cluster,
        previous_correlation=ratio,
        previous_in_part=part,
        homography=tuple(tuple(float(v) for v in row) for row in matrix),
        corners=tuple((float(x), float(y)) for x, y in quad),
        inliers=sight.inliers,
        quality=quality,
        located_by=sight.kind,
        hidden=float(sight.hidden.mean()),
        block_cluster=found.cluster,
        unproven=sight.unproven,
    )
    verified, reason = decide(values, limits)
    return replace(values, verified=verified, reason=reason)


def _laid(reference: Reference, before: Reference, aspect: float) -> tuple[Float, Mask]:
    """The x-ray *before*, normalised, where the screen had shown it, and where it was at all.

    Both are in the frame of `reference.grey`.
    """
    old, new = (
        geometry.on_screen(one.grey.shape[1], one.grey.shape[0], aspect)
        for one in (before, reference)
    )
    move = np.asarray(np.linalg.inv(old) @ new, dtype=np.float64)
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


def _at_a_side(photo: Float, expected: Float, before: Float, where: Mask) -> float | None:
    """The largest partial correlation with *before* over the upper or the lower quarter."""
    quarter = where.shape[0] // 4
    sides = (slice(0, quarter), slice(where.shape[0] - quarter, None))
    found = (partial(photo[s], expected[s], before[s], where[s]) for s in sides)
    return max((value for value in found if value is not None), default=None)


def decide(found: Verification, limits: Limits) -> tuple[bool, str]:
    """Whether the values of *found* are within *limits*, and the sentence that says so or why not.

    What was located nowhere has a score of 0 and is refused.
    """
    if found.score < limits.score:
        return False, (
            f"The photo does not show this x-ray: correlation {found.score:.2f}, "
            f"needed {limits.score:.2f}."
        )
    if found.hidden > limits.hidden:
        return False, (
            f"Glare hides {found.hidden:.0%} of the x-ray, allowed {limits.hidden:.0%}; move the "
            "light and shoot again."
        )
    if found.block_agreement < limits.block_agreement:
        return False, (
            f"Only {found.block_agreement:.0%} of the x-ray's blocks agree, "
            f"needed {limits.block_agreement:.0%}: something covers it or it is half switched."
        )
    alone = found.unproven <= limits.alone
    blocks = limits.block_cluster_alone if alone else limits.block_cluster
    if found.block_cluster > blocks:
        return False, (
            f"Blocks of {found.block_cluster:.1%} of the x-ray in one piece do not agree, allowed "
            f"{blocks:.1%}: something covers it."
        )
    if found.worst_cluster > limits.worst_cluster:
        return False, (
            f"{found.worst_cluster:.1%} of the x-ray in one piece shows something else, allowed "
            f"{limits.worst_cluster:.1%}."
        )
    if found.unproven > limits.unproven:
        return False, (
            f"{found.unproven:.1%} of the x-ray in one piece cannot be proven, allowed "
            f"{limits.unproven:.1%}: glare or the edge of the photo hides it; move the light or "
            "the phone and shoot again."
        )
    ratio, part = found.previous_correlation, found.previous_in_part
    if ratio is not None and ratio > limits.previous_correlation:
        return False, (
            f"The previous x-ray shines through: partial correlation {ratio:.2f}, "
            f"allowed {limits.previous_correlation:.2f}."
        )
    if part is not None and part > limits.previous_in_part:
        return False, (
            f"One end of it still shows the previous x-ray: partial correlation {part:.2f}, "
            f"allowed {limits.previous_in_part:.2f}."
        )
    return True, f"The photo shows this x-ray: correlation {found.score:.2f}."
