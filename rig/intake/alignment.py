"""The alignment shot: what a photo of the test card says about where the phone stands.

Pure: arrays in, measures, verdicts and plain words out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rig.intake import alignment_items as items_
from rig.intake.alignment_items import Item, Verdict
from rig.intake.alignment_limits import AlignmentLimits, Place
from rig.intake.alignment_measure import (
    Exposure,
    Glare,
    brightness,
    exposure,
    glare,
    resolution,
)
from rig.intake.alignment_pose import (
    DEFAULT_FOCAL_35,
    Pose,
    pose_of,
    screen_to_photo,
    tag_corners,
)
from rig.intake.alignment_words import (
    Step,
    Weight,
    move_sentence,
    part_of,
    quarter_sentence,
    steps,
    told,
)
from rig.intake.features import Grey
from rig.intake.geometry import Matrix, Points, corners, transform
from rig.intake.marker import Tag, find_tags
from rig.intake.marker_ids import CARD_IDS
from rig.intake.verify import as_grey

CORNERS = ("top left", "top right", "bottom right", "bottom left")
"""Names of the screen's corners, in the order of `CARD_IDS` and of all corners here."""
_BRIGHT = 170.0
"""Grey level from which on the place of a tag that was not found is taken for glare: a tag is half
light (176) and half black."""
_DARK = 25.0
"""A photo whose brightest hundredth is darker than this shows nothing."""


class Lost(StrEnum):
    """Why a corner's tag was not found."""

    OUTSIDE = "outside"
    GLARE = "glare"
    COVERED = "covered"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Alignment:
    """What one photo of the card says.

    Attributes:
        verdict: the worst of the items'.
        words: one to three sentences for the person at the phone, most important first.
        items: every measure with its verdict.
        steps: what the words tell to do, as data.
        lost: corner (`top left`...) -> why its tag was not found.
        mirrored: the photo shows the card mirrored.
        screen, photo: width and height, pixels.
        tags: corner -> (4, 2) corners of its tag in the photo, pixel-edge.
        homography: 3x3 screen -> photo, pixel-edge; None when not a single tag was found.
        outline: corners of the screen in the photo, (4, 2), clockwise from top left.
        pose: where the camera is; None likewise, or when no pose fits.
        focal_35: focal length that the pose was worked out with, in 35 mm terms.
        focal_known: it came with the photo; otherwise it is a guess.
        residual: of the tags' corners against the homography, photo pixels, root mean square.
        margin: least distance of a corner from the photo's edge, in photo widths.
        offset: distance of the screen's centre from the photo's, in photo widths.
        lines: sharpness, see `alignment_measure.resolution`; None when a corner was lost.
        exposure, glare: of the card.
    """

    verdict: Verdict
    words: tuple[str, ...]
    items: tuple[Item, ...]
    steps: tuple[Step, ...]
    lost: dict[str, Lost]
    mirrored: bool
    screen: tuple[int, int]
    photo: tuple[int, int]
    tags: dict[str, tuple[tuple[float, float], ...]]
    homography: tuple[tuple[float, ...], ...] | None = None
    outline: tuple[tuple[float, float], ...] | None = None
    pose: Pose | None = None
    focal_35: float = DEFAULT_FOCAL_35
    focal_known: bool = False
    residual: float | None = None
    margin: float | None = None
    offset: float | None = None
    lines: float | None = None
    exposure: Exposure | None = None
    glare: Glare | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is kept and shown: JSON values."""
        kept = asdict(self)
        kept["verdict"] = self.verdict.value
        kept["items"] = [one.to_json() for one in self.items]
        kept["lost"] = {corner: why.value for corner, why in self.lost.items()}
        for key in ("words", "steps", "screen", "photo"):
            kept[key] = list(kept[key])
        if self.pose is not None:
            extra = {"distance": self.pose.distance, "angle": self.pose.angle}
            kept["pose"] = {**asdict(self.pose), **extra}
        return kept


def measure(
    photo: NDArray[np.uint8],
    screen: tuple[int, int],
    *,
    width_mm: float | None = None,
    focal_35: float | None = None,
    place: Place = "centre",
    limits: AlignmentLimits | None = None,
) -> Alignment:
    """Measure a *photo* of the card that was shown on a screen of *screen* pixels.

    Deterministic. A photo that shows something else is a result, not an error.

    Args:
        photo: (H, W) grey or (H, W, 3) RGB uint8, turned as a viewer would show it.
        screen: width and height of the monitor, pixels.
        width_mm: width of its visible picture; None tells offsets in percent of it.
        focal_35: focal length in 35 mm terms; None takes `DEFAULT_FOCAL_35`.
        place: where the plan wants the phone; nobody is told to leave it for the middle.
        limits: thresholds.

    Raises:
        UserError: the screen is too small for a card.
        ValueError: not an 8-bit picture, or a width or focal length that is not above 0.
    """
    if min(width_mm or 1, focal_35 or 1) <= 0:
        raise ValueError("the monitor's width and the focal length must be above 0")
    limits = limits or AlignmentLimits()
    grey = as_grey(photo)
    known = tag_corners(screen)  # refuses a screen that is too small
    tags = _card(find_tags(grey))
    mirrored = not tags and bool(_card(find_tags(np.ascontiguousarray(grey[:, ::-1]))))
    fitted = screen_to_photo(tags, screen) if tags else None
    if fitted is None:
        return _nothing(grey, screen, mirrored)
    matrix, residual = fitted
    size = (grey.shape[1], grey.shape[0])
    pose = pose_of(tags, screen, size, focal_35=focal_35 or DEFAULT_FOCAL_35, width_mm=width_mm)
    quad = corners(matrix, *screen)
    lost = {
        CORNERS[CARD_IDS.index(one)]: _why(grey, transform(matrix, known[one]))
        for one in CARD_IDS
        if one not in tags
    }
    margin, offset = _framing(quad, transform(matrix, np.array([screen]) / 2)[0], size)
    light, shine = exposure(grey, matrix, screen), glare(grey, matrix, screen)
    # Fewer tags place the star by a guess, and its spokes are then looked for beside themselves.
    lines = None if lost else resolution(grey, matrix, screen)
    judged = (
        items_.corners_item(lost),
        items_.framing_item(margin, limits),
        items_.centre_item(offset, limits),
        *items_.pose_items(pose, limits, place),
        *(() if lines is None else (items_.sharpness_item(lines, limits),)),
        items_.exposure_item(light, limits),
        items_.haze_item(light, limits),
        items_.glare_item(shine, limits),
    )
    words, todo = _words(judged, pose, lost, shine, limits, place)
    return Alignment(
        verdict=items_.worst(judged),
        words=words,
        items=judged,
        steps=tuple(todo),
        lost=lost,
        mirrored=False,
        screen=screen,
        photo=size,
        tags={CORNERS[CARD_IDS.index(one)]: _pairs(tag.corners) for one, tag in tags.items()},
        homography=_rows(matrix),
        outline=_pairs(quad),
        pose=pose,
        focal_35=focal_35 or DEFAULT_FOCAL_35,
        focal_known=focal_35 is not None,
        residual=residual,
        margin=margin,
        offset=offset,
        lines=lines,
        exposure=light,
        glare=shine,
    )


def _card(found: Iterable[Tag]) -> dict[int, Tag]:
    """The card's tags by id, in the order of `CARD_IDS`; one seen twice counts not at all."""
    listed = [one for one in found if one.id in CARD_IDS]
    ids = [one.id for one in listed]
    by_id = {one.id: one for one in listed if ids.count(one.id) == 1}
    return {number: by_id[number] for number in CARD_IDS if number in by_id}


