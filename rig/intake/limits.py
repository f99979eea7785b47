"""Thresholds of the optical check, with the evidence for each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a photo must reach. Everything here is configuration; nothing is hidden in the code.

    Evidence: 330 real chest x-rays of 205 patients in simulated photos of 2-16 megapixels
    (perspective to 20 degrees, moire, glare, blur, noise, veil, bezel, clutter), 613 impostor
    pairs of which 360 show the same patient. Photos of real monitors still have to confirm it.
    Measured with this code and the simulated camera (2.4 megapixels), 48 bundled x-rays: verified
    were 48 of 48 frames, 48 easy, 48 typical and 38 hard photos; of 141 frames with 30 % of the
    previous x-ray (tear or blend) none. Impostors, 200 of the 554 ordered same-patient pairs of a
    collection of 148 x-rays: none verified, best score 0.62; but geometry let only 3 of them come
    to a score. Laid over each other by force, 200 such pairs reached 0.58 at best.
    The constants of the correlation were chosen on simulated photos of the same collection, which
    holds the bundled x-rays: other x-rays were not tried, so expect somewhat worse.

    Identity (decides `verified`):
        score: local-contrast-normalised correlation, 0..1. True photos: worst 0.866, median 0.980;
            best impostor 0.590 (the same patient's follow-up film). Here: worst typical 0.938.
            Plain correlation reaches 0.949 for impostors and feature inliers 78, so neither ever
            decides.
        block_agreement: share of textured 8x8 blocks that agree. True photos stay above 0.90; a
            hand over 10 % of the x-ray does not.
        block_correlation: from which correlation on a block agrees. Chosen on 60 simulated photos;
            at 0.50 some true photos were lost to noise in low-contrast blocks.
        worst_cluster: largest connected area of disagreeing blocks, share of the x-ray's area. One
            block, 1.6 %, may disagree by chance. A white dialog box was found in 15 of 15 frames at
            5 % of the area, but only in 11 of 15 at 3 %.
        previous_correlation: partial correlation with the previous x-ray, given the expected one.
            True photos <= 0.16, blended frames >= 0.38 (here <= 0.07 and >= 0.62). Tears of 30 %
            lie between, 0.17-0.48: the blocks catch them, not this limit.

    Geometry (a homography outside is not believed):
        inliers: fewest feature pairs that may support a homography.
        area_min, area_max: area of the mapped x-ray in photo areas.
        side_ratio: longest to shortest of two opposite sides; a tilt of 35 degrees stays below.
        aspect_ratio: how far the mapped width:height may be from the x-ray's own.
        outside: how far a corner may lie outside the photo, in photo widths.

    Quality, on the rectified x-ray (decides re-shooting, not identity):
        focus_reject, focus_warn: fine to coarse band energy against the source, 1 is as sharp
            as the source. Laplacian variance separated much worse.
        clipping_reject: share of pixels clipped in the photo but not in the source.
        glare_warn, glare_reject: share of the area that is far brighter than the source explains.
        margin_warn: least distance of a corner from the photo's edge, in photo widths.
        offset_warn: distance of the x-ray's centre from the photo's centre, in photo widths.

    Attributes:
        screen_aspect: width:height of the monitor. It says where the previous x-ray was on the
            screen when it has another shape than the expected one.
        max_pixels: larger photos are refused before they are decoded.
    """

    score: float = 0.75
    block_agreement: float = 0.90
    block_correlation: float = 0.40
    worst_cluster: float = 0.02
    previous_correlation: float = 0.30

    inliers: int = 12
    area_min: float = 0.03
    area_max: float = 1.5
    side_ratio: float = 2.0
    aspect_ratio: float = 1.6
    outside: float = 0.25

    focus_reject: float = 0.35
    focus_warn: float = 0.45
    clipping_reject: float = 0.03
    glare_warn: float = 0.02
    glare_reject: float = 0.15
    margin_warn: float = 0.02
    offset_warn: float = 0.15

    screen_aspect: float = 16 / 9
    max_pixels: int = 100_000_000
