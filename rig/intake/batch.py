"""Take in a batch: every file becomes a row with a reason, and every gap is listed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeAlias

import cv2

from rig.intake.cache import FeatureCache
from rig.intake.features import Grey, Reference
from rig.intake.limits import Limits
from rig.intake.match import Committed, Match, Rejection, Status, match, newest_attempts
from rig.intake.prior import Prior, next_prior
from rig.intake.read import UnreadableImage, decode_grey, sha256_of
from rig.intake.verify import Verification, verify

CHUNK = 16
"""Photos a worker takes at a time: seconds of work, and neighbours share their x-rays. The same for
any number of workers, so that places are handed on between the same photos."""
SCOUTS = 4
"""Photos that are looked at alone before the others, at most, until one says where the screen is;
a batch that begins with more bad ones than that goes on without."""


@dataclass(frozen=True, slots=True)
class XraySource:
    """Where the source x-ray is, and the SHA-256 its bytes must have."""

    file: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class ExpectedBatch:
    """What should come back.

    Attributes:
        first: the session's first index: nothing was on the monitor before it.
        committed: (index, attempt) -> capture.
    """

    first: int
    committed: Committed


@dataclass(frozen=True, slots=True)
class PhotoResult:
    """What became of one file.

    Attributes:
        name: file name.
        index, attempt: what its name says; None when it says nothing.
        status: see `Status`.
        reason: one sentence.
        verification: of the pixels; None when they were not looked at.
    """

    name: str
    index: int | None
    attempt: int | None
    status: Status
    reason: str
    verification: Verification | None = None


@dataclass(frozen=True, slots=True)
class BatchReport:
    """Rows in the order of the files, and the committed indices without a verified photo."""

    results: tuple[PhotoResult, ...]
    missing: tuple[int, ...]

    def count(self, status: Status) -> int:
        """How many rows have *status*."""
        return sum(r.status is status for r in self.results)

    @property
    def well(self) -> bool:
        """Nothing is missing. Foreign or doubled files alone do no harm."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class _Order:
    """One photo for a worker to look at."""

    place: int
    file: Path
    match: Match
    xray: XraySource
    previous: XraySource | None


_Looked: TypeAlias = tuple[dict[int, PhotoResult], Prior | None]
"""Rows of a chunk by place, and where the screen was in its last verified photo."""


def take_in(
    files: Sequence[Path],
    *,
    expected: ExpectedBatch,
    source_of: Callable[[int], XraySource],
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
    limits: Limits | None = None,
    note: Callable[[PhotoResult], None] | None = None,
    prior: Prior | None = None,
    fixed: bool = True,
    cache: Path | None = None,
) -> BatchReport:
    """Match and verify *files*. Reads files, writes nothing; no file can stop the others.

    Args:
        files: what came back; JSON sidecars are passed over.
        expected: what was committed.
        source_of: the x-ray of an index; raises LookupError when there is none.
        executor: verifies chunks in other processes; None does it here.
        progress: called with (done, total) photos.
        limits: of the optical check.
        note: called with every row as soon as it is known, so that a stop loses little.
        prior: where the screen was in the photo before the first of these. Without one the first
            photos are scouts: the first that is verified says it. All chunks start from there.
        fixed: the rig stands still: within a chunk each photo is a start for the next. It is only
            where the search begins; a rig that was moved after all costs time and nothing else.
        cache: folder in which features of x-rays are kept; None keeps none.

    Returns:
        The report: one row per file and the indices to shoot again.
    """
    photos = [f for f in files if f.suffix.lower() != ".json"]
    rows: dict[int, PhotoResult] = {}
    orders: list[_Order] = []
    for place, answer in enumerate(_matched(photos, expected.committed)):
        prepared = _prepare(place, photos[place], answer, expected.first, source_of)
        if isinstance(prepared, _Order):
            orders.append(prepared)
            continue
        rows[place] = prepared
        if note:
            note(prepared)
    # In the order of the x-rays, so that one's x-ray is the next one's previous.
    orders.sort(key=lambda order: order.match.capture.index)
    run = map if executor is None else executor.map
    look = partial(_look, limits=limits or Limits(), fixed=fixed, cache=cache)
    for done in _in_turn(orders, look, run, prior if fixed else None, scouting=fixed):
        rows.update(done)
        if note:
            for row in done.values():
                note(row)
        if progress:
            progress(len(rows), len(photos))
    results = tuple(rows[place] for place in range(len(photos)))
    proved = {r.index for r in results if r.status is Status.VERIFIED}
    wanted = {index for index, _ in expected.committed}
    return BatchReport(results, tuple(sorted(wanted - proved)))


