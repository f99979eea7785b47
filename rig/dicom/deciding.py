"""A person decides about what an import holds back: the queue, and what a decision must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from rig.dicom import reviews
from rig.dicom.doubts import Box, Decision
from rig.dicom.reviews import HELD, Held, Review
from rig.dicom.screening import BURNED_IN
from rig.errors import UserError

MOST_BOXES = 200


class NotHeldError(UserError):
    """The import holds no such image."""


class State(StrEnum):
    """How far a held image is."""

    WAITS = "waits"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Entry:
    """A held image and what was decided.

    Attributes:
        held: the image, its doubts and suspected boxes.
        review: the decision, or None; it counts from the next import on.
    """

    held: Held
    review: Review | None

    @property
    def state(self) -> State:
        """Whether it still waits."""
        if self.review is None:
            return State.WAITS
        return State.ACCEPTED if self.review.decision == "accept" else State.REFUSED

    @property
    def text_suspected(self) -> bool:
        """Whether a rule or the header says that there is text in the picture."""
        return any(one.rule == BURNED_IN for one in self.held.verdict.doubts)

    def to_json(self) -> dict[str, Any]:
        """For `--json` and the API: no name, no path."""
        held, review = self.held, self.review
        return {
            "image_id": held.image_id,
            "state": str(self.state),
            "split": held.split,
            "patient": held.patient,
            "width": held.width,
            "height": held.height,
            "doubts": [
                asdict(one) for one in held.verdict.doubts if one.decision is not Decision.ACCEPT
            ],
            "boxes": [list(box) for box in held.verdict.boxes],
            "review": None if review is None else review.model_dump(mode="json"),
        }


def queue(home: Path, folder: Path) -> tuple[Entry, ...]:
    """All images that the import in *folder* holds: those that wait first, then by image id.

    Args:
        home: where decisions are kept.
        folder: `HOME/catalogs/NAME`.

    Raises:
        NotHeldError: there was no such import.
        UserError: a file is damaged.
    """
    _need(folder)
    entries = [Entry(one, reviews.load(home, one.image_id)) for one in reviews.held(folder)]
    return tuple(sorted(entries, key=lambda one: (one.review is not None, one.held.image_id)))


def entry(home: Path, folder: Path, image_id: str) -> Entry:
    """One held image.

    Raises:
        NotHeldError: the import holds no such image.
        UserError: no image id, or a file is damaged.
    """
    _need(folder)
    held = reviews.held_one(folder, image_id)
    if held is None:
        raise NotHeldError(
            f"{folder.name} holds no image {image_id}. Either no person was asked about it, or "
            "an import has used the decision already."
        )
    return Entry(held, reviews.load(home, image_id))


def picture(folder: Path, image_id: str) -> Path:
    """The PNG of a held image, which may show a patient's name."""
    return folder / HELD / f"{reviews.check_id(image_id)}.png"


def decide(
    home: Path,
    folder: Path,
    image_id: str,
    decision: str,
    *,
    boxes: Sequence[Box] = (),
    by: str,
    note: str = "",
    time_ns: int,
) -> Review:
    """Record what a person decided; a later decision replaces an earlier one.

    Args:
        home: where decisions are kept.
        folder: `HOME/catalogs/NAME` of the import that holds the image.
        image_id: 32 hex digits.
        decision: `accept` or `refuse`.
        boxes: what to blank (left, top, right, bottom in pixels, the last two excluded).
        by: name of the person.
        note: anything.
        time_ns: Unix time.

    Raises:
        NotHeldError: the import holds no such image.
        UserError: a box is empty or outside, or something is missing.
    """
    found = entry(home, folder, image_id)
    if decision not in {"accept", "refuse"}:
        raise UserError("A decision is accept or refuse.")
    if not by.strip() or len(by.strip()) > 80:
        raise UserError("Say who decides: a name of 1 to 80 characters.")
    if len(note) > 500:
        raise UserError("The note is longer than 500 characters.")
    _check(boxes, found.held, decision)
    review = Review(
        image_id=image_id,
        decision="accept" if decision == "accept" else "refuse",
        boxes=tuple(boxes),
        by=by.strip(),
        note=note,
        time_ns=time_ns,
    )
    reviews.save(home, review)
    return review


def _check(boxes: Sequence[Box], held: Held, decision: str) -> None:
    if boxes and decision == "refuse":
        raise UserError("A refused image has nothing to blank: leave the boxes out.")
    if len(boxes) > MOST_BOXES:
        raise UserError(f"{len(boxes)} boxes are more than {MOST_BOXES}: refuse the image.")
    for number, (left, top, right, bottom) in enumerate(boxes, 1):
        if not (0 <= left < right <= held.width and 0 <= top < bottom <= held.height):
            raise UserError(
                f"Box {number} ({left}, {top}, {right}, {bottom}) is empty or not inside the image "
                f"of {held.width} x {held.height} pixels; left, top, right, bottom are needed."
            )


def _need(folder: Path) -> None:
    if not folder.is_dir():
        raise NotHeldError(f"There was no import of DICOM files named {folder.name}.")
