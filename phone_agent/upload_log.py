"""What the controller has confirmed and what was deleted for it: `uploads.jsonl`, append-only.

Confirmations only save questions: without them everything is asked again by HEAD. A deletion is
noted here, durably, before the photo goes; without that note a missing photo is a lost photo.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path


class UploadLog:
    """The confirmed uploads and permitted deletions of one agent folder; from any thread.

    Args:
        path: the file; it is made with the first entry.

    Raises:
        OSError: the file exists and cannot be read or mended.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: set[tuple[str, str, str]] = set()
        self._closed: set[tuple[str, str]] = set()
        self._released: set[tuple[str, bytes]] = set()
        self._lock = threading.Lock()
        self._load()

    @property
    def released(self) -> frozenset[tuple[str, bytes]]:
        """Name and SHA-256 of every photo whose deletion was permitted and noted."""
        with self._lock:
            return frozenset(self._released)

    def has(self, session: str, name: str, sha256: bytes) -> bool:
        """Did the controller confirm these bytes under this name?"""
        with self._lock:
            return (session, name, sha256.hex()) in self._known

    def is_closed(self, session: str, chain: str) -> bool:
        """Did the controller confirm the whole batch that ends with `chain`?"""
        with self._lock:
            return (session, chain) in self._closed

    def was_released(self, name: str, sha256: bytes) -> bool:
        """Was the deletion of these bytes permitted and noted?"""
        with self._lock:
            return (name, sha256) in self._released

    def add(self, session: str, name: str, sha256: bytes) -> None:
        """Remember a confirmed file, durably; raises OSError (it is remembered in RAM then)."""
        with self._lock:
            self._known.add((session, name, sha256.hex()))
            self._append({"session": session, "name": name, "sha256": sha256.hex()})

    def add_closed(self, session: str, chain: str) -> None:
        """Remember a confirmed batch, durably; raises OSError (it is remembered in RAM then)."""
        with self._lock:
            self._closed.add((session, chain))
            self._append({"session": session, "closed": chain})

    def add_released(self, session: str, name: str, sha256: bytes) -> None:
        """Note durably that the photo is about to be deleted; raises OSError: then it must not be.

        Repeating it writes nothing.
        """
        with self._lock:
            if (name, sha256) not in self._released:
                self._append({"session": session, "released": name, "sha256": sha256.hex()})
                self._released.add((name, sha256))

    def forget(self, session: str, name: str) -> None:
        """The controller says it does not have the file after all."""
        with self._lock:
            self._known = {each for each in self._known if each[:2] != (session, name)}

    def _load(self) -> None:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):  # a crash tore the last line: the next one must not join it
            os.truncate(self._path, len(whole))
        for entry in _entries(whole):
            if entry.keys() == {"session", "name", "sha256"}:
                self._known.add((entry["session"], entry["name"], entry["sha256"]))
            elif entry.keys() == {"session", "closed"}:
                self._closed.add((entry["session"], entry["closed"]))
        self._released = set(_released(whole))

    def _append(self, entry: dict[str, str]) -> None:
        line = json.dumps(entry, separators=(",", ":"), sort_keys=True) + "\n"
        with self._path.open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())


def released_photos(path: Path) -> frozenset[tuple[str, bytes]]:
    """Name and SHA-256 of the deletions that the log at *path* notes; it is only read.

    Raises:
        OSError: it is there and cannot be read.
    """
    try:
        return frozenset(_released(path.read_bytes()))
    except FileNotFoundError:
        return frozenset()


def _released(data: bytes) -> Iterator[tuple[str, bytes]]:
    for entry in _entries(data):
        if entry.keys() == {"session", "released", "sha256"}:
            with contextlib.suppress(ValueError):
                yield entry["released"], bytes.fromhex(entry["sha256"])


def _entries(data: bytes) -> Iterator[dict[str, str]]:
    """The whole lines; a damaged one only costs a question."""
    for line in data[: data.rfind(b"\n") + 1].splitlines():
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and all(isinstance(v, str) for v in entry.values()):
            yield entry
