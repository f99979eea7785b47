"""Take in the photos of a session: what the store expects against what has come back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, select

from rig.intake.batch import BatchReport, ExpectedBatch, PhotoResult, XraySource, take_in
from rig.intake.copying import Copied, copy_photos
from rig.intake.home_limits import limits_of
from rig.intake.limits import Limits
from rig.intake.match import Committed, CommittedCapture, Status
from rig.intake.prior import Prior, next_prior
from rig.intake.verify import Verification
from rig.store import captures, catalogs, tables
from rig.store.database import Database
from rig.store.errors import NotFoundError

CACHE = "cache/features"
"""Kept features of x-rays, below the home."""


class Record(Protocol):
    """Notes one verdict in the caller's transaction; see `verdict`."""

    def __call__(self, connection: Connection, result: PhotoResult) -> None: ...


def take_in_session(
    database: Database,
    home: Path,
    session: str,
    *,
    record: Record,
    again: bool = False,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
    limits: Limits | None = None,
    arrived: bool = False,
) -> BatchReport:
    """Verify what is in `home/sessions/<session>/incoming` and record each verdict.

    Photos that were verified or rejected by their pixels before are not looked at again, so an
    interrupted run goes on.

    Args:
        database: the store.
        home: the home folder.
        session: session id.
        record: notes a verdict on a received photo; called on the store's writer.
        again: look at every photo again.
        executor: verifies chunks in other processes.
        progress: called with (done, total) photos looked at.
        limits: of the optical check; the home's by default.
        arrived: look only at photos without a verdict whose capture is committed by now: the
            session is still being shot, and the display's word may come after the photo.

    Raises:
        NotFoundError: there is no such session.
        UserError: the home's thresholds cannot be read.
    """
    limits = limits or limits_of(home)
    with database.read() as connection:
        expected, sources, shot = _expected(connection, session)
        received = {photo.name: photo for photo in captures.photos(connection, session)}
    folder = captures.incoming(home, session)
    done = {} if again else _judged_before(folder, expected.committed, received)
    files = sorted(_photos(folder)) if folder.is_dir() else []
    if arrived:
        files = [file for file in files if _is_new(received.get(file.name), expected.committed)]

    def note(result: PhotoResult) -> None:
        told = shot.told(result)
        known = received.get(result.name)
        if known is not None and (again or not _same_verdict(known, told)):
            database.write_now(partial(record, result=told))

    report = take_in(
        [file for file in files if file.name not in done],
        expected=expected,
        source_of=sources.__getitem__,
        executor=executor,
        progress=progress,
        limits=limits,
        note=note,
        prior=None if again else _prior(received.values(), expected.committed, limits),
        cache=home / CACHE,
    )
    rows = sorted((*map(shot.told, report.results), *done.values()), key=lambda row: row.name)
    proved = {row.index for row in rows if row.status is Status.VERIFIED}
    wanted = shot.indices or {index for index, _ in expected.committed}
    return BatchReport(tuple(rows), tuple(sorted(wanted - proved)))


def copy_in(
    database: Database,
    home: Path,
    session: str,
    files: Sequence[Path],
    progress: Callable[[int, int], None] | None = None,
) -> Copied:
    """Copy the committed photos among *files*, and their sidecars, into the session's folder.

    Durable and idempotent: a photo that is there already is left alone; anything that is not a
    committed photo of this session stays where it is and is told. What counts are the bytes: a
    photo under another name is taken in under its own, and that is told too.

    Raises:
        NotFoundError: there is no such session.
        UserError: the session's folder cannot be written.
    """
    with database.read() as connection:
        expected, _, _ = _expected(connection, session)
    photos = sorted(f for f in files if f.suffix.lower() != ".json")
    return copy_photos(photos, expected.committed, captures.incoming(home, session), progress)


def verdict(result: PhotoResult) -> dict[str, Any]:
    """What the store keeps of a result: name, verified, reason, score, homography, detail."""
    found = result.verification
    detail: dict[str, Any] = {"status": result.status.value}
    if found is not None:
        kept = asdict(found)
        for name in ("verified", "reason", "score", "homography"):
            del kept[name]
        detail |= kept
    return {
        "name": result.name,
        "verified": result.status is Status.VERIFIED,
        "reason": result.reason,
        "score": None if found is None else found.score,
        "homography": None if found is None else found.homography,
        "detail": detail,
    }


def _is_new(photo: captures.Photo | None, committed: Committed) -> bool:
    if photo is None or photo.verified is not None:
        return False
    capture = committed.get((photo.index, photo.attempt))
    return capture is not None and capture.sha256 == photo.sha256


