"""Photos taken by hand of a screen in manual mode: what was shown when, and which photo is which.

The display writes one JSON object a line to `shown.jsonl`: a line when an x-ray came up (`to_ns` is
null) and the same line again, completed, when it went. The last line of a `showing` counts.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rig.errors import UserError
from rig.intake.marker_ids import ATTEMPTS, Marker

_Natural = Annotated[int, Field(ge=1)]


class Left(StrEnum):
    """Why an x-ray went from the screen."""

    NEXT = "next"
    PREVIOUS = "previous"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Showing:
    """One time that one x-ray was on the screen.

    Attributes:
        showing: number of this showing, from 1, rising over all restarts.
        set: number of the set, from 1.
        position: place in the whole order, from 1.
        index: of the x-ray in its plan.
        attempt: how often this x-ray was shown by then, from 1.
        key: `patient/study/view`, or the name in the folder.
        sha256: hex digest of the image file.
        marker: ids of the marker's tags; empty without a marker.
        from_ns: wall clock of the flip, nanoseconds since the epoch.
        to_ns: until when it was certainly up; None while it is, or when the display was killed.
        left: why it went; None likewise.
        disturbed: what came between meanwhile, a sentence; None for nothing.
    """

    showing: int
    set: int
    position: int
    index: int
    attempt: int
    key: str
    sha256: str
    marker: tuple[int, ...]
    from_ns: int
    to_ns: int | None = None
    left: Left | None = None
    disturbed: str | None = None

    def line(self) -> bytes:
        """One JSON object and a line feed."""
        return json.dumps(asdict(self), separators=(",", ":")).encode("ascii") + b"\n"


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    showing: _Natural
    set: _Natural
    position: _Natural
    index: _Natural
    attempt: _Natural
    key: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    marker: tuple[int, ...]
    from_ns: int
    to_ns: int | None
    left: Left | None
    disturbed: str | None


def read_shown(data: bytes, name: str = "shown.jsonl") -> tuple[tuple[Showing, ...], int]:
    """The showings in *data* in order, and how many bytes of it are whole lines.

    An unfinished last line is what a crash leaves; it is passed over.

    Raises:
        UserError: a line is broken or out of order; the sentence names *name* and the line.
    """
    shown: dict[int, Showing] = {}
    good = 0
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        if not line.endswith(b"\n"):
            break
        try:
            told = Showing(**_Line.model_validate_json(line).model_dump())
        except ValidationError as error:
            raise UserError(
                f"{name} line {number} is not what the display wrote; restore it from a backup"
            ) from error
        if told.showing not in (len(shown), len(shown) + 1):
            raise UserError(
                f"{name} line {number} has showing {told.showing} after {len(shown)}; "
                "restore it from a backup"
            )
        shown[told.showing] = told
        good += len(line)
    return tuple(shown.values()), good


@dataclass(frozen=True, slots=True)
class PhotoSeen:
    """What is known of one photo before its x-ray is compared.

    Attributes:
        name: file name.
        marker: as `decode_marker` read it; None without one.
        taken_ns: by the phone's clock, which may be wrong by any amount; None when not known.
    """

    name: str
    marker: Marker | None
    taken_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """Which x-ray a photo may show.

    Attributes:
        name: of the photo.
        index: of the x-ray whose marker is in the photo; None without one that was ever shown.
        possible: showings that it may be, by number; with an index all of them show that x-ray.
        evidence: `marker`, and `order` when the neighbours in time agree.
        why: a sentence.
    """

    name: str
    index: int | None
    possible: tuple[int, ...]
    evidence: tuple[Literal["marker", "order"], ...]
    why: str


def match_by_marker(photos: Sequence[PhotoSeen], shown: Sequence[Showing]) -> tuple[Candidate, ...]:
    """Candidates of each photo by marker and time order, in the order of *photos*.

    The phone's clock is only used to put the photos in order, as nobody knows how wrong it is; when
    a photo has no time, *photos* must be in the order in which they were taken. What a marker says
    is not doubted because of the order, but it is told. Pixels are compared elsewhere.
    """
    timed = all(photo.taken_ns is not None for photo in photos)
    order = sorted(range(len(photos)), key=lambda at: photos[at].taken_ns or 0 if timed else at)
    by_marker: dict[tuple[int, int], list[int]] = defaultdict(list)
    for one in shown:
        if one.marker:
            by_marker[one.index, one.attempt % ATTEMPTS].append(one.showing)
    hits = [_hits(photos[at], by_marker) for at in order]
    found = {at: _candidate(photos[at], hits, place, len(shown)) for place, at in enumerate(order)}
    return tuple(found[at] for at in range(len(photos)))


def _hits(photo: PhotoSeen, by_marker: dict[tuple[int, int], list[int]]) -> list[int]:
    if photo.marker is None:
        return []
    return by_marker.get((photo.marker.index, photo.marker.attempt), [])


def _candidate(photo: PhotoSeen, hits: list[list[int]], place: int, last: int) -> Candidate:
    # The nearest photos with a marker bound what can have been on the screen here.
    low = next((min(h) for h in reversed(hits[:place]) if h), 1)
    high = next((max(h) for h in hits[place + 1 :] if h), last)
    mine, marker = hits[place], photo.marker
    if marker is None:
        why = "No marker can be read; compare it with the x-rays shown between its neighbours."
        return Candidate(photo.name, None, tuple(range(low, high + 1)), ("order",), why)
    if not mine:
        why = f"Its marker says x-ray {marker.index}, which was not shown so: another run?"
        return Candidate(photo.name, None, (), (), why)
    fitting = tuple(number for number in mine if low <= number <= high)
    if fitting:
        why = f"Its marker says x-ray {marker.index}, and so does the order of the photos."
        return Candidate(photo.name, marker.index, fitting, ("marker", "order"), why)
    why = f"Its marker says x-ray {marker.index}, but its neighbours in time show others."
    return Candidate(photo.name, marker.index, tuple(mine), ("marker",), why)
