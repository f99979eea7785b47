"""Each measure of the alignment shot with its verdict and a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rig.intake.alignment_limits import AlignmentLimits, Place
from rig.intake.alignment_measure import Exposure, Glare
from rig.intake.alignment_pose import Pose
from rig.intake.alignment_words import part_of

PLACEMENT = ("framing", "centre", "distance", "angle", "rotation")
"""Items that moving or turning the phone mends."""


class Verdict(StrEnum):
    """What a measure means."""

    OK = "ok"
    WARN = "warn"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Item:
    """One measure: its *name*, *verdict*, *value* (units in *text*) and a sentence."""

    name: str
    verdict: Verdict
    value: float
    text: str

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "name": self.name, "verdict": self.verdict.value,
            "value": round(self.value, 4) if abs(self.value) < 1e9 else None, "text": self.text,
        }  # fmt: skip


def worst(items: Iterable[Item]) -> Verdict:
    """The gravest verdict of *items*."""
    order = list(Verdict)
    return order[max(order.index(one.verdict) for one in items)]


def corners_item(lost: Mapping[str, str]) -> Item:
    """Whether all four tags were found."""
    if not lost:
        return Item("corners", Verdict.OK, 4, "All four corners of the card were found.")
    text = " ".join(f"{one}." for one in lost_sentences(lost))
    return Item("corners", Verdict.REJECT, 4 - len(lost), text)


def lost_sentences(lost: Mapping[str, str]) -> list[str]:
    """Which corners were not found and why, without full stops; one sentence for each reason."""
    texts = {
        "outside": ("is out of the picture", "are out of the picture"),
        "glare": (
            "is lost in glare: move the lamp or close the blinds",
            "are lost in glare: move the lamp or close the blinds",
        ),
        "covered": (
            "is covered, or too blurred to be read: look what stands before it",
            "are covered, or too blurred to be read: look what stands before them",
        ),
    }
    found = []
    for why, (one, many) in texts.items():
        named = [corner for corner, told in lost.items() if told == why]
        if named:
            listed = " and ".join((", ".join(named[:-1]), named[-1]) if named[1:] else named)
            plural = len(named) > 1
            found.append(f"The {listed} corner{'s' if plural else ''} {many if plural else one}")
    return found


def framing_item(margin: float, limits: AlignmentLimits) -> Item:
    """Whether the whole screen is in the picture, and by how much."""
    verdict = _low(margin, limits.margin_warn, limits.margin_reject)
    text = f"The nearest corner is {margin:.1%} of the photo's width inside its edge."
    if verdict is Verdict.REJECT:
        text = f"A corner of the screen is out of the picture by {-margin:.1%} of its width."
    elif verdict is Verdict.WARN:
        text = f"A corner is only {max(margin, 0):.1%} of the photo's width from its edge."
    return Item("framing", verdict, margin, text)


def centre_item(offset: float, limits: AlignmentLimits) -> Item:
    """Whether the screen is in the middle of the picture."""
    verdict = _high(offset, limits.centre_warn, limits.centre_reject)
    text = f"The screen's centre is {offset:.0%} of the photo's width from the photo's."
    return Item("centre", verdict, offset, text)


def wrong_side(pose: Pose, place: Place, limits: AlignmentLimits) -> bool:
    """Whether the phone stands on the other side of the screen than the plan wants."""
    way = {"left": 1, "right": -1, "centre": 0}[place]
    return pose.aside * way > limits.step_angle


def pose_items(pose: Pose | None, limits: AlignmentLimits, place: Place) -> Sequence[Item]:
    """Distance, angle and rotation."""
    if pose is None:
        why = "The corners fit no place of the camera: is something bent or reflected?"
        return [Item("angle", Verdict.REJECT, 0, why)]
    far = f"The screen fills {pose.fill:.0%} of the picture."
    angle = f"The phone looks at the screen at {pose.angle:.0f}° from straight ahead."
    roll = f"The picture is rotated by {abs(pose.roll):.1f}°."
    verdict = _high(abs(pose.roll), limits.roll_warn, limits.roll_reject)
    if pose.quarter:
        roll = f"The picture is rotated by {90 * pose.quarter}°."
        verdict = max(verdict, Verdict.WARN, key=list(Verdict).index)
    warn = limits.angle_warn if place == "centre" else limits.aside_warn
    seen = _high(pose.angle, warn, limits.angle_reject)
    if wrong_side(pose, place, limits):
        seen = max(seen, Verdict.WARN, key=list(Verdict).index)
        angle += f" It stands on the other side than the plan wants: {place}."
    return [
        Item("distance", _low(pose.fill, limits.fill_warn, limits.fill_reject), pose.distance, far),
        Item("angle", seen, pose.angle, angle),
        Item("rotation", verdict, pose.roll + 90 * pose.quarter, roll),
    ]


def sharpness_item(lines: float, limits: AlignmentLimits) -> Item:
    """Whether the photo is sharp enough for the optical check."""
    verdict = _low(lines, limits.lines_warn, limits.lines_reject)
    text = f"{lines:.0f} line pairs across the screen's shorter side keep half of their contrast."
    return Item("sharpness", verdict, lines, text)


def exposure_item(seen: Exposure, limits: AlignmentLimits) -> Item:
    """Whether white is neither clipped nor dark."""
    verdict = _low(seen.white, limits.white_warn, limits.white_reject)
    text = f"White has the grey level {seen.white:.0f} of 255."
    lost = seen.clipped(limits.clipped)
    if lost:
        verdict = Verdict.WARN if lost == 1 else Verdict.REJECT
        greys = "lightest grey" if lost == 1 else f"{lost} lightest greys"
        text = f"Over-exposed: the {greys} of the ramp cannot be told from white."
    elif verdict is not Verdict.OK:
        text = f"Under-exposed: white has only the grey level {seen.white:.0f} of 255."
    return Item("exposure", verdict, seen.white, text)


def exposure_words(items: Iterable[Item]) -> str:
    """What to do about the exposure, without a full stop."""
    over = any(one.name == "exposure" and one.text.startswith("Over") for one in items)
    if over:
        return "The photo is over-exposed: set the phone's exposure lower or the monitor darker"
    return "The photo is too dark: set the phone's exposure higher or the monitor brighter"


def haze_item(seen: Exposure, limits: AlignmentLimits) -> Item:
    """Whether black is black."""
    verdict = _high(seen.haze, limits.haze_warn, limits.haze_reject)
    return Item("haze", verdict, seen.haze, f"Black has {seen.haze:.1%} of the light of white.")


def glare_item(seen: Glare, limits: AlignmentLimits) -> Item:
    """Whether lamps or windows shine on the screen."""
    verdict = _high(seen.share, limits.glare_warn, limits.glare_reject)
    if seen.where is None:
        return Item("glare", verdict, seen.share, "No glare.")
    place = part_of(seen.where)
    return Item("glare", verdict, seen.share, f"Glare on {seen.share:.1%} of the screen, {place}.")


def _low(value: float, warn: float, reject: float) -> Verdict:
    if value < reject:
        return Verdict.REJECT
    return Verdict.WARN if value < warn else Verdict.OK


def _high(value: float, warn: float, reject: float) -> Verdict:
    if value > reject:
        return Verdict.REJECT
    return Verdict.WARN if value > warn else Verdict.OK
