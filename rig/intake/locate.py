"""Find the x-ray in the photo: features, homography, sanity, refinement, comparison."""

from __future__ import annotations

from dataclasses import dataclass

from rig.intake import geometry
from rig.intake.correlate import Agreement, Float, Mask, agreement, seen
from rig.intake.features import Features, Grey, Reference, Snapshot, homography, pairs
from rig.intake.foreign import foreign, largest, unproven
from rig.intake.geometry import Matrix
from rig.intake.limits import Limits
from rig.intake.refine import rectify, refine
from rig.intake.veil import washed_out


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """The x-ray as located in the photo.

    Attributes:
        matrix: `Reference.grey` to the shrunk photo, pixel-edge.
        kind: how it was found: "prior", "orb" or "sift".
        inliers: feature pairs that support it; with a prior, blocks of the refinement.
        residual: of the refinement, pixels of `Reference.grey`; None when it was not possible.
        image: the photo rectified, uint8, shape of `Reference.grey`.
        inside: where the photo covers it.
        texture: *image* normalised.
        agreement: of *texture* with the x-ray.
        hidden: where glare leaves nothing to compare.
        foreign: where something is that the x-ray does not explain.
        judged: where that could be told at all: neither hidden nor outside the photo.
    """

    matrix: Matrix
    kind: str
    inliers: int
    residual: float | None
    image: Grey
    inside: Mask
    texture: Float
    agreement: Agreement
    hidden: Mask
    foreign: Mask
    judged: Mask

    @property
    def unproven(self) -> float:
        """Largest connected area that is foreign or not judged, share of the x-ray, 0..1."""
        return unproven(self.foreign, self.judged)

    @property
    def worst_cluster(self) -> float:
        """Largest connected area of something else, share of the x-ray, 0..1."""
        return max(largest(self.foreign), self.agreement.ghosts)


def locate(
    photo: Snapshot, reference: Reference, limits: Limits, start: Matrix | None = None
) -> tuple[Sight | None, str]:
    """The best sight of the x-ray: from *start*, by ORB, by SIFT; each only if those before fail.

    Args:
        photo: where to look.
        reference: the x-ray.
        limits: what is believed, and what is good enough to stop.
        start: `Reference.grey` to the shrunk photo as the last one had it, or None.

    Returns:
        The sight with the best score, or None and why.
    """
    best: Sight | None = None
    why = ""
    for kind in ("prior", "orb", "sift"):
        if kind == "prior":
            found, inliers = start, 0
            if found is None:
                continue
        else:
            found, inliers = _features(photo, reference, kind)
            if found is None or inliers < limits.inliers:
                why = f"only {inliers} points agree on a place"
                continue
            found = found @ reference.to_xray
        sight, trouble = _look(photo.work, reference, found, kind, inliers, limits)
        if sight is None:
            why = trouble
            continue
        if best is None or sight.agreement.score > best.agreement.score:
            best = sight
        if _enough(best, limits):
            break
    return best, why


def _enough(sight: Sight, limits: Limits) -> bool:
    """No other way would do better. A prior must convince wholly: it may just be a bit off."""
    found = sight.agreement
    return found.score >= limits.score and (
        sight.kind != "prior"
        or (
            sight.residual is not None
            and found.block_agreement >= limits.block_agreement
            and sight.worst_cluster <= limits.worst_cluster
        )
    )


def _features(photo: Snapshot, reference: Reference, kind: str) -> tuple[Matrix | None, int]:
    """The homography from x-ray pixels to the shrunk photo that features of *kind* agree on."""
    ours: Features = reference.orb if kind == "orb" else reference.sift
    theirs = photo.orb if kind == "orb" else photo.sift
    source, target = pairs(ours, theirs, 0.85 if kind == "orb" else 0.9)
    return homography(source, target, 3.0)


def _look(
    work: Grey, reference: Reference, start: Matrix, kind: str, inliers: int, limits: Limits
) -> tuple[Sight | None, str]:
    """Refine, rectify and compare; or why the homography *start* cannot be."""
    size, photo = (reference.grey.shape[1], reference.grey.shape[0]), (work.shape[1], work.shape[0])
    if trouble := geometry.problem(start, size, photo, limits):
        return None, trouble
    matrix, residual, blocks = refine(work, reference, start)
    if geometry.problem(matrix, size, photo, limits):
        matrix, residual = start, None
    image, inside = rectify(work, matrix, reference.grey.shape)
    texture, deviation = seen(image, reference.texture, inside)
    hidden = washed_out(image, reference.grey, inside)
    result = agreement(reference.texture, texture, limits.block_correlation, hidden=hidden)
    strange, judged = foreign(reference.texture.deviation, deviation, inside & ~hidden)
    support = blocks if kind == "prior" else inliers
    masks = (hidden, strange, judged)
    return Sight(matrix, kind, support, residual, image, inside, texture, result, *masks), ""
