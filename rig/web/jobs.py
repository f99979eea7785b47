"""Long work beside the requests: a thread, a row with its progress, an event at every step.

What was asked for stands in a job's first event and in its row, so that a job that was cancelled,
failed or cut short by a restart can be taken up again under its number; the work itself skips what
is done.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import Connection, RowMapping, literal, select, tuple_

from rig.capture import projections
from rig.errors import UserError
from rig.store import tables
from rig.store.database import Database
from rig.store.errors import ConflictError, NotFoundError
from rig.store.events import Event

log = structlog.get_logger("rig.jobs")
EVERY_NS = 1_000_000_000
"""Progress is written at most this often."""


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class CancelledJobError(Exception):
    """Raised inside a job whose cancelling was asked for."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is kept; *result* is whatever JSON object the work returned."""

    id: str
    kind: str
    session: str | None
    state: JobState
    done: int = 0
    total: int = 0
    error: str | None = None
    result: dict[str, Any] | None = None


class Handle:
    """What the work gets to report with."""

    def __init__(self, runner: JobRunner, job: Job) -> None:
        self._runner = runner
        self.job = job
        self._cancel = threading.Event()
        self._told_ns = 0
        self.unwanted = False
        """A person cancelled it, not the end of the controller."""

    def progress(self, done: int, total: int) -> None:
        """Say how far it is; cheap enough to call for every item.

        Raises:
            CancelledJobError: somebody asked to stop.
        """
        self.check()
        self.job = replace(self.job, done=done, total=total)
        now = self._runner.clock_ns()
        if now - self._told_ns >= EVERY_NS:
            self._told_ns = now
            self._runner.record(self.job)

    def check(self) -> None:
        """Raise CancelledJobError when somebody asked to stop."""
        if self._cancel.is_set():
            raise CancelledJobError

    def cancel(self) -> None:
        """Ask the work to stop at its next `progress`."""
        self._cancel.set()


Work = Callable[[Handle], Mapping[str, Any] | None]


class JobRunner:
    """Runs jobs, at most *workers* at a time, in the order in which they came.

    Long ones wait for each other only: the intake of a batch never waits for a synthesis of hours.
    """

    def __init__(
        self, database: Database, clock_ns: Callable[[], int], *, workers: int = 1
    ) -> None:
        self._database = database
        self.clock_ns = clock_ns
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="rig-job")
        self._long = ThreadPoolExecutor(1, thread_name_prefix="rig-long-job")
        self._handles: dict[str, Handle] = {}
        self._lock = threading.Lock()
        self._closing = False

    def submit(
        self,
        kind: str,
        work: Work,
        *,
        session: str | None = None,
        wanted: Mapping[str, Any] | None = None,
        long: bool = False,
    ) -> str:
        """Run *work* in a thread; returns the job's id.

        Args:
            kind: a word.
            work: what to do.
            session: whose job it is.
            wanted: JSON of what was asked for; with it the job can be resumed.
            long: it takes hours, and waits only for others like it.
        """
        job = Job("j" + secrets.token_hex(8), kind, session, JobState.RUNNING)
        self._begin(job, work, wanted, long=long)
        return job.id

    def resume(self, job: Job, work: Work, *, long: bool = False) -> Job:
        """Run *work* for *job* again, under its number; what it has counts from the start.

        Raises:
            ConflictError: it runs, or is done.
        """
        again = replace(job, state=JobState.RUNNING, done=0, error=None, result=None)
        if job.state in {JobState.RUNNING, JobState.DONE}:
            raise ConflictError(f"Job {job.id} is {job.state}: there is nothing to resume.")
        self._begin(again, work, None, long=long)
        return again

    def _begin(self, job: Job, work: Work, wanted: Mapping[str, Any] | None, *, long: bool) -> None:
        handle = Handle(self, job)
        with self._lock:
            if job.id in self._handles:
                raise ConflictError(f"Job {job.id} is running: there is nothing to resume.")
            self._handles[job.id] = handle
        self.record(job, wanted)
        (self._long if long else self._pool).submit(self._run, handle, work)

    def cancel(self, job: str) -> bool:
        """Ask *job* to stop; False when it does not run here."""
        handle = self._handles.get(job)
        if handle is None:
            return False
        handle.unwanted = True
        handle.cancel()
        return True

    def record(self, job: Job, wanted: Mapping[str, Any] | None = None) -> None:
        """Keep the state of *job*, with what was *wanted* if it begins, and tell the streams."""
        now = self.clock_ns()
        self._database.write_now(lambda connection: _record(connection, job, now, wanted))

    def close(self) -> None:
        """Ask all jobs to stop and wait for them; they are `interrupted` and can be resumed."""
        self._closing = True
        for handle in list(self._handles.values()):
            handle.cancel()
        # Those that wait for their turn are run, and end at once: no row stays behind.
        for pool in (self._pool, self._long):
            pool.shutdown(wait=True)

    def _run(self, handle: Handle, work: Work) -> None:
        try:
            handle.check()
            result = work(handle)
            job = replace(handle.job, state=JobState.DONE, result=dict(result) if result else None)
        except CancelledJobError:
            stopped = self._closing and not handle.unwanted
            state = JobState.INTERRUPTED if stopped else JobState.CANCELLED
            job = replace(handle.job, state=state)
        except UserError as error:
            job = replace(handle.job, state=JobState.FAILED, error=str(error))
        except Exception as error:
            log.exception("job failed", job=handle.job.id, kind=handle.job.kind)
            why = f"{type(error).__name__}: the controller's log says more."
            job = replace(handle.job, state=JobState.FAILED, error=why)
        finally:
            self._handles.pop(handle.job.id, None)
        self.record(job)


