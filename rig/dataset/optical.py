"""Does each photo of a dataset show its x-ray? Two that were swapped show each other's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from rig.catalog.rows import locate
from rig.dataset import layout
from rig.dataset.compare import Photo
from rig.dataset.findings import Findings

Optics = Callable[[list[tuple[Path, Path]]], Iterator[str | None]]
"""(photo, x-ray) pairs -> for each, in order, None when the photo shows the x-ray, else why not."""

_CHUNK = 64
_SUSPECTS = 12
"""Photos that show something else of which every pair is tried to tell what they show."""


@dataclass(slots=True)
class Summary:
    """Photos looked at, and photos without an x-ray at hand."""

    looked: int = 0
    unlooked: int = 0


def look_at(
    root: Path,
    photos: Iterable[Photo],
    optics: Optics,
    sources: Path | None,
    found: Findings,
    progress: Callable[[int], None],
) -> Summary:
    """Look at *photos*; *progress* is called with how many were looked at."""
    summary = Summary()
    wrong: list[tuple[Photo, Path, str]] = []
    ready = _ready(root, photos, sources, found, summary)
    while chunk := list(islice(ready, _CHUNK)):
        answers = optics([(root / photo.path, xray) for photo, xray in chunk])
        for (photo, xray), why in zip(chunk, answers, strict=True):
            summary.looked += 1
            if why is not None:
                wrong.append((photo, xray, why))
                if len(wrong) > _SUSPECTS:
                    found.add("optical", layout.CAPTURES, photo.line, f"{photo.path}: {why}")
            progress(summary.looked)
    _tell(root, wrong[:_SUSPECTS], optics, found)
    return summary


def _ready(
    root: Path, photos: Iterable[Photo], sources: Path | None, found: Findings, summary: Summary
) -> Iterator[tuple[Photo, Path]]:
    """Photos with the x-ray each must show."""
    for photo in photos:
        xray = _source(photo, sources, found) if sources else _twin(root, photo)
        if xray is None:
            summary.unlooked += 1
        else:
            yield photo, xray


def _source(photo: Photo, sources: Path, found: Findings) -> Path | None:
    """The x-ray of *photo* below *sources*, when it is there and what the catalog imported."""
    path = PurePosixPath(photo.source_path or "")
    if not path.name or path.is_absolute() or ".." in path.parts:
        return None
    file = locate(str(path), sources)
    if file is None:
        return None
    with file.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    if photo.source_sha256 is not None and digest != photo.source_sha256:
        text = f"the x-ray of {photo.path}, {file.name}, is not the one that was photographed."
        found.add("optical", layout.CAPTURES, photo.line, text)
        return None
    return file


def _twin(root: Path, photo: Photo) -> Path | None:
    """The digital twin: the x-ray with another contrast, in its own pixels."""
    file = root / photo.path.split("/")[0] / "synthetic" / "digital" / f"{photo.key}.jpg"
    return file if file.is_file() else None


def _tell(
    root: Path, wrong: list[tuple[Photo, Path, str]], optics: Optics, found: Findings
) -> None:
    """Say of each wrong photo which of the other x-rays it shows, if any."""
    for photo, _, why in wrong:
        others = [(other, xray) for other, xray, _ in wrong if other is not photo]
        answers = optics([(root / photo.path, xray) for _, xray in others])
        shown = [other for (other, _), no in zip(others, answers, strict=True) if no is None]
        if shown:
            text = f"{photo.path} shows the x-ray of {shown[0].path}: the two are swapped."
            found.add("swapped", layout.CAPTURES, photo.line, text)
        else:
            found.add("optical", layout.CAPTURES, photo.line, f"{photo.path}: {why}")
