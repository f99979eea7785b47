"""What came without the protocol: photos taken by hand, and photos of films."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from sqlalchemy import Connection

from rig.catalog.model import Xray
from rig.dataset.model import CapturedPhoto
from rig.planning.model import Environment
from rig.store import hand
from rig.store.hand import HandPhoto

BY_HAND = Environment("by-hand", {})
"""Nobody noted the room."""


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


def film_photos(connection: Connection, home: Path, campaign: str) -> tuple[Xray, ...]:
    """The films of the campaign (its id), cropped, each with its row; they have no index."""
    return tuple(
        Xray(
            index=0,
            key=film.key,
            path=film.row[0],
            file=film.crop,
            sha256=film.crop_sha256,
            width=film.width,
            height=film.height,
            split=film.split,
            row=film.row,
        )
        for film in hand.films(connection, home, campaign)
    )
