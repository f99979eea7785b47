"""Find the x-ray in the photo: features, homography, sanity, refinement, comparison."""

from __future__ import annotations

from dataclasses import dataclass

from rig.intake import geometry
from rig.intake.correlate import Agreement, Float, Mask, agreement, normalise
from rig.intake.features import (
    PHOTO_SIDE,
    SIFT_SIDE,
    Features,
    Grey,
    Reference,
    homography,
    orb,
    pairs,
    sift,
)
from rig.intake.geometry import Matrix
from rig.intake.limits import Limits
from rig.intake.refine import rectify, refine


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """The x-ray as located in the photo.

    Attributes:
        matrix: `Reference.grey` to the shrunk photo, pixel-edge.
        inliers: feature pairs that support it.
        residual: of the refinement, pixels of `Reference.grey`; None when it was not possible.
        image: the photo rectified, uint8, shape of `Reference.grey`.
        inside: where the photo covers it.
        texture: *image* normalised.
        agreement: of *texture* with the x-ray.
    """

    matrix: Matrix
    inliers: int
    residual: float | None
    image: Grey
    inside: Mask
    texture: Float
    agreement: Agreement


def locate(work: Grey, reference: Reference, limits: Limits) -> tuple[Sight | None, str]:
    """The best sight of the x-ray: ORB, and SIFT only when ORB's is not good enough."""
    best: Sight | None = None
    why = ""
    for kind in ("orb", "sift"):
        found, inliers = _features(work, reference, kind)
        if found is None or inliers < limits.inliers:
            why = f"only {inliers} points agree on a place"
            continue
        sight, trouble = _look(work, reference, found, inliers, limits)
        if sight is None:
            why = trouble
            continue
        if best is None or sight.agreement.score > best.agreement.score:
            best = sight
        if best.agreement.score >= limits.score:
            break
    return best, why


def _features(work: Grey, reference: Reference, kind: str) -> tuple[Matrix | None, int]:
    """The homography from x-ray pixels to the shrunk photo that features of *kind* agree on."""
    ours: Features = reference.orb if kind == "orb" else reference.sift
    theirs = orb(work, PHOTO_SIDE, 4000) if kind == "orb" else sift(work, SIFT_SIDE, 4000)
    source, target = pairs(ours, theirs, 0.85 if kind == "orb" else 0.9)
    return homography(source, target, 3.0)


def _look(
    work: Grey, reference: Reference, found: Matrix, inliers: int, limits: Limits
) -> tuple[Sight | None, str]:
    """Refine, rectify and compare; or why the homography *found* cannot be."""
    size, photo = (reference.grey.shape[1], reference.grey.shape[0]), (work.shape[1], work.shape[0])
    start = found @ reference.to_xray
    if trouble := geometry.problem(start, size, photo, limits):
        return None, trouble
    matrix, residual = refine(work, reference, start)
    if geometry.problem(matrix, size, photo, limits):
        matrix, residual = start, None
    image, inside = rectify(work, matrix, reference.grey.shape)
    texture = normalise(image, reference.texture, inside)
    result = agreement(reference.texture, texture, limits.block_correlation)
    return Sight(matrix, inliers, residual, image, inside, texture, result), ""
