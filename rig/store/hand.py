"""Photos that came without the protocol: taken by hand in manual mode, and photos of films.

There is no table for them: what was proposed for each photo (`hand_photo`), what a person decided
(`hand_decided`) and what was made of a film (`film_taken`) are events without a session, and the
newest word on a photo counts; a person's word counts above a later proposal. The bytes are below
`home/hand/<campaign>/<device>/`, under their SHA-256, never changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, select

from rig.store import tables
from rig.store.errors import NotFoundError, StoreError

PHOTO = "hand_photo"
DECIDED = "hand_decided"
FILM = "film_taken"
_AT_ONCE = 1000
"""Events that are asked for by their numbers in one statement."""
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


@dataclass(frozen=True, slots=True)
class Place:
    """A photo as the lists know it, before anything else of it is read."""

    device: str
    name: str
    sha256: str
    standing: Standing
    by: bool
    """A person's word counts."""
    proposed: int
    """Number of the event that proposed it."""
    decided: int | None
    """Number of the event with a person's newest word."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What the lists are sorted by."""
        return self.device, self.name, self.sha256


def places(connection: Connection, campaign: str, device: str | None = None) -> list[Place]:
    """Every photo taken by hand for *campaign* (its id), by device and file name."""
    found: dict[tuple[str, str], tuple[int, str, str]] = {}
    words: dict[tuple[str, str], tuple[int, str]] = {}
    told = ("device", "sha256", "name", "standing", "decision")
    for row in connection.execute(_about(campaign, (PHOTO, DECIDED), told)):
        if device not in {None, row.device}:
            continue
        at = row.device, row.sha256
        if row.kind == PHOTO:
            found[at] = row.seq, row.name, row.standing
        else:
            words[at] = row.seq, row.decision
    listed = []
    for at, (seq, name, standing) in found.items():
        word = words.get(at)
        by = word is not None and word[1] != "open"
        if word is not None and by:
            standing = Standing.REFUSED if word[1] == "none" else Standing.ACCEPTED
        decided = None if word is None else word[0]
        listed.append(Place(at[0], name, at[1], Standing(standing), by, seq, decided))
    return sorted(listed, key=lambda one: one.key)


def photos(
    connection: Connection, home: Path, campaign: str, device: str | None = None
) -> tuple[HandPhoto, ...]:
    """Every photo taken by hand for *campaign* (its id), by device and file name."""
    return read(connection, home, places(connection, campaign, device))


def read(connection: Connection, home: Path, some: Sequence[Place]) -> tuple[HandPhoto, ...]:
    """The photos at these places, in their order."""
    t = tables.event
    bodies: dict[int, RowMapping] = {}
    wanted = [seq for one in some for seq in (one.proposed, one.decided) if seq is not None]
    for first in range(0, len(wanted), _AT_ONCE):
        query = select(t.c.seq, t.c.actor, t.c.time_ns, t.c.body)
        query = query.where(t.c.seq.in_(wanted[first : first + _AT_ONCE]))
        bodies |= {row["seq"]: row for row in connection.execute(query).mappings()}
    found = []
    for one in some:
        photo = _photo(home, bodies[one.proposed]["body"], one.proposed)
        if one.decided is not None:
            word = bodies[one.decided]
            photo = _decided(photo, word["actor"], word["time_ns"], word["body"])
        found.append(photo)
    return tuple(found)


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
    every = places(connection, campaign, device)
    here = [one for one in every if sha256 and one.sha256.startswith(sha256)]
    if len(here) != 1:
        many = "several photos begin" if here else "no photo begins"
        raise NotFoundError(
            f"Of device {device}, {many} with {sha256[:64]!r}: `rig manual show` lists them."
        )
    return read(connection, home, here)[0]


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


def _about(campaign: str, kinds: tuple[str, ...], told: Sequence[str] = ()) -> Select[Any]:
    """Kind and number of the events about *campaign*, oldest first, with fields of their bodies.

    SQLite looks into the bodies: of thousands of photos only what is wanted is made an object.
    """
    t = tables.event
    fields = [t.c.body[name].as_string().label(name) for name in told]
    return (
        select(t.c.kind, t.c.seq, *fields)
        .where(t.c.session.is_(None), t.c.kind.in_(kinds))
        .where(t.c.body["campaign"].as_string() == campaign)
        .order_by(t.c.seq)
    )


def _events(
    connection: Connection, campaign: str, kinds: tuple[str, ...]
) -> Iterator[tuple[str, str, int, int, Mapping[str, Any]]]:
    """Kind, actor, time, number and body of the events about *campaign*, oldest first."""
    t = tables.event
    query = _about(campaign, kinds).add_columns(t.c.actor, t.c.time_ns, t.c.body)
    for row in connection.execute(query):
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
