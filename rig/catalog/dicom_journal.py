"""What an import has done already, so that running it again goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from rig.dicom.making import Made, MakeTask, places
from rig.dicom.refusal import Reason
from rig.dicom.screening import Doubt
from rig.durable import PRIVATE

NAME = "journal.jsonl"
VERSION = 2
"""Raised when other files would be made of the same input, or more is noted of them.

What a journal of another version says was done is done again: an upgrade costs time, no error.
"""
_TOGETHER = 32  # rows between two calls of fsync


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    task: str
    reason: str | None
    doubts: tuple[Doubt, ...]
    width: int
    height: int
    files: dict[str, str]


class Journal:
    """A file of lines, one per finished input; a torn last line is as if it were not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / NAME
        self._known = {line.task: line for line in self._read()}
        self._unsynced = 0

    def __enter__(self) -> Self:
        torn = self._file.is_file() and not self._file.read_bytes().endswith(b"\n")
        handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE)
        self._out = os.fdopen(handle, "a", encoding="utf-8")
        if torn:
            self._out.write("\n")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sync()
        self._out.close()

    def done(self, task: MakeTask) -> Made | None:
        """What became of *task* earlier, if its files are still there and whole."""
        line = self._known.get(mark_of(task))
        if line is None:
            return None
        reason = Reason[line.reason] if line.reason else None
        where = places(task)
        if not all(_whole(where.get(name), digest) for name, digest in line.files.items()):
            return None
        return Made(task.number, reason, line.doubts, line.width, line.height, line.files)

    def add(self, task: MakeTask, made: Made) -> None:
        """Note what became of *task*."""
        line = _Line(
            task=mark_of(task),
            reason=made.reason.name if made.reason else None,
            doubts=made.doubts,
            width=made.width,
            height=made.height,
            files=dict(made.files),
        )
        self._out.write(line.model_dump_json() + "\n")
        self._unsynced += 1
        if self._unsynced >= _TOGETHER:
            self._sync()

    def _sync(self) -> None:
        self._out.flush()
        os.fsync(self._out.fileno())
        self._unsynced = 0

    def _read(self) -> list[_Line]:
        if not self._file.is_file():
            return []
        lines = []
        for text in self._file.read_bytes().splitlines():
            try:
                lines.append(_Line.model_validate_json(text))
            except ValidationError:
                continue  # torn by a crash, or of another version: the work is done again
        return lines


def _whole(file: Path | None, digest: str) -> bool:
    """Whether *file* is what was written; one that is not costs making it anew."""
    try:
        return file is not None and hashlib.sha256(file.read_bytes()).hexdigest() == digest
    except OSError:
        return False


def mark_of(task: MakeTask) -> str:
    """Tells apart everything that decides what is made of an input; keyed, so it says nothing."""
    try:
        facts = task.path.stat()
    except OSError:
        return ""
    review = task.review.model_dump_json() if task.review else ""
    told = json.dumps(
        [
            VERSION,
            str(task.path),
            facts.st_size,
            facts.st_mtime_ns,
            task.tail,
            task.keep_16_bit,
            task.accept_unreviewed,
            review,
            repr(task.how),
            task.how.detector,
        ]
    )
    return task.names.mark(told)
