"""Are the bytes below `home/hand` those that were taken in? Only reads; see `rig check`.

Photos by hand and photos of films lie under their SHA-256 (`rig.store.hand`), and the log says
which there must be: every original, whatever became of it, and the newest crop of each film.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rig.intake.read import sha256_of
from rig.store import hand, snapshot
from rig.store.errors import StoreError
from rig.store.homes import Found
from rig.store.integrity import YOUNG_S, Problem
from rig.store.snapshot import Advance

BELOW = "hand/"
_CROP = ".crop.jpg"
_IMPORT = {
    hand.PHOTO: "Put it back with `rig manual import`: the same photos again are taken in anew.",
    hand.FILM: "Put it back with `rig films import`: the same photos and CSV again make it anew.",
}
_BACKUP = " Or copy it out of a backup."


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that the log speaks of.

    Attributes:
        path: in the home.
        sha256: of its bytes, hex.
        size: bytes; None when the log does not say.
        kind: of the event.
        needed: it must be there; an earlier crop may be.
    """

    path: str
    sha256: str
    size: int | None
    kind: str
    needed: bool = True


def kept(path: Path) -> list[Kept]:
    """The files below `home/hand` that the database *path* speaks of, by path.

    Raises:
        StoreError: it is no home's database, or a newer version's.
    """
    found: dict[str, Kept] = {}
    crops: dict[tuple[str, str], str] = {}
    query = "SELECT kind, body FROM event WHERE session IS NULL AND kind IN (?, ?) ORDER BY seq"
    with snapshot.looking_at(path) as connection:
        connection.execute("BEGIN")
        snapshot.require_known(connection, path)
        for kind, text in connection.execute(query, (hand.PHOTO, hand.FILM)):
            body = json.loads(text)
            if kind == hand.FILM and (old := crops.pop((body["campaign"], body["key"]), None)):
                found[old] = replace(found[old], needed=False)
            files = () if body.get("withdrawn") else _files(str(kind), body)
            for one in files:
                found[one.path] = one
                if one.path.endswith(_CROP):
                    crops[body["campaign"], body["key"]] = one.path
    return [found[name] for name in sorted(found)]


def check_hand(
    home: Path,
    files: list[Kept],
    *,
    deep: bool,
    advance: Advance = lambda _done, _total: None,
) -> Iterator[Problem]:
    """Every file of *files* is there with its size and, when *deep*, its SHA-256."""
    files = [one for one in files if one.needed]
    for done, one in enumerate(files):
        advance(done, len(files))
        if why := _fault(home / one.path, one, deep=deep):
            yield Problem("bad", "photo", one.path, why, _IMPORT[one.kind] + _BACKUP)
    advance(len(files), len(files))


def check_strays(
    listed: Iterable[Found], home: Path, files: list[Kept], *, now: float
) -> Iterator[Problem]:
    """Files below `home/hand` that the database does not speak of; *now* in Unix seconds."""
    known = {one.path for one in files}
    for one in listed:
        if not one.path.startswith(BELOW) or one.path in known or not one.plain:
            continue  # links are told with those of the whole home
        try:
            old = now - (home / one.path).stat().st_mtime > YOUNG_S
        except FileNotFoundError:
            continue
        if old:
            yield Problem(
                "warn", "stray", one.path, "is a photo by hand that the database has not taken in",
                "An import was cut short: run it again. Else move it out of the home.",
            )  # fmt: skip


def _files(kind: str, body: dict[str, Any]) -> Iterator[Kept]:
    try:
        base = hand.folder(Path(), body["campaign"], body["device"]).as_posix()
    except StoreError:
        return  # no import can have written it
    if kind == hand.PHOTO:
        yield Kept(f"{base}/{body['sha256']}.jpg", body["sha256"], body["size"], kind)
        return
    yield Kept(f"{base}/film/{body['sha256']}{body['suffix']}", body["sha256"], None, kind)
    crop = body["crop_sha256"]
    yield Kept(f"{base}/film/{crop}{_CROP}", crop, None, kind)


def _fault(file: Path, one: Kept, *, deep: bool) -> str | None:
    try:
        size = file.lstat().st_size
        if file.is_symlink() or not file.is_file():
            return "is a link or no plain file"
        if one.size not in {None, size}:
            return f"has {size} bytes, not {one.size}"
        if not size:
            return "is empty"
        if deep and sha256_of(file) != one.sha256:
            return "has other bytes (SHA-256) than were taken in"
    except FileNotFoundError:
        return "was taken in and is not there"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return None