def _matched(photos: Sequence[Path], committed: Committed) -> Iterator[Match | Rejection]:
    """By name and bytes; the second file of one capture is doubled."""
    newest = newest_attempts(committed)
    by_hash = {c.sha256: c for c in committed.values()}
    here = {p.name for p in photos}
    seen: dict[int, str] = {}
    for photo in photos:
        try:
            digest = sha256_of(photo)
        except OSError as error:
            yield Rejection(f"It cannot be read: {error.strerror or error}.", Status.UNREADABLE)
            continue
        found = match(photo.name, digest, committed, newest=newest)
        same = by_hash.get(digest)
        if isinstance(found, Match):
            index = found.capture.index
            if index in seen:
                found = _doubled(index, found.capture.attempt, seen[index])
            seen.setdefault(index, str(photo))
        elif found.status is Status.MISNAMED and same is not None and same.name in here:
            found = _doubled(same.index, same.attempt, same.name)
        elif found.status is Status.MISNAMED and same is not None:
            reason = f"It is the photo of index {same.index}; name it {same.name} to take it in."
            found = Rejection(reason, Status.MISNAMED, same.index, same.attempt)
        yield found


def _doubled(index: int, attempt: int, other: str) -> Rejection:
    reason = f"Index {index}: the same photo is already there as {other}."
    return Rejection(reason, Status.DOUBLED, index, attempt)


def _prepare(
    place: int,
    file: Path,
    answer: Match | Rejection,
    first: int,
    source_of: Callable[[int], XraySource],
) -> _Order | PhotoResult:
    if isinstance(answer, Rejection):
        return PhotoResult(file.name, answer.index, answer.attempt, answer.status, answer.reason)
    index = answer.capture.index
    try:
        before = source_of(index - 1) if index > first else None
        return _Order(place, file, answer, source_of(index), before)
    except LookupError:
        reason = f"Index {index}: its x-ray is not in the catalog, so nothing can be compared."
        return PhotoResult(file.name, index, answer.capture.attempt, Status.REJECTED, reason)


def _in_turn(
    orders: Sequence[_Order],
    look: Callable[[Sequence[_Order], Prior | None], _Looked],
    run: Callable[..., Iterator[_Looked]],
    prior: Prior | None,
    *,
    scouting: bool,
) -> Iterator[dict[int, PhotoResult]]:
    """The rows of *orders*, chunk after chunk; what they say depends on no number of workers."""
    start, scouts = prior, 0
    while scouting and start is None and scouts < min(SCOUTS, len(orders)):
        ((rows, start),) = run(look, [orders[scouts : scouts + 1]], [None])
        scouts += 1
        yield rows
    chunks = [orders[at : at + CHUNK] for at in range(scouts, len(orders), CHUNK)]
    for rows, _ in run(look, chunks, [start] * len(chunks)):
        yield rows


def _look(
    orders: Sequence[_Order],
    prior: Prior | None,
    *,
    limits: Limits,
    fixed: bool,
    cache: Path | None,
) -> _Looked:
    """Verify a chunk; in a worker, one thread: the pool already fills the processors."""
    cv2.setNumThreads(1)
    rows = {}
    for order in orders:
        row = rows[order.place] = _result(order, prior, limits, cache)
        if fixed and row.verification is not None:
            prior = next_prior(row.verification, prior, limits.screen_aspect)
    return rows, prior


def _result(order: _Order, prior: Prior | None, limits: Limits, cache: Path | None) -> PhotoResult:
    capture = order.match.capture
    verification = None
    try:
        data = order.file.read_bytes()
        if hashlib.sha256(data).hexdigest() != capture.sha256:
            status, reason = Status.ALTERED, "The file changed while it was taken in."
        else:
            photo = decode_grey(data, order.file.name, limits.max_pixels)
            reference = _reference(order.xray, cache)
            before = None if order.previous is None else _reference(order.previous, cache)
            verification = verify(
                photo,
                reference.grey,
                limits=limits,
                features=reference,
                previous_features=before,
                prior=prior,
            )
            status, reason = _verdict(verification)
    except UnreadableImage as error:
        status, reason = Status.UNREADABLE, str(error)
    except OSError as error:
        status, reason = Status.UNREADABLE, f"It cannot be read: {error.strerror or error}."
    except _ChangedXray as error:
        status, reason = Status.REJECTED, str(error)
    return PhotoResult(
        order.file.name, capture.index, capture.attempt, status, reason, verification
    )


def _verdict(found: Verification) -> tuple[Status, str]:
    """Identity first; a photo of the right x-ray may still be too poor to keep."""
    if not found.verified:
        return Status.REJECTED, found.reason
    if found.quality is not None and found.quality.rejects:
        return Status.REJECTED, f"The right x-ray, but {'; '.join(found.quality.rejects)}."
    return Status.VERIFIED, found.reason


class _ChangedXray(Exception):
    """The source x-ray is not what the catalog imported."""


@lru_cache(maxsize=4)
def _reference(source: XraySource, cache: Path | None) -> Reference:
    """The x-ray with its features; kept for the next photo, whose previous x-ray it is."""

    def load() -> Grey:
        data = source.file.read_bytes()
        if hashlib.sha256(data).hexdigest() != source.sha256:
            raise _ChangedXray(f"The x-ray {source.file.name} changed since it was imported.")
        return decode_grey(data, source.file.name, 2 * Limits().max_pixels)

    try:
        # What is kept is found by the hash that was imported: a changed file is then not opened.
        return Reference(load()) if cache is None else FeatureCache(cache).reference(
            source.sha256, load
        )  # fmt: skip
    except (OSError, UnreadableImage) as error:
        raise _ChangedXray(f"The x-ray {source.file.name} cannot be read any more.") from error
