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
        sights, trouble = _looks(photo.work, reference, found, kind, inliers, limits)
        why = trouble or why
        best = max([*filter(None, [best]), *sights], key=_score, default=None)
        if best is not None and _enough(best, limits):
            break
    return best, why


def _score(sight: Sight) -> float:
    return sight.agreement.score


def _enough(sight: Sight, limits: Limits) -> bool:
    """No other way would do better. What convinces in part may just be a bit off."""
    return _convinces(sight, limits) and (sight.kind != "prior" or sight.residual is not None)


def _convinces(sight: Sight, limits: Limits) -> bool:
    found = sight.agreement
    return (
        found.score >= limits.score
        and found.block_agreement >= limits.block_agreement
        and found.cluster <= limits.block_cluster
        and sight.worst_cluster <= limits.worst_cluster
    )


def _features(photo: Snapshot, reference: Reference, kind: str) -> tuple[Matrix | None, int]:
    """The homography from x-ray pixels to the shrunk photo that features of *kind* agree on."""
    ours: Features = reference.orb if kind == "orb" else reference.sift
    theirs = photo.orb if kind == "orb" else photo.sift
    source, target = pairs(ours, theirs, 0.85 if kind == "orb" else 0.9)
    return homography(source, target, 3.0)


def _looks(
    work: Grey, reference: Reference, start: Matrix, kind: str, inliers: int, limits: Limits
) -> tuple[list[Sight], str]:
    """What is seen by the homography *start*, refined, or why it cannot be.

    Where blocks were found in one part of the x-ray only, the rest of a refinement is guessed: one
    that does not convince is held against the place that it began with.
    """
    size, photo = (reference.grey.shape[1], reference.grey.shape[0]), (work.shape[1], work.shape[0])
    if trouble := geometry.problem(start, size, photo, limits):
        return [], trouble
    matrix, residual, blocks = refine(work, reference, start)
    if geometry.problem(matrix, size, photo, limits):
        matrix, residual = start, None
    support = blocks if kind == "prior" else inliers
    sight = _look(work, reference, matrix, kind, support, residual, limits)
    if residual is None or sight.agreement.score < limits.score or _convinces(sight, limits):
        return [sight], ""
    return [sight, _look(work, reference, start, kind, inliers, None, limits)], ""


def _look(
    work: Grey,
    reference: Reference,
    matrix: Matrix,
    kind: str,
    support: int,
    residual: float | None,
    limits: Limits,
) -> Sight:
    """Rectify by *matrix* and compare."""
    image, inside = rectify(work, matrix, reference.grey.shape)
    texture, deviation = seen(image, reference.texture, inside)
    hidden = washed_out(image, reference.grey, inside)
    result = agreement(reference.texture, texture, limits.block_correlation, hidden=hidden)
    strange, judged = foreign(reference.texture.deviation, deviation, inside & ~hidden)
    masks = (hidden, strange, judged)
    return Sight(matrix, kind, support, residual, image, inside, texture, result, *masks)
