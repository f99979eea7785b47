"""Take in a folder of photos of films with the CSV that names them.

Originals are kept byte for byte, the cropped copies beside them; each film is on record as soon as
both are on the disk. The same folder again changes nothing, and an import cut short goes on.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from rig.catalog.model import Xray
from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError
from rig.intake.batch import XraySource
from rig.intake.films import BadRow, Cut, CutOrder, FilmRow, cut, read_films
from rig.intake.folder import brought, printable
from rig.intake.hand_store import keep
from rig.intake.home_limits import limits_of
from rig.intake.limits import Limits
from rig.intake.read import sha256_of
from rig.store import catalogs, events, hand, tables
from rig.store.database import Database
from rig.store.events import Event
from rig.store.hand import Film

_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".heic", ".heif"})


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A photo or a line that did not become a film: line (0: none), photo, a sentence."""

    line: int
    photo: str
    reason: str


@dataclass(frozen=True, slots=True)
class FilmsImported:
    """What an import did.

    Attributes:
        taken: films of this CSV that are in the store, by key.
        new: how many of them were not before.
        not_taken: everything else, by line.
    """

    taken: tuple[Film, ...]
    new: int
    not_taken: tuple[NotTaken, ...]

    def by(self, way: str) -> int:
        """How many of the taken were found this *way*."""
        return sum(one.way == way for one in self.taken)


@dataclass(slots=True)
class _Import:
    campaign: str
    device: str
    store: Path
    folder: Path
    xrays: dict[str, Xray]
    splits: dict[str, set[str]]
    before: dict[str, Film]
    limits: Limits
    by_border: bool
    not_taken: list[NotTaken] = field(default_factory=list)

    def refuse(self, row: FilmRow | BadRow, why: str) -> None:
        self.not_taken.append(NotTaken(row.line, row.photo, why))


def import_films(
    database: Database,
    home: Path,
    folder: Path,
    csv: Path,
    *,
    campaign: str,
    device: str,
    actor: str,
    clock_ns: Callable[[], int],
    by_border: bool = False,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
    limits: Limits | None = None,
) -> FilmsImported:
    """Take in the photos in *folder* that *csv* names.

    Args:
        database: the store.
        home: the home folder.
        folder: with the photos.
        csv: see `read_films`.
        campaign: name of the campaign to whose dataset they go.
        device: that took them.
        actor: who imports, as the log names them.
        clock_ns: Unix time.
        by_border: take films whose content is not proved by their edges.
        executor: looks at photos in other processes.
        progress: called with (done, total) photos.
        limits: of the optical check; the home's by default.

    Raises:
        NotFoundError: no such campaign.
        StoreError: the device cannot name a folder.
        UserError: the CSV cannot be used, or the disk is full.
    """
    rows, bad = read_films(csv)
    ident = database.query(lambda c: hand.campaign_id(c, campaign))
    store = hand.folder(home, ident, device) / "film"
    xrays, before = database.query(lambda c: (_catalog(c, ident), hand.films(c, home, ident)))
    splits: dict[str, set[str]] = defaultdict(set)
    for one in xrays.values():
        splits[one.patient].add(one.split)
    work = _Import(
        ident, device, store, folder.resolve(), xrays, splits,
        {one.key: one for one in before}, limits or limits_of(home), by_border,
    )  # fmt: skip
    for line in bad:
        work.refuse(line, line.reason)
    _unnamed(work, rows, bad)
    orders = list(_orders(work, rows))
    new = 0
    kept = [row.key for row, _, order in orders if order is None]
    fresh = [(row, file, order) for row, file, order in orders if order is not None]
    run = map if executor is None else executor.map
    results: Iterator[Cut] = iter(run(cut, [order for _, _, order in fresh]))
    for done, ((row, file, _), made) in enumerate(zip(fresh, results, strict=True), 1):
        if progress:
            progress(done, len(fresh))
        if made.jpeg is None:
            work.refuse(row, made.reason)
        elif _record(work, database, row, file, made, actor, clock_ns()):
            kept.append(row.key)
            new += 1
        else:
            work.refuse(row, "The file changed while it was read; import it again.")
    every = database.query(lambda c: hand.films(c, home, ident))
    mine = set(kept)
    return FilmsImported(
        tuple(one for one in every if one.key in mine),
        new,
        tuple(sorted(work.not_taken, key=lambda one: (one.line, one.photo))),
    )


def _catalog(connection: Connection, campaign: str) -> dict[str, Xray]:
    table = tables.campaign
    catalog = connection.scalar(select(table.c.catalog).where(table.c.id == campaign))
    return {one.key: one for one in catalogs.xrays(connection, str(catalog))}


