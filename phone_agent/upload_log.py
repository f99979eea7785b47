"""Which files the controller has confirmed: `uploads.jsonl`, append-only.

It only saves questions. Without it, or with a torn last line, everything is asked again by HEAD.
"""

from __future__ import annotations

import json
import os
from pathlib import Path


class UploadLog:
    """The confirmed uploads of one agent folder.

    Args:
        path: the file; it is made with the first entry.

    Raises:
        OSError: the file exists and cannot be read or mended.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: set[tuple[str, str, str]] = set()
        self._closed: set[tuple[str, str]] = set()
        self._load()

    def has(self, session: str, name: str, sha256: bytes) -> bool:
        """Did the controller confirm these bytes under this name?"""
        return (session, name, sha256.hex()) in self._known

    def is_closed(self, session: str, chain: str) -> bool:
        """Did the controller confirm the whole batch that ends with `chain`?"""
        return (session, chain) in self._closed

    def add(self, session: str, name: str, sha256: bytes) -> None:
        """Remember a confirmed file, durably; raises OSError (it is remembered in RAM then)."""
        self._known.add((session, name, sha256.hex()))
        self._append({"session": session, "name": name, "sha256": sha256.hex()})

    def add_closed(self, session: str, chain: str) -> None:
        """Remember a confirmed batch, durably; raises OSError (it is remembered in RAM then)."""
        self._closed.add((session, chain))
        self._append({"session": session, "closed": chain})

    def forget(self, session: str, name: str) -> None:
        """The controller says it does not have the file after all."""
        self._known = {each for each in self._known if each[:2] != (session, name)}

    def _load(self) -> None:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):  # a crash tore the last line: the next one must not join it
            os.truncate(self._path, len(whole))
        for line in whole.splitlines():
            self._take(line)

    def _take(self, line: bytes) -> None:
        """One line; a damaged one only costs a HEAD."""
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(entry, dict) or not all(isinstance(v, str) for v in entry.values()):
            return
        if entry.keys() == {"session", "name", "sha256"}:
            self._known.add((entry["session"], entry["name"], entry["sha256"]))
        elif entry.keys() == {"session", "closed"}:
            self._closed.add((entry["session"], entry["closed"]))

    def _append(self, entry: dict[str, str]) -> None:
        line = json.dumps(entry, separators=(",", ":"), sort_keys=True) + "\n"
        with self._path.open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
