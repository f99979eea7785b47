"""One group of patients: do rows, files, captures, manifest and boxes say the same?"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from rig.catalog.model import COLUMNS
from rig.dataset import layout
from rig.dataset.findings import Findings
from rig.dataset.gather import BOX, CAPTURE, COPY, FILE, ROW, TWIN, Gathered
from rig.dataset.labels import VALUES

_SLACK = 1e-6
"""Pixels a box may be outside its picture by rounding."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of the captures that can be read: what the optical check needs."""

    line: int
    path: str
    key: str
    source_sha256: str | None
    source_path: str | None


class Comparison:
    """Compares groups; what is wrong goes to *found*.

    Args:
        root: the dataset.
        told: what there is.
        found: gets the findings.
        files: whether pictures are looked for and read.
        step: called for every image.
    """

    def __init__(
        self,
        root: Path,
        told: Gathered,
        found: Findings,
        *,
        files: bool,
        step: Callable[[], None],
    ) -> None:
        self._root, self._told, self._found = root, told, found
        self._files, self._step = files, step
        self._name = root.resolve().name

    def group(self, records: Sequence[tuple[Any, ...]]) -> Iterator[Photo]:
        """Check all records of some patients; gives the photos that are worth a look."""
        by: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for letter, *rest in records:
            by[letter].append(tuple(rest))
        files = {path for (path,) in by[FILE]}
        rows = self._rows(by[ROW], files, "")
        copies = self._rows(by[COPY], files, layout.RECTIFIED)
        self._splits(by[ROW])
        for path in filter(self._read, sorted(files - rows.keys() - copies.keys())):
            self._found.add("stray", path, 0, f"{path} is on disk but in no CSV.")
        self._labels(by[CAPTURE], rows | copies)
        good = list(self._captures(by[CAPTURE], rows, copies))
        self._twins(by[TWIN], rows)
        self._boxes(by[BOX], rows.keys() | copies.keys(), files)
        yield from good

    def _rows(
        self, rows: Sequence[tuple[Any, ...]], files: set[str], folder: str
    ) -> dict[str, tuple[str, int, tuple[str, ...]]]:
        """Check each row by itself; path below the dataset -> file, line and values."""
        seen: dict[str, tuple[str, int, tuple[str, ...]]] = {}
        for split, line, values in rows:
            self._step()
            file = f"{folder}/{split}.csv" if folder else f"{split}.csv"
            name, _, path = values[0].partition("/")
            if path in seen:
                before = seen[path]
                text = f"{values[0]} is listed twice, first at {before[0]}, line {before[1]}."
                self._found.add("doubled", file, line, text)
                continue
            seen[path] = (file, line, values)
            if name != self._name:
                text = f"the Path begins with {name!r}, not with the dataset's folder."
                self._found.add("csv", file, line, text)
            elif self._files and path not in files:
                self._found.add("missing", file, line, f"{values[0]} has no file.")
            if not path.removeprefix(f"{folder}/").startswith(f"{split}/"):
                other = path.split("/")[0]
                self._found.add("csv", file, line, f"{values[0]} is in the folder of {other}.")
            for column, value in zip(COLUMNS[5:], values[5:], strict=True):
                if value not in VALUES:
                    text = f"{column}: the label {value!r} is none of 1.0, 0.0, -1.0 and blank."
                    self._found.add("label", file, line, text)
        return seen

    def _read(self, path: str) -> bool:
        """Whether the CSV that should list *path* was read to its end."""
        return not any(path.startswith(folder) for folder in self._told.unread)

    def _splits(self, rows: Sequence[tuple[Any, ...]]) -> None:
        splits: dict[str, dict[str, int]] = defaultdict(dict)
        for split, line, values in rows:
            splits[values[0].split("/")[-3]].setdefault(split, line)
        for who, found in sorted(splits.items()):
            if len(found) > 1:
                split, line = list(found.items())[-1]
                text = f"Patient {who} is in more than one split: {', '.join(sorted(found))}."
                self._found.add("split", f"{split}.csv", line, text)

    def _labels(
        self,
        captures: Sequence[tuple[Any, ...]],
        rows: dict[str, tuple[str, int, tuple[str, ...]]],
    ) -> None:
        """Every row's values against its x-ray's source row; films have rows of their own."""
        sources: dict[tuple[bool, str], Sequence[str]] = {}
        for _, index, key, _, _, _, _, source, _ in captures:
            if source is not None:
                sources[index is None, key] = source
        for path, (file, line, values) in rows.items():
            parts = path.split("/")
            film = layout.FILM in parts[:-3]
            key = "/".join((*parts[-3:-1], parts[-1].rpartition(".")[0]))
            source = sources.get((film, key))
            if source is not None and list(values[1:]) != list(source[1:]):
                told = ", ".join(
                    f"{column} is {have!r}, there {want!r}"
                    for column, have, want in zip(COLUMNS[1:], values[1:], source[1:], strict=True)
                    if have != want
                )
                text = f"{values[0]} has other labels than its source row: {told}."
                self._found.add("label", file, line, text)

    def _captures(
        self,
        captures: Sequence[tuple[Any, ...]],
        rows: dict[str, tuple[str, int, tuple[str, ...]]],
        copies: dict[str, tuple[str, int, tuple[str, ...]]],
    ) -> Iterator[Photo]:
        listed = set()
        for line, index, key, path, gap, digest, source_sha, source, copied in captures:
            if gap is not None:
                continue
            listed.add(path)
            if path not in rows and self._read(path):
                text = f"{path} (index {index}) is in no CSV."
                self._found.add("captures", layout.CAPTURES, line, text)
            if copied is not None:
                copy = layout.rectified(path)
                if copy not in copies and self._read(copy):
                    text = f"{copy} is in no CSV."
                    self._found.add("captures", layout.CAPTURES, line, text)
                self._digest(layout.CAPTURES, line, copy, copied)
            if self._digest(layout.CAPTURES, line, path, digest) and index is not None:
                yield Photo(line, path, key, source_sha, source[0] if source else None)
        for path, (file, line, _) in rows.items() if self._told.captures else ():
            if path.split("/")[1] in {"natural", layout.FILM} and path not in listed:
                self._found.add("captures", file, line, f"{path} is not in {layout.CAPTURES}.")

    def _twins(
        self,
        twins: Sequence[tuple[Any, ...]],
        rows: dict[str, tuple[str, int, tuple[str, ...]]],
    ) -> None:
        if not self._told.manifest:
            return
        made = set()
        for line, path, digest in twins:
            made.add(path)
            if path not in rows and self._read(path):
                self._found.add("manifest", layout.MANIFEST, line, f"{path} is in no CSV.")
            self._digest(layout.MANIFEST, line, path, digest)
        for path, (file, line, _) in rows.items():
            if path.split("/")[1] == "synthetic" and path not in made:
                self._found.add("manifest", file, line, f"{path} is not in {layout.MANIFEST}.")

    def _digest(self, file: str, line: int, path: str, digest: str | None) -> bool:
        """Compare the picture at *path* with the digest in *file*; whether it can be read."""
        if not self._files:
            return False
        if ".." in path.split("/") or path.startswith("/"):
            self._found.add("csv", file, line, f"{path} leads out of the dataset.")
            return False
        try:
            with (self._root / path).open("rb") as handle:
                same = hashlib.file_digest(handle, "sha256").hexdigest() == digest
        except OSError as error:
            text = f"{path} cannot be read: {error.strerror or error}."
            self._found.add("missing", file, line, text)
            return False
        if not same:
            text = f"{path} is not the picture that was built (its SHA-256 differs)."
            self._found.add("digest", file, line, text)
        return True

    def _boxes(self, boxes: Sequence[tuple[Any, ...]], rows: set[str], files: set[str]) -> None:
        sizes: dict[str, tuple[int, int] | None] = {}
        for line, path, name, edges, size in boxes:
            if path not in rows:
                if self._read(path):
                    self._found.add("box", layout.BOXES, line, f"{path} is in no CSV.")
                continue
            if None in edges:
                continue  # no finding, or dropped
            left, top, right, bottom = edges
            width, height = size
            if not (
                -_SLACK <= left < right <= width + _SLACK
                and -_SLACK <= top < bottom <= height + _SLACK
            ):
                text = (
                    f"the box of {name} in {path}, {left:g} {top:g} {right:g} {bottom:g}, is not "
                    f"inside {width} x {height}."
                )
                self._found.add("box", layout.BOXES, line, text)
            if self._files and path in files:
                real = sizes.setdefault(path, _size(self._root / path))
                if real is not None and real != size:
                    text = f"{path} has {real[0]} x {real[1]} pixels, not {width} x {height}."
                    self._found.add("box", layout.BOXES, line, text)


def _size(file: Path) -> tuple[int, int] | None:
    try:
        with Image.open(file) as picture:
            return picture.size
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None
