"""Files that are whole or not there, whatever happens to the power."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

PRIVATE = 0o600
"""Mode of files that hold keys or x-rays."""


def write_atomic(path: Path, data: bytes | Iterable[bytes], *, mode: int = 0o666) -> None:
    """Write *data* to *path* durably: temporary name, fsync, rename, fsync of the folder.

    Args:
        path: the final name; its folder is made.
        data: all of it, whole or piece by piece.
        mode: rights of the file, less the umask.

    Raises:
        OSError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own for every writer: two that write the same file must not mix their bytes.
    part = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable, where the system lets a folder be opened."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
