"""Intake beside a running controller: of each photo as it arrives, and of batches as jobs."""

from __future__ import annotations

import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from rig.errors import UserError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from rig.intake.batch import BatchReport
    from rig.web.controller import Controller
    from rig.web.jobs import Handle

log = structlog.get_logger("rig.intake")


class IntakeJobs:
    """Verifies photos in worker processes, off the capture path; the pool is made when needed.

    A photo that arrives while its session is shot is looked at at once, so that a run of rejects or
    a bumped phone stops the session and not only its dataset. What has no commit yet waits for the
    batch, which is a job; so does everything that a crash cut short.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or min(2, os.cpu_count() or 1)
        self._pool: Executor | None = None
        self._guard = threading.Lock()
        self._sessions: dict[str, threading.Lock] = {}
        self._came = threading.Condition()
        self._waiting: dict[str, Controller] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, controller: Controller, session: str) -> None:
        """Take in *session*'s photos as a job, once its photos and its events are all here."""
        from rig.store import captures

        with controller.database.read() as connection:
            if not captures.waiting(connection, session):
                return
        controller.jobs.submit("intake", partial(self._work, controller, session), session=session)

    def arrived(self, controller: Controller, session: str) -> None:
        """A photo of *session* has arrived: look at it soon. Does not block."""
        with self._came:
            self._waiting[session] = controller
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._watch, name="rig-arrivals", daemon=True
                )
                self._thread.start()
            self._came.notify()

    def go_on(self, controller: Controller) -> None:
        """Submit what a crash cut short: complete batches with photos that have no verdict."""
        from rig.store import captures

        with controller.database.read() as connection:
            waiting = captures.waiting(connection)
        for session in waiting:
            self.submit(controller, session)

    def close(self) -> None:
        """End the worker processes; what was not looked at is at the next start."""
        with self._came:
            self._closed = True
            self._waiting.clear()
            self._came.notify()
        with self._guard:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)
        if self._thread is not None:
            self._thread.join(10)

    def _watch(self) -> None:
        """The thread that looks at photos as they arrive, one session at a time."""
        while True:
            with self._came:
                self._came.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                session, controller = self._waiting.popitem()
            try:
                self._take_in(controller, session, arrived=True)
            except Exception as error:  # noqa: BLE001 - the batch looks at it again
                if not self._closed:
                    log.warning("arrived photo not looked at", session=session, why=str(error))

    def _work(self, controller: Controller, session: str, handle: Handle) -> dict[str, Any]:
        from rig.intake.match import Status

        report = self._take_in(controller, session, progress=handle.progress)
        return {
            "verified": report.count(Status.VERIFIED),
            "missing": list(report.missing),
            "rejected": [
                {"name": r.name, "index": r.index, "status": r.status.value, "reason": r.reason}
                for r in report.results
                if r.status is not Status.VERIFIED
            ],
        }

    def _take_in(self, controller: Controller, session: str, **more: Any) -> BatchReport:
        from concurrent.futures.process import BrokenProcessPool

        from rig.commands.batch import take_in

        with self._guard:
            mine = self._sessions.setdefault(session, threading.Lock())
        pool = self._executor()
        try:
            # Arrivals and the batch of one session would look at the same photos at once.
            with mine:
                return take_in(controller.database, controller.home, session, executor=pool, **more)
        except BrokenProcessPool as error:
            with self._guard:
                if self._pool is pool:
                    self._pool = None  # the next one gets new processes
            raise UserError(
                "A process that looks at photos died (out of memory?); the photos are safe: "
                f"`rig batch import {session} DIR` or the next start looks at them again."
            ) from error

    def _executor(self) -> Executor:
        from rig.synthesis.pool import make_pool

        with self._guard:
            if self._pool is None:
                self._pool = make_pool(self._workers)
            return self._pool
