"""Durable files and folders that are whole or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rig.durable import sync_folder, write_atomic

__all__ = [
    "old_name",
    "partial_name",
    "recover",
    "replace_folder",
    "settle",
    "sync_folder",
    "write_atomic",
    "write_durably",
    "write_unsettled",
]


def write_unsettled(file: Path, data: bytes) -> None:
    """Write *data* to a new file; only for folders that `settle` makes durable.

    Raises:
        OSError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        file.write_bytes(data)
    except BaseException:
        file.unlink(missing_ok=True)
        raise


@contextmanager
def write_durably(file: Path) -> Iterator[TextIO]:
    """Open *file* for text (UTF-8, line ends as written); fsynced when the block ends.

    Only for files inside a folder that is not yet visible under its name.
    """
    with file.open("w", encoding="utf-8", newline="") as handle:
        yield handle
        handle.flush()
        os.fsync(handle.fileno())


def settle(folder: Path) -> None:
    """Make everything below *folder* durable, deepest first.

    Files that were written without a fsync get theirs here: the first one makes most of the others
    durable, too, so that this costs far less than one after each file.
    """
    flags = os.O_RDONLY if os.name == "posix" else os.O_RDWR
    for here, _, names in os.walk(folder, topdown=False):
        for name in names:
            handle = os.open(Path(here) / name, flags)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_folder(Path(here))


def replace_folder(new: Path, final: Path) -> None:
    """Give *new* the name *final*, putting what had it before out of the way and then deleting it.

    No system call swaps two folders everywhere. A power cut between the two renames leaves the
    old build as `.<name>.old`, and `recover` puts it back.
    """
    old = old_name(final)
    if final.exists():
        shutil.rmtree(old, ignore_errors=True)
        final.rename(old)
    new.rename(final)
    sync_folder(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def recover(final: Path) -> None:
    """Undo a replacement that a power cut left half done."""
    old = old_name(final)
    if old.exists() and not final.exists():
        old.rename(final)
        sync_folder(final.parent)


def old_name(final: Path) -> Path:
    """Where a replaced build waits for its deletion."""
    return final.with_name(f".{final.name}.old")


def partial_name(final: Path) -> Path:
    """Where a build grows until it is whole."""
    return final.with_name(f".{final.name}.partial")
