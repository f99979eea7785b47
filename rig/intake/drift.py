"""Has somebody bumped the rig? Where the x-ray's corners are, against the photos before.

Pure: whoever runs the session feeds each result in and acts on the sentence.

    watch = Watch()
    for found in results:
        watch, drift = watch.after(found, limits)
        if drift.sentence:
            ...  # pause, and tell it
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rig.intake.geometry import corners
from rig.intake.limits import Limits
from rig.intake.prior import Prior, prior_of
from rig.intake.verify import Verification


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the corners are from where they were, photo pixels.

    Attributes:
        px: from the last verified photo; None when there is nothing to compare with.
        since_start_px: from the first verified photo since the rig was last moved; None likewise.
        sentence: what happened and what to do; None while the rig stands still.
    """

    px: float | None = None
    since_start_px: float | None = None
    sentence: str | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """What is remembered of a fixed rig: the place of the screen, first and last."""

    first: Prior | None = None
    last: Prior | None = None

    def after(self, found: Verification, limits: Limits) -> tuple[Watch, Drift]:
        """The watch after one more photo, in the order of shooting, and how far it moved.

        A photo that is not verified says nothing about the rig. After a bump the new place counts,
        so one bump is told once.
        """
        if not found.verified or found.homography is None:
            return self, Drift()
        now = prior_of(found.homography, found.xray_size, found.photo_size, limits.screen_aspect)
        step, whole = distance(self.last, found), distance(self.first, found)
        drift = Drift(step, whole, _sentence(self, found, step, whole, limits))
        first = self.first if self.first and not drift.sentence else now
        return Watch(first, now), drift


def distance(before: Prior | None, found: Verification) -> float | None:
    """Largest distance, photo pixels, of a corner of *found* from where *before* expects it.

    None without a prior, without a place, or when the photos differ in size.
    """
    if before is None or found.homography is None or before.photo != found.photo_size:
        return None
    width, height = found.xray_size
    expected = corners(before.expected(found.xray_size), width, height)
    seen = corners(np.array(found.homography), width, height)
    return float(np.linalg.norm(expected - seen, axis=1).max())


def _sentence(
    watch: Watch, found: Verification, step: float | None, whole: float | None, limits: Limits
) -> str | None:
    last = watch.last
    if last is not None and last.photo != found.photo_size:
        return (
            f"The photo has {found.photo_size[0]} x {found.photo_size[1]} pixels, the one before "
            f"had {last.photo[0]} x {last.photo[1]}: the phone was turned or its camera changed; "
            "put it back or make a new alignment shot."
        )
    if step is not None and step > limits.drift:
        return (
            f"The x-ray's corners moved {step:.0f} pixels since the last photo, allowed "
            f"{limits.drift:.0f}: somebody bumped the phone or the monitor; check the tripod and "
            "make a new alignment shot."
        )
    if whole is not None and whole > limits.creep:
        return (
            f"The x-ray's corners moved {whole:.0f} pixels bit by bit since the first photo, "
            f"allowed {limits.creep:.0f}: the mount gives way; tighten it and make a new alignment "
            "shot."
        )
    return None
