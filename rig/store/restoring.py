"""A home out of a backup: everything verified first, then there at once or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rig.durable import sync_folder
from rig.store import copying, homes, manifest, snapshot
from rig.store.backup import RESERVE, free_bytes
from rig.store.database import Database
from rig.store.errors import StoreError
from rig.store.manifest import DATABASE, Entry, Manifest
from rig.store.snapshot import Advance

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back: the backup's manifest, files and bytes."""

    manifest: Manifest
    files: int
    size: int

    @property
    def well(self) -> bool:
        """Whether every photo that the database speaks of is there."""
        lacking = not self.manifest.photos and self.manifest.received > 0
        return not self.manifest.missing and not lacking


def restore(
    backup: Path,
    home: Path,
    *,
    into_empty: bool = False,
    free: Callable[[Path], int] = free_bytes,
    advance: Advance = lambda _done, _total: None,
) -> Restored:
    """Make *home* out of *backup*. *home* appears complete, under its name, as the last step.

    Args:
        backup: a folder that `rig.store.backup.back_up` has finished.
        home: must not be there; with *into_empty* it may be an empty folder.
        into_empty: see above.
        free: tells the free bytes of a folder's disk.
        advance: called with (done, in all); each file counts twice, once verified and once copied.

    Raises:
        StoreError: an incomplete, changed or newer backup, a home that is in use, a full disk.
        OSError: the home's parent cannot be written.
    """
    made = manifest.load(backup)
    _require_free_place(backup, home, into_empty=into_empty)
    with copying.alone_in(backup, f"A backup is being written to {backup}: wait for it."):
        total = 2 * len(made.files)
        _verify(backup, made, lambda done: advance(done, total))
        staging = home.parent / f".{home.name}.restoring"
        home.parent.mkdir(parents=True, exist_ok=True)
        _make_private(staging)
        with copying.alone_in(staging, f"Another command restores to {home} already."):
            try:
                _fill(staging, backup, made, free, lambda n: advance(len(made.files) + n, total))
                # Opened before it gets its name: an older schema is brought up to date here.
                Database.open(staging / DATABASE).close()
                _take_place(staging, home)
            except OSError as error:
                if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                    raise StoreError(
                        f"The disk of {home} is full. The backup is untouched and no home was "
                        "made: make room and run the same command again, it goes on."
                    ) from error
                raise
    return Restored(made, len(made.files), sum(one.size for one in made.files))


def _make_private(staging: Path) -> None:
    """Where others may write, too, the name may be there before us: as a link, or as theirs."""
    staging.mkdir(exist_ok=True, mode=0o700)
    found = staging.lstat()
    if not stat.S_ISDIR(found.st_mode) or (os.name == "posix" and found.st_uid != os.getuid()):
        raise StoreError(
            f"{staging} is a link or belongs to somebody else: look at who put it there and remove "
            "it, or choose another --home."
        )


def _require_free_place(backup: Path, home: Path, *, into_empty: bool) -> None:
    if not homes.apart(backup, home):
        raise StoreError(f"{home} and the backup {backup} lie one in the other: choose another.")
    if not home.exists():
        return
    if not home.is_dir():
        raise StoreError(f"{home} is a file: choose a folder that is not there yet.")
    if any(home.iterdir()):
        raise StoreError(
            f"{home} is not empty and nothing is ever restored over a home. Choose another --home, "
            "or move that one away first."
        )
    if not into_empty:
        raise StoreError(f"{home} is there already. It is empty: say --into-empty to use it.")


def _verify(backup: Path, made: Manifest, advance: Callable[[int], None]) -> None:
    wrong: list[str] = []
    for done, one in enumerate(made.files):
        advance(done)
        if why := _fault(backup, one):
            wrong.append(f"{one.stored} {why}")
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise StoreError(
            f"The backup {backup} is not what its manifest says: {'; '.join(wrong[:SHOWN])}{more}. "
            "Nothing was restored. Choose another backup, or run `rig backup` again while its home "
            "is still there."
        )
    path = backup / made.database.stored
    with snapshot.looking_at(path, alone=True) as connection:
        snapshot.require_known(connection, path)
        if found := snapshot.damage(connection):
            raise StoreError(f"{path} is damaged: {found[0]}. Choose another backup.")


def _fault(backup: Path, one: Entry) -> str | None:
    path = backup / one.stored
    if not path.parent.resolve().is_relative_to(backup.resolve()):
        return "leads out of the backup"
    try:
        size, sha256 = copying.hash_file(path)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    if size != one.size:
        return f"has {size} bytes, not {one.size}"
    return None if sha256 == one.sha256 else "has other bytes"


def _fill(
    staging: Path,
    backup: Path,
    made: Manifest,
    free: Callable[[Path], int],
    advance: Callable[[int], None],
) -> None:
    copying.sweep(staging)
    _clear(staging, {one.path for one in made.files})
    here = {one.path: one.size for one in homes.walk(staging)}
    need = RESERVE + sum(one.size for one in made.files if here.get(one.path) != one.size)
    if (have := free(staging)) < need:
        raise StoreError(
            f"The disk of {staging.parent} has {have / 1e9:.2f} GB free and the home needs "
            f"{need / 1e9:.2f} GB: make room or choose another --home."
        )
    folders = {staging}
    for done, one in enumerate(made.files):
        advance(done)
        target = staging / one.path
        copied = copying.copy_file(backup / one.stored, target)
        if (copied.size, copied.sha256) != (one.size, one.sha256):
            raise StoreError(f"{backup / one.stored} changed while it was read: start again.")
        folders |= {up for up in target.parents if up.is_relative_to(staging)}
    for folder in sorted(folders, reverse=True):
        sync_folder(folder)
    advance(len(made.files))


def _clear(staging: Path, wanted: set[str]) -> None:
    """Remove what an earlier attempt (perhaps from another backup) left and this one has not."""
    for path in sorted(staging.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            continue
        if path.relative_to(staging).as_posix() not in wanted:
            path.unlink()


def _take_place(staging: Path, home: Path) -> None:
    for folder in (staging, *(one for one in staging.rglob("*") if one.is_dir())):
        sync_folder(folder)
    try:
        # Atomic, and refused by the system when somebody has put something there meanwhile.
        os.rename(staging, home)  # noqa: PTH104 - Path.replace is the same and hides the intent
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOTDIR}:
            shutil.rmtree(staging, ignore_errors=True)
            raise StoreError(
                f"{home} cannot take the restored home's place ({error.strerror}): it is in use, "
                "a mount point or no longer empty. Name a folder that is not there yet."
            ) from error
        raise
    sync_folder(home.parent)
