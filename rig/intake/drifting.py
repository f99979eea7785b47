"""Corners of the x-ray watched over a session, out of the verdicts as they come."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from rig.intake.batch import PhotoResult
from rig.intake.drift import Drift, Watch
from rig.intake.from_store import recorded
from rig.intake.limits import Limits
from rig.intake.match import Status
from rig.store import captures, events


@dataclass(frozen=True, slots=True)
class Moved:
    """The photo of *index* shows that somebody moved the rig."""

    index: int
    attempt: int
    drift: Drift

    def body(self) -> dict[str, object]:
        """What the log says."""
        return {
            "px": self.drift.px,
            "since_start_px": self.drift.since_start_px,
            "why": self.drift.sentence,
        }


def moved(
    connection: Connection,
    session: str,
    fresh: Sequence[PhotoResult],
    limits: Limits | None = None,
) -> tuple[Moved, ...]:
    """Where the corners moved between the photos *fresh* and those before them, by index.

    Args:
        connection: with the verdicts of *session*, those of *fresh* among them or not.
        session: its id.
        fresh: verdicts that were just made.
        limits: how far is too far.
    """
    known = limits or Limits()
    mine = {row.name: row for row in fresh if row.status is Status.VERIFIED and row.verification}
    if not mine:
        return ()
    run_of = _runs(connection, session)
    places = {row.index or 0: row.verification for row in mine.values()}
    first, last = min(places), max(places)
    for photo in captures.photos(connection, session):
        if photo.name not in mine and photo.verified and photo.index < last:
            places.setdefault(photo.index, recorded(photo))
    found = []
    watch, run = Watch(), run_of(first)
    fresh_at = {row.index: row for row in mine.values()}
    for index in sorted(places):
        if index < first and run_of(index) != run_of(first):
            continue
        if run_of(index) != run:
            watch, run = Watch(), run_of(index)
        seen = places[index]
        if seen is None:
            continue
        watch, drift = watch.after(seen, known)
        row = fresh_at.get(index)
        if drift.sentence is not None and row is not None:
            found.append(Moved(index, row.attempt or 1, drift))
    return tuple(found)


def _runs(connection: Connection, session: str) -> Callable[[int], int]:
    """Index -> number of the run without a stop in which it was shot.

    Whoever resumes after a pause has stood at the rig: what moved meanwhile was moved on purpose,
    and a second pause for it would only be in the way.
    """
    told = events.latest(connection, session=session, kinds=_BEGUN, limit=10_000)
    begun = sorted(one.time_ns for one in told)
    shot = {one.index: one.time_ns for one in captures.committed(connection, session)}
    return lambda index: bisect_right(begun, shot.get(index, 0))


_BEGUN = frozenset({"resumed", "rearmed"})
