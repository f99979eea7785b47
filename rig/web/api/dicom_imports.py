"""DICOM files of a hospital to a catalog, by API and by form: paths of the controller's machine."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field, StringConstraints, ValidationError
from starlette.responses import Response

from rig.web import dicom_imports, forms
from rig.web.deps import Operator, Rig, operator
from rig.web.dicom_imports import DicomImport, Place
from rig.web.problems import Problem

router = APIRouter(tags=["catalogs"], dependencies=operator)
_Path = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
MOST_PATHS = 20


class NewDicomImport(BaseModel):
    """What to import: files, folders or DICOMDIRs of the controller's machine.

    *annotations* is a folder with VinDr-CXR's tables. Paths are kept nowhere.
    """

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
    paths: Annotated[list[_Path], Field(min_length=1, max_length=MOST_PATHS)]
    annotations: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)] = ""
    keep_16_bit: bool = False
    laterals: bool = False
    children: bool = False


class BegunImport(BaseModel):
    """The job that does it: `/api/jobs/{job}` shows, cancels and resumes it."""

    job: str


@router.post("/api/dicom-imports", status_code=202)
async def import_dicom(rig: Rig, told: NewDicomImport, by: Operator) -> BegunImport:
    """De-identify, screen and render DICOM files; images in doubt wait, then resume the job."""
    return BegunImport(job=await _begin(rig, told, by))


@router.post("/dicom-imports", include_in_schema=False)
async def import_dicom_form(rig: Rig, request: Request, by: Operator) -> Response:
    """The form on the page of catalogs."""
    form = await forms.read(request)
    paths = [one.strip() for one in form("paths").splitlines() if one.strip()]
    try:
        told = NewDicomImport(
            name=form("name"), paths=paths, annotations=form("annotations"),
            keep_16_bit=form.ticked("keep_16_bit"), laterals=form.ticked("laterals"),
            children=form.ticked("children"),
        )  # fmt: skip
    except ValidationError as error:
        raise Problem(422, "Give the catalog a name, and 1 to 20 paths, one on a line.") from error
    await _begin(rig, told, by)
    return RedirectResponse("/jobs", 303)


async def _begin(rig: Rig, told: NewDicomImport, by: str | None) -> str:
    asked = DicomImport(
        name=told.name, keep_16_bit=told.keep_16_bit, laterals=told.laterals,
        children=told.children, by=(by or "operator")[:80],
    )  # fmt: skip
    if not await rig.database.aquery(lambda c: dicom_imports.is_free(c, asked.name)):
        raise Problem(409, "A catalog has that name already, and catalogs never change.")
    place = Place(tuple(told.paths), told.annotations)
    try:
        return await asyncio.to_thread(dicom_imports.begin, rig, asked, place)
    except dicom_imports.DicomImportError as error:
        raise Problem(422, str(error)) from error
