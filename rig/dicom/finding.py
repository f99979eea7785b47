"""Files, folders and DICOMDIRs to one numbered list of inputs, the same on every run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.dicom import elements
from rig.dicom.reading import read
from rig.dicom.refusal import Reason, Refused
from rig.errors import UserError

DIRECTORY = "DICOMDIR"
_FILE_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Input:
    """One file. Its name may hold a patient's: it is told by its number.

    Attributes:
        number: from 1, in the order of the command line and then of the names.
        path: the file; never shown, unless asked for.
        folders: names of the folders above it, from the one given on the command line down.
        absent: a DICOMDIR names it and it is not there.
    """

    number: int
    path: Path
    folders: tuple[str, ...]
    absent: bool = False


def find(paths: Sequence[Path], *, leave_out: Iterable[Path] = ()) -> tuple[Input, ...]:
    """Every file of *paths*, each once.

    Of a folder, all regular files below it in the order of their names; hidden ones, DICOMDIRs and
    links to folders are passed over. Of a DICOMDIR, the files it names.

    Args:
        paths: files, folders and DICOMDIRs.
        leave_out: files and folders that are no inputs.

    Raises:
        UserError: a path does not exist, or a DICOMDIR cannot be read; told by its place.
    """
    out = [one.resolve() for one in leave_out]
    seen: set[Path] = set()
    found: list[Input] = []
    for place, path in enumerate(paths, 1):
        for file, folders, absent in _below(path, place):
            real = file.resolve()
            if real in seen or any(real == one or real.is_relative_to(one) for one in out):
                continue
            seen.add(real)
            found.append(Input(len(found) + 1, real, folders, absent))
    return tuple(found)


def _below(path: Path, place: int) -> Iterator[tuple[Path, tuple[str, ...], bool]]:
    if path.is_dir():
        base = path.resolve()
        for file in _walk(base):
            yield file, (base.name, *file.parent.relative_to(base).parts), False
    elif path.is_file():
        if path.name.upper() == DIRECTORY:
            yield from _listed(path.resolve(), place)
        else:
            yield path, (path.resolve().parent.name,), False
    else:
        # The path may hold a patient's name, and this sentence may end up in a log.
        raise UserError(f"PATH number {place} on the command line does not exist.")


def _walk(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda one: one.name)
    for entry in listed:
        if entry.name.startswith(".") or entry.name.upper() == DIRECTORY:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)


def _listed(directory: Path, place: int) -> Iterator[tuple[Path, tuple[str, ...], bool]]:
    base = directory.parent
    for parts in _file_ids(directory, place):
        file = _on_disk(base, parts)
        yield file or base.joinpath(*parts), (base.name, *parts[:-1]), file is None


def _file_ids(directory: Path, place: int) -> list[tuple[str, ...]]:
    """The Referenced File IDs (PS3.3 F.3.2.2) of a DICOMDIR, in its order."""
    from pydicom import dcmread

    from rig.dicom.quiet import quiet

    broken = f"PATH number {place} on the command line is called DICOMDIR, but is none."
    found: list[tuple[str, ...]] = []
    with quiet():
        try:
            read(directory, pixels=False)
        except Refused as refused:
            if refused.reason is not Reason.DIRECTORY:
                raise UserError(broken) from None
        else:
            raise UserError(broken)
        records = elements.value(dcmread(directory), "DirectoryRecordSequence") or ()
        for record in records:
            parts = elements.texts(record, "ReferencedFileID")
            if parts and all(_FILE_ID.fullmatch(one) for one in parts):
                found.append(parts)
    return found


def _on_disk(base: Path, parts: tuple[str, ...]) -> Path | None:
    """A medium has capitals; what was copied from it often has not."""
    for variant in (parts, tuple(one.lower() for one in parts)):
        file = base.joinpath(*variant)
        if file.is_file() and file.resolve().is_relative_to(base):
            return file
    return None
