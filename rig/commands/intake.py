"""Intake as a job of the controller: begun when a batch is complete, gone on with after a crash."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from rig.web.controller import Controller
    from rig.web.jobs import Handle


class IntakeJobs:
    """Verifies batches in worker processes, off the capture path; the pool is made when needed."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or min(2, os.cpu_count() or 1)
        self._pool: Executor | None = None

    def submit(self, controller: Controller, session: str) -> None:
        """Take in *session*'s photos as a job, once its photos and its events are all here."""
        from rig.store import captures

        with controller.database.read() as connection:
            if session not in captures.waiting(connection):
                return
        controller.jobs.submit("intake", partial(self._work, controller, session), session=session)

    def go_on(self, controller: Controller) -> None:
        """Submit what a crash cut short: complete batches with photos that have no verdict."""
        from rig.store import captures

        with controller.database.read() as connection:
            waiting = captures.waiting(connection)
        for session in waiting:
            self.submit(controller, session)

    def close(self) -> None:
        """End the worker processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _work(self, controller: Controller, session: str, handle: Handle) -> dict[str, Any]:
        from rig.commands.batch import take_in
        from rig.intake.match import Status
        from rig.synthesis.pool import make_pool

        if self._pool is None:
            self._pool = make_pool(self._workers)
        report = take_in(
            controller.database,
            controller.home,
            session,
            executor=self._pool,
            progress=handle.progress,
        )
        return {
            "verified": report.count(Status.VERIFIED),
            "missing": list(report.missing),
            "rejected": [
                {"name": r.name, "index": r.index, "status": r.status.value, "reason": r.reason}
                for r in report.results
                if r.status is not Status.VERIFIED
            ],
        }
