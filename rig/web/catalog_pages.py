"""The pages of catalogs: the list, an import and what became of it, the x-rays as pictures."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from sqlalchemy import Connection, func, select
from starlette.responses import Response

from rig.errors import UserError
from rig.store import catalogs, tables
from rig.store.catalogs import Catalog
from rig.store.errors import ConflictError
from rig.web import forms, imports, jobs, review, uploads, works
from rig.web.controller import Controller
from rig.web.deps import Rig, operator
from rig.web.forms import Form
from rig.web.imports import Import
from rig.web.problems import Problem
from rig.web.render import page

router = APIRouter(include_in_schema=False, dependencies=operator)
SHOWN = 48
"""X-rays on a page."""
_FIELDS = ("name", "csv", "data_dir", "upload", "order", "seed")
JobId = Annotated[str, InPath(pattern=r"^j[0-9a-f]{16}$")]


@router.get("/catalogs")
async def list_catalogs(rig: Rig) -> Response:
    """All catalogs, what waits to be imported, and the form of an import."""
    return await _list(rig, Form())


@router.post("/catalogs")
async def import_catalog(rig: Rig, request: Request) -> Response:
    """Begin an import; a form that cannot be taken is shown again with the sentence."""
    form = await forms.read(request)
    try:
        asked = _asked(form)
        work = await asyncio.to_thread(works.work_for, rig, imports.KIND, asked.model_dump())
    except (UserError, Problem) as error:
        status = 409 if isinstance(error, ConflictError) else 422
        return await _list(rig, form, str(error), status)
    wanted = asked.model_dump()
    job = await asyncio.to_thread(
        lambda: rig.jobs.submit(imports.KIND, work, wanted=wanted, long=True)
    )
    return RedirectResponse(f"/catalogs/imports/{job}", 303)


@router.get("/catalogs/imports/{job}")
async def show_import(rig: Rig, job: JobId) -> Response:
    """How far an import is; which rows it refused, and what to do about them."""

    def read(connection: Connection) -> dict[str, Any]:
        found = jobs.find(connection, job)
        if found.kind != imports.KIND:
            raise Problem(404, f"Job {job} is no import.")
        return {"job": found, "wanted": jobs.wanted_of(connection, found) or {}}

    return page("catalog_import.html", **await rig.database.aquery(read), told=imports.TOLD)


@router.post("/uploads/{upload}/discard")
async def discard(rig: Rig, upload: str) -> Response:
    """Remove an upload that nobody imported."""
    busy = await rig.database.aquery(imports.in_use)
    if upload not in await asyncio.to_thread(uploads.waiting, rig.home, busy):
        raise Problem(404, "No such upload waits to be imported.")
    await asyncio.to_thread(uploads.discard, rig.home, upload)
    return RedirectResponse("/catalogs#uploads", 303)


@router.get("/catalogs/{name}")
async def show_catalog(
    rig: Rig, name: str, first: Annotated[int, Query(ge=1, le=2**31)] = 1
) -> Response:
    """The x-rays of a catalog, a page of pictures at a time."""

    def read(connection: Connection) -> dict[str, Any]:
        kept = catalogs.find(connection, name)
        begin = min(first, max(kept.count - 1, 0) // SHOWN * SHOWN + 1)
        shown = catalogs.xrays(connection, kept.id, begin, begin + SHOWN - 1)
        used = select(tables.campaign.c.name).where(tables.campaign.c.catalog == kept.id)
        return {
            "catalog": kept,
            "sent": Path(kept.csv).is_relative_to((rig.home / uploads.FOLDER).resolve()),
            "first": begin,
            "step": SHOWN,
            "xrays": shown,
            "patients": _patients(connection, kept),
            "campaigns": list(connection.scalars(used.order_by(tables.campaign.c.created_ns))),
        }

    return page("catalog.html", **await rig.database.aquery(read))


def _asked(form: Form) -> Import:
    values: dict[str, Any] = {name: form(name) for name in _FIELDS if form(name)}
    values["skip_bad"] = form.ticked("skip_bad")
    if form("source") == "path":
        values.pop("upload", None)
    elif form("source") == "upload":
        values.pop("csv", None)
        values.pop("data_dir", None)
        if "upload" not in values:
            raise Problem(422, "Nothing was uploaded: choose a zip or a folder first.")
    if "name" not in values:
        raise Problem(422, "Give the catalog a name.")
    if not values.get("seed", "0").isdigit():
        raise Problem(422, "The seed must be a whole number.")
    try:
        return Import.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise Problem(422, f"{where}: {first['msg']}.") from error


async def _list(
    rig: Controller, form: Form, wrong: str | None = None, status: int = 200
) -> Response:
    def read(connection: Connection) -> dict[str, Any]:
        every = catalogs.every(connection)
        newest = jobs.latest(connection, 50)
        return {
            "catalogs": [{"catalog": one, "first": _first(connection, one)} for one in every],
            "imports": imports.open_ones(newest),
        }

    view = await rig.database.aquery(read)
    waiting = await asyncio.to_thread(_waiting, rig)
    view["held"] = await asyncio.to_thread(review.waiting, rig.home)
    return page(
        "catalogs.html", status, **view, uploads=waiting, form=form, wrong=wrong, home=str(rig.home)
    )


def _waiting(rig: Controller) -> list[uploads.Upload]:
    """Uploads that nobody imported, but those of an import that runs."""
    busy = rig.database.query(imports.in_use)
    return [uploads.look(rig.home, one) for one in uploads.waiting(rig.home, busy)]


def _first(connection: Connection, kept: Catalog) -> str | None:
    """The x-ray that stands for a catalog in the list."""
    table = tables.xray
    query = select(table.c.sha256).where(table.c.catalog == kept.id, table.c.idx == 1)
    found: str | None = connection.scalar(query)
    return found


_PATIENTS: dict[str, int] = {}
"""Catalog -> its patients: a catalog never changes, and counting goes over all its x-rays."""


def _patients(connection: Connection, kept: Catalog) -> int:
    """How many patients; keys begin with the patient's name and a slash."""
    if kept.id not in _PATIENTS:
        key = tables.xray.c.key
        patient = func.substr(key, 1, func.instr(key, "/"))
        query = select(func.count(patient.distinct())).where(tables.xray.c.catalog == kept.id)
        _PATIENTS[kept.id] = connection.scalar(query) or 0
    return _PATIENTS[kept.id]
