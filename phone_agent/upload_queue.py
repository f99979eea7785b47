"""Uploads beside the shooting: a thread a connection, on and on until the controller has all.

Mode "during" sends a file as soon as it is put; mode "batch" waits until the session is finished
or released. Nothing here is needed after a crash: put all committed photos again, the log and the
controller know which ones are there.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from phone_agent.files import sha256_file
from phone_agent.manifest import BatchReply, ManifestPhoto
from phone_agent.upload import UploadError, UploadStopped
from phone_agent.upload_log import UploadLog

Kind = Literal["sending", "confirmed", "waiting", "failed", "closed", "incomplete"]
_LONGEST_PAUSE_S = 60.0


class Sender(Protocol):
    """What the queue needs of an `Uploader`."""

    def upload(
        self,
        session: str,
        path: Path,
        name: str,
        sha256: bytes,
        progress: Callable[[int, int], None] | None = None,
    ) -> None: ...

    def close_batch(
        self, session: str, photos: Sequence[ManifestPhoto], count: int, chain: str
    ) -> BatchReply: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class UploadJob:
    """One file to send; `sha256` 32 bytes, or None to compute it when its turn comes."""

    session: str
    path: Path
    name: str
    sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class UploadProgress:
    """What has just happened.

    Attributes:
        kind: "sending" (bytes move), "confirmed" (one file is durable at the controller),
            "waiting" (a pause before the next try, `note` says why), "failed" (this file or batch
            is given up, `note` says why), "closed" (the batch is complete and durable there),
            "incomplete" (the controller misses files, they are sent again).
        session: the session's id.
        name: the file's name, "" for a batch.
        sent: bytes of the file that are there.
        size: bytes of the file, 0 when not known yet.
        done: confirmed files of the session since the start.
        total: files put for the session since the start.
        note: a sentence, or "".
    """

    kind: Kind
    session: str
    name: str
    sent: int
    size: int
    done: int
    total: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Batch:
    session: str
    photos: tuple[ManifestPhoto, ...]
    count: int
    chain: str


class UploadQueue:
    """The uploads of one agent, in threads of their own: one for each sender.

    Files go out in the order in which they were put, but the photo never before its sidecar.

    Args:
        senders: an `Uploader` for each connection; the queue stops and closes them.
        log: what the controller has confirmed before.
        mode: "during" or "batch".
        on_progress: called from the upload threads; it must be quick. What it raises ends the
            thread and comes out of `wait` and `stop`.
        retry_s: pause after a lost link, doubled each time up to 60 s.
        refused_s: how long a session rests after a refusal (pairing or session not known) or
            while its batch is not finished there; other sessions go on meanwhile.
        rounds: how often files that the controller misses are sent again.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        senders: Sequence[Sender],
        log: UploadLog,
        *,
        mode: Literal["during", "batch"] = "during",
        on_progress: Callable[[UploadProgress], None] | None = None,
        retry_s: float = 2.0,
        refused_s: float = 30.0,
        rounds: int = 3,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._senders = tuple(senders)
        self._log = log
        self._mode = mode
        self._on_progress = on_progress
        self._retry_s = retry_s
        self._refused_s = refused_s
        self._rounds = rounds
        self._clock = clock
        self._change = threading.Condition()
        self._jobs: deque[UploadJob] = deque()
        self._batches: deque[_Batch] = deque()
        self._released: set[str] = set()
        self._all: dict[tuple[str, str], UploadJob] = {}
        self._totals: Counter[str] = Counter()  # session -> files put
        self._confirmed: defaultdict[str, set[str]] = defaultdict(set)
        self._asked: dict[str, int] = {}  # session -> rounds of missing files
        self._later: dict[str, float] = {}  # session -> not before this time
        self._busy: dict[int, tuple[UploadJob | _Batch, int]] = {}  # thread -> work, wakes before
        self._stopping = False
        self._wakes = 0  # how often `retry_now` was called
        self._troubles = 0  # link failures in a row
        self._crash: Exception | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(each,), name="upload", daemon=True)
            for each in self._senders
        ]

    def start(self) -> None:
        """Start the threads; once."""
        for thread in self._threads:
            thread.start()

    def put(self, job: UploadJob) -> None:
        """Add a file; the same session and name again replaces nothing and costs nothing."""
        with self._change:
            if (job.session, job.name) not in self._all:
                self._all[job.session, job.name] = job
                self._totals[job.session] += 1
                self._jobs.append(job)
                self._change.notify_all()

    def release(self, session: str) -> None:
        """In mode "batch": send what the session has put so far, and all it puts later."""
        with self._change:
            self._released.add(session)
            self._change.notify_all()

    def finish(self, session: str, photos: Sequence[ManifestPhoto], count: int, chain: str) -> None:
        """Release the session and close its batch with the manifest after its last file."""
        with self._change:
            self._released.add(session)
            self._batches.append(_Batch(session, tuple(photos), count, chain))
            self._change.notify_all()

    def retry_now(self) -> None:
        """End all pauses: the network is back, or a person has paired again."""
        with self._change:
            self._later.clear()
            self._wakes += 1
            self._change.notify_all()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing is left that may be sent; False when time or `stop` come first."""

        def idle() -> bool:
            return not (self._batches or self._released_jobs())

        with self._change:
            self._change.wait_for(
                lambda: self._crash is not None or self._stopping or idle(), timeout_s
            )
            self._raise_crash()
            return idle()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End the threads, in the middle of a file if need be; True when all have ended."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
        until = time.monotonic() + timeout_s
        for sender in self._senders:
            sender.stop()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(until - time.monotonic(), 0.0))
        if any(thread.is_alive() for thread in self._threads):
            return False
        for sender in self._senders:
            sender.close()
        self._raise_crash()
        return True

    def _run(self, sender: Sender) -> None:
        try:
            self._work(sender)
        except Exception as error:  # noqa: BLE001 - handed to whoever waits, never lost
            with self._change:
                self._crash = error
                self._change.notify_all()
        finally:
            sender.close()

    def _work(self, sender: Sender) -> None:
        while (work := self._await_work()) is not None:
            try:
                if isinstance(work, UploadJob):
                    self._send(work, sender)
                else:
                    self._close(work, sender)
            except UploadStopped:
                return
            finally:
                with self._change:
                    del self._busy[threading.get_ident()]
                    self._change.notify_all()

    def _await_work(self) -> UploadJob | _Batch | None:
        """The next thing to do, None when it is time to stop."""
        with self._change:
            while not (self._stopping or self._crash):
                work = self._next_work()
                if work is not None:
                    self._busy[threading.get_ident()] = work, self._wakes
                    return work
                now = self._clock()
                nearest = min((t for t in self._later.values() if t > now), default=None)
                self._change.wait(None if nearest is None else nearest - now)
            return None

    def _next_work(self) -> UploadJob | _Batch | None:
        """Files first; a batch comes after the last file of its session."""
        now = self._clock()
        resting = {session for session, time_s in self._later.items() if time_s > now}
        under_way = [work for work, _ in self._busy.values()]
        moving = {_pair(work) for work in under_way if isinstance(work, UploadJob)}
        for job in self._released_jobs():
            # A photo and its sidecar go over one connection, one after the other.
            if job.session not in resting and _pair(job) not in moving:
                return job
        waiting = {job.session for job in self._jobs}
        for batch in self._batches:
            if batch.session not in resting | waiting and batch not in under_way:
                return batch
        return None

    def _released_jobs(self) -> Sequence[UploadJob]:
        if self._mode == "during":
            return self._jobs
        return [job for job in self._jobs if job.session in self._released]

    def _send(self, job: UploadJob, sender: Sender) -> None:
        try:
            sha256 = job.sha256 or sha256_file(job.path)
            if not self._log.has(job.session, job.name, sha256):
                sender.upload(
                    job.session,
                    job.path,
                    job.name,
                    sha256,
                    lambda sent, size: self._tell("sending", job.session, job.name, sent, size),
                )
        except (UploadError, OSError, ValueError) as error:
            self._trouble(job, error)
            return
        note = self._remember(lambda: self._log.add(job.session, job.name, sha256))
        with self._change:
            self._troubles = 0
            self._confirmed[job.session].add(job.name)
        self._tell("confirmed", job.session, job.name, note=note)
        self._drop(job)

    def _close(self, batch: _Batch, sender: Sender) -> None:
        session = batch.session
        if not self._log.is_closed(session, batch.chain):
            try:
                reply = sender.close_batch(session, batch.photos, batch.count, batch.chain)
            except (UploadError, ValueError) as error:
                self._trouble(batch, error)
                return
            self._troubles = 0
            if not (reply.complete and reply.durable):
                self._not_closed(batch, reply)
                return
        note = self._remember(lambda: self._log.add_closed(session, batch.chain))
        self._tell("closed", session, note=note)
        self._drop(batch)

    def _not_closed(self, batch: _Batch, reply: BatchReply) -> None:
        """Send missing files again; give up only on files that are missing time after time."""
        session = batch.session
        if not reply.missing:
            self._tell("waiting", session, note="The controller has not finished this batch yet.")
            self._defer(session)
            return
        self._asked[session] = self._asked.get(session, 0) + 1
        again = [self._all[session, n] for n in reply.missing if (session, n) in self._all]
        note = f"The controller misses {len(reply.missing)} files, first {reply.missing[0][:255]!a}"
        if not again or self._asked[session] > self._rounds:
            self._tell("failed", session, note=f"{note}; bring them by cable or shoot them again.")
            self._drop(batch)
            return
        with self._change:
            for job in again:
                self._log.forget(session, job.name)
                self._confirmed[session].discard(job.name)
                self._jobs.append(job)
        self._tell("incomplete", session, note=f"{note}; they are sent again.")

    def _trouble(self, work: UploadJob | _Batch, error: Exception) -> None:
        if isinstance(error, UploadStopped):
            raise error
        name = work.name if isinstance(work, UploadJob) else ""
        if not isinstance(error, UploadError) or error.kind == "file":
            self._tell("failed", work.session, name, note=str(error))
            self._drop(work)
            return
        self._tell("waiting", work.session, name, note=str(error))
        if error.kind == "refused":
            self._defer(work.session)
        else:
            self._rest()

    def _defer(self, session: str) -> None:
        """This session rests; a session that is not known there must not hold up the others."""
        with self._change:
            if self._wakes == self._busy[threading.get_ident()][1]:
                self._later[session] = self._clock() + self._refused_s

    def _rest(self) -> None:
        """The link is down, for all sessions."""
        with self._change:
            self._troubles += 1
            pause = min(self._retry_s * 2 ** min(self._troubles - 1, 10), _LONGEST_PAUSE_S)
            before = self._busy[threading.get_ident()][1]
            self._change.wait_for(lambda: self._stopping or self._wakes != before, pause)

    def _drop(self, work: UploadJob | _Batch) -> None:
        """The work is over; only now may `wait` see the queue empty."""
        with self._change:
            if isinstance(work, UploadJob):
                self._jobs.remove(work)
            else:
                self._batches.remove(work)
            self._change.notify_all()

    def _remember(self, append: Callable[[], None]) -> str:
        try:
            append()
        except OSError as error:  # a full phone must not stop the very thing that empties it
            return f"Confirmed, but not noted on the phone: {error.strerror or error}."
        return ""

    def _tell(
        self, kind: Kind, session: str, name: str = "", sent: int = 0, size: int = 0, note: str = ""
    ) -> None:
        if self._on_progress is None:
            return
        with self._change:
            done, total = len(self._confirmed[session]), self._totals[session]
        self._on_progress(UploadProgress(kind, session, name, sent, size, done, total, note))

    def _raise_crash(self) -> None:
        if self._crash is not None:
            raise self._crash


def _pair(job: UploadJob) -> tuple[str, str]:
    """What a photo and its sidecar have in common."""
    return job.session, job.name.rpartition(".")[0]