def _nothing(grey: Grey, screen: tuple[int, int], mirrored: bool) -> Alignment:
    if mirrored:
        text = "The picture is mirrored: use the main camera, or switch its mirroring off"
    elif float(np.percentile(grey, 99)) < _DARK:
        text = "The photo is black: is the screen on and the camera uncovered?"
    else:
        text = (
            "The test card was not found: point the phone at the whole screen, in focus, and "
            "look whether the card is up"
        )
    judged = (Item("corners", Verdict.REJECT, 0.0, f"{text.rstrip('?')}."),)
    unknown = {} if mirrored else dict.fromkeys(CORNERS, Lost.UNKNOWN)
    said = text if text.endswith("?") else f"{text}."
    size = (grey.shape[1], grey.shape[0])
    return Alignment(Verdict.REJECT, (said,), judged, (), unknown, mirrored, screen, size, {})


def _why(grey: Grey, quad: Points) -> Lost:
    limit = np.array(grey.shape[::-1])
    if (quad < 0).any() or (quad > limit).any():
        return Lost.OUTSIDE
    return Lost.GLARE if brightness(grey, quad) > _BRIGHT else Lost.COVERED


def _framing(quad: Points, centre: Points, size: tuple[int, int]) -> tuple[float, float]:
    limit = np.array(size)
    edge = float(np.minimum(quad, limit - quad).min())
    return edge / size[0], float(np.linalg.norm(centre - limit / 2)) / size[0]


def _words(
    judged: tuple[Item, ...],
    pose: Pose | None,
    lost: dict[str, Lost],
    seen: Glare,
    limits: AlignmentLimits,
    place: Place,
) -> tuple[tuple[str, ...], list[Step]]:
    """The sentences and the steps that they hold."""
    weight = {
        one.name: (Weight.REJECT if one.verdict is Verdict.REJECT else Weight.WARN)
        for one in judged
        if one.verdict is not Verdict.OK
    }
    tight = "framing" in weight or Lost.OUTSIDE in lost.values()
    todo = [] if pose is None else steps(pose, limits, tight=tight, place=place)
    move = move_sentence(todo)
    problems: list[tuple[Weight, str]] = []
    problems += [(Weight.REJECT, text) for text in items_.lost_sentences(lost)]
    placed = [weight[one] for one in items_.PLACEMENT if one in weight]
    if move and (placed or tight):
        problems.append((max(placed, default=Weight.REJECT), move))
    elif tight:
        problems.append((weight.get("framing", Weight.REJECT), "Go back a little"))
    if pose is not None and items_.wrong_side(pose, place, limits):
        problems.append((Weight.WARN, f"The plan wants the phone on the {place} of the screen"))
    quarter = None if pose is None else quarter_sentence(pose.quarter)
    if quarter is not None:
        problems.append((Weight.WARN, quarter))
    texts = {
        "sharpness": "The photo is not sharp: wipe the lens, let it focus on the screen, and keep "
        "the phone still",
        "exposure": items_.exposure_words(judged),
        "glare": f"There is glare {part_of(seen.where or (0.5, 0.5))}: move the lamp or close the "
        "blinds",
        "haze": "Room light washes out the screen: make the room darker",
    }
    problems += [(weight[name], text) for name, text in texts.items() if name in weight]
    return told(problems, move), todo


def _pairs(points: Points) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in points)


def _rows(matrix: Matrix) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(v) for v in row) for row in matrix)
