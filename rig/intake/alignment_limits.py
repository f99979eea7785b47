"""What the alignment shot must reach, with the evidence for each threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Place = Literal["centre", "left", "right"]
"""Where the plan wants the phone: before the screen's middle, or deliberately beside it."""


@dataclass(frozen=True, slots=True)
class AlignmentLimits:
    """Thresholds of the alignment shot; all of it is configuration.

    Evidence: simulated photos of the card only (`rig.simulation.optics`, and exact pin-hole views).
    Photos of real monitors still have to confirm them.

    Framing, in widths of the photo:
        margin_warn: least distance of a corner of the screen from the photo's edge; the design's
            2 %, as in `rig.intake.limits.Limits.margin_warn`.
        margin_reject: from which on a corner counts as outside. Not 0: a picture of exactly the
            screen puts its corners on the edge, and tags find them to a few thousandths.
        centre_warn: distance of the screen's centre from the photo's; the design's 15 %.
        centre_reject: the screen's centre is then in the outer fifth of the photo.
        fill_warn, fill_reject: how much of the photo the screen would fill, seen from straight
            ahead, along the side that fills first. Photos verified by the optical check had 0.55
            and more (`rig.simulation.optics.PRESETS`, "hard"); at 0.3 an x-ray of 1080 lines has
            under 500 lines in a photo of 2.4 megapixels.
        fill_wanted: where the words bring it: 6 % of margin at each side.

    Pose, degrees:
        angle_warn: of the line of sight against the screen's normal. Monitors lose contrast with
            it, and the optical check was measured up to 20.
        aside_warn: the same where the plan wants the phone beside the middle (factor `tripod`).
        angle_reject: at 35 the geometry limits of the optical check refuse an outline.
        roll_warn, roll_reject: against the nearest quarter turn. Only the outline suffers, so the
            rejection is far out.

    Sharpness, in line pairs across the screen's shorter side at which half of the contrast is left
    (see `rig.intake.alignment_measure.resolution`):
        lines_reject: where photos fail the quality gate (`Limits.focus_reject`, 0.35): simulated
            photos of two x-rays of full size, blurred until their focus was 0.33 to 0.34, gave the
            card 92 to 99. By theory a Gaussian blur that leaves the gate's gain of 0.59 at 14
            pixels of a screen of 1080 lines leaves half of the contrast at 85.
        lines_warn: the same for the gate's warning, 0.45: 110 to 117.

    Exposure, grey levels of the photo:
        white_warn, white_reject: the white patch is darker than this: noise takes over.
        clipped: from which level on a patch counts as clipped; two clipped patches below white
            reject, one warns (the quality gate refuses 3 % of clipped x-ray).
        haze_warn, haze_reject: light of the black patch in that of the white one (linear). Room
            light on the screen; "hard" simulated photos have up to 0.07.

    Glare, share of the even ground far brighter than the rest of it:
        glare_warn, glare_reject: as in `Limits`.

    Words:
        step_angle: off the axis by less than this nobody is asked to move the phone, degrees.
        step_turn: the same for turning it.
        step_roll: the same for rotating it.
        fill_low, fill_high: between them nobody is asked to come closer or go back.
    """

    margin_warn: float = 0.02
    margin_reject: float = -0.005
    centre_warn: float = 0.15
    centre_reject: float = 0.30
    fill_warn: float = 0.55
    fill_reject: float = 0.30
    fill_wanted: float = 0.88

    angle_warn: float = 12.0
    aside_warn: float = 25.0
    angle_reject: float = 30.0
    roll_warn: float = 3.0
    roll_reject: float = 20.0

    lines_warn: float = 115.0
    lines_reject: float = 92.0

    white_warn: float = 130.0
    white_reject: float = 70.0
    clipped: float = 252.0
    haze_warn: float = 0.10
    haze_reject: float = 0.35

    glare_warn: float = 0.02
    glare_reject: float = 0.15

    step_angle: float = 3.0
    step_turn: float = 1.5
    step_roll: float = 1.0
    fill_low: float = 0.70
    fill_high: float = 0.94
