"""Long work: list, show, cancel."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from rig.web import jobs
from rig.web.deps import Rig, operator
from rig.web.jobs import Job
from rig.web.problems import Problem

router = APIRouter(prefix="/api/jobs", tags=["jobs"], dependencies=operator)


class JobView(BaseModel):
    """A job and how far it is."""

    id: str
    kind: str
    session: str | None
    state: str
    done: int
    total: int
    error: str | None
    result: dict[str, Any] | None


@router.get("")
async def list_jobs(rig: Rig) -> list[JobView]:
    """The newest jobs, newest first."""
    return [_view(one) for one in await rig.database.aquery(jobs.latest)]


@router.get("/{job}")
async def show_job(rig: Rig, job: str) -> JobView:
    """One job."""
    return _view(await rig.database.aquery(lambda c: jobs.find(c, job)))


@router.post("/{job}/cancel", status_code=202)
async def cancel_job(rig: Rig, job: str) -> JobView:
    """Ask a running job to stop."""
    found = await rig.database.aquery(lambda c: jobs.find(c, job))
    if not rig.jobs.cancel(job):
        raise Problem(409, f"Job {job} is {found.state}: there is nothing to cancel.")
    return _view(found)


def _view(job: Job) -> JobView:
    return JobView(**{name: getattr(job, name) for name in JobView.model_fields})
