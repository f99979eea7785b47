"""What came without the protocol: photos taken by hand, and photos of films."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, select

from rig.catalog.model import Xray
from rig.dataset.model import CapturedPhoto, FilmCrop
from rig.planning.model import Environment
from rig.store import catalogs, hand, tables
from rig.store.hand import HandPhoto

BY_HAND = Environment("by-hand", {})
"""Nobody noted the room."""
_BY_CONTENT = "content"
_TOGETHER = 500
"""Keys in one query."""


def hand_photos(
    connection: Connection, home: Path, campaign: str
) -> dict[int, tuple[HandPhoto, ...]]:
    """Index -> accepted photos taken by hand for the campaign (its id), at most one a device."""
    found: dict[int, list[HandPhoto]] = defaultdict(list)
    for one in hand.natural(connection, home, campaign):
        if one.index is not None:
            found[one.index].append(one)
    return {index: tuple(photos) for index, photos in found.items()}


def as_captured(photo: HandPhoto, xray: Xray) -> CapturedPhoto:
    """*photo* of *xray* as a build wants it: no session, no attempt but the first."""
    return CapturedPhoto(
        xray=xray,
        file=photo.file,
        session="",
        subset=0,
        environment=BY_HAND,
        device=photo.device,
        attempt=1,
        t_trigger_ns=photo.taken_ns or 0,
        sha256=photo.sha256,
        score=photo.score or 0.0,
        homography=photo.homography,
    )


def film_photos(connection: Connection, home: Path, campaign: str) -> tuple[FilmCrop, ...]:
    """The films of the campaign (its id), cropped, each with its row; they have no index."""
    films = hand.films(connection, home, campaign)
    known = _sources(connection, campaign, [one.key for one in films if one.way == _BY_CONTENT])
    return tuple(
        FilmCrop(
            index=0,
            key=film.key,
            path=film.row[0],
            file=film.crop,
            sha256=film.crop_sha256,
            width=film.width,
            height=film.height,
            split=film.split,
            row=film.row,
            source=known.get(film.key),
        )
        for film in films
    )


def _sources(connection: Connection, campaign: str, keys: Sequence[str]) -> dict[str, Xray]:
    """The x-rays of the campaign's catalog with these keys."""
    x, c = tables.xray, tables.campaign
    catalog = connection.scalar(select(c.c.catalog).where(c.c.id == campaign))
    found: dict[str, Xray] = {}
    for at in range(0, len(keys), _TOGETHER):
        some = keys[at : at + _TOGETHER]
        query = select(x.c.idx).where(x.c.catalog == catalog, x.c.key.in_(some))
        for index in connection.scalars(query):
            (one,) = catalogs.xrays(connection, str(catalog), index, index)
            found[one.key] = one
    return found
