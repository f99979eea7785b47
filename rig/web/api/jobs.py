"""Long work: ask for it, list, show, cancel, resume."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from rig.web import jobs, paging, works
from rig.web.controller import Controller
from rig.web.deps import Rig, operator
from rig.web.jobs import Job, JobState
from rig.web.problems import Problem

router = APIRouter(prefix="/api/jobs", tags=["jobs"], dependencies=operator)
INTAKE = "intake"
_ID = re.compile(r"j[0-9a-f]{16}", re.ASCII)
JobId = Annotated[str, Path(max_length=60, description="`j` and 16 hex digits")]


class NewJob(BaseModel):
    """What is to be done and with what.

    *kind*: `import`, `build`, `export`, `check` or `synthesis`; *wanted*: its fields. A synthesis
    takes a *recipe* by name, or *text*, one's own in TOML, whose mistakes are told with their line.
    """

    kind: Annotated[str, Field(max_length=40)]
    wanted: dict[str, Any] = {}


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


@router.post("", status_code=202)
async def start_job(rig: Rig, told: NewJob) -> JobView:
    """Begin to build a dataset (`{"campaign"}`) or synthetic twins (`{"catalog", "recipe"}`)."""
    work = await asyncio.to_thread(works.work_for, rig, told.kind, told.wanted)
    job = await asyncio.to_thread(
        lambda: rig.jobs.submit(told.kind, work, wanted=told.wanted, long=True)
    )
    return _view(await rig.database.aquery(lambda c: jobs.find(c, job)))


@router.get("")
async def list_jobs(
    rig: Rig,
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: paging.Cursor = None,
) -> list[JobView]:
    """Jobs, newest first; the header `Link` leads to what is older."""
    after = paging.text(cursor, _ID)
    found = await rig.database.aquery(lambda c: jobs.latest(c, limit + 1, after=after))
    paging.link(request, response, found[limit - 1].id if len(found) > limit else None)
    return [_view(one) for one in found[:limit]]


@router.get("/{job}")
async def show_job(rig: Rig, job: JobId) -> JobView:
    """One job, how far it is, and what came of it."""
    return _view(await rig.database.aquery(lambda c: jobs.find(c, job)))


@router.post("/{job}/cancel", status_code=202)
async def cancel_job(rig: Rig, job: JobId) -> JobView:
    """Ask a running job to stop; what is finished stays."""
    found = await rig.database.aquery(lambda c: jobs.find(c, job))
    if not rig.jobs.cancel(job):
        raise Problem(409, f"Job {job} is {found.state}: there is nothing to cancel.")
    return _view(found)


@router.post("/{job}/resume", status_code=202)
async def resume_job(rig: Rig, job: JobId) -> JobView:
    """Take up a job that was cancelled, failed or cut short; what it finished is not done again.

    An intake goes on as a new job of its session, which is answered.
    """
    found = await rig.database.aquery(lambda c: jobs.find(c, job))
    if found.state in {JobState.RUNNING, JobState.DONE}:
        raise Problem(409, f"Job {job} is {found.state}: there is nothing to resume.")
    if found.kind == INTAKE and found.session is not None:
        return _view(await asyncio.to_thread(_intake_again, rig, found.session))
    wanted = await rig.database.aquery(lambda c: jobs.wanted_of(c, found))
    if wanted is None:
        raise Problem(409, f"What job {job} was asked for is not on record: ask for it anew.")
    work = await asyncio.to_thread(works.work_for, rig, found.kind, wanted)
    return _view(await asyncio.to_thread(lambda: rig.jobs.resume(found, work, long=True)))


def _intake_again(rig: Controller, session: str) -> Job:
    """Verdicts that are there stay; only photos without one are looked at."""
    before = {one.id for one in rig.database.query(jobs.latest)}
    rig.hand_on(session)
    for one in rig.database.query(jobs.latest):
        if one.kind == INTAKE and one.session == session and one.id not in before:
            return one
    raise Problem(409, f"Session {session} has no photos that wait for a verdict.")


def _view(job: Job) -> JobView:
    return JobView(**{name: getattr(job, name) for name in JobView.model_fields})
