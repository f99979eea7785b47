"""Durable files and folders that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from rig.durable import sync_folder, write_atomic

__all__ = [
    "files_below",
    "old_name",
    "partial_name",
    "recover",
    "remove_tree",
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


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below *folder*, in no order; none when there is no such folder.

    Names are taken from the file system one at a time: a folder of a large dataset holds millions,
    and `os.walk` makes a list of them.

    Raises:
        OSError: a folder cannot be read.
    """
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from files_below(Path(entry.path))
            else:
                yield Path(entry.path)


def settle(folder: Path) -> None:
    """Make everything below *folder* durable, deepest first; names are taken one at a time.

    Files that were written without a fsync get theirs here: the first one makes most of the others
    durable, too, so that this costs far less than one after each file.
    """
    flags = os.O_RDONLY if os.name == "posix" else os.O_RDWR
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                settle(Path(entry.path))
                continue
            handle = os.open(entry.path, flags)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    sync_folder(folder)


def remove_tree(folder: Path) -> None:
    """Delete *folder* with all that is in it; what cannot be deleted stays.

    Like `shutil.rmtree`, but names are taken one at a time. A file system may pass names by while
    others are deleted: a folder is looked through until it is empty or nothing goes any more.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    while _went(folder):
        pass
    with suppress(OSError):
        folder.rmdir()


def _went(folder: Path) -> bool:
    """Delete what is in *folder*, in one pass; whether anything went."""
    gone = False
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            inside = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                remove_tree(inside)
                gone = gone or not inside.exists()
                continue
            with suppress(OSError):
                inside.unlink()
                gone = True
    return gone


def replace_folder(new: Path, final: Path) -> None:
    """Give *new* the name *final*, putting what had it before out of the way and then deleting it.

    No system call swaps two folders everywhere. A power cut between the two renames leaves the
    old build as `.<name>.old`, and `recover` puts it back.
    """
    old = old_name(final)
    if final.exists():
        remove_tree(old)
        final.rename(old)
    new.rename(final)
    sync_folder(final.parent)
    remove_tree(old)


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
