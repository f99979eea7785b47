"""Is a dataset whole and right? Every problem is a sentence with its place; nothing is repaired."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from rig.dataset import layout
from rig.dataset.compare import Comparison, Photo
from rig.dataset.errors import DatasetError
from rig.dataset.findings import CheckReport, Finding, Findings
from rig.dataset.gather import gather
from rig.dataset.labels import splits_of
from rig.dataset.optical import Optics, Summary, look_at
from rig.dataset.partition import Partition

__all__ = ["CheckReport", "Finding", "check"]


def check(
    root: Path,
    *,
    files: bool = True,
    optics: Optics | None = None,
    sources: Path | None = None,
    scratch: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Check the dataset at *root* in memory that does not grow with it.

    Looked at are the CSVs, pictures, digests, captures, the manifest, boxes, labels against the
    rows of the source, doubles, and patients in two splits; with *optics* also whether each photo
    shows its x-ray.

    Args:
        root: the dataset.
        files: False leaves the pictures alone and compares the tables only.
        optics: compares photos with x-rays; None leaves that out.
        sources: folder with the source x-rays, as the catalog's CSV names them; without it the
            digital twins in the dataset stand for them.
        scratch: folder for temporary files; the system's by default.
        progress: called with (done, total) images, photos to look at included.

    Raises:
        DatasetError: it is no dataset at all.
    """
    if not splits_of(root):
        raise DatasetError(f"{root} is no dataset: it has no train.csv, valid.csv or test.csv.")
    found = Findings()
    done = 0
    photos = 0
    summary = Summary()
    with (
        Partition(scratch=scratch) as by_patient,
        Partition(scratch=scratch) as by_digest,
        Partition(scratch=scratch) as worth,
    ):
        told = gather(root, by_patient, by_digest, found)

        def step() -> None:
            nonlocal done
            done += 1
            if progress:
                progress(done, told.images)

        def looked(count: int) -> None:
            if progress:
                progress(told.images + count, told.images + photos)

        comparison = Comparison(root, told, found, files=files, step=step)
        for group in by_patient.groups():
            for photo in comparison.group(group):
                if optics is not None:
                    photos += 1
                    worth.add(photo.key, _packed(photo))
        _doubles(by_digest, found)
        _croissant(root, found)
        if optics is not None:
            ready = (Photo(*packed) for group in worth.groups() for packed in group)
            summary = look_at(root, ready, optics, sources, found, looked)
    findings = tuple(sorted(found.kept))
    return CheckReport(
        root, told.images, told.gaps, findings, found.count, summary.looked, summary.unlooked
    )


def _packed(photo: Photo) -> tuple[object, ...]:
    return (photo.line, photo.path, photo.key, photo.source_sha256, photo.source_path)


def _doubles(by_digest: Partition, found: Findings) -> None:
    """One photo cannot show two x-rays."""
    for group in by_digest.groups():
        seen: dict[str, str] = {}
        for digest, path, line in group:
            if digest in seen:
                text = f"{path} has the same bytes as {seen[digest]}."
                found.add("doubled", layout.CAPTURES, line, text)
            seen.setdefault(digest, path)


def _croissant(root: Path, found: Findings) -> None:
    """The tables against the digests of `croissant.json`, when there is one."""
    for file, digest in _described(root, found):
        target = root / file
        if ".." in file.split("/") or not target.is_file():
            found.add("croissant", layout.CROISSANT, 0, f"it describes {file}, which is not there.")
            continue
        with target.open("rb") as handle:
            if hashlib.file_digest(handle, "sha256").hexdigest() != digest:
                text = f"{file} changed since it was built (its SHA-256 differs)."
                found.add("croissant", layout.CROISSANT, 0, text)


def _described(root: Path, found: Findings) -> Iterator[tuple[str, str]]:
    file = root / layout.CROISSANT
    if not file.is_file():
        return
    try:
        parts = json.loads(file.read_text(encoding="utf-8"))["distribution"]
        yield from [(p["contentUrl"], p["sha256"]) for p in parts if "sha256" in p]
    except (OSError, ValueError, KeyError, TypeError) as error:
        found.add("croissant", layout.CROISSANT, 0, f"it cannot be read: {error}.")
