"""Copy photos out of a folder into a session's: by their bytes, whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError
from rig.intake.batch import PhotoResult
from rig.intake.folder import printable
from rig.intake.match import (
    Committed,
    CommittedCapture,
    Match,
    Rejection,
    Status,
    match,
    newest_attempts,
)
from rig.intake.read import sha256_of
from rig.protocol.names import sidecar_name

SIDECAR_MAX = 1 << 20
"""Bytes of the largest sidecar that is copied; the phone writes about one kilobyte."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a folder's files became.

    Attributes:
        copied: photos copied now.
        present: photos that were here already.
        refused: a row for every other file.
        renamed: photos that came under another name: that name, and the one they are kept under.
    """

    copied: tuple[CommittedCapture, ...]
    present: tuple[CommittedCapture, ...]
    refused: tuple[PhotoResult, ...]
    renamed: tuple[tuple[str, str], ...] = ()


def copy_photos(
    photos: Sequence[Path],
    committed: Committed,
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Copied:
    """Copy those of *photos* that are *committed* captures into *folder*, byte for byte.

    Every file is read twice at most, and what is written is what was hashed. Files that can be no
    photo of the session, by name and size, are not read at all.

    Raises:
        UserError: *folder* cannot be written.
    """
    work = _Work(committed, folder)
    later = []
    for done, photo in enumerate(photos, 1):
        if not work.take(photo):
            later.append(photo)
        if progress:
            progress(done, len(photos))
    # Only now: a photo under its own name comes before a copy of it under another.
    for photo in later:
        work.take_renamed(photo)
    return work.result()


class _Work:
    def __init__(self, committed: Committed, folder: Path) -> None:
        self._committed = committed
        self._folder = folder
        self._newest = newest_attempts(committed)
        self._sizes = {one.size for one in committed.values()}
        self._by_hash = {one.sha256: one for one in committed.values()}
        self._seen: dict[int, Path] = {}
        self._copied: list[CommittedCapture] = []
        self._present: list[CommittedCapture] = []
        self._refused: list[PhotoResult] = []
        self._renamed: list[tuple[str, str]] = []

    def result(self) -> Copied:
        rows = sorted(self._refused, key=lambda row: row.name)
        return Copied(tuple(self._copied), tuple(self._present), tuple(rows), tuple(self._renamed))

    def take(self, photo: Path) -> bool:
        """Take it in or refuse it; False when it may be one under another name."""
        try:
            size = photo.stat().st_size
            if size == 0:
                self._refuse(photo, Rejection("It is empty (0 bytes).", Status.UNREADABLE))
                return True
            # Without bytes first: what is not of this session by its name is not read.
            found = match(photo.name, "", self._committed, newest=self._newest, size=size)
            if isinstance(found, Rejection) and found.status is Status.ALTERED:
                digest = sha256_of(photo)
                found = match(photo.name, digest, self._committed, newest=self._newest, size=size)
            misnamed = isinstance(found, Rejection) and found.status is Status.MISNAMED
            if misnamed and size in self._sizes:
                return False
        except OSError as error:
            found = _unreadable(error)
        if isinstance(found, Match):
            self._keep(photo, found.capture)
        else:
            self._refuse(photo, found)
        return True

    def take_renamed(self, photo: Path) -> None:
        """A file of another name: its bytes alone say whether it is a committed photo."""
        try:
            digest = sha256_of(photo)
        except OSError as error:
            self._refuse(photo, _unreadable(error))
            return
        capture = self._by_hash.get(digest)
        if capture is None:
            found = match(photo.name, digest, self._committed, newest=self._newest)
            if isinstance(found, Rejection):
                self._refuse(photo, found)
        elif self._newest[capture.index] != capture.attempt:
            reason = (
                f"Index {capture.index}: this is attempt {capture.attempt}, "
                f"attempt {self._newest[capture.index]} was committed."
            )
            self._refuse(
                photo, Rejection(reason, Status.SUPERSEDED, capture.index, capture.attempt)
            )
        elif self._keep(photo, capture):
            self._renamed.append((printable(photo.name), capture.name))

    def _keep(self, photo: Path, capture: CommittedCapture) -> bool:
        """Copy *photo*, the file of *capture*; False when it is refused."""
        if (other := self._seen.get(capture.index)) is not None:
            where = "" if other.parent == photo.parent else f" in {printable(other.parent.name)}"
            reason = (
                f"Index {capture.index}: the same photo is already there as "
                f"{printable(other.name)}{where}."
            )
            doubled = Rejection(reason, Status.DOUBLED, capture.index, capture.attempt)
            self._refuse(photo, doubled)
            return False
        target = self._folder / capture.name
        if target.is_file() and sha256_of(target) == capture.sha256:
            self._seen[capture.index] = photo
            self._present.append(capture)
            return True
        try:
            data = photo.read_bytes()
            told = _sidecar(photo.with_name(sidecar_name(capture.name)))
        except OSError as error:
            self._refuse(photo, _unreadable(error))
            return False
        if hashlib.sha256(data).hexdigest() != capture.sha256:
            why = "The file changed while it was copied; copy it again."
            self._refuse(photo, Rejection(why, Status.ALTERED, capture.index, capture.attempt))
            return False
        try:
            if told is not None:
                write_atomic(self._folder / sidecar_name(capture.name), told, mode=PRIVATE)
            write_atomic(target, data, mode=PRIVATE)
        except OSError as error:
            raise UserError(
                f"{self._folder} cannot be written ({error.strerror or error}): mend that, then "
                "run the same command again; it goes on where it stopped."
            ) from error
        self._seen[capture.index] = photo
        self._copied.append(capture)
        return True

    def _refuse(self, photo: Path, why: Rejection) -> None:
        row = PhotoResult(printable(photo.name), why.index, why.attempt, why.status, why.reason)
        self._refused.append(row)


def _sidecar(file: Path) -> bytes | None:
    """The bytes of a photo's sidecar; none when there is no such file of a sane size."""
    if not file.is_file() or file.stat().st_size > SIDECAR_MAX:
        return None
    return file.read_bytes()


def _unreadable(error: OSError) -> Rejection:
    return Rejection(f"It cannot be read: {error.strerror or error}.", Status.UNREADABLE)
