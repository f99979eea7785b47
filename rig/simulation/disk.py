"""A disk that holds one journal: it keeps what was made durable, tears the rest, and fills up."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable

from rig.protocol.journal import Record, encode_record, parse_journal


class Disk(bytearray):
    """The bytes that survive a crash. *full*: the next write does not fit."""

    full: bool = False

    def write(self, records: Iterable[Record]) -> None:
        """Append *records* durably."""
        self.extend(lines(records))

    def tear(self, records: Iterable[Record], rng: random.Random) -> None:
        """A write that did not end well: any part of it from its beginning is there, or all."""
        data = lines(records)
        self.extend(data[: rng.randint(0, len(data))])

    def read(self) -> list[Record]:
        """All whole records; a torn tail is cut off, as at the start of an agent."""
        records, end = parse_journal(bytes(self))
        del self[end:]
        return records


def lines(records: Iterable[Record]) -> bytes:
    """The journal lines of *records*."""
    return b"".join(encode_record(r) for r in records)


class Folder:
    """The phone's photos.

    Attributes:
        files: file name -> index of the x-ray that the file shows (-1: a blank screen).
        hashes: file name -> SHA-256 of its bytes.
        stale: names of files in which the camera returned its last frame.
        quarantine: names that were put aside.
        full: no photo can be stored. *low*: there is too little room for another exposure.
    """

    def __init__(self) -> None:
        self.files: dict[str, int] = {}
        self.hashes: dict[str, bytes] = {}
        self.stale: set[str] = set()
        self.quarantine: list[str] = []
        self.full = self.low = False

    def expose(self, name: str, shown: int, *, stale: bool) -> bytes:
        """The camera writes *name*; its SHA-256."""
        self.files[name] = shown
        self.hashes[name] = sha = file_hash(name, shown)
        if stale:
            self.stale.add(name)
        return sha

    def rename(self, old: str, new: str) -> int:
        """Give a file its final name; the x-ray that it shows."""
        shown = self.files[new] = self.files.pop(old)
        self.hashes[new] = self.hashes.pop(old, b"")
        if old in self.stale:
            self.stale.remove(old)
            self.stale.add(new)
        return shown

    def discard(self, name: str) -> None:
        """Put *name* aside; nothing happens if it is not there."""
        if name in self.files:
            self._forget(name)
            self.quarantine.append(name)

    def keep(self, names: set[str]) -> None:
        """Put everything aside that is not among *names*, as a phone agent does at its start."""
        for name in [n for n in self.files if n not in names]:
            self.discard(name)

    def lose_staging(self) -> None:
        """The machine dies: what the camera wrote and nobody synced is gone."""
        for name in [n for n in self.files if n.endswith(".part")]:
            self._forget(name)

    def _forget(self, name: str) -> None:
        del self.files[name]
        self.hashes.pop(name, None)
        self.stale.discard(name)


def file_hash(staging: str, shown: int) -> bytes:
    """SHA-256 of the photo that an exposure into *staging* made of x-ray *shown*."""
    return hashlib.sha256(f"{staging}:{shown}".encode()).digest()
