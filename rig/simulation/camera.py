"""A camera that is slow, hangs, fails, returns nothing or its last frame, or fires late."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum

from rig.protocol.actions import CameraFailure
from rig.protocol.codes import Code, Timers
from rig.simulation.faults import Faults


class Outcome(Enum):
    """What an exposure comes to."""

    PHOTO = "photo"
    STALE = "stale"  # the photo shows what the last one showed
    FAILS = "fails"
    EMPTY = "empty"
    BROKEN = "broken"
    HANGS = "hangs"  # until it is killed
    STUCK = "stuck"  # for ever; killing does not help
    LATE = "late"  # killed in vain: the shutter opens, the file is thrown away
    VERY_LATE = "very_late"  # killed in vain: the photo is there after all


FAILURES = {
    Outcome.FAILS: CameraFailure(int(Code.CAMERA_ERROR), "the camera service reports an error"),
    Outcome.EMPTY: CameraFailure(int(Code.CAMERA_EMPTY), "the camera wrote 0 bytes"),
    Outcome.BROKEN: CameraFailure(int(Code.CAMERA_BAD_JPEG), "the photo ends in the middle"),
}
"""Outcomes that are known at once, and how the camera tells them."""
KILLED = CameraFailure(int(Code.CAMERA_ERROR), "killed")
_SPREAD = 0.3
_TROUBLES = (
    Outcome.FAILS, Outcome.EMPTY, Outcome.BROKEN, Outcome.HANGS, Outcome.LATE, Outcome.VERY_LATE,
)  # fmt: skip
"""What `Faults.camera` may mean, alike often."""


@dataclass(frozen=True)
class Exposure:
    """What one exposure comes to, and after how many seconds."""

    outcome: Outcome
    seconds: float


def expose(faults: Faults, timers: Timers, rng: random.Random) -> Exposure:
    """Draw the fate of one exposure."""
    seconds = faults.camera_seconds * rng.lognormvariate(0, _SPREAD)
    chance = rng.random()
    if chance < faults.camera:
        outcome = rng.choice(_TROUBLES)
        if outcome in (Outcome.LATE, Outcome.VERY_LATE):
            seconds = timers.camera * rng.uniform(1.1, 3.0)
        return Exposure(outcome, seconds)
    if chance < faults.camera + faults.hang:
        return Exposure(Outcome.STUCK, seconds)
    if faults.slow and rng.random() < faults.slow:
        seconds = timers.camera * rng.uniform(0.5, 0.95)
    if faults.stale and rng.random() < faults.stale:
        return Exposure(Outcome.STALE, seconds)
    return Exposure(Outcome.PHOTO, seconds)
