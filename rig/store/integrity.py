"""Whether a home is sound: its database, the photos that it speaks of, rights, what lies about."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rig.store import copying, homes, snapshot
from rig.store.errors import StoreError
from rig.store.manifest import DATABASE, is_safe
from rig.store.snapshot import Advance, Received

YOUNG_S = 60.0
"""A file that was written to so lately may still be on its way into the database, seconds."""
SHOWN = 50
"""Rows of one kind; more are only counted."""
KNOWN = frozenset({homes.SECRET, DATABASE})
RESTORE = "Keep this home, restore a backup into a new one (rig restore) and compare."
PRIVATE_FILES = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", homes.SECRET, "serve.json", "lock")


@dataclass(frozen=True, slots=True)
class Problem:
    """One row of a check.

    Attributes:
        status: `bad` (something is lost or open to others) or `warn` (look at it).
        what: database (the file), rows, log, photo, projection, stray or rights.
        where: the file or row.
        detail: how it is.
        remedy: what to do.
    """

    status: Literal["bad", "warn"]
    what: str
    where: str
    detail: str
    remedy: str


def check_database(path: Path) -> Iterator[Problem]:
    """What SQLite says of the file *path*; the check of one snapshot, nobody is held up.

    Raises:
        StoreError: it is not there, no home's database, or of a newer version.
    """
    with snapshot.looking_at(path) as connection:
        # Before the schema is asked for: in a torn file that may fail first.
        found = [("database", text) for text in snapshot.damage(connection)]
        if not found:
            connection.execute("BEGIN")
            snapshot.require_known(connection, path)
            found += [("rows", text) for text in snapshot.orphans(connection)]
            found += [("log", text) for text in snapshot.log_faults(connection)]
    for what, text in found:
        yield Problem("bad", what, path.name, text, RESTORE)


def received(path: Path) -> tuple[list[Received], set[str]]:
    """The photos that the database *path* says are here, and the ids of its sessions.

    Raises:
        StoreError: as `check_database`.
    """
    with snapshot.looking_at(path) as connection:
        connection.execute("BEGIN")
        snapshot.require_known(connection, path)
        sessions = {str(row[0]) for row in connection.execute("SELECT id FROM session")}
        return list(snapshot.received(connection)), sessions


def check_photos(
    home: Path,
    photos: list[Received],
    *,
    deep: bool,
    advance: Advance = lambda _done, _total: None,
) -> Iterator[Problem]:
    """Every received photo is there with its size and, when *deep*, its SHA-256."""
    for done, one in enumerate(photos):
        advance(done, len(photos))
        path = f"sessions/{one.session}/incoming/{one.name}"
        if why := _fault(home, path, one, deep=deep):
            yield Problem(
                "bad",
                "photo",
                path,
                why,
                f"Put it back with `rig batch import {one.session} DIR`: DIR is a copy of the "
                f"phone's photos, or sessions/{one.session}/incoming of a backup.",
            )
    advance(len(photos), len(photos))


def check_strays(
    listed: Iterable[homes.Found],
    home: Path,
    photos: list[Received],
    sessions: set[str],
    *,
    now: float,
) -> Iterator[Problem]:
    """Files that the database does not speak of.

    Args:
        listed: what `rig.store.homes.walk` found.
        home: the home.
        photos: that the database lists, read after *listed*.
        sessions: ids that the database lists.
        now: Unix time, seconds.
    """
    known = {f"sessions/{one.session}/incoming/{one.name}" for one in photos}
    for one in listed:
        if one.path in KNOWN or one.path in known:
            continue
        if not one.plain:
            yield _stray(one.path, "is a link or no plain file: no backup follows it")
        elif one.path.startswith("sessions/") and one.path.split("/")[1] not in sessions:
            yield _stray(one.path, "belongs to a session that the database does not know")
        elif one.photo and _is_old(home / one.path, now):
            if one.path.endswith(".json"):
                if one.path.removesuffix(".json") + ".jpg" not in known:
                    yield _stray(one.path, "is the sidecar of a photo that never arrived")
            else:
                yield _stray(one.path, "is a photo that the database has not received")


def check_rights(home: Path, me: int) -> Iterator[Problem]:
    """Nobody but the owner, who is user number *me*, may read what is private."""
    for path in (home, *(home / name for name in PRIVATE_FILES)):
        try:
            found = path.stat()
        except FileNotFoundError:
            continue
        mode = stat.S_IMODE(found.st_mode)
        name = "." if path == home else path.name
        if mode & 0o077:
            want = 700 if path == home else 600
            # The files inside are private themselves; an open folder shows their names only.
            yield Problem(
                "warn" if path == home else "bad",
                "rights",
                name,
                f"mode {mode:04o}: others can look in",
                f"chmod {want} {path}",
            )
        if found.st_uid != me:
            yield Problem(
                "warn",
                "rights",
                name,
                f"belongs to user {found.st_uid}, not to {me} who asks",
                f"Run as its owner, or chown it: chown {me} {path}",
            )


def at_most(problems: Iterable[Problem], shown: int = SHOWN) -> Iterator[Problem]:
    """The first *shown* of *problems*, then one row that counts the rest."""
    last: Problem | None = None
    more = 0
    for number, one in enumerate(problems):
        if number < shown:
            yield one
        else:
            more, last = more + 1, one
    if last is not None:
        yield Problem(last.status, last.what, "...", f"{more} more of this kind", last.remedy)


def _fault(home: Path, path: str, one: Received, *, deep: bool) -> str | None:
    if not is_safe(path):
        return "its name is no file name"
    file = home / path
    try:
        found = file.lstat()
        if not stat.S_ISREG(found.st_mode):
            return "is a link or no plain file"
        if found.st_size != one.size:
            return f"has {found.st_size} bytes, not {one.size}"
        if deep and copying.hash_file(file)[1] != one.sha256:
            return "has other bytes (SHA-256) than were received"
    except FileNotFoundError:
        return "was received and is not there"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return None


def _is_old(path: Path, now: float) -> bool:
    try:
        return now - path.stat().st_mtime > YOUNG_S
    except FileNotFoundError:
        return False


def _stray(path: str, detail: str) -> Problem:
    return Problem(
        "warn", "stray", path, detail, "Look at it; move it out of the home if nobody needs it."
    )


def require_home(home: Path) -> Path:
    """The path of *home*'s database.

    Raises:
        StoreError: it has none.
    """
    path = home / DATABASE
    if not path.is_file():
        raise StoreError(f"{home} holds no {DATABASE}: choose the right --home.")
    return path


def me() -> int:
    """The user number of this process."""
    return os.geteuid()
