"""Files of a batch: whole and there after a power cut, at the price of two syncs for them all.

A sync for every small image takes far longer than making it. So images are written under
temporary names, the file system is synced once, they get their names, and it is synced again:
what a batch reports as settled has its content and its name on the disk.
"""

from __future__ import annotations

import ctypes
import functools
import os
import secrets
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_CREATE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_CLOEXEC", 0)
_CREATE |= getattr(os, "O_BINARY", 0)


class Batch:
    """Files that get their final names together; leaving the block removes what did not."""

    def __init__(self, root: Path) -> None:
        """Begin with no file; all are to lie below *root*."""
        self._root = root
        self._token = secrets.token_hex(3)
        self._waiting: dict[int, tuple[Path, Path]] = {}
        # Folders that are there -> those whose entries lead to them.
        self._ways: dict[str, set[Path]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for part, _ in self._waiting.values():
            part.unlink(missing_ok=True)

    def put(self, number: int, target: Path, data: bytes) -> None:
        """Write *data* beside *target*, whose name it is to get.

        Raises:
            OSError: the disk is full or the folder cannot be written; nothing is left behind.
        """
        folder = target.parent
        if str(folder) not in self._ways:
            folder.mkdir(parents=True, exist_ok=True)
            self._ways[str(folder)] = self._way(folder)
        part = folder / f".{target.name[:200]}.{self._token}{number % 256:02x}.part"
        handle = os.open(part, _CREATE, 0o666)
        self._waiting[number] = (part, target)
        try:
            try:
                _write_all(handle, data)
            finally:
                os.close(handle)
        except BaseException:
            del self._waiting[number]
            part.unlink(missing_ok=True)
            raise

    def settle(self) -> dict[int, OSError]:
        """Make all of them durable under their names; what failed, by number."""
        failed: dict[int, OSError] = {}
        folders: set[str] = set()
        numbers = list(self._waiting)
        try:
            _sync([part for part, _ in self._waiting.values()])
        except OSError as error:
            return dict.fromkeys(numbers, error)
        for number, (part, target) in list(self._waiting.items()):
            try:
                part.replace(target)
                del self._waiting[number]
                folders.add(str(target.parent))
            except OSError as error:
                failed[number] = error
        try:
            _sync(set[Path]().union(*(self._ways[folder] for folder in folders)))
        except OSError as error:
            return dict.fromkeys(numbers, error)
        return failed

    def _way(self, folder: Path) -> set[Path]:
        """*folder* and those above it, the root's included: any may be new, whoever made it."""
        above = [folder, *folder.parents]
        end = above.index(self._root) + 2 if self._root in above else 1
        return set(above[:end])


def _write_all(handle: int, data: bytes) -> None:
    """Write all of *data*, however little the system takes at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def sweep(targets: Iterable[Path]) -> None:
    """Remove the temporary files of *targets* that a killed worker left."""
    names: dict[Path, set[str]] = {}
    for target in targets:
        names.setdefault(target.parent, set()).add(target.name[:200])
    for folder, wanted in names.items():
        try:
            found = [entry.name for entry in os.scandir(folder) if entry.name.endswith(".part")]
        except OSError:  # nothing was made there
            continue
        for name in found:
            # .NAME.01234567.part
            if name[1:].removesuffix(".part")[:-9] in wanted:
                (folder / name).unlink(missing_ok=True)


def _sync(paths: Collection[Path]) -> None:
    """Bring *paths*, files or folders, to the disk: one by one, or the whole file system."""
    syncfs = _syncfs() if len(paths) > 1 else None
    # The folder of outputs may reach over several disks, but not the files of one folder.
    some = paths if syncfs is None else {path.parent: path for path in paths}.values()
    if syncfs is not None:
        some = {path.stat().st_dev: path for path in some}.values()
    for path in some:
        if os.name != "posix" and path.is_dir():  # such a system opens no folder
            continue
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            (syncfs or os.fsync)(handle)
        finally:
            os.close(handle)


@functools.cache
def _syncfs() -> Callable[[int], None] | None:
    """Linux' syncfs(2), None on other systems."""
    try:
        call: Any = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError, TypeError):
        return None

    def syncfs(handle: int) -> None:
        if call(handle):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return syncfs
