"""The events of one session, on the disk before anybody is told of them."""

from __future__ import annotations

import bisect
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import structlog

from rig.durable import sync_folder
from rig.errors import UserError

Event = dict[str, Any]
"""One JSON event: event, session, seq, time_ns, index, attempt and the fields of its kind."""

DURABLE = frozenset({"committed", "aborted", "completed", "stopped", "rearmed"})
"""Events that are on the disk when `append` returns."""

_log = structlog.get_logger()
_RESERVED = frozenset({"session", "seq", "time_ns"})


class OutboxDamaged(UserError):
    """The event file is not what was written, and not merely cut short by a crash."""


class Outbox:
    """Append-only `events.jsonl` in *folder*: one JSON object a line, seq rising from 1.

    One process writes it. `sync` may be called from another thread, everything else belongs to
    one. Creation makes the folder and recovers the file: an unfinished last line is cut off, as
    only events that were never sent can be in it (`after` syncs before it gives anything out).
    """

    def __init__(
        self, folder: Path, session: str, *, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        """Open or create the outbox.

        Args:
            folder: the session's state folder.
            session: the id that every event carries; a file of another session is refused.
            clock_ns: wall clock, nanoseconds since the epoch.

        Raises:
            OutboxDamaged: a line in the middle is broken, out of order or of another session.
            OSError: the folder cannot be written.
        """
        self.session = session
        self.path = folder / "events.jsonl"
        self._clock_ns = clock_ns
        self._offsets: list[tuple[int, int]] = []  # (seq, where its line begins), rising
        self._committed: set[tuple[int, int]] = set()
        self._floor = 0
        self._fault: str | None = None
        self._sync_lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("ab", buffering=0)
        try:
            self._size = self._recover()
            os.fsync(self._file.fileno())
            sync_folder(folder)
        except BaseException:
            self._file.close()
            raise
        self._synced = self._size

    @property
    def last_seq(self) -> int:
        """Number of the last event; 0 before the first."""
        return max(self._floor, self._offsets[-1][0] if self._offsets else 0)

    def append(self, event: str, index: int | None, attempt: int | None, **body: Any) -> Event:
        """Write one event and return it; those of `DURABLE` are fsynced.

        Raises:
            ValueError: *body* names a field of the envelope or holds NaN or infinity.
            TypeError: *body* holds something that JSON has no form for.
            OSError: the disk is full or failing; the event is not in the file, except after a
                failed fsync, when nothing further is accepted because nobody knows what is there.
        """
        if self._fault is not None:
            raise OSError(f"{self.path}: {self._fault}; mend the disk and restart the agent")
        if clash := _RESERVED & body.keys():
            raise ValueError(f"an event's body may not set {sorted(clash)}")
        record: Event = {
            "event": event,
            "session": self.session,
            "seq": self.last_seq + 1,
            "time_ns": self._clock_ns(),
            "index": index,
            "attempt": attempt,
        } | body
        text = json.dumps(record, separators=(",", ":"), allow_nan=False)
        self._write(text.encode("ascii") + b"\n")
        self._note(record, self._size)
        self._size += len(text) + 1
        if event in DURABLE:
            self.sync()
        return record

    def sync(self) -> None:
        """Make every event appended so far durable; cheap when it is.

        Raises:
            OSError: the disk failed; the outbox accepts nothing further.
        """
        with self._sync_lock:
            size = self._size
            if self._synced >= size:
                return
            try:
                os.fsync(self._file.fileno())
            except OSError as problem:
                self._fault = f"fsync failed ({problem.strerror})"
                raise
            self._synced = size

    def after(self, seq: int) -> Iterator[Event]:
        """The events beyond *seq* in order, durable before the first is given out."""
        self.sync()
        end = self._size
        position = bisect.bisect_right(self._offsets, seq, key=lambda entry: entry[0])
        start = self._offsets[position][1] if position < len(self._offsets) else end
        with self.path.open("rb") as lines:
            lines.seek(start)
            while lines.tell() < end:
                yield json.loads(lines.readline())

    def has_committed(self, index: int, attempt: int) -> bool:
        """Whether the outbox tells that this attempt at *index* was committed."""
        return (index, attempt) in self._committed

    def skip_to(self, seq: int) -> None:
        """Number the next event beyond *seq*: the controller already holds one so numbered."""
        self._floor = max(self._floor, seq)

    def close(self) -> None:
        """Sync and close; may be called twice."""
        if self._file.closed:
            return
        with self._file:
            if self._fault is None:
                self.sync()

    def _write(self, line: bytes) -> None:
        try:
            rest = line
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            # Half a line in the middle would spoil the file for good.
            self._fault = "an event was written in part"
            self._file.truncate(self._size)
            self._fault = None
            raise

    def _note(self, record: Event, where: int) -> None:
        self._offsets.append((record["seq"], where))
        if record["event"] == "committed":
            self._committed.add((record["index"], record["attempt"]))

    def _recover(self) -> int:
        """Read what is there; returns the length of its good part, to which the file is cut."""
        data = self.path.read_bytes()
        good = 0
        for number, line in enumerate(data.splitlines(keepends=True), 1):
            record = _parse(line)
            if record is None:
                self._cut(data, good, number)
                break
            self._check(record, number)
            self._note(record, good)
            good += len(line)
        return good

    def _check(self, record: Event, number: int) -> None:
        if record["session"] != self.session:
            raise OutboxDamaged(
                f"{self.path} line {number} belongs to session {record['session']}, "
                f"not {self.session}; give each session its own folder"
            )
        if record["seq"] <= self.last_seq:
            raise OutboxDamaged(
                f"{self.path} line {number} has event {record['seq']} after {self.last_seq}; "
                "move the file away and ask for help, events may be lost"
            )

    def _cut(self, data: bytes, good: int, number: int) -> None:
        """Drop an unfinished end. A crash leaves rubbish only at the end: no event may follow."""
        rest = data[good:].splitlines(keepends=True)
        if any(_parse(line) is not None for line in rest[1:]):
            raise OutboxDamaged(
                f"{self.path} line {number} is broken although events follow it; "
                "restore the file from a backup or move it away"
            )
        _log.warning(f"{self.path}: an unfinished last event of {len(data) - good} bytes was cut")
        self._file.truncate(good)


def _parse(line: bytes) -> Event | None:
    """The event on a complete line; None if it is torn or anything else."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    whole = isinstance(record.get("seq"), int) and isinstance(record.get("event"), str)
    return record if whole and {"session", "index", "attempt"} <= record.keys() else None
