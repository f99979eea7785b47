"""Which committed capture is this file? Decided by name and bytes, before pixels are decoded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rig.protocol.names import BadPhotoName, PhotoName, decode_name

_REMAINS = re.compile(
    r"x1_[0-9a-f]{16}_s\d{4,10}_i(?P<index>\d{7,10})_a(?P<attempt>\d{3,5})_",
    re.ASCII | re.IGNORECASE,
)
"""What a photo's name keeps when a copy, an editor or a file system changes its end."""


@dataclass(frozen=True, slots=True)
class CommittedCapture:
    """What the event log says of one committed capture.

    Attributes:
        index: of the x-ray, 1..N.
        attempt: which exposure was committed, from 1.
        sha256: hex digest of the photo's bytes.
        name: the photo's file name.
        size: bytes.
        t_trigger_ns: when the camera was triggered, Unix time; 0 when not known.
    """

    index: int
    attempt: int
    sha256: str
    name: str
    size: int
    t_trigger_ns: int = 0


class Status(StrEnum):
    """What became of one file."""

    VERIFIED = "verified"
    """It is the committed photo and its pixels prove the x-ray."""
    REJECTED = "rejected"
    """It is the committed photo, but its pixels do not prove the x-ray, or it must be re-shot."""
    FOREIGN = "foreign"
    """It belongs to another campaign, subset or session."""
    SUPERSEDED = "superseded"
    """It is another attempt than the committed one."""
    MISNAMED = "misnamed"
    """Its name is not one that the rig wrote."""
    ALTERED = "altered"
    """Its bytes are not those that were committed: edited or cut short."""
    DOUBLED = "doubled"
    """A photo that is already there."""
    UNREADABLE = "unreadable"
    """It cannot be opened or decoded."""
    MISSING = "missing"
    """There is no file of it."""


@dataclass(frozen=True, slots=True)
class Match:
    """The file is the photo of *capture*."""

    capture: CommittedCapture
    name: PhotoName


@dataclass(frozen=True, slots=True)
class Rejection:
    """The file is not a committed photo; *reason* is a sentence, *index* what its name claims."""

    reason: str
    status: Status
    index: int | None = None
    attempt: int | None = None


Committed = Mapping[tuple[int, int], CommittedCapture]
"""(index, attempt) -> capture."""


def newest_attempts(committed: Committed) -> dict[int, int]:
    """Index -> its last committed attempt."""
    newest: dict[int, int] = {}
    for index, attempt in committed:
        newest[index] = max(attempt, newest.get(index, 0))
    return newest


def match(
    name: str,
    sha256: str,
    committed: Committed,
    *,
    newest: Mapping[int, int] | None = None,
    size: int | None = None,
) -> Match | Rejection:
    """Which of *committed* is the file *name* with these bytes?

    Args:
        name: file name without folders.
        sha256: hex digest of the file's bytes.
        committed: what was committed in this session.
        newest: `newest_attempts(committed)` when the caller matches many files.
        size: of the file, bytes, when known: it tells a cut file from an edited one.
    """
    try:
        told = decode_name(name)
    except BadPhotoName as error:
        return _misnamed(name, str(error))
    newest = newest_attempts(committed) if newest is None else newest
    last = newest.get(told.index)
    if problem := _stranger(name, told, committed, last):
        return Rejection(problem, Status.FOREIGN, told.index, told.attempt)
    if told.attempt != last:
        return Rejection(
            f"Index {told.index}: this is attempt {told.attempt}, attempt {last} was committed.",
            Status.SUPERSEDED,
            told.index,
            told.attempt,
        )
    capture = committed[told.index, told.attempt]
    if sha256 != capture.sha256:
        return Rejection(
            f"Index {told.index}: {_changed(size, capture.size)}; copy the photo from the phone "
            "again.",
            Status.ALTERED,
            told.index,
            told.attempt,
        )
    if name != capture.name:
        return Rejection(
            f"Index {told.index}: the bytes were committed under another name, {capture.name}.",
            Status.MISNAMED,
            told.index,
            told.attempt,
        )
    return Match(capture, told)


def _misnamed(name: str, why: str) -> Rejection:
    """A name that the rig did not write; what is left of a photo's name says which one it was."""
    left = _REMAINS.match(name)
    if left is None:
        return Rejection(f"Not a photo of this rig: {why}.", Status.MISNAMED)
    index, attempt = int(left["index"]), int(left["attempt"])
    reason = (
        f"Index {index}: the name was changed or cut, and the bytes are not those that were "
        "committed; copy the photo from the phone again."
    )
    return Rejection(reason, Status.MISNAMED, index, attempt)


def _changed(size: int | None, whole: int) -> str:
    if size is None or size == whole:
        return "the bytes are not those that were committed (edited or cut short)"
    if size < whole:
        return f"{size:,} of {whole:,} bytes are there: cut short, or edited"
    return f"it has {size:,} bytes instead of {whole:,}: edited"


def _stranger(name: str, told: PhotoName, committed: Committed, last: int | None) -> str | None:
    """Why the photo belongs to something else, or None."""
    some = next(iter(committed.values()), None)
    if some is None:
        return f"Index {told.index}: nothing was committed in this session."
    ours = decode_name(some.name)
    if told.campaign != ours.campaign:
        return f"The photo belongs to campaign {told.campaign}, this session to {ours.campaign}."
    if told.subset != ours.subset:
        return f"The photo belongs to subset {told.subset}, this session to {ours.subset}."
    if last is None:
        return f"Index {told.index} was never committed in this session."
    # The metadata names the session and holds for every attempt.
    if decode_name(committed[told.index, last].name).meta16 != told.meta16:
        return f"Index {told.index}: {name} was shot in another session of this subset."
    return None
