"""May this image be used? Rules over what its header says and over its picture.

A rule that is sure refuses; one that doubts asks for a person, and nothing that a person was asked
for enters a catalog unless the operator says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rig.dicom.classifier import Classifier, classifier_doubt
from rig.dicom.doubts import Box, Decision, Doubt, Verdict
from rig.dicom.header import OTHER, Header
from rig.dicom.outliers import PICTURE, PictureLimits, picture_doubts
from rig.dicom.text import LIMITS, VERSION, TextLimits, find_text

__all__ = ["PLAIN", "Box", "Decision", "Doubt", "Screening", "Verdict", "screen", "verdict_of"]

CHEST = frozenset({"", "CHEST", "THORAX", "LUNG", "PORT", "CHESTABDOMEN"})
"""Body parts that a chest film may have; the empty one, because many have none."""
RADIOGRAPHS = frozenset({"", "CR", "DX", "DR", "RG"})
FRONTAL = frozenset({"", "AP", "PA"})
BURNED_IN = "burned-in text"
ADULT_DAYS = 16 * 365
_SIDEWAYS = frozenset({"LL", "RL", "LAT", "LATERAL"})


@dataclass(frozen=True, slots=True)
class Screening:
    """How strictly to look; travels to worker processes."""

    laterals: bool = False
    """Accept lateral views, too."""
    children: bool = False
    """Accept patients below 16 years, too, whom VinDr-CXR and CheXpert leave out."""
    text: bool = True
    """Look for text in the picture."""
    picture: PictureLimits = PICTURE
    """What a usable picture has."""
    classifier: Classifier | None = None
    """A model of the user's own."""
    letters: TextLimits = field(default=LIMITS, repr=False)
    """What the search takes for a letter; part of `detector`, not of what an operator asks for."""

    @property
    def detector(self) -> str:
        """Tells apart searches for text that may find other places; empty without one."""
        return f"{VERSION} {self.letters}" if self.text else ""


PLAIN = Screening()
"""The default."""


def screen(header: Header, shown: NDArray[np.uint8], how: Screening = PLAIN) -> Verdict:
    """Judge an image by its header and the picture that would be shown.

    What is surely refused is not searched for text.

    Args:
        header: what its header says.
        shown: grey levels, large is bright.
        how: options.
    """
    doubts = [*header_doubts(header, how), *picture_doubts(shown, how.picture)]
    if any(one.decision is Decision.REFUSE for one in doubts):
        return verdict_of(tuple(doubts))
    if how.classifier is not None:
        doubts.append(classifier_doubt(shown, how.classifier))
    boxes = find_text(shown, how.letters) if how.text else ()
    if boxes:
        count = "one place" if len(boxes) == 1 else f"{len(boxes)} places"
        sentence = f"Text seems to be burned into {count} of the picture."
        doubts.append(Doubt(BURNED_IN, sentence, Decision.REVIEW, float(len(boxes))))
    return verdict_of(tuple(doubts), boxes)


def verdict_of(doubts: tuple[Doubt, ...], boxes: tuple[Box, ...] = ()) -> Verdict:
    """The strictest of the *doubts* decides."""
    decisions = {one.decision for one in doubts}
    order = (Decision.REFUSE, Decision.REVIEW)
    decision = next((one for one in order if one in decisions), Decision.ACCEPT)
    return Verdict(decision, doubts, boxes)


def header_doubts(header: Header, how: Screening) -> Iterator[Doubt]:
    """What the header alone has against an image."""
    if header.modality not in RADIOGRAPHS:
        what = header.modality if header.modality != OTHER else "none of the standard's"
        yield Doubt("modality", f"Its modality is {what}, not CR or DX.", Decision.REFUSE)
    if header.body_part == OTHER:
        yield Doubt("body part", "Its body part is none that is known.", Decision.REVIEW)
    elif header.body_part not in CHEST:
        sentence = f"Its body part is {header.body_part}, not CHEST."
        yield Doubt("body part", sentence, Decision.REFUSE)
    if header.view in _SIDEWAYS and not how.laterals:
        yield Doubt("view", f"Its view is {header.view}, not AP or PA.", Decision.REFUSE)
    elif header.view not in FRONTAL | _SIDEWAYS:
        yield Doubt("view", "Its view is neither AP, PA nor lateral.", Decision.REVIEW)
    if header.burned_in == "YES":
        sentence = "Its header says that text is burned into the picture."
        yield Doubt(BURNED_IN, sentence, Decision.REVIEW)
    if header.age_days is not None and header.age_days < ADULT_DAYS and not how.children:
        yield Doubt("age", "The patient is below 16 years.", Decision.REFUSE)
    if header.bits_stored < 8:
        sentence = f"It has {header.bits_stored} bits a pixel; a radiograph has 8 at least."
        yield Doubt("bits", sentence, Decision.REVIEW)
