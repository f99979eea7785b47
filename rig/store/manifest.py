"""What a backup says of itself: every file with size and SHA-256, written last."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rig.durable import PRIVATE, write_atomic
from rig.store.errors import StoreError

NAME = "manifest.json"
DATABASE = "rig.db"
FORMAT: Literal["capture-rig backup"] = "capture-rig backup"
VERSION: Literal[1] = 1
NEVER = frozenset(
    {"lock", "serve.json", f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal"}
)
"""Names at the top of a home that belong to a running process and to nobody else."""

Hex64 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)


class Entry(BaseModel):
    """One file: its path in the home, its path in the backup, bytes, SHA-256."""

    model_config = _STRICT
    path: str = Field(max_length=4096)
    stored: str = Field(max_length=4096)
    size: int = Field(ge=0)
    sha256: Hex64

    @model_validator(mode="after")
    def _safe(self) -> Self:
        for text in (self.path, self.stored):
            if not is_safe(text):
                raise ValueError(f"{text[:80]!r} is not a path inside the folder")
        if self.path in NEVER:
            raise ValueError(f"{self.path} belongs to a running controller")
        return self


class Missing(BaseModel):
    """A photo that the database has received and that the backup does not hold, and why."""

    model_config = _STRICT
    session: str
    name: str
    why: str


class Manifest(BaseModel):
    """The backup as a whole.

    Attributes:
        format: always `FORMAT`.
        version: of this layout.
        made_by: version of capture-rig.
        time_ns: Unix time of the database's snapshot.
        schema_revision: of the database.
        home: fingerprint of the home, so that two homes never share a backup; empty: not known.
        photos: whether the received photos were asked for.
        received: photos that the database lists.
        files: all files.
        missing: received photos that are not among them, when *photos*.
    """

    model_config = _STRICT
    format: Literal["capture-rig backup"] = FORMAT
    version: Literal[1] = VERSION
    made_by: str
    time_ns: int
    schema_revision: str
    home: str
    photos: bool
    received: int = Field(ge=0)
    files: tuple[Entry, ...] = Field(strict=False)
    missing: tuple[Missing, ...] = Field(strict=False)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        paths = [one.path for one in self.files]
        if len(set(paths)) != len(paths):
            raise ValueError("a path is listed twice")
        if DATABASE not in paths:
            raise ValueError(f"{DATABASE} is not listed")
        return self

    @property
    def database(self) -> Entry:
        """The database's entry."""
        return next(one for one in self.files if one.path == DATABASE)


def is_safe(text: str) -> bool:
    """Whether *text* is a plain relative path with forward slashes that stays where it is."""
    pure = PurePosixPath(text)
    plain = bool(text) and text == str(pure) and not pure.is_absolute()
    return plain and not any(part in {"..", "."} for part in pure.parts) and "\0" not in text


def save(folder: Path, manifest: Manifest) -> None:
    """Write *manifest* into *folder*: from here on the backup is a complete one."""
    text = json.dumps(manifest.model_dump(mode="json"), indent=1)
    write_atomic(folder / NAME, text.encode() + b"\n", mode=PRIVATE)


def load(folder: Path) -> Manifest:
    """The manifest of the backup in *folder*.

    Raises:
        StoreError: there is none (the backup was cut short), or it is not one that this version
            can read.
    """
    path = folder / NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise StoreError(
            f"{folder} is no complete backup: it has no {NAME}, which is written last. "
            "Run `rig backup` to its end again, or choose another backup."
        ) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        return Manifest.model_validate(json.loads(data))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(
            f"{path} is not a manifest that this version can read ({where or 'manifest'}: "
            f"{first['msg']}). It was changed, or a newer version of capture-rig made it."
        ) from error
    except ValueError as error:
        raise StoreError(f"{path} is damaged: it is no JSON. Choose another backup.") from error
