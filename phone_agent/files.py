"""Small durable-file helpers: names that are safe as paths, hashes, fsync of folders."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from pathlib import Path

# One path component on every file system: no separator, no drive colon, no leading dot (so never
# "." or ".."), no control byte, ASCII. Two dots *inside* a name are harmless and may come from
# a key such as "a..b".
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~%+-]{0,254}", re.ASCII)
_BLOCK = 1 << 20


class BadName(ValueError):
    """A name from outside that must not become a path."""


def check_name(name: str) -> str:
    """Return `name` if it is a safe single path component.

    Raises:
        BadName: it is empty, over 255 bytes, not ASCII, begins with a dot or has a separator.
    """
    if not _NAME.fullmatch(name):
        raise BadName(
            f"The name {name[:80]!a} is refused: a file name here is 1 to 255 letters, digits "
            "and . _ ~ % + - and begins with a letter or digit."
        )
    return name


def sha256_file(path: Path) -> bytes:
    """SHA-256 of the file's bytes, 32 bytes; raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.digest()


def write_synced(path: Path, data: bytes) -> None:
    """Write `data` to `path` and fsync the file (not its folder); raises OSError."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_file(path: Path) -> None:
    """Fsync a file somebody else wrote; raises OSError."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Fsync a folder so that new and removed names in it survive a crash; raises OSError."""
    try:
        _sync(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        # Shared storage on Android is FUSE, which need not know fsync of a folder.
        if error.errno != errno.EINVAL:
            raise


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
