"""The pages of datasets: the list, how to build one, its figures and pictures, its download."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, StreamingResponse
from sqlalchemy import Connection, select
from starlette.responses import Response

from rig.store import tables
from rig.web import dataset_view, thumbnails, works
from rig.web.api.datasets import Name
from rig.web.deps import Rig, operator
from rig.web.exports import CHECK
from rig.web.jobs import JobState
from rig.web.problems import Problem
from rig.web.render import page
from rig.web.tar_stream import RangeError, Tar, range_of
from rig.web.thumbnails import Kept, Size

router = APIRouter(include_in_schema=False, dependencies=operator)
_KINDS = ("build", "export", CHECK)
_WORDS = {"build": "Build", "export": "Export", CHECK: "Check"}
JOBS = 8
LOOKED = 200
"""Newest jobs among which the last check of a dataset is looked for."""


@router.get("/datasets")
async def list_datasets_page(rig: Rig, campaign: str = "") -> Response:
    """All datasets, the jobs that make them, and the form of a build."""

    def look() -> list[dict[str, Any]]:
        found = []
        for name in dataset_view.names(rig):
            root = dataset_view.root_of(rig, name)
            made = [one["name"] for one in dataset_view.exports(root) if one["here"]]
            found.append({"name": name, "exports": made, "built_ns": dataset_view.built_ns(root)})
        return found

    def read(connection: Connection) -> dict[str, Any]:
        table = tables.campaign
        query = select(table.c.name, table.c.xrays).order_by(table.c.created_ns.desc())
        return {"campaigns": connection.execute(query.limit(500)).all(), "jobs": _jobs(connection)}

    view = await rig.database.aquery(read)
    known = [one.name for one in view["campaigns"]]
    chosen = campaign if campaign in known else known[0] if known else None
    return page("datasets.html", **view, datasets=await asyncio.to_thread(look), chosen=chosen)


@router.get("/datasets/{name}")
async def show_dataset(rig: Rig, name: Name) -> Response:
    """A dataset: samples, exports, the last check; the figures come behind, they take longer."""

    def look() -> dict[str, Any]:
        root = dataset_view.root_of(rig, name)
        return {
            "samples": dataset_view.samples(root),
            "exports": dataset_view.exports(root),
            "built_ns": dataset_view.built_ns(root),
        }

    view = await asyncio.to_thread(look)
    jobs, check = await rig.database.aquery(lambda c: (_jobs(c), _last_check(c, name)))
    return page("dataset.html", name=name, jobs=jobs, check=check, **view)


@router.get("/datasets/{name}/figures")
async def show_figures(rig: Rig, name: Name) -> Response:
    """The statistics as tables and bars: a part of the page of the dataset."""
    root = dataset_view.root_of(rig, name)
    found = await asyncio.to_thread(dataset_view.figures, root)
    return page("dataset_figures.html", f=found, name=name, shares=dataset_view.shares)


@router.get("/datasets/{name}/picture")
async def show_dataset_picture(
    request: Request,
    rig: Rig,
    kept: Kept,
    name: Name,
    path: Annotated[str, Query(max_length=1000)],
    size: Size = Size.SMALL,
) -> Response:
    """A picture of the dataset as a small one."""
    root = dataset_view.root_of(rig, name)
    file = await asyncio.to_thread(dataset_view.picture, root, path)
    key = thumbnails.key_of("dataset", *dataset_view.mark_of(file))
    return await thumbnails.answer(
        request, kept, key, size, lambda: thumbnails.of_file(file, None, size, "picture")
    )


@router.post("/datasets/{name}/check")
async def check_dataset(rig: Rig, name: Name) -> Response:
    """Look whether the dataset is whole and right: a job, whose result its page shows."""
    wanted = {"dataset": name}
    work = await asyncio.to_thread(works.work_for, rig, CHECK, wanted)
    await asyncio.to_thread(lambda: rig.jobs.submit(CHECK, work, wanted=wanted, long=True))
    return RedirectResponse(f"/datasets/{name}#check", 303)


@router.get("/datasets/{name}/download")
async def download_dataset(
    request: Request, rig: Rig, name: Name, form: Annotated[str | None, Query(max_length=20)] = None
) -> Response:
    """The dataset, or an export of it, as a tar; a download that broke can go on."""
    root = dataset_view.folder_of(dataset_view.root_of(rig, name), form)
    tar = await asyncio.to_thread(Tar, root)
    headers = {
        "Accept-Ranges": "bytes", "ETag": tar.etag, "Cache-Control": "private, no-cache",
        "Content-Disposition": f'attachment; filename="{root.name}.tar"',
    }  # fmt: skip
    asked, same = request.headers.get("range"), request.headers.get("if-range")
    try:
        part = range_of(asked, tar.size) if same in {None, tar.etag} else None
    except RangeError as error:
        raise Problem(416, str(error), headers={"Content-Range": f"bytes */{tar.size}"}) from error
    begin, end = part or (0, tar.size)
    headers["Content-Length"] = str(end - begin)
    if part is not None:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{tar.size}"
    status = 200 if part is None else 206
    return StreamingResponse(tar.read(begin, end), status, headers, "application/x-tar")


@router.get("/datasets/{name}/croissant.json")
async def download_croissant(rig: Rig, name: Name) -> Response:
    """The description of the dataset for machines."""
    file = dataset_view.root_of(rig, name) / "croissant.json"
    try:
        data = await asyncio.to_thread(file.read_bytes)
    except OSError as error:
        raise Problem(404, "There is no Croissant description yet: make it first.") from error
    headers = {"Content-Disposition": f'attachment; filename="{name}-croissant.json"'}
    return Response(data, media_type="application/ld+json", headers=headers)


def _jobs(connection: Connection) -> list[dict[str, Any]]:
    """The newest jobs that make, export or check datasets."""
    job = tables.job
    query = select(job).where(job.c.kind.in_(_KINDS)).order_by(job.c.created_ns.desc(), job.c.id)
    rows = connection.execute(query.limit(JOBS)).mappings()
    return [_told(dict(row)) for row in rows]


def _told(row: dict[str, Any]) -> dict[str, Any]:
    result = row["result"] or {}
    of = result.get("name") or result.get("path") or ""
    state = JobState(row["state"])
    return {**row, "state": state, "what": f"{_WORDS[row['kind']]} {of}".strip(), "result": result}


def _last_check(connection: Connection, name: str) -> dict[str, Any] | None:
    job = tables.job
    query = select(job).where(job.c.kind == CHECK).order_by(job.c.created_ns.desc(), job.c.id)
    for row in connection.execute(query.limit(LOOKED)).mappings():
        if (row["result"] or {}).get("name") == name:
            return {**row["result"], "time_ns": row["updated_ns"]}
    return None
