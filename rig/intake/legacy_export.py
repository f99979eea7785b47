"""The export of the original app: is there one sound photo for every number that was asked for?"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from rig.errors import UserError

LARGEST = 64 * 2**20
"""Bytes of the largest file that can be a photo."""
_NUMBERED = re.compile(r"(0|[1-9][0-9]{0,9})__", re.ASCII)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one index: `missing`, `doubled`, `empty`, `damaged` or `same`."""

    index: int
    kind: str
    why: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the display knows of a run through the original app.

    Attributes:
        first: first index of the plan.
        last: last index, included.
        names: by index, every name that was ever asked for, oldest first.
        claimed: indices that the app claims to have, counted from *first* without a gap.
        suspects: by index, what disturbed the screen during the photo.
    """

    first: int
    last: int
    names: Mapping[int, Sequence[str]]
    claimed: int
    suspects: Mapping[int, str]


@dataclass(slots=True)
class Audit:
    """What an export holds: *photos* by index, problems, suspects and files of other runs."""

    expected: int
    photos: dict[int, Path] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    suspects: dict[int, str] = field(default_factory=dict)
    others: int = 0

    @property
    def passed(self) -> bool:
        """Whether there is exactly one sound photo for every index."""
        return not self.problems and len(self.photos) == self.expected

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "passed": self.passed,
            "expected": self.expected,
            "found": len(self.photos),
            "problems": [{"index": p.index, "kind": p.kind, "why": p.why} for p in self.problems],
            "suspects": [{"index": i, "why": why} for i, why in sorted(self.suspects.items())],
            "others": self.others,
        }


def audit_export(asked: Asked, export: Path) -> Audit:
    """Compare what was asked for with the files of *export*; nothing is changed.

    No name out of the export is trusted: files are found by listing, and a file counts only when
    its whole name is one that was asked for.

    Raises:
        UserError: *export* is no folder.
    """
    found = Audit(asked.last - asked.first + 1, suspects=dict(asked.suspects))
    by_index = _numbered(export, found)
    for index in range(asked.first, asked.last + 1):
        _look(found, index, asked.names.get(index, ()), by_index.get(index, []))
    if asked.claimed < found.expected:
        why = "the run is not complete: from here on nothing is claimed"
        found.problems.append(Problem(asked.first + asked.claimed, "missing", why))
    _look_for_twins(found)
    found.problems.sort(key=lambda p: (p.index, p.kind))
    return found


def _numbered(export: Path, found: Audit) -> dict[int, list[Path]]:
    if not export.is_dir():
        raise UserError(f"{export} is no folder; copy the phone's CheXpeditor folder there")
    by_index: dict[int, list[Path]] = {}
    for path in sorted(export.rglob("*")):
        if path.name.startswith(".") or path.is_symlink() or not path.is_file():
            continue
        number = _NUMBERED.match(path.name)
        if number is None:
            found.others += 1
        else:
            by_index.setdefault(int(number[1]), []).append(path)
    return by_index


def _look(found: Audit, index: int, names: Sequence[str], files: list[Path]) -> None:
    """Judge what lies there under the number *index*, of which *names* were asked for."""
    ours = [path for path in files if path.name in names]
    for path in files:
        if path.name not in names:
            why = f"{path.name!a} bears its number, but was never asked for in this run"
            found.problems.append(Problem(index, "doubled", why))
    if not ours:
        why = f"no file {names[-1]!a}" if names else "it was never asked for"
        found.problems.append(Problem(index, "missing", why))
    elif len(ours) > 1:
        why = "more than one file: " + ", ".join(ascii(path.name) for path in ours)
        found.problems.append(Problem(index, "doubled", why))
    elif (flaw := _flaw(ours[0])) is not None:
        found.problems.append(Problem(index, *flaw))
    else:
        found.photos[index] = ours[0]


def _flaw(path: Path) -> tuple[str, str] | None:
    try:
        size = path.stat().st_size
        if size == 0:
            return "empty", f"{path.name!a} has no bytes: the phone was full, or the camera failed"
        if size > LARGEST:
            return "damaged", f"{path.name!a} has {size} bytes, too many for a photo"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large photos and odd EXIF are no flaw
            with Image.open(path, formats=["JPEG"]) as image:
                image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return "damaged", f"{path.name!a} is not a whole JPEG ({error})"
    return None


def _look_for_twins(found: Audit) -> None:
    """No two exposures have the same bytes: a camera that returned its last frame again."""
    seen: dict[str, int] = {}
    for index, path in sorted(found.photos.items()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if (first := seen.setdefault(digest, index)) != index:
            why = f"the same bytes as the photo of {first}: one of them shows another x-ray"
            found.problems.append(Problem(index, "same", why))
