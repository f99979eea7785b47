"""What a person decides about a photo taken by hand, on record with who and when."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from rig.catalog.model import Xray
from rig.intake.batch import XraySource
from rig.intake.from_store import CACHE
from rig.intake.hand_look import Search, search
from rig.intake.home_limits import limits_of
from rig.intake.limits import Limits
from rig.intake.verify import Verification
from rig.store import catalogs, events, hand, tables
from rig.store.database import Database
from rig.store.errors import ConflictError
from rig.store.events import Event
from rig.store.hand import HandPhoto

LOCATED = 0.6
"""Correlation from which the place of an x-ray that a person chose is believed. No identity rests
on it: it says whether boxes may be carried over."""


def decide(
    database: Database,
    home: Path,
    photo: HandPhoto,
    *,
    index: int | None,
    actor: str,
    now_ns: int,
    limits: Limits | None = None,
) -> HandPhoto:
    """A person says which x-ray *photo* shows, or (None) that it shows none of them.

    The person's word counts; the pixels are compared all the same, so that the score is on record
    and boxes can be carried over where the x-ray was found.

    Raises:
        ConflictError: the catalog has no such index.
        UserError: the photo is gone.
    """
    body: dict[str, Any] = {
        "campaign": photo.campaign, "device": photo.device, "sha256": photo.sha256,
        "name": photo.name, "decision": "none" if index is None else "xray", "index": index,
        "key": None, "score": None, "homography": None,
        "reason": "A person saw that it shows none of the x-rays.",
    }  # fmt: skip
    if index is not None:
        one = database.query(lambda c: _xray_at(c, photo.campaign, index))
        source = XraySource(one.file, one.sha256)
        (best, *_) = search(
            Search(photo.file, ((index, source),), limits or limits_of(home), home / CACHE)
        ) or (None,)
        told = "it was not compared" if best is None else best.found.reason
        body |= {"key": one.key, "reason": f"A person chose x-ray {index}. The pixels: {told}"}
        if best is not None:
            body |= {"score": best.found.score, "homography": _kept_homography(best.found)}
    return _decide(database, home, photo, body, actor, now_ns)


def reopen(
    database: Database, home: Path, photo: HandPhoto, *, actor: str, now_ns: int
) -> HandPhoto:
    """Take a person's decision back: what the program proposed stands again.

    Raises:
        ConflictError: nobody has decided.
    """
    if photo.by is None:
        raise ConflictError(f"Nobody has decided about {photo.name}: there is nothing to undo.")
    body = {"campaign": photo.campaign, "device": photo.device, "sha256": photo.sha256}
    body |= {"name": photo.name, "decision": "open"}
    return _decide(database, home, photo, body, actor, now_ns)


def _decide(
    database: Database,
    home: Path,
    photo: HandPhoto,
    body: dict[str, Any],
    actor: str,
    now_ns: int,
) -> HandPhoto:
    event = Event(hand.DECIDED, now_ns, now_ns, actor, index=body.get("index"), body=body)
    database.write_now(partial(events.append, event=event))
    return database.query(lambda c: hand.find(c, home, photo.campaign, photo.device, photo.sha256))


def _kept_homography(found: Verification) -> list[list[float]] | None:
    if found.homography is None or found.score < LOCATED:
        return None
    return [list(row) for row in found.homography]


def _xray_at(connection: Connection, campaign: str, index: int) -> Xray:
    table = tables.campaign
    catalog = connection.scalar(select(table.c.catalog).where(table.c.id == campaign))
    found = catalogs.xrays(connection, str(catalog), index, index)
    if not found:
        raise ConflictError(f"The catalog has no x-ray with index {index}.")
    return found[0]
