"""Build a campaign's dataset from what the store remembers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, RowMapping, select

from rig.catalog.model import Xray
from rig.dataset.build import build
from rig.dataset.conditions import Conditions
from rig.dataset.model import BuildReport, CapturedPhoto, Gap
from rig.planning.model import Environment
from rig.store import captures, catalogs, condition_log, tables
from rig.store.captures import Committed, Photo
from rig.store.database import Database
from rig.store.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Shot:
    """What a campaign has: its x-rays, the verified photos, and why the others have none."""

    name: str
    seed: int
    xrays: tuple[Xray, ...]
    photos: tuple[CapturedPhoto, ...]
    gaps: tuple[Gap, ...]


def build_campaign(
    database: Database,
    home: Path,
    campaign: str,
    out: Path,
    *,
    version: str = "1.0",
    synthetic: Sequence[str] = (),
    terms: str = "",
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BuildReport:
    """Build the dataset of the campaign named *campaign* into *out*; see `build`.

    Raises:
        NotFoundError: there is no such campaign.
        DatasetError: as `build`.
    """
    with database.read() as connection:
        shot = read_campaign(connection, home, campaign)
    return build(
        out,
        name=shot.name,
        version=version,
        xrays=shot.xrays,
        photos=shot.photos,
        gaps=shot.gaps,
        synthetic=synthetic,
        seed=shot.seed,
        terms=terms,
        executor=executor,
        progress=progress,
    )


def read_campaign(connection: Connection, home: Path, name: str) -> Shot:
    """Everything a dataset of the campaign *name* is made of.

    When a subset was shot in several sessions, the newest session with a verified photo of an
    index gives it.

    Raises:
        NotFoundError: there is no such campaign.
    """
    table = tables.campaign
    row = connection.execute(select(table).where(table.c.name == name)).mappings().first()
    if row is None:
        known = ", ".join(connection.scalars(select(table.c.name).order_by(table.c.name)))
        raise NotFoundError(f"No campaign is named {name!r}. Known: {known or 'none yet'}.")
    xrays = catalogs.xrays(connection, row["catalog"])
    photos: dict[int, CapturedPhoto] = {}
    reasons: dict[int, str] = {}
    for session, subset in _sessions(connection, row["id"]):
        _collect(connection, home, row["device"], session, subset, xrays, photos, reasons)
    gaps = [
        Gap(x.index, x.key, reasons.get(x.index, "It was not shot."))
        for x in xrays
        if x.index not in photos
    ]
    found = tuple(photos[index] for index in sorted(photos))
    return Shot(row["name"], row["seed"], xrays, found, tuple(gaps))


def _sessions(connection: Connection, campaign: str) -> list[tuple[RowMapping, RowMapping]]:
    """Sessions of the campaign, oldest first, each with its subset."""
    s, t = tables.session, tables.subset
    subsets = {
        row["id"]: row
        for row in connection.execute(select(t).where(t.c.campaign == campaign)).mappings()
    }
    query = select(s).where(s.c.campaign == campaign, s.c.kind == tables.SUBSET)
    query = query.order_by(s.c.created_ns, s.c.id)
    return [(row, subsets[row["subset"]]) for row in connection.execute(query).mappings()]


def _collect(
    connection: Connection,
    home: Path,
    device: str,
    session: RowMapping,
    subset: RowMapping,
    xrays: Sequence[Xray],
    photos: dict[int, CapturedPhoto],
    reasons: dict[int, str],
) -> None:
    """Add what one session has to *photos*, or to *reasons* why it has not."""
    by_index = {xray.index: xray for xray in xrays}
    environment = Environment(subset["environment"], subset["levels"])
    received = {(p.index, p.name): p for p in captures.photos(connection, session["id"])}
    folder = captures.incoming(home, session["id"])
    known = condition_log.timeline(
        connection, session["id"], session["campaign"], session["subset"]
    )
    light = condition_log.readings(connection, session["id"])
    if session["legacy"]:  # what the optical check has not verified was never committed
        for back in received.values():
            reasons[back.index] = back.reason or "The photo was not verified yet."
    for one in captures.committed(connection, session["id"]):
        photo = received.get((one.index, one.name))
        reason = _unusable(one, photo, legacy=session["legacy"])
        if reason is not None or photo is None:
            reasons[one.index] = reason or "The photo has not come back."
            continue
        at = one.t_trigger_ns or one.time_ns
        photos[one.index] = CapturedPhoto(
            xray=by_index[one.index],
            file=folder / one.name,
            session=session["id"],
            subset=session["subset"],
            environment=environment,
            device=device,
            attempt=one.attempt,
            t_trigger_ns=one.t_trigger_ns or 0,
            sha256=one.sha256,
            score=photo.score or 0.0,
            homography=photo.homography,
            conditions=Conditions(known.at(at), light.before(at)),
        )


def _unusable(one: Committed, photo: Photo | None, *, legacy: bool) -> str | None:
    """Why a committed capture gives no photo, or None."""
    if photo is None:
        return "The photo has not come back."
    if photo.sha256 != one.sha256:
        return "The photo that came back is not the committed one."
    if photo.verified is None:
        return "The photo was not verified yet."
    if not photo.verified:
        return photo.reason or "The photo was rejected."
    if legacy and photo.homography is None:
        return "The photo was shot in legacy mode and has no optical check on record."
    return None
