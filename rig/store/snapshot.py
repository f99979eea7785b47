"""A database as it is at one moment: copied while others write, looked at without a change."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from rig.durable import PRIVATE
from rig.store.database import BUSY_SECONDS
from rig.store.errors import StoreError
from rig.store.schema import HEAD

PAGES = 512
"""Pages copied between two looks at whether somebody wants to stop (2 MiB at 4096 bytes)."""
SHOWN = 20
"""Lines of an integrity check that are kept: a torn file has thousands."""

Advance = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Received:
    """A photo that the database says is here: session, file name, size in bytes, SHA-256 in hex."""

    session: str
    name: str
    size: int
    sha256: str


@contextmanager
def looking_at(path: Path, *, alone: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write; *alone*: nobody else has the file open, leave no -wal beside.

    Raises:
        StoreError: *path* is not there or is no database.
    """
    if not path.is_file():
        raise StoreError(f"There is no database at {path}. Look whether the folder is right.")
    uri = f"file:{quote(str(path))}?{'immutable=1' if alone else 'mode=ro'}"
    try:
        with closing(
            sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
        ) as connection:
            yield connection
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise OSError(errno.ENOSPC, "the disk is full", str(path)) from error
        raise StoreError(f"{path} cannot be read as a database: {error}.") from error


def revision_of(connection: sqlite3.Connection) -> str | None:
    """The schema's revision, e.g. ``0003``; None in a file that is no home's database."""
    known = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    if connection.execute(known).fetchone() is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def is_newer(revision: str) -> bool:
    """Whether *revision* is one that this version does not know."""
    return not revision.isdigit() or int(revision) > int(HEAD)


def require_known(connection: sqlite3.Connection, path: Path) -> str:
    """The revision of *path*'s schema, if this version can read it.

    Raises:
        StoreError: it is newer, or the file is no home's database.
    """
    revision = revision_of(connection)
    if revision is None:
        raise StoreError(f"{path} is a database, but not one of capture-rig.")
    if is_newer(revision):
        raise StoreError(
            f"{path} was written by a newer version of capture-rig (schema {revision}; this one "
            f"knows up to {HEAD}). Install that version first."
        )
    return revision


def damage(connection: sqlite3.Connection) -> list[str]:
    """What SQLite's `integrity_check` finds, in its words; empty when the file is sound."""
    try:
        rows = connection.execute(f"PRAGMA integrity_check({SHOWN})").fetchall()
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [str(row[0]) for row in rows if row[0] != "ok"]


def orphans(connection: sqlite3.Connection) -> list[str]:
    """Rows whose parent is gone (`foreign_key_check`), at most `SHOWN`."""
    found = connection.execute("PRAGMA foreign_key_check").fetchmany(SHOWN)
    return [f"a row of {table} refers to no row of {parent}" for table, _, parent, _ in found]


def log_faults(connection: sqlite3.Connection) -> list[str]:
    """What is wrong with the log of events by itself: numbers that are gone, guards that are gone.

    A station's events are stored without a gap, so each session's highest number is their count.
    """
    gaps = connection.execute(
        "SELECT session, count(*), max(source_seq) FROM event WHERE source_seq IS NOT NULL "
        "GROUP BY session HAVING count(*) <> max(source_seq) ORDER BY session"
    ).fetchmany(SHOWN)
    found = [
        f"the log of session {name} has {count} events of its station, the last is number {last}"
        for name, count, last in gaps
    ]
    guards = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'event'"
    if connection.execute(guards).fetchone()[0] < 2:
        found.append("the triggers that keep the log append-only are gone: it can be changed")
    return found


def received(connection: sqlite3.Connection) -> Iterator[Received]:
    """Every photo that has arrived, by session and name."""
    query = "SELECT session, name, size, sha256 FROM photo ORDER BY session, name"
    for row in connection.execute(query):
        yield Received(*row)


def copy_database(source: Path, target: Path, advance: Advance) -> None:
    """Copy *source* as of now to the new file *target* (mode 0600), durable and sound.

    Writers go on meanwhile: the copy reads from one snapshot, which a transaction holds for as long
    as it takes (SQLite documentation, "Using the SQLite Online Backup API": without it every commit
    of another process would make it begin again).

    Raises:
        StoreError: *source* is damaged, from a newer version or no database.
        OSError: *target* cannot be made, or its disk is full.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, PRIVATE))
    with looking_at(source) as here:
        here.execute("BEGIN")
        require_known(here, source)
        with closing(sqlite3.connect(target, isolation_level=None)) as there:
            here.backup(
                there,
                pages=PAGES,
                progress=lambda _, remaining, total: advance(total - remaining, total),
            )
            if found := damage(there):
                raise StoreError(
                    f"{source} is damaged ({found[0]}; {len(found)} findings). No backup was made "
                    "of it: restore an earlier one with `rig restore` into a new home."
                )
            # One file that is readable by itself, also from a disk that cannot be written.
            there.execute("PRAGMA journal_mode=DELETE").close()
    with target.open("rb") as file:
        os.fsync(file.fileno())
