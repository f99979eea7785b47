"""Datasets of this controller: build and export as jobs, list, describe.

What builds and reads them is imported when it is wanted: a controller starts without Arrow.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Path as PathParam
from pydantic import BaseModel

from rig.web import exports, works
from rig.web.controller import Controller
from rig.web.deps import Rig, operator
from rig.web.operators import guarded

router = APIRouter(tags=["datasets"], dependencies=operator)
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$"
Name = Annotated[str, PathParam(pattern=_NAME)]
CampaignName = Annotated[str, PathParam(max_length=200, description="name of a campaign")]


class Build(BaseModel):
    """What to build; the dataset lies in the home's folder `datasets`."""

    version: str = "1.0"
    synthetic: list[Literal["digital", "photographic"]] = []
    rectified: bool = False
    terms: str = ""


class Export(BaseModel):
    """The form to export to; the export lies beside the dataset."""

    to: Literal["hf", "croissant", "webdataset", "coco", "vindr"]


class Begun(BaseModel):
    """The job that does it: `/api/jobs/{job}` shows and cancels it."""

    job: str


@router.post("/api/campaigns/{name}/dataset", status_code=202, dependencies=[guarded])
async def build_dataset(rig: Rig, name: CampaignName, told: Build) -> Begun:
    """Build the campaign's dataset: the job `build` of `/api/jobs`, which can be resumed."""
    wanted = {"campaign": name, **told.model_dump()}
    work = await asyncio.to_thread(works.work_for, rig, "build", wanted)
    return Begun(job=rig.jobs.submit("build", work, wanted=wanted, long=True))


@router.get("/api/datasets")
async def list_datasets(rig: Rig) -> list[str]:
    """Names of the datasets that were built, by name."""
    from rig.dataset.labels import splits_of

    home = folder(rig)
    if not home.is_dir():
        return []
    here = (one for one in home.iterdir() if not one.name.startswith("."))
    return sorted(one.name for one in here if one.is_dir() and splits_of(one))


@router.get("/api/datasets/{name}/stats")
def describe_dataset(rig: Rig, name: Name, *, blanks: bool = False) -> dict[str, Any]:
    """What `rig dataset stats --json` prints."""
    from rig.dataset.statistics import statistics

    return statistics(exports.find(rig, name)).as_json(blanks=blanks)


@router.post("/api/datasets/{name}/export", status_code=202)
async def export_dataset(rig: Rig, name: Name, told: Export) -> Begun:
    """Export a dataset: the job `export`, which begins anew when it is resumed."""
    wanted = {"dataset": name, **told.model_dump()}
    work = await asyncio.to_thread(works.work_for, rig, "export", wanted)
    return Begun(job=rig.jobs.submit("export", work, wanted=wanted, long=True))


def folder(rig: Controller) -> Path:
    """Where the datasets of this controller are."""
    return rig.home / exports.DATASETS
