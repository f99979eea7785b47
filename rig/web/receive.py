"""Photos on their way in: appended to ``<name>.part``, checked, made durable, renamed."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from rig.durable import sync_folder
from rig.protocol.names import BadPhotoName, PhotoName, decode_name
from rig.store.captures import incoming

MAX_PHOTO = 64 * 1024 * 1024
"""Largest photo, bytes."""
FREE_MIN = 256 * 1024 * 1024
"""Uploads stop while the disk has less free than this, bytes."""

# ASCII letters, digits and what `rig.protocol.names` uses; no separator, no hidden file, no dots
# in a row. Checked before any path is formed, whatever else a name promises.
_SAFE = re.compile(r"x1_[A-Za-z0-9_%~-]+(?:\.[A-Za-z0-9_%~-]+)*\.(?:jpg|json)", re.ASCII)


class BadNameError(ValueError):
    """The name from outside is not one that may become a file; the sentence says why."""


class WrongHashError(ValueError):
    """The bytes do not have the SHA-256 that was announced; they were discarded."""


@dataclass(frozen=True, slots=True)
class FileName:
    """A name that may become a file: of a photo, or of the sidecar beside it."""

    text: str
    photo: PhotoName
    sidecar: bool


def check_name(text: str) -> FileName:
    """Check a name from outside.

    Raises:
        BadNameError: it is not exactly the name of a photo or sidecar of this rig.
    """
    if len(text) > 255 or ".." in text or not _SAFE.fullmatch(text):
        raise BadNameError(f"{text[:80]!r} is not the name of a photo or its sidecar.")
    sidecar = text.endswith(".json")
    stem = text.removesuffix(".json") + ".jpg" if sidecar else text
    try:
        return FileName(text, decode_name(stem), sidecar)
    except BadPhotoName as error:
        raise BadNameError(f"{error}.") from error


@dataclass(frozen=True, slots=True)
class Offset:
    """How much of a file is here."""

    bytes: int
    complete: bool


class Inbox:
    """The incoming folder of one session. All methods block; none trusts its caller with paths."""

    def __init__(self, home: Path, session: str) -> None:
        self.folder = incoming(home, session)

    def final(self, name: FileName) -> Path:
        """Where the whole file is."""
        return self.folder / name.text

    def part(self, name: FileName) -> Path:
        """Where the bytes so far are."""
        return self.folder / f"{name.text}.part"

    def offset(self, name: FileName) -> Offset:
        """How much of *name* is here."""
        try:
            return Offset(self.final(name).stat().st_size, complete=True)
        except FileNotFoundError:
            pass
        try:
            return Offset(self.part(name).stat().st_size, complete=False)
        except FileNotFoundError:
            return Offset(0, complete=False)

    def has_room(self, size: int) -> bool:
        """Whether the disk takes *size* more bytes and keeps `FREE_MIN` free."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self.folder).free - size >= FREE_MIN

    def append(self, name: FileName, at: int, data: bytes) -> None:
        """Write *data* at offset *at* of the part, which becomes its end."""
        descriptor = os.open(
            self.part(name), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        with os.fdopen(descriptor, "wb") as file:
            file.truncate(at)
            file.seek(at)
            file.write(data)

    def discard(self, name: FileName) -> None:
        """Forget the bytes so far."""
        self.part(name).unlink(missing_ok=True)

    def finish(self, name: FileName, sha256: str) -> None:
        """Make the whole part durable under its name.

        Raises:
            WrongHashError: its hash is not *sha256*; the part is gone.
        """
        part = self.part(name)
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != sha256:
                part.unlink()
                raise WrongHashError(
                    f"The bytes have SHA-256 {found[:16]}..., announced was {sha256[:16]}.... "
                    "They were discarded: send the file again from the start."
                )
            os.fsync(file.fileno())
        part.replace(self.final(name))
        sync_folder(self.folder)

    def holds(self, name: FileName, sha256: str) -> bool:
        """Whether the whole file is here with these bytes."""
        return self.final(name).is_file() and self.hash_of(name)[0] == sha256

    def sync(self) -> None:
        """Make renames in the session's folder durable."""
        sync_folder(self.folder.parent)

    def hash_of(self, name: FileName) -> tuple[str, int]:
        """SHA-256 and size of the whole file."""
        with self.final(name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return digest, os.fstat(file.fileno()).st_size


@dataclass(eq=False)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    newest: int = 0
    users: int = 0


class Turns:
    """Of several connections that send the same file, the newest writes, older ones give way.

    A phone that lost its connection comes back long before the old one is known to be dead.
    """

    def __init__(self) -> None:
        self._turns: defaultdict[tuple[str, str], _Turn] = defaultdict(_Turn)

    def enter(self, session: str, name: str) -> Turn:
        """Take over *name*."""
        shared = self._turns[session, name]
        shared.newest += 1
        shared.users += 1
        return Turn(self, (session, name), shared, shared.newest)

    def leave(self, key: tuple[str, str], shared: _Turn) -> None:
        """One connection less."""
        shared.users -= 1
        if shared.users == 0:
            del self._turns[key]


class Turn:
    """One connection's right to write a file; `lock` is held around every look or write."""

    def __init__(self, turns: Turns, key: tuple[str, str], shared: _Turn, number: int) -> None:
        self._turns = turns
        self._key = key
        self._shared = shared
        self._number = number
        self.lock = shared.lock

    @property
    def mine(self) -> bool:
        """No newer connection has taken over."""
        return self._shared.newest == self._number

    def leave(self) -> None:
        """This connection is done."""
        self._turns.leave(self._key, self._shared)
