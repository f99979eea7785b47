"""Files of a batch: whole or not there after a power cut, at the price of one sync for them all.

A sync for every small image takes far longer than making it. So images are written under
temporary names, the file system is synced once, and only then they get their names.
"""

from __future__ import annotations

import ctypes
import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Batch:
    """Files that get their final names together; leaving the block removes what did not."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[Path, Path]] = {}

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
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.part")
        handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        self._waiting[number] = (part, target)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
        except BaseException:
            del self._waiting[number]
            part.unlink(missing_ok=True)
            raise

    def settle(self) -> dict[int, OSError]:
        """Make all of them durable under their names; what failed, by number.

        A name lost to a power cut right after this costs making its image again.
        """
        failed: dict[int, OSError] = {}
        try:
            _sync([part for part, _ in self._waiting.values()])
        except OSError as error:
            return dict.fromkeys(self._waiting, error)
        for number, (part, target) in list(self._waiting.items()):
            try:
                part.replace(target)
                del self._waiting[number]
            except OSError as error:
                failed[number] = error
        return failed


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


def _sync(paths: list[Path]) -> None:
    """Bring the content of *paths* to the disk: file by file, or a file system at once."""
    syncfs = _syncfs() if len(paths) > 1 else None
    # The folder of outputs may reach over several disks.
    some = {path.stat().st_dev: path for path in paths}.values() if syncfs else paths
    for path in some:
        handle = os.open(path, os.O_RDONLY)
        try:
            (syncfs or os.fsync)(handle)
        finally:
            os.close(handle)


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
