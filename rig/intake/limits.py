"""Thresholds of the optical check, with the evidence for each."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rig.errors import UserError


@dataclass(frozen=True, slots=True)
class Limits:
    """What a photo must reach. Everything here is configuration; nothing is hidden in the code.

    Evidence, "design": 330 real chest x-rays of 205 patients in simulated photos of 2-16 megapixels
    (perspective to 20 degrees, moire, glare, blur, noise, veil, bezel, clutter). "Here": this code,
    this repository's simulated camera and 148 x-rays of 84 patients, halved by patient; values were
    chosen on the tuning half (58 x-rays), docs/verification.md tells the test half. The constants
    of the correlation are older than the halves. Photos of real monitors still have to confirm all
    of it.

    Identity (decides `verified`):
        score: local-contrast-normalised correlation, 0..1. True photos (design): worst 0.866,
            median 0.980; best impostor 0.590 (the same patient's follow-up film). Here, hard
            photos: 115 of 116 from 0.76 up. Plain correlation reaches 0.949 for impostors and
            feature inliers 78, so neither ever decides.
        block_agreement: share of textured 8x8 blocks that agree. The design's 0.90 with its limit
            of 2 % on clusters of blocks lost a fifth of the hard photos to noise and found a dialog
            of 3 % in 11 of 15; what covers the x-ray is now found by worst_cluster, and this says
            only that the whole of it is there. Here: hard photos 0.87 and up.
        block_correlation: from which correlation on a block agrees. Chosen on 60 simulated photos;
            at 0.50 some true photos were lost to noise in low-contrast blocks.
        block_cluster: largest connected area of textured blocks that do not agree, share of the
            x-ray; one block of 64, the design's limit. A dark hand over dark lungs in a noisy photo
            leaves little else: one of 61 left two blocks, score 0.77 and worst_cluster 0.019.
        block_cluster_alone: the same where nothing else speaks against the photo: two blocks. Of
            100 typical photos of 3 megapixels from one tripod two have two blocks, with a score of
            0.95 and nothing at all that is unproven.
        alone: up to which `unproven` nothing else speaks against it.
        worst_cluster: largest connected area that shows something else (see `rig.intake.foreign`),
            share of the x-ray's area. Here: easy photos at most 0.020, typical 0.012; windows of
            3 % at least 0.034 in 174 photos, with what glare hides.
        unproven: the same with what glare or the photo's edge hides, and what is too narrow to be
            judged beside it: whatever covers more of the x-ray than this was seen. So it is below
            the 3 % of the smallest window that must not pass. Here: of photos with a lamp in the
            glass none stays below; of 58 windows in such photos all have 0.054 and more, while what
            is seen of them may be nothing at all (one) or 0.021.
        hidden: share of the x-ray that glare may wash out in all (see `rig.intake.veil`), however
            many pieces it is in. As large as glare_reject: more is shot again anyway.
        previous_correlation: partial correlation with the previous x-ray, given the expected one.
            True photos <= 0.16 (design; here 0.20 with a lamp in the glass), blended frames
            >= 0.38. Tears of a quarter lie between, from 0.14.
        previous_in_part: the same over the upper or the lower quarter. Here: true photos at most
            0.22, hard ones with 25 % torn at least 0.64, with 30 % blended 0.53.

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

    A rig that stands still (see `rig.intake.drift`):
        drift: photo pixels that a corner may move from one photo to the next. The corners of a
            12 megapixel photo are found to about 1 pixel, the worst of twenty to 5 (design).
        creep: photo pixels that a corner may move since the first photo.

    Attributes:
        screen_aspect: width:height of the monitor. It says where the previous x-ray was on the
            screen when it has another shape than the expected one.
        max_pixels: larger photos are refused before they are decoded.
    """

    score: float = 0.75
    block_agreement: float = 0.85
    block_correlation: float = 0.40
    block_cluster: float = 0.02
    block_cluster_alone: float = 0.035
    alone: float = 0.008
    worst_cluster: float = 0.024
    unproven: float = 0.024
    hidden: float = 0.15
    previous_correlation: float = 0.30
    previous_in_part: float = 0.42

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

    drift: float = 10.0
    creep: float = 30.0

    screen_aspect: float = 16 / 9
    max_pixels: int = 100_000_000


_LARGEST: dict[str, float] = {
    "area_max": 100.0,
    "side_ratio": 100.0,
    "aspect_ratio": 100.0,
    "outside": 10.0,
    "focus_reject": 10.0,
    "focus_warn": 10.0,
    "drift": 10_000.0,
    "creep": 10_000.0,
    "screen_aspect": 20.0,
    "inliers": 10_000,
    "max_pixels": 2_000_000_000,
}
"""Greatest sensible values; of all others 1: they are shares and correlations."""
_LEAST: dict[str, float] = {
    "side_ratio": 1.0,
    "aspect_ratio": 1.0,
    "screen_aspect": 0.05,
    "inliers": 4,
    "max_pixels": 1,
}
"""Least sensible values; of all others 0."""
_ORDERED = (
    ("area_min", "area_max"),
    ("focus_reject", "focus_warn"),
    ("glare_warn", "glare_reject"),
    ("worst_cluster", "unproven"),
    ("block_cluster", "block_cluster_alone"),
    ("alone", "unproven"),
    ("drift", "creep"),
)


def load(file: Path) -> Limits:
    """The limits in a TOML *file*: `name = number`, what it does not name stays as designed.

    Raises:
        UserError: the file cannot be read, a name is unknown, or a value is no sensible number.
    """
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:  # also bytes that are no text, and no TOML
        why = getattr(error, "strerror", None) or error
        raise UserError(f"{file} cannot be read as a TOML file of thresholds: {why}.") from error
    known = {field.name for field in fields(Limits)}
    values = {name: _value(file, name, value, known) for name, value in table.items()}
    limits = Limits(**values)
    for low, high in _ORDERED:
        if getattr(limits, low) > getattr(limits, high):
            raise UserError(
                f"{file}: {low} = {getattr(limits, low)} is above {high} = {getattr(limits, high)}."
            )
    return limits


def _value(file: Path, name: str, value: Any, known: set[str]) -> Any:
    if name not in known:
        raise UserError(
            f"{file}: there is no threshold {name!r}; choose {', '.join(sorted(known))}."
        )
    whole = name in {"inliers", "max_pixels"}
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
        word = "whole number" if whole else "number"
        raise UserError(f"{file}: {name} = {value!r} is not a {word}.")
    low, high = _LEAST.get(name, 0), _LARGEST.get(name, 1)
    if not low <= value <= high:
        raise UserError(f"{file}: {name} = {value} is not within {low:g} to {high:g}.")
    return value if whole else float(value)


def as_toml(limits: Limits) -> str:
    """*limits* as `load` reads them."""
    return "".join(f"{f.name} = {getattr(limits, f.name)!r}\n" for f in fields(limits))
