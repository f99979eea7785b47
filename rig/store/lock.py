"""One controller per home folder: an exclusive lock that dies with its process."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rig.store.errors import StoreError


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a home: process id and address, as far as it has told them."""

    pid: int | None
    url: str | None


class HomeLock:
    """An exclusive `flock` on ``HOME/lock``; the kernel lets go of it when the process ends."""

    def __init__(self, home: Path, descriptor: int) -> None:
        self.home = home
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, home: Path) -> Self:
        """Lock *home* for this process.

        Raises:
            StoreError: another controller holds it; the sentence says which.
        """
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(home / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise StoreError(_refusal(home)) from error
        lock = cls(home, descriptor)
        lock.describe(None)
        return lock

    def describe(self, url: str | None) -> None:
        """Write down who holds the lock, for the sentence a second controller gets."""
        text = json.dumps({"pid": os.getpid(), "url": url}).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text, 0)

    def release(self) -> None:
        """Let go. May be called twice."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def holder(home: Path) -> Holder | None:
    """Who holds *home*'s lock right now; None when it is free."""
    try:
        descriptor = os.open(home / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return _read(home)
    finally:
        os.close(descriptor)
    return None


def _read(home: Path) -> Holder:
    try:
        said = json.loads((home / "lock").read_text())
        return Holder(pid=said["pid"], url=said["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return Holder(None, None)


def _refusal(home: Path) -> str:
    who = _read(home)
    process = f"process {who.pid}" if who.pid else "another process"
    where = f", at {who.url}" if who.url else ""
    return (
        f"A controller already runs on {home} ({process}{where}). "
        "Use that one, stop it first, or give this one another --home."
    )
