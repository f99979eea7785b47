"""What waits for a person, and what a person decided, as files of the home."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rig.dicom.header import Header
from rig.dicom.screening import Box, Verdict
from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError

REVIEWS = "dicom/reviews"
HELD = "held"
IMAGE_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)

_Side = Annotated[int, Field(ge=0, lt=2**31)]


class Review(BaseModel):
    """What a person decided about an image.

    Attributes:
        image_id: 32 hex digits.
        decision: use it, or not.
        boxes: what is blanked before anything of it is written (left, top, right, bottom).
        by: the person's name.
        note: anything.
        time_ns: Unix time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    image_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    decision: Literal["accept", "refuse"]
    boxes: tuple[tuple[_Side, _Side, _Side, _Side], ...] = ()
    by: str = Field(min_length=1, max_length=80)
    note: str = Field(default="", max_length=500)
    time_ns: int


@dataclass(frozen=True, slots=True)
class Held:
    """An image that waits for a person.

    Attributes:
        image_id: 32 hex digits.
        patient: pseudonym.
        split: `train`, `valid` or `test`.
        width: pixels.
        height: pixels.
        header: what may be told of its header.
        verdict: the doubts and where text seems to be.
    """

    image_id: str
    patient: str
    split: str
    width: int
    height: int
    header: Header
    verdict: Verdict


def check_id(image_id: str) -> str:
    """*image_id*, if it is one.

    Raises:
        UserError: it is not 32 hex digits, and must not become a file name.
    """
    if not IMAGE_ID.fullmatch(image_id):
        raise UserError("An image id has 32 hex digits, 0 to 9 and a to f.")
    return image_id


def save(home: Path, review: Review) -> None:
    """Keep a decision; a later one about the same image replaces it."""
    data = review.model_dump_json(indent=1).encode() + b"\n"
    write_atomic(home / REVIEWS / f"{review.image_id}.json", data, mode=PRIVATE)


def load(home: Path, image_id: str) -> Review | None:
    """The decision about an image, or None.

    Raises:
        UserError: the file is damaged.
    """
    file = home / REVIEWS / f"{check_id(image_id)}.json"
    try:
        return Review.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise UserError(f"{file} is no review; decide about this image again.") from error


def hold(catalog: Path, held: Held, png: bytes) -> bytes:
    """Keep an image that waits in the folder *catalog* of its import; what its JSON file holds."""
    folder = catalog / HELD
    write_atomic(folder / f"{held.image_id}.png", png, mode=PRIVATE)
    data = json.dumps(asdict(held), indent=1).encode() + b"\n"
    write_atomic(folder / f"{held.image_id}.json", data, mode=PRIVATE)
    return data


def let_go(catalog: Path, image_id: str) -> None:
    """Remove what was held of an image."""
    for ending in ("json", "png"):
        (catalog / HELD / f"{check_id(image_id)}.{ending}").unlink(missing_ok=True)


class _Held(BaseModel):
    """A held image as it is in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    image_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    patient: str
    split: str
    width: int
    height: int
    header: Header
    verdict: Verdict


def held(catalog: Path) -> tuple[Held, ...]:
    """All images that wait in the folder *catalog*, by image id.

    Raises:
        UserError: a file is damaged.
    """
    files = sorted((catalog / HELD).glob("*.json"))
    return tuple(one for one in map(_read, files) if one is not None)


def held_one(catalog: Path, image_id: str) -> Held | None:
    """The image *image_id* that waits in the folder *catalog*, or None.

    Raises:
        UserError: no image id, or the file is damaged.
    """
    return _read(catalog / HELD / f"{check_id(image_id)}.json")


def _read(file: Path) -> Held | None:
    try:
        one = _Held.model_validate_json(file.read_bytes())
    except FileNotFoundError:  # an import has let it go meanwhile
        return None
    except ValidationError as error:
        raise UserError(f"{file} is damaged: run the import again.") from error
    return Held(
        one.image_id,
        one.patient,
        one.split,
        one.width,
        one.height,
        one.header,
        one.verdict,
    )


def blanked_box(box: Box, width: int, height: int) -> Box:
    """*box*, cut to an image of this size."""
    left, top, right, bottom = box
    return min(left, width), min(top, height), min(right, width), min(bottom, height)