def _unnamed(work: _Import, rows: Sequence[FilmRow], bad: Sequence[BadRow]) -> None:
    """Photos that lie in the folder and stand in no line."""
    there = brought(work.folder)
    listed = [*(row.photo for row in rows), *(line.photo for line in bad)]
    named = {(work.folder / photo.replace("\\", "/")).resolve() for photo in listed}
    for file in there.files:
        if file.suffix.lower() in _PICTURES and file.resolve() not in named:
            name = printable(file.relative_to(work.folder).as_posix())
            work.not_taken.append(NotTaken(0, name, "No line of the CSV names it."))
    for path, why in there.unusable:
        work.not_taken.append(NotTaken(0, printable(path.name), why))


def _orders(
    work: _Import, rows: Sequence[FilmRow]
) -> Iterator[tuple[FilmRow, Path, CutOrder | None]]:
    """What is to be cut; None where the store has just that film already."""
    keys: dict[str, int] = {}
    photos: dict[str, tuple[int, str]] = {}
    for row in rows:
        file = work.folder / row.photo.replace("\\", "/")
        why = _wrong(work, row, file)
        if why is None and row.key in keys:
            why = f"Line {keys[row.key]} has a film of that x-ray already."
        if why is not None:
            work.refuse(row, why)
            continue
        try:
            digest = sha256_of(file)
        except OSError as error:
            work.refuse(row, f"It cannot be read: {error.strerror or error}.")
            continue
        if digest in photos:
            line, key = photos[digest]
            work.refuse(row, f"It is the same photo as in line {line}, which names {key}.")
            continue
        photos[digest] = row.line, row.key
        keys[row.key] = row.line
        work.splits[row.key.split("/")[0]].add(row.split)
        if _is_there(work, row, digest):
            yield row, file, None
            continue
        xray = work.xrays.get(row.key)
        source = None if xray is None else XraySource(xray.file, xray.sha256)
        yield row, file, CutOrder(file, source, work.limits, work.by_border)


def _wrong(work: _Import, row: FilmRow, file: Path) -> str | None:
    """Why a line cannot be taken before its photo is looked at."""
    if not file.resolve().is_relative_to(work.folder):
        return "The photo's path leads out of the folder."
    if not file.is_file():
        return "There is no such file in the folder."
    if row.key not in work.xrays and row.row is None:
        return (
            f"The catalog has no x-ray {row.key}, and the CSV has no labels for it: add the "
            "columns of a CheXpert CSV."
        )
    others = work.splits[row.key.split("/")[0]] - {row.split}
    if others:
        return (
            f"Its patient is in the split {' and '.join(sorted(others))}: a film in {row.split} "
            "would put the patient in two."
        )
    return None


def _is_there(work: _Import, row: FilmRow, sha256: str) -> bool:
    """The store has this film, found as well as it can be."""
    film = work.before.get(row.key)
    if film is None or film.sha256 != sha256 or film.split != row.split:
        return False
    if film.device != work.device or film.row != _cells(work, row):
        return False
    if film.way == "border" and row.key in work.xrays and not work.by_border:
        return False  # its x-ray came since
    whole = film.file.is_file() and film.crop.is_file()
    return whole and sha256_of(film.crop) == film.crop_sha256


def _cells(work: _Import, row: FilmRow) -> tuple[str, ...]:
    """The catalog's cells count: labels are copied from the source, never typed again."""
    known = work.xrays.get(row.key)
    return known.row if known is not None else row.row or ()


def _record(
    work: _Import,
    database: Database,
    row: FilmRow,
    file: Path,
    made: Cut,
    actor: str,
    now_ns: int,
) -> bool:
    """Make original and crop durable, then put the film on record; False when it changed."""
    data = made.jpeg or b""
    crop = hashlib.sha256(data).hexdigest()
    if keep(file, made.sha256, work.store, made.suffix) is None:
        return False
    try:
        write_atomic(work.store / f"{crop}.crop.jpg", data, mode=PRIVATE)
    except OSError as error:
        raise UserError(
            f"{work.store} cannot be written ({error.strerror or error}): mend that, then run the "
            "same command again; it goes on where it stopped."
        ) from error
    body: dict[str, Any] = {
        "campaign": work.campaign, "device": work.device, "name": row.photo,
        "sha256": made.sha256, "suffix": made.suffix, "crop_sha256": crop,
        "width": made.width, "height": made.height, "key": row.key, "split": row.split,
        "row": list(_cells(work, row)), "way": made.way, "reason": made.reason,
        "mirrored": made.mirrored,
        "score": None if made.found is None or made.way == "border" else made.found.score,
        "homography": None if made.homography is None else [list(v) for v in made.homography],
    }  # fmt: skip
    event = Event(hand.FILM, now_ns, now_ns, actor, body=body)
    database.write_now(partial(events.append, event=event))
    return True
