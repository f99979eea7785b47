"""A copy of a home while it is in use: the database of one moment, and every file it speaks of."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rig.durable import PRIVATE, sync_folder, write_atomic
from rig.store import copying, homes, manifest, snapshot
from rig.store.errors import StoreError
from rig.store.manifest import DATABASE, Entry, Manifest, Missing
from rig.store.snapshot import Advance, Received

MARK = ".rig-backup"
"""Says that a folder is a backup, complete or not, and of which home."""
RESERVE = 64 * 1024 * 1024
"""Bytes that a backup leaves free."""
_FULL = {errno.ENOSPC, errno.EDQUOT}


def free_bytes(folder: Path) -> int:
    """Free bytes for ordinary users on *folder*'s disk."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class Report:
    """What a backup did.

    Attributes:
        manifest: as written.
        copied: files that were written now.
        kept: files that were there already.
        size: bytes of all files.
        left_out: names in the home that could not be copied: (path, why).
    """

    manifest: Manifest
    copied: int
    kept: int
    size: int
    left_out: tuple[tuple[str, str], ...]

    @property
    def well(self) -> bool:
        """Whether everything that was asked for is in the backup."""
        return not self.manifest.missing and not self.left_out


def back_up(
    home: Path,
    target: Path,
    *,
    made_by: str,
    now_ns: int,
    photos: bool = True,
    free: Callable[[Path], int] = free_bytes,
    advance: Advance = lambda _done, _total: None,
) -> Report:
    """Copy *home* to *target*; an earlier backup there stays whole until this one is complete.

    Args:
        home: the home; its controller may run.
        target: a folder that is empty, not there, or an earlier backup of the same home.
        made_by: version of capture-rig.
        now_ns: Unix time.
        photos: copy the received photos and their sidecars too.
        free: tells the free bytes of a folder's disk.
        advance: called with (files done, files in all).

    Raises:
        StoreError: no home, a target that is something else or in use, a damaged database, or a
            full disk; the sentence says which.
        OSError: the target cannot be written.
    """
    if not (home / DATABASE).is_file():
        raise StoreError(f"{home} holds no {DATABASE}: choose the right --home.")
    if not homes.apart(home, target):
        raise StoreError(
            f"{target} and the home {home} lie one in the other: choose a folder elsewhere, best "
            "on another disk."
        )
    _prepare(home, target)
    with copying.alone_in(target, f"Another command works on the backup {target}: wait for it."):
        copying.sweep(target)
        _tidy(target)
        try:
            return _Run(home, target, photos, advance).go(made_by, now_ns, free)
        except OSError as error:
            if error.errno in _FULL:
                raise StoreError(
                    f"The disk of {target} is full. What is copied stays and an earlier backup "
                    "there is still whole: make room and run the same command again."
                ) from error
            raise


def _prepare(home: Path, target: Path) -> None:
    """Make *target* and mark it as a backup of *home*."""
    if target.exists() and not target.is_dir():
        raise StoreError(f"{target} is a file: a backup is a folder.")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    mark, mine = target / MARK, homes.fingerprint(home)
    if not mark.exists():
        if any(target.iterdir()):
            raise StoreError(
                f"{target} holds other things and is no backup. Choose an empty or new folder."
            )
        theirs = ""
    else:
        theirs = _whose(mark)
        if theirs and mine and theirs != mine:
            raise StoreError(
                f"{target} is a backup of another home: choose a folder of its own for {home}."
            )
        if theirs == mine or not mine:
            return
    write_atomic(mark, json.dumps({"home": mine or theirs}).encode(), mode=PRIVATE)


def _whose(mark: Path) -> str:
    try:
        return str(json.loads(mark.read_bytes())["home"])
    except (ValueError, KeyError, TypeError):
        return ""


