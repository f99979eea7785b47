"""What lies in a home folder, and whose home it is."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rig.store import manifest

SECRET = "secret"  # noqa: S105 - a file's name
CACHE = "cache/"
"""What can be computed again, and is in no backup."""
_TEMPORARY = re.compile(r".*\.(?:part|tmp|copy)|\.doctor-.*", re.ASCII)
_INCOMING = re.compile(r"sessions/[^/]+/incoming/.+")


@dataclass(frozen=True, slots=True)
class Found:
    """One name below a home that is kept: its path in the home, bytes, whether a plain file."""

    path: str
    size: int
    plain: bool

    @property
    def photo(self) -> bool:
        """Whether it is a received photo or the sidecar of one."""
        return _INCOMING.fullmatch(self.path) is not None


def walk(home: Path) -> Iterator[Found]:
    """Every file of *home* but its database, its cache and what belongs to a running process.

    Links are told (not `Found.plain`) and never followed. Names that vanish meanwhile are left out.
    """
    for found in _below(home, ""):
        if found.path == manifest.DATABASE or found.path in manifest.NEVER:
            continue
        if found.path.startswith(CACHE):
            continue
        yield found


def fingerprint(home: Path) -> str:
    """16 hex digits that tell homes apart and give nothing of the secret away; empty: none yet."""
    try:
        secret = (home / SECRET).read_bytes()
    except OSError:
        return ""
    return hashlib.sha256(b"capture-rig home\0" + secret).hexdigest()[:16]


def apart(one: Path, other: Path) -> bool:
    """Whether neither folder is in the other."""
    first, second = one.resolve(), other.resolve()
    return not (first.is_relative_to(second) or second.is_relative_to(first))


def _below(folder: Path, prefix: str) -> Iterator[Found]:
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda one: one.name)
    except FileNotFoundError:
        return
    for entry in listed:
        path = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path), path + "/")
        elif not _TEMPORARY.fullmatch(entry.name):
            try:
                size = entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:
                continue
            yield Found(path, size, entry.is_file(follow_symlinks=False))
