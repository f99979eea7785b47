"""What the person behind the phone is told to do.

Left, right, up and down are those of somebody who stands behind the phone and faces the screen; to
turn or tilt the phone changes where its camera looks; clockwise is as seen from behind it. Doing
all that is said, in any order, brings the phone before the screen's centre, facing it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from rig.intake.alignment_limits import AlignmentLimits, Place
from rig.intake.alignment_pose import Pose

MOST = 3
"""Sentences at a time: nobody remembers more on the way to the phone."""
PERFECT = "Perfect: leave everything as it is."
_QUARTERS = {
    1: "The picture lies on its side: rotate the phone a quarter turn counter-clockwise",
    2: "The picture is upside down: rotate the phone half a turn",
    3: "The picture lies on its side: rotate the phone a quarter turn clockwise",
}


class Weight(IntEnum):
    """How much a sentence matters."""

    IDEA = 0
    WARN = 1
    REJECT = 2


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do with the phone.

    Attributes:
        do: `move`, `turn` or `rotate`.
        way: `left`, `right`, `up`, `down`, `closer`, `back`, `clockwise`, `counter-clockwise`.
        amount: as it is told, 1 or more.
        unit: `cm`, `%` (of the screen's width) or `°`.
    """

    do: str
    way: str
    amount: int
    unit: str

    @property
    def text(self) -> str:
        """As a part of a sentence."""
        if self.do == "turn":
            verb = "tilt it" if self.way in {"up", "down"} else "turn it"
            return f"{verb} {self.way} {self.amount}°"
        if self.do == "rotate":
            return f"rotate it {self.amount}° {self.way}"
        told = f"{self.amount} {self.unit}"
        return f"{told} {self.way}{' to the screen' if self.way == 'closer' else ''}"


def steps(
    pose: Pose, limits: AlignmentLimits, *, tight: bool, place: Place = "centre"
) -> list[Step]:
    """What brings the camera from *pose* to the middle; nothing that is too small to matter.

    Args:
        pose: where it is.
        limits: of which the `step_*` and `fill_*` hold here.
        tight: a corner is out of the margin, so smaller amounts matter too.
        place: beside the middle on purpose: then the phone only has to aim at the screen.
    """
    small = 0.3 if tight else 1.0
    high = limits.fill_wanted if tight else limits.fill_high
    sideways = place == "centre" and abs(pose.aside) > limits.step_angle * small
    upright = abs(pose.above) > limits.step_angle * small
    found: list[Step | None] = []
    if sideways:
        found.append(_step("move", "left", "right", pose.right, pose.unit))
    if upright:
        found.append(_step("move", "down", "up", pose.up, pose.unit))
    if not limits.fill_low <= pose.fill <= high:
        ahead = pose.away * (1 - pose.fill / limits.fill_wanted)
        found.append(_step("move", "closer", "back", ahead, pose.unit))
    # Who moves to the middle has to face the screen there; who stays has to aim at its centre.
    right = -pose.yaw if sideways else pose.aim_right
    up = -pose.pitch if upright else pose.aim_up
    if abs(right) > limits.step_turn * small:
        found.append(_step("turn", "right", "left", right, "°"))
    if abs(up) > limits.step_turn * small:
        found.append(_step("turn", "up", "down", up, "°"))
    if abs(pose.roll) > limits.step_roll:
        found.append(_step("rotate", "counter-clockwise", "clockwise", pose.roll, "°"))
    return [one for one in found if one is not None]


def _step(do: str, plus: str, minus: str, amount: float, unit: str) -> Step | None:
    told = round(abs(amount))
    return Step(do, plus if amount > 0 else minus, told, unit) if told else None


def move_sentence(todo: Sequence[Step]) -> str:
    """All *todo* in one sentence without its full stop; empty when there is nothing."""
    moves = [one for one in todo if one.do == "move"]
    others = [one.text for one in todo if one.do != "move"]
    parts = []
    if moves:
        share = " (of the screen's width)" if moves[0].unit == "%" else ""
        parts.append(f"Move the phone {_and([one.text for one in moves])}{share}")
    if others:
        if not moves:
            others[0] = others[0].replace(" it ", " the phone ", 1).capitalize()
        parts.append(_and(others))
    return "; ".join(parts)


def quarter_sentence(quarter: int) -> str | None:
    """What to do about whole quarter turns, without a full stop."""
    return _QUARTERS.get(quarter)


def told(problems: Sequence[tuple[Weight, str]], idea: str) -> tuple[str, ...]:
    """At most `MOST` sentences, what matters most first.

    Args:
        problems: sentences without their full stops, in their order of importance; the heavier
            ones come first all the same.
        idea: what would be a little better, told only when nothing is wrong.
    """
    ranked = sorted(problems, key=lambda one: -one[0])
    if ranked:
        return tuple(f"{text}." for _, text in ranked[:MOST])
    if not idea:
        return (PERFECT,)
    return ("Good as it is.", f"A little better: {idea[0].lower()}{idea[1:]}.")


def part_of(where: tuple[float, float]) -> str:
    """`at the top left` and so on, for a place given in shares of the screen."""
    column = ("left", "", "right")[min(2, int(max(0.0, where[0]) * 3))]
    row = ("top", "", "bottom")[min(2, int(max(0.0, where[1]) * 3))]
    if not row and not column:
        return "in the middle"
    return f"at the {' '.join(one for one in (row, column) if one)}"


def _and(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
