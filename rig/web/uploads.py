"""Catalogs on their way in: files of a person's computer, kept below the home under checked names.

An upload is a folder of its own. Its files come in pieces, each with the place where it belongs, so
that a broken connection is taken up again; nothing is read as a picture before the import does it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rig.catalog.rows import locate
from rig.errors import UserError
from rig.store.errors import ConflictError, NotFoundError

FOLDER = "uploads"
"""Folder of the home."""
FILES = "files"
"""Folder of an upload that holds what came in, or what was in the archive that came in."""
MAX_FILE = 16 * 1024**3
"""Largest file, bytes: an archive of a whole catalog."""
MAX_FILES = 500_000
"""Files of one archive."""
MOST = 20
"""Uploads that are kept without a catalog: more would be forgotten ones."""
FREE_MIN = 1024**3
"""Nothing is taken in while the disk has less free than this, bytes: the photos need it."""
KINDS = frozenset({".csv", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
"""What a catalog is made of; other files are left out."""
ARCHIVE = ".zip"
TRIED = 50
"""Rows that are looked at to find out what the paths of a CSV begin at."""

_ID = re.compile(r"u[0-9a-f]{16}", re.ASCII)
_PART = re.compile(r"[^\x00-\x1f\x7f/\\:*?\"<>|]{1,120}")
_DEEPEST = 12
_BYTES = 200
"""Of a name: file systems take 255."""


class UploadError(UserError):
    """What was sent cannot become a catalog; a sentence."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What lies in an upload.

    Attributes:
        id: `u` and 16 hex digits.
        files: how many.
        size: bytes of all of them.
        changed_ns: Unix time of the newest piece.
    """

    id: str
    files: int
    size: int
    changed_ns: int


def place(home: Path, upload: str) -> Path:
    """The folder of an upload, which need not exist.

    Raises:
        NotFoundError: that is not the id of one.
    """
    if not _ID.fullmatch(upload):
        raise NotFoundError(f"No upload has the id {upload[:40]!r}.")
    return home / FOLDER / upload


def begin(home: Path) -> str:
    """Make a folder for an upload; its id. Blocks.

    Raises:
        ConflictError: too many wait, or the disk is full.
    """
    if len(waiting(home)) >= MOST:
        raise ConflictError(
            f"{MOST} uploads wait to be imported already: import or discard one of them first."
        )
    room(home, 0)
    upload = "u" + secrets.token_hex(8)
    (place(home, upload) / FILES).mkdir(parents=True, mode=0o700)
    return upload


def room(home: Path, size: int) -> None:
    """Whether *size* more bytes may be written.

    Raises:
        ConflictError: the disk would have less than `FREE_MIN` free.
    """
    free = shutil.disk_usage(home).free
    if free - size < FREE_MIN:
        raise ConflictError(
            f"The controller's disk has {free // 1024**2} MiB free, which is too little for this: "
            "free some room, then go on."
        )


def relative(name: str) -> Path:
    """*name* from outside as a path below an upload's folder.

    Raises:
        UploadError: it is absolute, climbs out, is hidden, too deep, or holds odd characters.
    """
    parts = name.split("/")
    odd = not 1 <= len(parts) <= _DEEPEST or any(
        not _PART.fullmatch(part)
        or part.startswith(".")
        or part != part.strip(" .")
        or len(part.encode("utf-8", "surrogatepass")) > _BYTES
        for part in parts
    )
    if odd:
        raise UploadError(
            f"{name[:120]!r} cannot be the name of a file here: folders and names of plain "
            "characters, no hidden ones, no `..`, nothing absolute."
        )
    if Path(parts[-1]).suffix.lower() not in {*KINDS, ARCHIVE}:
        kinds = ", ".join(sorted(one[1:] for one in KINDS))
        raise UploadError(f"{name[:120]!r} is no part of a catalog: send {kinds} or one zip.")
    return Path(*parts)


def size_of(home: Path, upload: str, name: str) -> int:
    """Bytes of a file that are here already. Blocks.

    Raises:
        NotFoundError: no such upload.
        UploadError: the name cannot be.
    """
    file = _open_folder(home, upload) / relative(name)
    return file.stat().st_size if file.is_file() else 0


def append(home: Path, upload: str, name: str, offset: int, data: bytes) -> int:
    """Write a piece of a file at *offset*; how much of the file is here now. Blocks.

    Raises:
        NotFoundError: no such upload.
        ConflictError: the piece does not follow what is here, or the disk is full.
        UploadError: the name cannot be, or the file becomes too large.
    """
    folder = _open_folder(home, upload)
    file = folder / relative(name)
    present = file.stat().st_size if file.is_file() else 0
    if present != offset:
        raise ConflictError(f"{present} bytes of {name[:80]!r} are here: go on at that place.")
    if offset + len(data) > MAX_FILE:
        raise UploadError(f"{name[:80]!r} is larger than {MAX_FILE // 1024**3} GiB.")
    room(home, len(data))
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "ab") as out:
            out.write(data)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise UploadError(f"{name[:80]!r} is both a file and a folder here.") from error
    return offset + len(data)


def discard(home: Path, upload: str) -> None:
    """Remove an upload and everything in it. Blocks.

    Raises:
        NotFoundError: no such upload.
    """
    shutil.rmtree(_open_folder(home, upload).parent)


def look(home: Path, upload: str) -> Upload:
    """What lies in an upload. Blocks.

    Raises:
        NotFoundError: no such upload.
    """
    folder = _open_folder(home, upload)
    stats = [file.stat() for file in _files(folder)]
    newest = max((one.st_mtime_ns for one in stats), default=folder.stat().st_mtime_ns)
    return Upload(upload, len(stats), sum(one.st_size for one in stats), newest)


def waiting(home: Path, used: frozenset[str] = frozenset()) -> list[str]:
    """Ids of the uploads that no catalog has its files in; *used* are those that have. Blocks."""
    folder = home / FOLDER
    if not folder.is_dir():
        return []
    found = (one.name for one in folder.iterdir() if _ID.fullmatch(one.name))
    return sorted(one for one in found if one not in used and not _kept(folder / one))


def keep(home: Path, upload: str) -> None:
    """A catalog has its files in *upload* now: it waits no more."""
    (place(home, upload) / "kept").write_text(f"{time.time_ns()}\n", encoding="ascii")


def sources(home: Path, upload: str) -> tuple[Path, Path]:
    """The CSV of an upload and the folder that its paths begin at. Blocks.

    Raises:
        NotFoundError: no such upload.
        UploadError: there is no CSV, or more than one.
    """
    root = _open_folder(home, upload)
    found = [file for file in _files(root) if file.suffix.lower() == ".csv"]
    if len(found) != 1:
        listed = ", ".join(sorted(file.name for file in found)[:5])
        raise UploadError(
            f"The upload has {len(found)} CSV files ({listed}): it must have exactly one."
            if found
            else "The upload has no CSV file: put the catalog's CSV beside the folder of images."
        )
    csv = found[0]
    tops = [root, *(one for one in root.iterdir() if one.is_dir())]
    within = [csv.parent, csv.parent.parent] if csv.parent != root else [root]
    begins = list(dict.fromkeys([*within, *tops]))
    paths = list(_paths(csv))
    best = max(begins, key=lambda one: sum(_is_below(path, one) for path in paths))
    return csv, best


def _is_below(path: str, folder: Path) -> bool:
    parts = path.split("/")
    return ".." not in parts and not path.startswith("/") and locate(path, folder) is not None


def _paths(csv: Path) -> Iterator[str]:
    """The first cells of a CSV's column `Path`; nothing when it cannot be read: the import says."""
    import csv as reading

    with csv.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = reading.DictReader(file)
        try:
            for _, row in zip(range(TRIED), rows, strict=False):
                if path := row.get("Path"):
                    yield str(path)
        except reading.Error:
            return


def _open_folder(home: Path, upload: str) -> Path:
    folder = place(home, upload) / FILES
    if not folder.is_dir():
        raise NotFoundError(f"No upload has the id {upload[:40]!r}: it was discarded.")
    return folder


def _kept(folder: Path) -> bool:
    return (folder / "kept").exists()


def _files(folder: Path) -> Iterator[Path]:
    """Every plain file below *folder*; links are none."""
    for base, _, names in os.walk(folder):
        for name in names:
            file = Path(base, name)
            if not file.is_symlink():
                yield file
