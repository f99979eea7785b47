"""What lies in a folder that somebody brought: every file, and what cannot be looked at."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini", ".nomedia", ".database_uuid"})
"""Files that systems leave on cards by themselves, in lower case; `._name` is another."""


@dataclass(frozen=True, slots=True)
class Brought:
    """Files below a folder, by path, and names that hold no file that can be read, with why."""

    files: tuple[Path, ...]
    unusable: tuple[tuple[Path, str], ...]


def printable(name: str) -> str:
    """A file's name as it may be printed and kept: what is no text in it becomes a mark."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in name)


def brought(folder: Path) -> Brought:
    """Every file in *folder* and below it; links to files are followed, links to folders are not.

    What cannot be looked into is told, not passed over: a photo may be in there.
    """
    files: list[Path] = []
    unusable: list[tuple[Path, str]] = []

    def shut(error: OSError) -> None:
        why = f"The folder cannot be read: {error.strerror or error}."
        unusable.append((Path(error.filename or folder), why))

    for here, below, names in os.walk(folder, onerror=shut):
        below.sort()
        for name in sorted(names):
            path = Path(here) / name
            if name.lower() in LITTER or name.startswith("._"):
                continue
            if path.is_file():
                files.append(path)
            elif path.is_symlink():
                unusable.append((path, "It is a link to a file that is not there."))
            else:
                unusable.append((path, "It is no plain file."))
    return Brought(tuple(files), tuple(unusable))
