"""Photos that came without the protocol: taken by hand in manual mode, and photos of films.

There is no table for them: what was proposed for each photo (`hand_photo`), what a person decided
(`hand_decided`) and what was made of a film (`film_taken`) are events without a session, and the
newest word on a photo counts; a person's word counts above a later proposal. The bytes are below
`home/hand/<campaign>/<device>/`, under their SHA-256, never changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from rig.store import tables
from rig.store.errors import NotFoundError, StoreError

PHOTO = "hand_photo"
DECIDED = "hand_decided"
FILM = "film_taken"
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", re.ASCII)


class Standing(StrEnum):
    """What a photo taken by hand is for the dataset."""

    ACCEPTED = "accepted"
    """It shows a known x-ray: proved by its pixels, or decided by a person."""
    DOUBTFUL = "doubtful"
    """A person must decide."""
    REFUSED = "refused"
    """A person decided that it shows none of the x-rays."""


@dataclass(frozen=True, slots=True)
class HandPhoto:
    """A photo taken by hand.

    Attributes:
        campaign: id, 16 hex digits.
        device: that took it, e.g. `iphone`.
        name: of the file as it was brought.
        sha256: of its bytes, hex.
        size: bytes.
        file: where the bytes are.
        taken_ns: by the camera's own clock, Unix time as if it were UTC; None when it does not say.
        standing: see `Standing`.
        index: of the x-ray in the campaign's catalog; None when it is not known.
        key: of the x-ray, `patient/study/view`; None likewise.
        reason: a sentence.
        evidence: what speaks for it: `marker`, `pixels`, `order`, `time`, `person`.
        showing: number of the showing in the display's book; None when it is not known.
        score: of the optical check against that x-ray; None when it was not located.
        homography: 3x3, x-ray pixel to photo pixel, pixel-edge; None likewise.
        candidates: x-rays that it may show, best first: index, key, sha256, score, why.
        by: the person who decided, as the log names them; None for the program.
        decided_ns: when, Unix time.
        seq: of the event that proposed it: later imports have higher ones.
    """

    campaign: str
    device: str
    name: str
    sha256: str
    size: int
    file: Path
    taken_ns: int | None
    standing: Standing
    index: int | None
    key: str | None
    reason: str
    evidence: tuple[str, ...]
    showing: int | None
    score: float | None
    homography: list[list[float]] | None
    candidates: tuple[Mapping[str, Any], ...]
    by: str | None
    decided_ns: int | None
    seq: int

    def to_json(self) -> dict[str, Any]:
        """As commands and the API show it: without campaign and path."""
        told = {name: getattr(self, name) for name in _SHOWN}
        return told | {"standing": self.standing.value, "evidence": list(self.evidence)}


_SHOWN = (
    "name", "device", "sha256", "taken_ns", "standing", "index", "key", "reason", "evidence",
    "showing", "score", "homography", "candidates", "by", "decided_ns",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Film:
    """A photo of a film, cropped and turned upright.

    Attributes:
        campaign: id, 16 hex digits.
        device: that took it.
        name: of the file as it was brought.
        sha256: of the original bytes, hex.
        file: where the original bytes are.
        crop: where the cropped copy is, a JPEG.
        crop_sha256: of the cropped copy.
        width, height: of the cropped copy, px.
        key: `patient/study/view` of the x-ray.
        split: of the dataset that it goes to.
        row: the 19 cells of a CheXpert CSV, as the catalog or the CSV of the films has them.
        way: `content` (found by the x-ray's own picture) or `border` (found by its edges).
        score: of the optical check; None without the x-ray's picture.
        homography: 3x3, x-ray pixel to photo pixel, pixel-edge; None when found by its edges.
        seq: of the event.
    """

    campaign: str
    device: str
    name: str
    sha256: str
    file: Path
    crop: Path
    crop_sha256: str
    width: int
    height: int
    key: str
    split: str
    row: tuple[str, ...]
    way: str
    score: float | None
    homography: list[list[float]] | None
    seq: int


def folder(home: Path, campaign: str, device: str) -> Path:
    """Where the bytes of a device's photos are.

    Raises:
        StoreError: *device* cannot name a folder.
    """
    if not _DEVICE.fullmatch(device) or device.endswith("."):
        raise StoreError(
            f"The device {device!r} cannot name a folder: up to 40 letters, digits, '.', '_' and "
            "'-', beginning with a letter or digit."
        )
    return home / "hand" / campaign / device


def photos(
    connection: Connection, home: Path, campaign: str, device: str | None = None
) -> tuple[HandPhoto, ...]:
    """Every photo taken by hand for *campaign* (its id), by device and file name."""
    found: dict[tuple[str, str], HandPhoto] = {}
    decisions: dict[tuple[str, str], tuple[str, int, Mapping[str, Any]]] = {}
    for kind, actor, time_ns, seq, body in _events(connection, campaign, (PHOTO, DECIDED)):
        if device not in {None, body["device"]}:
            continue
        at = body["device"], body["sha256"]
        if kind == PHOTO:
            found[at] = _photo(home, body, seq)
        else:
            decisions[at] = (actor, time_ns, body)
    for at, (actor, time_ns, body) in decisions.items():
        if at in found:
            found[at] = _decided(found[at], actor, time_ns, body)
    return tuple(sorted(found.values(), key=lambda one: (one.device, one.name, one.sha256)))


def proposals(connection: Connection, campaign: str, device: str) -> dict[str, Mapping[str, Any]]:
    """The newest proposal for each photo of *device*, by SHA-256, as the log has it."""
    return {
        body["sha256"]: body
        for _, _, _, _, body in _events(connection, campaign, (PHOTO,))
        if body["device"] == device
    }


def find(connection: Connection, home: Path, campaign: str, device: str, sha256: str) -> HandPhoto:
    """The photo with these bytes; *sha256* may be the first digits, if they name only one.

    Raises:
        NotFoundError: there is none, or there are several.
    """
    every = photos(connection, home, campaign, device)
    here = [one for one in every if sha256 and one.sha256.startswith(sha256)]
    if len(here) != 1:
        many = "several photos begin" if here else "no photo begins"
        raise NotFoundError(
            f"Of device {device}, {many} with {sha256[:64]!r}: `rig manual show` lists them."
        )
    return here[0]


def natural(connection: Connection, home: Path, campaign: str) -> tuple[HandPhoto, ...]:
    """The photos for the dataset: the newest accepted one for each x-ray and device."""
    newest: dict[tuple[str, int], HandPhoto] = {}
    for one in photos(connection, home, campaign):
        if one.standing is not Standing.ACCEPTED or one.index is None:
            continue
        at = one.device, one.index
        before = newest.get(at)
        if before is None or _age(before) < _age(one):
            newest[at] = one
    return tuple(sorted(newest.values(), key=lambda one: (one.index or 0, one.device)))


def films(connection: Connection, home: Path, campaign: str) -> tuple[Film, ...]:
    """The films of *campaign* (its id): the newest one for each x-ray, by key."""
    found: dict[str, Film] = {}
    for _, _, _, seq, body in _events(connection, campaign, (FILM,)):
        if body.get("withdrawn"):
            found.pop(body["key"], None)
            continue
        found[body["key"]] = _film(home, body, seq)
    return tuple(found[key] for key in sorted(found))


def campaign_id(connection: Connection, name: str) -> str:
    """The id of the campaign *name*.

    Raises:
        NotFoundError: there is none.
    """
    table = tables.campaign
    found: str | None = connection.scalar(select(table.c.id).where(table.c.name == name))
    if found is None:
        known = ", ".join(connection.scalars(select(table.c.name).order_by(table.c.name)))
        raise NotFoundError(f"No campaign is named {name!r}. Known: {known or 'none yet'}.")
    return found


def _events(
    connection: Connection, campaign: str, kinds: tuple[str, ...]
) -> Iterator[tuple[str, str, int, int, Mapping[str, Any]]]:
    """Kind, actor, time, number and body of the events about *campaign*, oldest first."""
    t = tables.event
    query = (
        select(t.c.kind, t.c.actor, t.c.time_ns, t.c.seq, t.c.body)
        .where(t.c.session.is_(None), t.c.kind.in_(kinds))
        .order_by(t.c.seq)
    )
    for row in connection.execute(query):
        if row.body["campaign"] == campaign:
            yield row.kind, row.actor, row.time_ns, row.seq, row.body


def _photo(home: Path, body: Mapping[str, Any], seq: int) -> HandPhoto:
    return HandPhoto(
        campaign=body["campaign"],
        device=body["device"],
        name=body["name"],
        sha256=body["sha256"],
        size=body["size"],
        file=folder(home, body["campaign"], body["device"]) / f"{body['sha256']}.jpg",
        taken_ns=body["taken_ns"],
        standing=Standing(body["standing"]),
        index=body["index"],
        key=body["key"],
        reason=body["reason"],
        evidence=tuple(body["evidence"]),
        showing=body["showing"],
        score=body["score"],
        homography=body["homography"],
        candidates=tuple(body["candidates"]),
        by=None,
        decided_ns=None,
        seq=seq,
    )


def _decided(photo: HandPhoto, actor: str, time_ns: int, body: Mapping[str, Any]) -> HandPhoto:
    if body["decision"] == "open":  # taken back: the program's own word stands again
        return photo
    none = body["decision"] == "none"
    same = not none and body["index"] == photo.index
    return replace(
        photo,
        standing=Standing.REFUSED if none else Standing.ACCEPTED,
        index=None if none else body["index"],
        key=None if none else body["key"],
        reason=body["reason"],
        evidence=(*(photo.evidence if same else ()), "person"),
        showing=photo.showing if same else None,
        score=body["score"],
        homography=body["homography"],
        by=actor,
        decided_ns=time_ns,
    )


def _age(one: HandPhoto) -> tuple[int, int]:
    return one.taken_ns or 0, one.seq


def _film(home: Path, body: Mapping[str, Any], seq: int) -> Film:
    base = folder(home, body["campaign"], body["device"])
    return Film(
        campaign=body["campaign"],
        device=body["device"],
        name=body["name"],
        sha256=body["sha256"],
        file=base / "film" / f"{body['sha256']}{body['suffix']}",
        crop=base / "film" / f"{body['crop_sha256']}.crop.jpg",
        crop_sha256=body["crop_sha256"],
        width=body["width"],
        height=body["height"],
        key=body["key"],
        split=body["split"],
        row=tuple(body["row"]),
        way=body["way"],
        score=body["score"],
        homography=body["homography"],
        seq=seq,
    )
