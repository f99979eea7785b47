"""Files read while the one before is worked on.

No thread is needed: the next files are opened early, and the system is told that they will be
wanted, so a disk or a network brings them while the processor is busy.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path

_AHEAD = 3
"""Files that are open at a time, the one that is read included."""
# A pipe that nobody writes to must not hold up the others.
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_OPEN |= getattr(os, "O_BINARY", 0)


def read_ahead(paths: Sequence[Path]) -> Generator[bytes | OSError, None, None]:
    """The content of each of *paths*, or the error that there is instead."""
    opened: deque[int | OSError] = deque()
    rest = iter(paths)
    try:
        while True:
            while len(opened) < _AHEAD and (path := next(rest, None)) is not None:
                opened.append(_open(path))
            if not opened:
                return
            yield _read(opened.popleft())
    finally:
        for handle in opened:
            if isinstance(handle, int):
                os.close(handle)


def _open(path: Path) -> int | OSError:
    try:
        handle = os.open(path, _OPEN)
    except OSError as error:
        return error
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):  # no file, or a file system that takes no advice
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_WILLNEED)
    return handle


def _read(handle: int | OSError) -> bytes | OSError:
    if isinstance(handle, OSError):
        return handle
    try:
        with os.fdopen(handle, "rb", buffering=0) as file:
            return file.read()
    except OSError as error:
        return error
