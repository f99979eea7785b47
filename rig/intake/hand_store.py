"""Take in a folder of photos taken by hand in manual mode.

Originals are kept byte for byte under their SHA-256 before anything is said about them. The same
photos again change nothing; an import that was cut short goes on, and photos that were proved
before are not looked at again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from rig.catalog.model import Xray
from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError
from rig.intake import hand_match
from rig.intake.assign import Clock
from rig.intake.batch import XraySource
from rig.intake.folder import brought, printable
from rig.intake.from_store import CACHE
from rig.intake.hand_look import Sighting, Taken, see
from rig.intake.hand_match import Proposal
from rig.intake.home_limits import limits_of
from rig.intake.limits import Limits
from rig.intake.manual import Showing, read_shown
from rig.intake.marker_ids import ATTEMPTS, Marker
from rig.intake.read import sha256_of
from rig.intake.verify import Verification
from rig.store import catalogs, events, hand, tables
from rig.store.database import Database
from rig.store.events import Event
from rig.store.hand import HandPhoto, Standing

_SAME = ("standing", "index", "showing", "reason", "score", "homography", "candidates", "name")
"""What must differ before the log is told anew."""
_PASSED_OVER = frozenset({".json", ".jsonl", ".aae"})
"""Files beside photos: our own, and the edits that an iPhone keeps apart."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that was not taken in: its name, `unreadable` or `doubled`, and a sentence."""

    name: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    Attributes:
        photos: every photo of the folder that is in the store, by name.
        refused: the other files.
        new: photos that were not in the store before.
        clock: the camera's clock against the display's; None without a photo that says it.
        unlabelled: x-rays of the book that the campaign's catalog does not hold.
        unseen: indices that were shown and have no accepted photo.
    """

    photos: tuple[HandPhoto, ...]
    refused: tuple[Refused, ...]
    new: int
    clock: Clock | None
    unlabelled: int
    unseen: tuple[int, ...]

    def count(self, standing: Standing) -> int:
        """Photos of the folder with this standing."""
        return sum(one.standing is standing for one in self.photos)


@dataclass(frozen=True, slots=True)
class _Xrays:
    """The x-rays of a book as the campaign's catalog knows them, by the book's index."""

    sources: dict[int, XraySource]
    labels: dict[int, tuple[int, str]]
    """book's index -> catalog's index and key"""
    unlabelled: int


@dataclass(slots=True)
class _Import:
    database: Database
    home: Path
    campaign: str
    device: str
    shown: tuple[Showing, ...]
    xrays: _Xrays
    limits: Limits
    clock_ns: Callable[[], int]
    actor: str
    photos: list[Taken] = field(default_factory=list)
    before: dict[str, HandPhoto] = field(default_factory=dict)
    told: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """SHA-256 -> the newest proposal on record"""

    def marker_of(self, index: int) -> set[Marker]:
        """The markers under which the x-ray *index* of the book was shown."""
        return {
            Marker(one.index, one.attempt % ATTEMPTS)
            for one in self.shown
            if one.index == index and one.marker
        }


def import_folder(
    database: Database,
    home: Path,
    folder: Path,
    *,
    campaign: str,
    device: str,
    log: Path,
    actor: str,
    clock_ns: Callable[[], int],
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
    limits: Limits | None = None,
) -> Imported:
    """Take in the photos in *folder*, taken while *log* was written.

    Args:
        database: the store.
        home: the home folder.
        folder: with the photos, and folders in it.
        campaign: name of the campaign whose catalog has the x-rays.
        device: that took them, e.g. `iphone`.
        log: `shown.jsonl` of `display-agent manual`.
        actor: who imports, as the log names them.
        clock_ns: Unix time.
        executor: looks at photos in other processes.
        progress: called with (done, total) steps.
        limits: of the optical check; the home's by default.

    Raises:
        NotFoundError: no such campaign.
        StoreError: the device cannot name a folder.
        UserError: the book cannot be read, shows nothing of this catalog, or the disk is full.
    """
    shown = _book(log)
    ident = database.query(lambda c: hand.campaign_id(c, campaign))
    store = hand.folder(home, ident, device)
    xrays = database.query(lambda c: _xrays(c, ident, shown))
    if not xrays.sources:
        raise UserError(
            f"{log} shows {len({one.sha256 for one in shown})} x-rays, and the catalog of campaign "
            f"{campaign} holds none of them: name the campaign whose x-rays were shown."
        )
    work = _Import(database, home, ident, device, shown, xrays, limits or limits_of(home), clock_ns,
                   actor)  # fmt: skip
    earlier = database.query(lambda c: hand.photos(c, home, ident, device))
    work.before = {one.sha256: one for one in earlier}
    work.told = database.query(lambda c: hand.proposals(c, ident, device))
    advance = progress or (lambda _done, _total: None)
    refused = _collect(work, folder, store, executor, advance)
    clock = _match(work, executor, advance)
    return _report(work, refused, clock)


# -- what is brought ------------------------------------------------------------------------------


def _book(log: Path) -> tuple[Showing, ...]:
    try:
        shown, _ = read_shown(log.read_bytes(), str(log))
    except OSError as error:
        raise UserError(f"{log} cannot be read: {error.strerror or error}.") from error
    if not shown:
        raise UserError(f"{log} says that nothing was shown: name the shown.jsonl of this set.")
    return shown


def _xrays(connection: Connection, campaign: str, shown: Sequence[Showing]) -> _Xrays:
    table = tables.campaign
    catalog = connection.scalar(select(table.c.catalog).where(table.c.id == campaign))
    by_key: dict[str, Xray] = {}
    by_hash: dict[str, list[Xray]] = {}
    for one in catalogs.xrays(connection, str(catalog)):
        by_key[one.key] = one
        by_hash.setdefault(one.sha256, []).append(one)
    sources, labels, strange = {}, {}, set()
    for showing in shown:
        named = by_key.get(showing.key)
        same = by_hash.get(showing.sha256, [])
        if named is not None and named.sha256 == showing.sha256:
            one = named
        elif len(same) == 1:  # shown out of a folder, where it had another name
            one = same[0]
        else:
            strange.add(showing.sha256)
            continue
        sources[showing.index] = XraySource(one.file, one.sha256)
        labels[showing.index] = (one.index, one.key)
    return _Xrays(sources, labels, len(strange))


def _collect(
    work: _Import,
    folder: Path,
    store: Path,
    executor: Executor | None,
    progress: Callable[[int, int], None],
) -> list[Refused]:
    """Read every file, keep the photos, tell about the others."""
    there = brought(folder)
    refused = [Refused(printable(path.name), "unreadable", why) for path, why in there.unusable]
    files = [file for file in there.files if file.suffix.lower() not in _PASSED_OVER]
    run = map if executor is None else executor.map
    names: dict[str, str] = {}
    pixels = [work.limits.max_pixels] * len(files)
    for done, (file, seen) in enumerate(zip(files, run(see, files, pixels), strict=True), 1):
        progress(done, 2 * len(files))
        name = printable(file.name)
        if seen.problem is not None:
            refused.append(Refused(name, "unreadable", seen.problem))
        elif seen.sha256 in names:
            why = f"The same photo is already there as {names[seen.sha256]}."
            refused.append(Refused(name, "doubled", why))
        elif (kept := keep(file, seen.sha256, store, ".jpg")) is None:
            why = "The file changed while it was read; import it again."
            refused.append(Refused(name, "unreadable", why))
        else:
            names[seen.sha256] = name
            work.photos.append(Taken(name, kept, seen))
    return refused


def keep(file: Path, sha256: str, store: Path, suffix: str) -> Path | None:
    """The durable copy of *file* in *store*, under its hash; None when it is another file by now.

    Raises:
        UserError: it cannot be read or written.
    """
    target = store / f"{sha256}{suffix}"
    try:
        if target.is_file() and sha256_of(target) == sha256:
            return target
        data = file.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            return None
        write_atomic(target, data, mode=PRIVATE)
    except OSError as error:
        raise UserError(
            f"{file} cannot be copied to {store} ({error.strerror or error}): mend that, then run "
            "the same command again; it goes on where it stopped."
        ) from error
    return target


# -- what is said about it ------------------------------------------------------------------------


def _match(
    work: _Import, executor: Executor | None, progress: Callable[[int, int], None]
) -> Clock | None:
    """Match what is not settled yet, and put every new word on record."""
    known = {}
    for place, one in enumerate(work.photos):
        before = work.before.get(one.seen.sha256)
        if before is not None and (anchor := _anchor(work, before)) is not None:
            known[place] = anchor
    count = len(work.photos)
    done = count + len(known)

    def note(place: int, sightings: tuple[Sighting, ...]) -> None:
        nonlocal done
        done += 1
        progress(done, 2 * count)
        best = sightings[0] if sightings else None
        marker = work.photos[place].seen.marker
        fits = marker is None or (best is not None and marker in work.marker_of(best.index))
        if best is not None and best.proved and fits:
            # On record at once: should this import be cut short, the next one builds on it.
            first = Proposal(Standing.ACCEPTED, best.index, hand_match.proved(best.index),
                             ("pixels",), None, best, ())  # fmt: skip
            _record(work, work.photos[place], first)

    matched = hand_match.match(
        work.photos,
        work.shown,
        work.xrays.sources,
        limits=work.limits,
        cache=work.home / CACHE,
        known=known,
        run=map if executor is None else executor.map,
        note=note,
    )
    for place, (one, proposal) in enumerate(zip(work.photos, matched.proposals, strict=True)):
        if place not in known:
            _record(work, one, proposal)
    return matched.clock


def _anchor(work: _Import, before: HandPhoto) -> Sighting | None:
    """What is certain of a photo from earlier: proved, or decided by a person."""
    if before.standing is not Standing.ACCEPTED:
        return None
    at = next((n for n, (index, _) in work.xrays.labels.items() if index == before.index), None)
    if at is None:
        return None
    return Sighting(at, Verification(True, before.reason, score=before.score or 0.0))


def _record(work: _Import, photo: Taken, said: Proposal) -> None:
    """Put a proposal on record, unless the log says just that already."""
    index, key = (None, None) if said.index is None else work.xrays.labels[said.index]
    found = None if said.sighting is None else said.sighting.found
    homography = None
    if found is not None and found.homography is not None:
        homography = [list(row) for row in found.homography]
    body = {
        "campaign": work.campaign,
        "device": work.device,
        "name": photo.name,
        "sha256": photo.seen.sha256,
        "size": photo.seen.size,
        "taken_ns": photo.seen.taken_ns,
        "standing": said.standing.value,
        "index": index,
        "key": key,
        "reason": said.reason,
        "evidence": list(said.evidence),
        "showing": said.showing,
        "score": None if found is None else found.score,
        "homography": homography,
        "candidates": [_candidate(work, dict(one)) for one in said.candidates],
    }
    before = work.told.get(photo.seen.sha256)
    if before is not None and all(before[name] == body[name] for name in _SAME):
        return
    now = work.clock_ns()
    event = Event(hand.PHOTO, now, now, work.actor, index=index, body=body)
    work.database.write_now(partial(events.append, event=event))
    work.told[photo.seen.sha256] = body


def _candidate(work: _Import, one: dict[str, Any]) -> dict[str, Any]:
    one["index"], one["key"] = work.xrays.labels[one["index"]]
    return one


def _report(work: _Import, refused: list[Refused], clock: Clock | None) -> Imported:
    every = work.database.query(lambda c: hand.photos(c, work.home, work.campaign, work.device))
    here = {one.seen.sha256 for one in work.photos}
    have = {one.index for one in every if one.standing is Standing.ACCEPTED}
    labels = work.xrays.labels
    unseen = {labels[one.index][0] for one in work.shown if one.index in labels} - have
    return Imported(
        photos=tuple(one for one in every if one.sha256 in here),
        refused=tuple(refused),
        new=len(here - work.before.keys()),
        clock=clock,
        unlabelled=work.xrays.unlabelled,
        unseen=tuple(sorted(unseen)),
    )
