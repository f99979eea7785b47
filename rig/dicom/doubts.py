"""What screening says of an image."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the image; the last two excluded."""


class Decision(StrEnum):
    """What becomes of an image."""

    ACCEPT = "accept"
    REVIEW = "review"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Doubt:
    """What a rule has against an image.

    Attributes:
        rule: its name, e.g. `modality`.
        sentence: for a person; of closed vocabularies and figures only, no header text.
        decision: REVIEW or REFUSE; ACCEPT of what is told without being a doubt.
        score: of the rule, where it has one.
    """

    rule: str
    sentence: str
    decision: Decision
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The sum of all rules: the strictest decision.

    Attributes:
        decision: what becomes of the image.
        doubts: what is against it; empty when it is accepted.
        boxes: where text seems to be burned in.
    """

    decision: Decision
    doubts: tuple[Doubt, ...] = ()
    boxes: tuple[Box, ...] = ()
