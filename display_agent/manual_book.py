"""What manual mode keeps in its folder: the selection, and what was on the screen when."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from rig.durable import sync_folder, write_atomic
from rig.errors import UserError
from rig.intake.manual import Showing, read_shown
from rig.planning.plan import PlanItem

SELECTION = "selection.json"
SHOWN = "shown.jsonl"
_FORMAT = "xcap-manual/1"


class Book:
    """`selection.json`, written once, and `shown.jsonl`, fsynced line by line; see `Showing`.

    One process writes it; a second one is refused where the system can lock files.
    """

    def __init__(self, folder: Path, items: tuple[PlanItem, ...], settings: dict[str, Any]) -> None:
        """Open or create.

        Args:
            folder: `--out`.
            items: the x-rays in the order in which they are shown.
            settings: what else the order and the sets came from, JSON values.

        Raises:
            UserError: the folder belongs to another selection, is in use or was damaged, or the
                disk cannot be written.
        """
        self._shown = folder / SHOWN
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _select(folder / SELECTION, items, settings)
            self._file = self._shown.open("ab", buffering=0)
        except OSError as error:
            raise UserError(f"{folder} cannot be written: {error.strerror or error}") from error
        try:
            _lock(self._file.fileno(), folder)
            showings, good = read_shown(self._shown.read_bytes(), str(self._shown))
            self._file.truncate(good)
            os.fsync(self._file.fileno())
            sync_folder(folder)
        except BaseException:
            self._file.close()
            raise
        self._count = len(showings)
        self._times = Counter(one.index for one in showings)
        self.last: Showing | None = showings[-1] if showings else None

    @property
    def next_showing(self) -> int:
        """Number of the next showing."""
        return self._count + 1

    def attempt(self, index: int) -> int:
        """How often x-ray *index* will have been shown when it is shown next."""
        return self._times[index] + 1

    def write(self, showing: Showing) -> None:
        """Write a showing that began, or that ended; it is on the disk afterwards.

        Raises:
            UserError: the disk is full or failing; what was half written is cut off again.
        """
        size = os.fstat(self._file.fileno()).st_size
        try:
            rest = showing.line()
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(size)
            raise UserError(
                f"{self._shown} cannot be written ({error.strerror}); free some disk and run again"
            ) from error
        if showing.showing > self._count:
            self._count = showing.showing
            self._times[showing.index] += 1
        self.last = showing

    def close(self) -> None:
        """Let go of the files; may be called twice."""
        self._file.close()


def _select(path: Path, items: tuple[PlanItem, ...], settings: dict[str, Any]) -> None:
    listed = [
        {"position": at, "index": item.index, "key": item.key, "sha256": item.sha256}
        for at, item in enumerate(items, 1)
    ]
    wanted = {"format": _FORMAT, "settings": settings, "items": listed}
    try:
        there = json.loads(path.read_bytes())
    except FileNotFoundError:
        write_atomic(path, json.dumps(wanted, indent=1).encode() + b"\n")
        return
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); choose another --out") from error
    if there != wanted:
        raise UserError(
            f"{path.parent} belongs to another selection; "
            "repeat the same x-rays, order, seed and set size to go on, or choose another --out"
        )


def _lock(handle: int, folder: Path) -> None:
    """An exclusive lock for as long as the file is open, where the system has such."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise UserError(f"{folder} is in use by another display agent; end that first") from error
