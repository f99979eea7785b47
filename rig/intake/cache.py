"""Features of x-rays kept on disk: computed once, found again by what they were computed from.

The name of an entry is a hash over the x-ray's own SHA-256 and everything else its features depend
on (sizes, parameters, OpenCV's version), so nothing ever has to be declared out of date. An entry
carries a hash of its contents; one that does not fit is told, removed and computed anew.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rig.durable import PRIVATE, write_atomic
from rig.intake.features import (
    COUNT,
    RECIPE,
    REFERENCE_SIDE,
    SIFT_SIDE,
    Features,
    Grey,
    Reference,
    orb,
    shrink,
    sift,
)

MAGIC = b"rig features 1\n"
MAX_BYTES = 4 * 10**9
"""About 13,000 x-rays at 300 kB; larger collections keep the ones used last."""
_RECOUNT = 64
"""Entries written between two looks at what other processes have added."""

Load = Callable[[], Grey]
"""Decodes the x-ray; raises what it likes when it cannot."""
_Arrays = dict[str, NDArray[np.generic]]


class FeatureCache:
    """A folder of entries, at most *max_bytes* (several processes together may pass it briefly).

    Any number of processes may share the folder: entries appear whole or not at all, and the same
    entry written twice has the same contents. A disk that cannot be written costs time, nothing
    else.

    Attributes:
        hits, misses, damaged: entries found, not found, and found but not as they were written.
    """

    def __init__(
        self, folder: Path, max_bytes: int = MAX_BYTES, *, tell: Callable[[str], None] | None = None
    ) -> None:
        self.hits = self.misses = self.damaged = 0
        self._folder = folder
        self._max_bytes = max_bytes
        self._tell = tell or _silent
        self._written = 0
        self._total: int | None = None

    def reference(self, sha256: str, load: Load) -> Reference:
        """The x-ray whose file has the hex digest *sha256*; *load* is called only when needed."""
        return _Kept(self, sha256, load)

    def get(self, sha256: str, kind: str) -> _Arrays | None:
        """The arrays kept as *kind* of the x-ray, or None."""
        file = self._file(sha256, kind)
        try:
            data = file.read_bytes()
        except OSError:
            self.misses += 1
            return None
        body = data[len(MAGIC) + 32 :]
        whole = data.startswith(MAGIC) and data[len(MAGIC) :][:32] == hashlib.sha256(body).digest()
        if not whole:
            self.damaged += 1
            self._tell(f"{file} is damaged; it was removed and is computed anew.")
            file.unlink(missing_ok=True)
            return None
        self.hits += 1
        self._touch(file)
        with np.load(io.BytesIO(body), allow_pickle=False) as kept:
            return {name: kept[name] for name in kept.files}

    def put(self, sha256: str, kind: str, arrays: _Arrays) -> None:
        """Keep *arrays* as *kind* of the x-ray; a full disk is told, not raised."""
        packed = io.BytesIO()
        np.savez(packed, allow_pickle=False, **arrays)
        body = packed.getvalue()
        data = MAGIC + hashlib.sha256(body).digest() + body
        if len(data) > self._max_bytes:
            return
        try:
            self._make_room(len(data))
            write_atomic(self._file(sha256, kind), data, mode=PRIVATE)
        except OSError as error:
            self._tell(f"Features cannot be kept in {self._folder}: {error.strerror or error}.")

    def _file(self, sha256: str, kind: str) -> Path:
        said = json.dumps([sha256, kind, RECIPE], sort_keys=True)
        name = hashlib.sha256(said.encode()).hexdigest()
        return self._folder / name[:2] / f"{name}.features"

    def _touch(self, file: Path) -> None:
        try:
            os.utime(file)
        except OSError:
            return  # read-only or just removed by another: only its age is lost

    def _make_room(self, size: int) -> None:
        """Remove the entries used longest ago until *size* more bytes fit."""
        if self._total is None or self._written % _RECOUNT == 0:
            self._total = sum(file.size for file in self._entries())
        self._written += 1
        self._total += size
        if self._total <= self._max_bytes:
            return
        entries = sorted(self._entries(), key=lambda one: one.used_ns)
        total = sum(one.size for one in entries) + size
        for entry in entries:
            # A little more than needed, or every further entry would look at all of them again.
            if total <= max(size, self._max_bytes * 0.9):
                break
            entry.file.unlink(missing_ok=True)
            total -= entry.size
        self._total = total

    def _entries(self) -> list[_Entry]:
        found = []
        for file in self._folder.glob("??/*.features"):
            try:
                status = file.stat()
            except OSError:
                continue  # removed by another process meanwhile
            found.append(_Entry(file, status.st_size, status.st_mtime_ns))
        return found


def _silent(text: str) -> None:
    del text


class _Entry:
    """A file of the cache, its bytes and when it was last used."""

    __slots__ = ("file", "size", "used_ns")

    def __init__(self, file: Path, size: int, used_ns: int) -> None:
        self.file, self.size, self.used_ns = file, size, used_ns


class _Kept(Reference):
    """A `Reference` whose parts come from the cache, or go into it."""

    def __init__(self, cache: FeatureCache, sha256: str, load: Load) -> None:
        self._cache, self._sha256, self._load = cache, sha256, load
        kept = cache.get(sha256, "orb")
        if kept is None:
            super().__init__(load())
            self._keep_orb()
            return
        self.width, self.height = (int(v) for v in kept["size"])
        grey = cv2.imdecode(kept["grey"].astype(np.uint8), cv2.IMREAD_GRAYSCALE)
        self.grey = np.asarray(grey, dtype=np.uint8)
        # The property of the same name is not computed once its value is there.
        self.__dict__["orb"] = _features(kept)

    def _keep_orb(self) -> None:
        _, png = cv2.imencode(".png", self.grey)
        found = self._scaled(orb(self._xray, REFERENCE_SIDE, COUNT))
        self.__dict__["orb"] = found
        arrays: _Arrays = {
            "size": np.array([self.width, self.height]),
            "grey": np.asarray(png, dtype=np.uint8),
            "points": found.points,
            "descriptors": found.descriptors,
        }
        self._cache.put(self._sha256, "orb", arrays)

    @cached_property
    def sift(self) -> Features:
        """SIFT features in x-ray pixels, kept in an entry of their own: few photos need them."""
        kept = self._cache.get(self._sha256, "sift")
        if kept is not None:
            return _features(kept)
        self._xray = shrink(self._load(), SIFT_SIDE)
        found = self._scaled(sift(self._xray, REFERENCE_SIDE, COUNT))
        arrays: _Arrays = {"points": found.points, "descriptors": found.descriptors}
        self._cache.put(self._sha256, "sift", arrays)
        return found


def _features(kept: _Arrays) -> Features:
    return Features(kept["points"].astype(np.float64), kept["descriptors"].astype(np.uint8))