@dataclass
class _Run:
    """One backup under way."""

    home: Path
    target: Path
    photos: bool
    advance: Advance
    entries: dict[str, Entry] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    copied: int = 0

    def go(self, made_by: str, now_ns: int, free: Callable[[Path], int]) -> Report:
        self._require_room(free)
        revision, expected, count = self._database()
        # Listed after the snapshot: a photo is durable under its name before the database knows it.
        wanted = [one for one in homes.walk(self.home) if self.photos or not one.photo]
        for done, one in enumerate(wanted):
            self.advance(done, len(wanted))
            if one.plain:
                self._file(one.path, expected.pop(one.path, None))
            else:
                self.left_out.append((one.path, "is a link or no plain file"))
        for path, photo in expected.items():
            self._gone(path, photo)
        self.advance(len(wanted), len(wanted))
        made = Manifest(
            made_by=made_by,
            time_ns=now_ns,
            schema_revision=revision,
            home=homes.fingerprint(self.home),
            photos=self.photos,
            received=count,
            files=tuple(self.entries.values()),
            missing=tuple(self.missing),
        )
        self._finish(made)
        size = sum(one.size for one in made.files)
        kept = len(made.files) - self.copied
        return Report(made, self.copied, kept, size, tuple(self.left_out))

    def _require_room(self, free: Callable[[Path], int]) -> None:
        base = self.home / DATABASE
        need = base.stat().st_size + RESERVE
        wal = base.with_name(base.name + "-wal")
        need += wal.stat().st_size if wal.exists() else 0
        for one in homes.walk(self.home):
            if one.plain and (self.photos or not one.photo):
                there = self.target / one.path
                need += 0 if there.exists() and there.stat().st_size == one.size else one.size
        if (have := free(self.target)) < need:
            raise StoreError(
                f"The disk of {self.target} has {have / 1e9:.2f} GB free and the backup needs "
                f"{need / 1e9:.2f} GB: make room or choose another disk. Nothing was copied."
            )

    def _database(self) -> tuple[str, dict[str, Received], int]:
        """Copy the database; its revision, the photos to be copied by path, how many it lists."""
        part = self.target / f".{secrets.token_hex(4)}.copy"
        try:
            snapshot.copy_database(self.home / DATABASE, part, self.advance)
            size, sha256 = copying.hash_file(part)
            with snapshot.looking_at(part, alone=True) as connection:
                revision = snapshot.require_known(connection, part)
                photos = list(snapshot.received(connection))
            # A name of its own: the earlier backup keeps its database until this one is whole.
            stored = f"rig-{sha256[:16]}.db"
            part.replace(self.target / stored)
        finally:
            part.unlink(missing_ok=True)
        self._add(Entry(path=DATABASE, stored=stored, size=size, sha256=sha256), fresh=True)
        wanted = {f"sessions/{one.session}/incoming/{one.name}": one for one in photos}
        return revision, wanted if self.photos else {}, len(photos)

    def _file(self, path: str, photo: Received | None) -> None:
        source, target = self.home / path, self.target / path
        if photo is not None and self._holds(target, photo):
            self._add(_entry(path, photo.size, photo.sha256), fresh=False)
            return
        try:
            found = copying.copy_file(source, target)
        except FileNotFoundError:
            if photo is not None:
                self._gone(path, photo)
            return
        except PermissionError as error:
            if os.access(source, os.R_OK):
                raise
            self.left_out.append((path, error.strerror or "cannot be read"))
            if photo is not None:
                self._gone(path, photo)
            return
        self._add(_entry(path, found.size, found.sha256), fresh=found.fresh)
        if photo is not None and (found.size, found.sha256) != (photo.size, photo.sha256):
            self._miss(photo, "the file in the home has other bytes than were received")

    def _gone(self, path: str, photo: Received) -> None:
        """A photo that the home has lost; an earlier backup may have it still."""
        if not manifest.is_safe(path):
            self._miss(photo, "its name is no file name")
        elif self._holds(self.target / path, photo):
            self._add(_entry(path, photo.size, photo.sha256), fresh=False)
        else:
            self._miss(photo, "the home does not have the file, or it cannot be read")

    def _holds(self, target: Path, photo: Received) -> bool:
        try:
            return target.lstat().st_size == photo.size and copying.hash_file(target) == (
                photo.size,
                photo.sha256,
            )
        except OSError:
            return False

    def _add(self, entry: Entry, *, fresh: bool) -> None:
        self.entries[entry.path] = entry
        self.copied += fresh

    def _miss(self, photo: Received, why: str) -> None:
        self.missing.append(Missing(session=photo.session, name=photo.name, why=why))

    def _finish(self, made: Manifest) -> None:
        """Make the names durable, then the manifest; last goes the earlier backup's database."""
        folders = {(self.target / one.stored).parent for one in made.files}
        for folder in sorted({*folders, *(up for one in folders for up in one.parents)}):
            if folder.is_relative_to(self.target):
                sync_folder(folder)
        manifest.save(self.target, made)
        _drop_databases(self.target, made.database.stored)


def _tidy(target: Path) -> None:
    """Remove the databases that runs without an end have left."""
    keep = None
    if (target / manifest.NAME).exists():
        try:
            keep = manifest.load(target).database.stored
        except StoreError:
            return  # perhaps a newer version's: nothing of it is touched before this run's end
    _drop_databases(target, keep)


def _drop_databases(target: Path, keep: str | None) -> None:
    """Remove the databases of earlier backups and of runs that were cut short."""
    for old in target.glob("rig-*.db"):
        if old.name != keep:
            old.unlink()


def _entry(path: str, size: int, sha256: str) -> Entry:
    return Entry(path=path, stored=path, size=size, sha256=sha256)
