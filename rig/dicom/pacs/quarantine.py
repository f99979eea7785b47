"""The folder that holds what came from a PACS, identifiers and all, until it is de-identified.

Mode 0700. `files/` holds one file per SOP instance, named by a hash of its UID; `journal.jsonl`
says what was asked for and what came. Each file is whole or absent, and durable before its line is
written, so that a pull that was killed goes on where it was: nothing twice, nothing missing.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rig.dicom.pacs.check import check_instance
from rig.dicom.pacs.errors import BadInstance, OutOfSpace, PacsError
from rig.dicom.pacs.journal import Journal
from rig.dicom.pacs.model import Instance, is_uid
from rig.durable import PRIVATE, write_atomic

FILES = "files"
_JOURNAL = "journal.jsonl"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class Limits:
    """How much disk may be used, bytes.

    Attributes:
        total: of all files in the quarantine.
        spare: that must stay free on its disk; 0: until the disk itself says that it is full.
        instance: of one file.
    """

    total: int = 1 << 40
    spare: int = 1 << 30
    instance: int = 1 << 30


class Quarantine:
    """The folder, open for one process; every method may be called from any thread.

    Attributes:
        folder: where it is.
        got: SOP Instance UID -> bytes of its file.
        asked: SOP Instance UID -> what was asked for.
    """

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        """Open or make *folder*.

        Raises:
            PacsError: it holds something else, or another process works in it.
            OSError: it cannot be written.
        """
        self.folder = folder
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._closed = False
        self._make()
        self._holder = _hold(folder)
        try:
            self._journal = Journal(folder / _JOURNAL)
            self.asked: dict[str, Instance] = {}
            self.got: dict[str, int] = {}
            self._digests: dict[str, set[str]] = {}
            self._recall()
        except BaseException:
            os.close(self._holder)
            raise

    def close(self) -> None:
        """Let go of the folder; nothing can be kept afterwards."""
        with self._lock:
            self._closed = True
            self._journal.close()
            os.close(self._holder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Bytes of all files that came."""
        return sum(self.got.values())

    def ask(self, instances: Iterable[Instance]) -> None:
        """Note that *instances* are wanted, durably."""
        with self._lock:
            new = [one for one in instances if one.sop not in self.asked]
            self.asked |= {one.sop: one for one in new}
            self._journal.append(
                [
                    {
                        "asked": one.sop,
                        "study": one.study,
                        "series": one.series,
                        "class": one.sop_class,
                    }
                    for one in new
                ]
            )

    def keep(self, sop: str, data: bytes) -> bool:
        """Keep the Part 10 file *data* of the instance *sop*, durably; False: it was there already.

        A second file with the same UID and other bytes is kept beside the first: which of them is
        right is decided where pixels are compared.

        Raises:
            BadInstance: *data* is not that instance.
            OutOfSpace: the disk, or the allowed share of it, is full.
        """
        if not is_uid(sop):
            raise BadInstance("The PACS sent an instance whose UID is none.")
        check_instance(sop, data)
        digest = hashlib.sha256(data).hexdigest()
        with self._lock:
            if self._closed:
                raise PacsError(f"{self.folder} is closed.")
            known = self._digests.setdefault(sop, set())
            if digest in known:
                return False
            name = _name(sop) if not known else f"{_name(sop)}-{digest[:16]}"
            self._room_for(len(data))
            self._write(name, data)
            self._came(sop, name, len(data), digest)
            return True

    def failed(self, sop: str, why: str) -> None:
        """Note that the instance *sop* did not come."""
        with self._lock:
            self._journal.append([{"failed": sop, "why": why}])

    def _make(self) -> None:
        if self.folder.is_dir() and not (self.folder / _JOURNAL).exists():
            strange = [one.name for one in self.folder.iterdir() if one.name not in {FILES, "lock"}]
            if strange:
                raise PacsError(
                    f"{self.folder} holds other things: give the files of the PACS a new folder."
                )
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)  # made by somebody with a wider mask

    def _recall(self) -> None:
        """What the journal says; a file without a line came just before a kill."""
        for row in self._journal.rows:
            if "asked" in row:
                one = Instance(row["study"], row["series"], row["asked"], row["class"])
                self.asked[one.sop] = one
            elif "got" in row and (self.folder / FILES / row["file"]).is_file():
                self.got[row["got"]] = self.got.get(row["got"], 0) + int(row["bytes"])
                self._digests.setdefault(row["got"], set()).add(row["sha256"])
        waiting = {_path(_name(sop)): sop for sop in self.asked if sop not in self.got}
        for path, sop in waiting.items():
            file = self.folder / FILES / path
            if file.is_file():
                data = file.read_bytes()
                self._came(sop, _name(sop), len(data), hashlib.sha256(data).hexdigest())
        for part in (self.folder / FILES).glob("*/.*.part"):
            part.unlink()

    def _came(self, sop: str, name: str, size: int, digest: str) -> None:
        row = {"got": sop, "file": _path(name), "bytes": size, "sha256": digest}
        self._journal.append([row])
        self._digests.setdefault(sop, set()).add(digest)
        self.got[sop] = self.got.get(sop, 0) + size

    def _room_for(self, size: int) -> None:
        if size > self._limits.instance:
            raise BadInstance(f"The PACS sent an instance of {size:,} bytes; that is too large.")
        if self.size + size > self._limits.total:
            raise OutOfSpace(
                f"{self.folder} holds the {self._limits.total:,} bytes that it may: import what is "
                "there, then use another folder or allow more with --max-gb."
            )
        free = shutil.disk_usage(self.folder).free
        if self._limits.spare and free - size < self._limits.spare:
            raise OutOfSpace(
                f"The disk of {self.folder} has {free:,} bytes left, and {self._limits.spare:,} "
                "must stay free: make room (or lower --spare-gb), then run it again."
            )

    def _write(self, name: str, data: bytes) -> None:
        try:
            write_atomic(self.folder / FILES / _path(name), data, mode=PRIVATE)
        except OSError as error:
            if error.errno in _FULL:
                raise OutOfSpace(
                    f"The disk of {self.folder} is full: make room, then run it again."
                ) from error
            raise PacsError(f"{self.folder} cannot be written: {error.strerror}.") from error


def _name(sop: str) -> str:
    return hashlib.sha256(sop.encode()).hexdigest()[:32]


def _path(name: str) -> str:
    return f"{name[:2]}/{name}.dcm"


def _hold(folder: Path) -> int:
    handle = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, PRIVATE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise PacsError(f"Another process works in {folder}: wait for it, or stop it.") from error
    return handle
