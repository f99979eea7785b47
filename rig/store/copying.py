"""Files copied durably and hashed on the way; what is there already is not copied again."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rig.durable import PRIVATE
from rig.store.errors import StoreError

_BLOCK = 1 << 20
_PART = re.compile(r"\.[0-9a-f]{8}\.copy", re.ASCII)


@dataclass(frozen=True, slots=True)
class Copied:
    """What a file was found to be: bytes, SHA-256 in hex, and whether it was written just now."""

    size: int
    sha256: str
    fresh: bool


def hash_file(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of the regular file *path*.

    Raises:
        OSError: it is not there, a link, or cannot be read.
    """
    with _open(path) as file:
        digest = hashlib.sha256()
        size = 0
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
        return size, digest.hexdigest()


def copy_file(source: Path, target: Path) -> Copied:
    """Make *target* (mode 0600) hold what *source* holds: temporary name, fsync, rename.

    The name is durable once the folder was synced (`rig.durable.sync_folder`); the caller does that
    once for many files.

    Raises:
        OSError: the source is gone or the disk full; nothing is left behind.
    """
    if _same_size(source, target):
        here, there = hash_file(source), hash_file(target)
        if here == there:
            return Copied(*here, fresh=False)
    make_private(target.parent)
    part = target.parent / f".{secrets.token_hex(4)}.copy"
    digest = hashlib.sha256()
    size = 0
    with _open(source) as file:
        handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, PRIVATE)
        try:
            with os.fdopen(handle, "wb") as out:
                while block := file.read(_BLOCK):
                    digest.update(block)
                    size += len(block)
                    out.write(block)
                out.flush()
                os.fsync(out.fileno())
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    return Copied(size, digest.hexdigest(), fresh=True)


def make_private(folder: Path) -> None:
    """Make *folder* and whatever above it is not there, for nobody else to look in (0700)."""
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(exist_ok=True, mode=0o700)


def sweep(folder: Path) -> None:
    """Remove what copies that were killed have left below *folder*."""
    for path in folder.rglob(".*.copy"):
        if _PART.fullmatch(path.name):
            path.unlink(missing_ok=True)


@contextmanager
def alone_in(folder: Path, refusal: str) -> Iterator[None]:
    """Nobody else works in *folder* meanwhile; the kernel lets go when the process ends.

    Raises:
        StoreError: somebody does: *refusal*.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(refusal) from error
        yield
    finally:
        os.close(handle)


def _same_size(source: Path, target: Path) -> bool:
    try:
        return target.lstat().st_size == source.lstat().st_size and not target.is_symlink()
    except FileNotFoundError:
        return False


def _open(path: Path) -> BinaryIO:
    # A link could lead out of the folder: never followed.
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    return os.fdopen(handle, "rb")
