"""An uploaded archive becomes files: nothing leaves the folder, nothing grows without end."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from rig.store.errors import ConflictError
from rig.web import uploads
from rig.web.uploads import ARCHIVE, KINDS, MAX_FILES, UploadError

MAX_UNPACKED = 64 * 1024**3
"""Bytes of everything in an archive."""
MAX_ENTRY = 1024**3
"""Bytes of one file in it: the largest picture that is read has 200 megapixels."""
MAX_RATIO = 200
"""An archive may unpack to so many times its size: pictures hardly shrink, a CSV tenfold."""
_SPARE = 64 * 1024**2
_PIECE = 1024 * 1024
_JUNK = ("__MACOSX/",)

Progress = Callable[[int, int], None]


def unpack(home: Path, upload: str, progress: Progress | None = None) -> int:
    """Unpack the one archive of *upload* in place, then remove it; how many files it had. Blocks.

    An upload without an archive stays as it is. Files that are no part of a catalog are left out.

    Args:
        home: the home folder.
        upload: its id.
        progress: called as (files done, files in all).

    Raises:
        NotFoundError: no such upload.
        UploadError: a damaged or encrypted archive, or a name in it that leaves the folder; one
            that grows too large.
        ConflictError: the disk is full.
    """
    root = uploads.place(home, upload) / uploads.FILES
    uploads.look(home, upload)
    archives = sorted(one for one in root.rglob("*") if one.suffix.lower() == ARCHIVE)
    if not archives:
        return 0
    if len(archives) > 1:
        raise UploadError("The upload has more than one zip: send one that holds everything.")
    try:
        with zipfile.ZipFile(archives[0]) as archive:
            wanted = _wanted(archive, archives[0].stat().st_size)
            uploads.room(home, sum(entry.file_size for entry in wanted))
            _extract(archive, wanted, root, home, progress)
    # RuntimeError: a compression that zipfile does not know, or a password is wanted.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise ConflictError(f"The archive could not be unpacked: {error.strerror}.") from error
        raise UploadError(f"The zip is damaged, or of a kind that is not read: {error}.") from error
    archives[0].unlink()
    return len(wanted)


def _wanted(archive: zipfile.ZipFile, size: int) -> list[zipfile.ZipInfo]:
    """The files of a catalog in *archive*, of *size* bytes, after looking at every name."""
    entries = archive.infolist()
    if len(entries) > MAX_FILES:
        raise UploadError(f"The zip has {len(entries)} files, at most {MAX_FILES} are taken.")
    found = []
    for entry in entries:
        name = entry.filename
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise UploadError(
                f"{name[:120]!r} in the zip would leave its folder: nothing is taken."
            )
        if entry.is_dir() or name.startswith(_JUNK) or _hidden(name):
            continue
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise UploadError(f"{name[:120]!r} in the zip is a link: only plain files are taken.")
        if entry.flag_bits & 0x1:
            raise UploadError(f"{name[:120]!r} in the zip is encrypted: make one without password.")
        if Path(name).suffix.lower() in KINDS:
            uploads.relative(name)
            found.append(entry)
    told = sum(entry.file_size for entry in found)
    if told > MAX_UNPACKED or told > size * MAX_RATIO + _SPARE:
        raise UploadError(
            f"The zip says that it unpacks to {told // 1024**2} MiB, which no set of x-rays does."
        )
    return found


def _hidden(name: str) -> bool:
    return any(part.startswith(".") and part not in {".", ".."} for part in name.split("/"))


def _extract(
    archive: zipfile.ZipFile,
    wanted: list[zipfile.ZipInfo],
    root: Path,
    home: Path,
    progress: Progress | None,
) -> None:
    for done, entry in enumerate(wanted, 1):
        target = root / uploads.relative(entry.filename)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # What an archive says of its files' sizes is only its word: what comes out is counted.
        left = min(entry.file_size, MAX_ENTRY)
        handle = os.open(target, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with archive.open(entry) as source, os.fdopen(handle, "wb") as out:
            while piece := source.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise UploadError(
                        f"{entry.filename[:120]!r} in the zip is larger than it says."
                    )
                out.write(piece)
        if done % 100 == 0:
            uploads.room(home, 0)
        if progress is not None:
            progress(done, len(wanted))