def _prior(photos: Iterable[captures.Photo], committed: Committed, limits: Limits) -> Prior | None:
    """Where the screen was in the newest verified photo of the session."""
    good = [one for one in photos if one.verified and (one.index, one.attempt) in committed]
    if not good:
        return None
    newest = max(good, key=lambda one: one.index)
    found = recorded(newest)
    return None if found is None else next_prior(found, None, limits.screen_aspect)


def recorded(photo: captures.Photo) -> Verification | None:
    """Of a photo's verdict what says where the x-ray is; None when that is not on record."""
    told = photo.detail or {}
    if photo.homography is None or "photo_size" not in told:
        return None
    return Verification(
        bool(photo.verified),
        photo.reason or "",
        score=photo.score or 0.0,
        homography=tuple(tuple(row) for row in photo.homography),
        xray_size=tuple(told["xray_size"]),
        photo_size=tuple(told["photo_size"]),
    )


def _same_verdict(known: captures.Photo, result: PhotoResult) -> bool:
    """The log holds this very verdict: an import that is repeated adds nothing to it."""
    said = verdict(result)
    return (known.verified, known.reason, known.score) == (
        said["verified"],
        said["reason"],
        said["score"],
    )


def _photos(folder: Path) -> list[Path]:
    """Files that arrived whole: not hidden, not growing."""
    return [
        file
        for file in folder.iterdir()
        if file.is_file() and not file.name.startswith(".") and file.suffix != ".part"
    ]


@dataclass(frozen=True, slots=True)
class _Legacy:
    """What is special about a session through the original app; empty for others.

    Attributes:
        indices: all that must be proved: none of them is committed before.
        suspects: by index, what disturbed the screen during the photo.
    """

    indices: frozenset[int] = frozenset()
    suspects: Mapping[int, str] = field(default_factory=dict)

    def told(self, result: PhotoResult) -> PhotoResult:
        """*result*; a rejected photo of a disturbed screen says so."""
        why = self.suspects.get(result.index or 0)
        if why is None or result.status is Status.VERIFIED:
            return result
        return replace(result, reason=f"{result.reason} The screen was disturbed: {why}.")


def _expected(
    connection: Connection, session: str
) -> tuple[ExpectedBatch, dict[int, XraySource], _Legacy]:
    """What the session committed, the x-rays it showed, and what legacy mode adds."""
    s, c = tables.session, tables.campaign
    columns = (s.c.first, s.c.last, s.c.legacy, c.c.catalog)
    query = select(*columns).join_from(s, c, s.c.campaign == c.c.id)
    row = connection.execute(query.where(s.c.id == session)).first()
    if row is None:
        raise NotFoundError(f"No session is named {session!r}.")
    legacy = _legacy(connection, session, row.first, row.last) if row.legacy else _Legacy()
    committed = (
        _candidates(connection, session)
        if row.legacy
        else {
            (one.index, one.attempt): CommittedCapture(
                one.index, one.attempt, one.sha256, one.name, one.size, one.t_trigger_ns or 0
            )
            for one in captures.committed(connection, session)
        }
    )
    sources = {
        xray.index: XraySource(xray.file, xray.sha256)
        for xray in catalogs.xrays(connection, row.catalog, row.first, row.last)
    }
    return ExpectedBatch(row.first, committed), sources, legacy


def _legacy(connection: Connection, session: str, first: int, last: int) -> _Legacy:
    claim = tables.claim
    disturbed = select(claim.c.idx, claim.c.suspect).where(
        claim.c.session == session, claim.c.suspect.is_not(None)
    )
    suspects = {one.idx: one.suspect for one in connection.execute(disturbed)}
    return _Legacy(frozenset(range(first, last + 1)), suspects)


def _candidates(connection: Connection, session: str) -> dict[tuple[int, int], CommittedCapture]:
    """Photos of the original app: nothing is committed before the optical check has seen it."""
    received = sorted(captures.photos(connection, session), key=lambda one: one.received_ns)
    return {
        (one.index, one.attempt): CommittedCapture(
            one.index, one.attempt, one.sha256, one.name, one.size
        )
        for one in received
    }


def _judged_before(
    folder: Path, committed: Committed, received: dict[str, captures.Photo]
) -> dict[str, PhotoResult]:
    """Photos whose verdict stands: seen in their pixels, still the committed ones, still there.

    A rejection for another reason (the x-ray was gone, the file damaged) may be mended by now.
    """
    found = {}
    for photo in received.values():
        capture = committed.get((photo.index, photo.attempt))
        stands = capture is not None and (capture.name, capture.sha256) == (
            photo.name,
            photo.sha256,
        )
        detail = photo.detail or {}
        seen = detail.get("status") == Status.REJECTED and "photo_size" in detail
        if (photo.verified or seen) and stands and (folder / photo.name).is_file():
            status = Status.VERIFIED if photo.verified else Status.REJECTED
            found[photo.name] = PhotoResult(
                photo.name, photo.index, photo.attempt, status, photo.reason or ""
            )
    return found