def find(connection: Connection, job: str) -> Job:
    """The job with this id.

    Raises:
        NotFoundError: there is none.
    """
    query = select(tables.job).where(tables.job.c.id == job)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError(f"No job has the id {job[:40]!r}.")
    return _job(row)


def latest(connection: Connection, limit: int = 50, *, after: str | None = None) -> list[Job]:
    """The newest jobs, newest first; with *after* those that follow this job.

    Raises:
        NotFoundError: *after* is no job.
    """
    table = tables.job
    query = select(table).order_by(table.c.created_ns.desc(), table.c.id.desc()).limit(limit)
    if after is not None:
        find(connection, after)
        since = select(table.c.created_ns).where(table.c.id == after).scalar_subquery()
        query = query.where(tuple_(table.c.created_ns, table.c.id) < tuple_(since, literal(after)))
    return [_job(row) for row in connection.execute(query).mappings()]


def still_failed(newest: Sequence[Job]) -> list[Job]:
    """Of *newest* (newest first) what went wrong, unless one like it came after.

    Like it is a job of the same kind for the same session: who tried again has seen it.
    """
    seen: set[tuple[str, str | None]] = set()
    found = []
    for job in newest:
        known = (job.kind, job.session) in seen
        seen.add((job.kind, job.session))
        if not known and job.state in {JobState.FAILED, JobState.INTERRUPTED}:
            found.append(job)
    return found


def wanted_of(connection: Connection, job: Job) -> dict[str, Any] | None:
    """What *job* was asked for; None when that is not on record."""
    query = select(tables.job.c.wanted).where(tables.job.c.id == job.id)
    wanted: dict[str, Any] | None = connection.scalar(query)
    return wanted


def recover(connection: Connection, now_ns: int) -> list[Job]:
    """After a start of the controller: jobs that ran are `interrupted`; returns them."""
    query = select(tables.job).where(tables.job.c.state == JobState.RUNNING)
    found = [
        replace(_job(row), state=JobState.INTERRUPTED)
        for row in connection.execute(query).mappings()
    ]
    for job in found:
        _record(connection, job, now_ns)
    return found


def _record(
    connection: Connection, job: Job, now_ns: int, wanted: Mapping[str, Any] | None = None
) -> None:
    body: dict[str, Any] = {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "done": job.done,
        "total": job.total,
        "error": job.error,
        "result": job.result,
    }
    if wanted is not None:
        body["wanted"] = dict(wanted)
    event = Event("job", now_ns, now_ns, "controller", session=job.session, body=body)
    projections.record(connection, event)


def _job(row: RowMapping) -> Job:
    values = {name: row[name] for name in Job.__dataclass_fields__}
    values["state"] = JobState(values["state"])
    return Job(**values)
