"""Build a campaign's dataset from what the store remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, RowMapping, select

from rig.catalog.model import Xray
from rig.dataset.boxes import VISIBLE
from rig.dataset.build import build_from
from rig.dataset.by_hand import as_captured, film_photos, hand_photos
from rig.dataset.conditions import Conditions
from rig.dataset.model import BuildReport, CapturedPhoto, Gap
from rig.dataset.records import Record, Spool
from rig.dataset.rectified import Rectify
from rig.dataset.vindr import Annotations, read_annotations
from rig.planning.model import Environment
from rig.store import captures, catalogs, condition_log, tables
from rig.store.captures import Committed, Photo
from rig.store.database import Database
from rig.store.errors import NotFoundError

PAGE = 2000
"""X-rays read at a time."""
_CLOCKS_AGREE_NS = 120 * 10**9


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
    annotations: Annotations | None = None,
    visible: float = VISIBLE,
    rectify: Rectify | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BuildReport:
    """Build the dataset of the campaign named *campaign* into *out*; see `build_from`.

    The store is read once, at the beginning: photos that come later are of the next build.

    Without *annotations*, those that came with the catalog (see `own_annotations`) are used.

    Raises:
        NotFoundError: there is no such campaign.
        DatasetError: as `build_from`.
    """
    with ExitStack() as stack:
        with database.read() as connection:
            row = _campaign(connection, campaign)
            if annotations is None:
                annotations = own_annotations(connection, row["catalog"])
            films = film_photos(connection, home, row["id"])
            spool = stack.enter_context(Spool(_records(connection, home, row)))
        return build_from(
            out,
            spool,
            name=row["name"],
            version=version,
            synthetic=synthetic,
            seed=row["seed"],
            terms=terms,
            films=films,
            annotations=annotations,
            visible=visible,
            rectify=rectify,
            executor=executor,
            progress=progress,
        )


def read_campaign(connection: Connection, home: Path, name: str) -> Shot:
    """Everything a dataset of the campaign *name* is made of, at once.

    When a subset was shot in several sessions, the newest session with a verified photo of an
    index gives it.

    Raises:
        NotFoundError: there is no such campaign.
    """
    row = _campaign(connection, name)
    records = list(_records(connection, home, row))
    return Shot(
        row["name"],
        row["seed"],
        tuple(record.xray for record in records if record.xray is not None),
        tuple(photo for record in records for photo in record.photos),
        tuple(gap for record in records for gap in record.gaps),
    )


def own_annotations(connection: Connection, catalog_id: str) -> Annotations | None:
    """What readers said, as an import of DICOM files laid it beside its pictures; None without.

    Raises:
        DatasetError: a file of theirs cannot be read.
    """
    table = tables.catalog
    kept = select(table.c.csv, table.c.data_dir).where(table.c.id == catalog_id)
    csv, data_dir = (Path(one) for one in connection.execute(kept).one())
    if (csv.parent, csv.name) != (data_dir.parent, "catalog.csv"):
        return None  # a folder of somebody's, with whatever lies in it
    folder = csv.parent / "annotations"
    files = sorted([*folder.glob("annotations_*.csv"), *folder.glob("image_labels_*.csv")])
    return read_annotations(*files) if files else None


def _campaign(connection: Connection, name: str) -> RowMapping:
    table = tables.campaign
    row = connection.execute(select(table).where(table.c.name == name)).mappings().first()
    if row is None:
        known = ", ".join(connection.scalars(select(table.c.name).order_by(table.c.name)))
        raise NotFoundError(f"No campaign is named {name!r}. Known: {known or 'none yet'}.")
    return row


def _records(connection: Connection, home: Path, campaign: RowMapping) -> Iterator[Record]:
    """One record per x-ray, `PAGE` x-rays at a time."""
    sessions = _sessions(connection, campaign["id"])
    by_hand = hand_photos(connection, home, campaign["id"])
    first = 1
    while xrays := catalogs.xrays(connection, campaign["catalog"], first, first + PAGE - 1):
        photos: dict[int, CapturedPhoto] = {}
        reasons: dict[int, str] = {}
        for session, subset in sessions:
            if session["first"] < first + PAGE and session["last"] >= first:
                device = campaign["device"]
                _collect(connection, home, device, session, subset, xrays, photos, reasons)
        for one in xrays:
            shown = [as_captured(photo, one) for photo in by_hand.get(one.index, ())]
            if one.index in photos:
                shown = [photo for photo in shown if photo.device != campaign["device"]]
                shown.append(photos[one.index])
            if shown:
                yield Record(one, tuple(sorted(shown, key=lambda photo: photo.device)))
            else:
                why = reasons.get(one.index, "It was not shot.")
                yield Record(one, (), (Gap(one.index, one.key, why),))
        first += PAGE


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


def _taken_ns(one: Committed) -> int:
    """When the photo was taken; by the display's clock if the phone's is off by minutes."""
    taken = one.t_trigger_ns or one.time_ns
    return taken if abs(one.time_ns - taken) < _CLOCKS_AGREE_NS else one.time_ns


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
        if one.index not in by_index:
            continue  # of another page
        photo = received.get((one.index, one.name))
        reason = _unusable(one, photo, legacy=session["legacy"])
        if reason is not None or photo is None:
            reasons[one.index] = reason or "The photo has not come back."
            continue
        at = _taken_ns(one)
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
