"""Keeps the folders of small pictures below a size: what was not looked at longest goes first."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

DEFAULT: Final = 2_000_000_000
"""Bytes of small pictures a controller keeps, unless it is told otherwise."""
_LEAVES: Final = 0.9
"""What is left of the limit after a clean-up, so that not every further picture needs one."""
_TOUCH_S: Final = 3600.0
"""A look at a picture is noted at most this often: reading must not become writing."""


class CacheRoom:
    """The room that pictures below *folders* may take together.

    Sizes are those of the files; what stands there already is counted when the first one is kept.

    Args:
        folders: whose files `*.jpg` may be removed at any time.
        most: bytes.
    """

    def __init__(self, folders: Sequence[Path], most: int = DEFAULT) -> None:
        self.most = most
        self._folders = tuple(folders)
        self._lock = threading.Lock()
        self._size: int | None = None

    def kept(self, size: int) -> None:
        """A picture of *size* bytes was written; the oldest go if there is too much now. Blocks."""
        with self._lock:
            known = self._size
            self._size = self._measure() if known is None else known + size
            if self._size > self.most:
                self._size = self._clean()

    def used(self, file: Path, modified_s: float) -> None:
        """Somebody looked at *file*, which was last marked at *modified_s* (Unix time)."""
        if abs(time.time() - modified_s) > _TOUCH_S:
            with suppress(OSError):  # it was removed just now, or the disk is read-only
                os.utime(file)

    def _measure(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _clean(self) -> int:
        """Remove the oldest until there is room again; the bytes that are left."""
        files = sorted(self._files())
        left = sum(size for _, size, _ in files)
        for _, size, path in files:
            if left <= self.most * _LEAVES:
                break
            try:
                Path(path).unlink()
            except FileNotFoundError:
                pass
            except OSError:
                continue  # it stays, and so does its size
            left -= size
        return left

    def _files(self) -> Iterator[tuple[float, int, str]]:
        """When each was marked last, its bytes, its path."""
        waiting = [str(one) for one in self._folders]
        while waiting:
            try:
                with os.scandir(waiting.pop()) as entries:
                    for one in entries:
                        if one.is_dir(follow_symlinks=False):
                            waiting.append(one.path)
                        elif one.name.endswith((".jpg", ".part")):
                            told = one.stat(follow_symlinks=False)
                            yield told.st_mtime, told.st_size, one.path
            except OSError:
                continue  # somebody emptied the cache meanwhile
