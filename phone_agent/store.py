"""Where the phone keeps its photos: one folder, one agent, nothing ever overwritten.

    DIR/lock         held by the running agent
    DIR/staging/     files being written: <index>.<attempt>.<boot>.part
    DIR/photos/      photos under their final names, each with its .json sidecar
    DIR/quarantine/  everything that must not be mistaken for a photo, kept for a person to look at

The STORED record in the journal, not the file, is the truth: `recover` sorts the files by it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import final

from phone_agent.files import check_name, sha256_file, sync_file, sync_folder, write_synced
from rig.protocol.failpoint import hit

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_PHOTO, _SIDECAR = ".jpg", ".json"


class StoreBusy(Exception):
    """The folder belongs to another running phone agent."""


class StoreLost(Exception):
    """The folder contradicts the journal; shooting must not go on (abort STORE_LOST)."""


class StoreFull(OSError):
    """The phone has no room left; an OSError with the errno of the system."""


@final
class PhotoStore:
    """The folder of one phone agent, locked for as long as the object is open.

    Raises:
        StoreBusy: another phone agent uses this folder.
        OSError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.staging = folder / "staging"
        self.photos = folder / "photos"
        self.quarantined = folder / "quarantine"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock: int | None = _lock(folder)
        try:
            for each in (self.staging, self.photos, self.quarantined):
                each.mkdir(mode=0o700, exist_ok=True)
            sync_folder(folder)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> PhotoStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the folder free; may be called twice."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def staging_path(self, name: str) -> Path:
        """Where the camera writes; raises BadName."""
        return self.staging / check_name(name)

    def photo_path(self, name: str) -> Path:
        """Where a photo lies under its final name, there or not; raises BadName."""
        if not check_name(name).endswith(_PHOTO):
            raise ValueError(f"A photo's name ends in {_PHOTO}, {name!r} does not.")
        return self.photos / name

    def sidecar_path(self, name: str) -> Path:
        """Where the metadata of the photo `name` lies; raises BadName."""
        return self.photo_path(name).with_suffix(_SIDECAR)

    def store(self, staging: Path, final_name: str, sidecar: bytes) -> None:
        """Give a staged file its final name, durably; the sidecar becomes durable first.

        When the final name already has the same bytes this is a redo and does no harm.

        Raises:
            BadName, ValueError: a name that is no photo's, or a file outside staging/.
            StoreLost: the final name is taken by other bytes, or the staged file is gone.
            StoreFull: no room left. OSError: anything else the file system says.
        """
        if staging.parent != self.staging:
            raise ValueError(f"{staging} is not in {self.staging}.")
        target = self.photo_path(final_name)
        with _room(self.folder):
            self.put_sidecar(final_name, sidecar)
            hit("after_sidecar")
            try:
                sync_file(staging)
            except FileNotFoundError as error:
                raise StoreLost(
                    f"The staged photo {staging.name} is gone before it got its name "
                    f"{final_name}; end what deletes files in {self.staging}, then re-arm."
                ) from error
            self._place(staging, target)

    def put_sidecar(self, final_name: str, sidecar: bytes) -> None:
        """Write the metadata of `final_name` durably, or find the same bytes there already.

        Raises:
            BadName, StoreLost, StoreFull, OSError: as in `store`.
        """
        target = self.sidecar_path(final_name)
        scratch = self.staging / f"{target.name}.part"
        with _room(self.folder):
            write_synced(scratch, sidecar)
            self._place(scratch, target)

    def _place(self, source: Path, target: Path) -> None:
        """Move a synced file to a name that nobody holds.

        Android forbids hard links to apps (Termux's Python has no os.link at all), so the name is
        first reserved with O_EXCL and then replaced. A crash in between leaves an empty file that
        has no STORED record, which `recover` puts aside; the lock keeps all others out.
        """
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            if sha256_file(target) != sha256_file(source):
                raise StoreLost(
                    f"{target.name} already exists with other contents; nothing was overwritten. "
                    f"Both files are kept: move the one that does not belong to {self.folder} "
                    "elsewhere, then re-arm."
                ) from None
            sync_file(target)
            source.unlink()
        else:
            hit(f"after_reserve_{target.suffix[1:]}")
            try:
                source.replace(target)
            except OSError:  # nothing wider: after a success the name is the photo's
                target.unlink()
                raise
            hit(f"after_rename_{target.suffix[1:]}")
        sync_folder(target.parent)
        sync_folder(source.parent)

    def quarantine(self, name: str) -> list[str]:
        """Put a staged file, or a photo with its sidecar, aside; returns what was moved.

        Doing it again finds nothing and returns an empty list.

        Raises:
            BadName: the name is no safe file name. OSError: the move failed.
        """
        found = [self.staging / check_name(name), self.photos / name]
        if name.endswith(_PHOTO):
            found.append(self.sidecar_path(name))
        return self._set_aside([path for path in found if path.is_file()])

    def recover(self, stored_names: Collection[str]) -> list[str]:
        """After a start: keep the photos the journal knows, put all other files aside.

        Names beginning with a dot (`.nomedia`) and folders are left alone. Call it after
        `find_staged`, since nothing stays in staging/.

        Args:
            stored_names: final names with a STORED or COMMIT record in the journal.

        Returns:
            The names that were moved, sorted, staging first.
        """
        known = {self.photo_path(name) for name in stored_names}
        known |= {path.with_suffix(_SIDECAR) for path in known}
        return self._set_aside(
            _files(self.staging) + [path for path in _files(self.photos) if path not in known]
        )

    def missing(self, stored_names: Collection[str]) -> list[str]:
        """Names with a STORED record whose photo is not there, sorted."""
        return sorted(name for name in stored_names if not self.photo_path(name).is_file())

    def find_staged(self, sha256: bytes) -> Path | None:
        """The staged file with this hash: a rename that a crash has undone can be redone."""
        return next((path for path in _files(self.staging) if sha256_file(path) == sha256), None)

    def free_bytes(self) -> int:
        """Bytes an app may still write to the file system of the folder."""
        return shutil.disk_usage(self.folder).free

    def _set_aside(self, paths: list[Path]) -> list[str]:
        for path in paths:
            path.replace(_unused(self.quarantined, path.name))
            hit("after_set_aside")
        # The new name first: a crash may leave the file under both names, never under none.
        for folder in (self.quarantined, *sorted({path.parent for path in paths})) if paths else ():
            sync_folder(folder)
        return [ascii(path.name)[1:-1] for path in paths]


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise StoreBusy(
            f"Another phone agent uses this folder: {folder}. Stop it, or give --dir another one."
        ) from error
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))


def _unused(folder: Path, name: str) -> Path:
    """A free name in quarantine: the same file name may come there more than once."""
    candidate, number = folder / name, 0
    while candidate.exists():
        number += 1
        # The number goes in front and the tail is cut, so the name stays within 255 bytes.
        candidate = folder / f"{number}.{name}"[:255]
    return candidate


@contextmanager
def _room(folder: Path) -> Iterator[None]:
    try:
        yield
    except StoreFull:
        raise
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise StoreFull(
            error.errno,
            f"The phone's storage is full; free some room, then resume. Folder: {folder}",
        ) from error
