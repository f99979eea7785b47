"""The import of DICOM files as a job, and the same import again once somebody has decided.

Where the files lie is kept in memory only: names of folders and files may hold patients' names, and
what a job was asked for stands in the store. After a restart of the controller they are asked for.
"""

from __future__ import annotations

import importlib.util
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import Connection

from rig.errors import UserError
from rig.store import catalogs
from rig.store.errors import NotFoundError
from rig.web import jobs
from rig.web.controller import Controller
from rig.web.jobs import Handle, Job, JobRunner, JobState, Work

KIND = "dicom import"
WORKERS = 2
"""Processes at most: the controller has stations to serve."""
LOOKED_AT = 200
"""Newest jobs among which the last import of a name is looked for."""
_Path = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class DicomImportError(UserError):
    """The import cannot begin, or has ended without a catalog; the sentence names no file."""


class DicomImport(BaseModel):
    """How to import; this is kept with the job."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
    keep_16_bit: bool = False
    laterals: bool = False
    children: bool = False
    by: Annotated[str, Field(max_length=80)] = "operator"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files lie; this is not kept."""

    paths: tuple[str, ...]
    annotations: str = ""

    def hidden(self, sentence: str) -> str:
        """*sentence* without anything that was typed here."""
        for one in sorted((*self.paths, self.annotations), key=len, reverse=True):
            if one:
                sentence = sentence.replace(one, "the given place")
        return sentence


_PLACES: WeakKeyDictionary[JobRunner, dict[str, Place]] = WeakKeyDictionary()


def begin(rig: Controller, asked: DicomImport, place: Place) -> str:
    """Begin an import; its job.

    Raises:
        DicomImportError: a path is not whole or not there, or the extra is not installed.
        ConflictError: a catalog has that name, or its import runs.
        StoreError: the name cannot be one.
    """
    catalogs.check_name(asked.name, "catalog")
    for number, path in enumerate(filter(None, (*place.paths, place.annotations)), 1):
        if not _is_there(path):
            raise DicomImportError(
                f"Path number {number} is not there, or is the whole disk. It must be whole, from "
                "the root of the controller's machine, for example /data/ward3."
            )
    work = _work(rig, asked, place)
    _PLACES.setdefault(rig.jobs, {})[asked.name] = place
    return rig.jobs.submit(KIND, work, wanted=asked.model_dump(), long=True)


def _is_there(path: str) -> bool:
    """Whether a path is whole and there, and is not the whole disk."""
    try:
        found = Path(path)
        return found.is_absolute() and found.exists() and found.resolve() != Path(found.anchor)
    except (OSError, ValueError):  # too long, a NUL in it, a folder that may not be read
        return False


def work_for(rig: Controller, wanted: Mapping[str, Any]) -> Work:
    """The work of a job that is resumed.

    Raises:
        DicomImportError: where the files lie was forgotten.
        ValidationError: *wanted* is of another version.
    """
    asked = DicomImport.model_validate(dict(wanted))
    place = _PLACES.get(rig.jobs, {}).get(asked.name)
    if place is None:
        raise DicomImportError(
            "The controller was started anew since, and where hospital files lie is kept in its "
            "memory only: import them again with the same name and path. What is finished is not "
            "done again."
        )
    return _work(rig, asked, place)


def last_of(connection: Connection, name: str) -> Job | None:
    """The newest import of *name*, if it can be resumed."""
    for job in jobs.latest(connection, LOOKED_AT):
        if job.kind == KIND and (jobs.wanted_of(connection, job) or {}).get("name") == name:
            return None if job.state in {JobState.RUNNING, JobState.DONE} else job
    return None


def _work(rig: Controller, asked: DicomImport, place: Place) -> Work:
    if importlib.util.find_spec("pydicom") is None:
        raise DicomImportError(
            "The controller needs the extra 'dicom': pip install 'capture-rig[dicom]'."
        )

    def work(handle: Handle) -> dict[str, Any]:
        try:
            return _import(rig, asked, place, handle)
        except UserError as error:
            raise DicomImportError(place.hidden(str(error))) from None
        except OSError as error:
            # Its text names a file.
            raise DicomImportError(
                f"The import stopped: {error.strerror or 'the disk'}. Mend it, then resume."
            ) from None

    return work


def _import(rig: Controller, asked: DicomImport, place: Place, handle: Handle) -> dict[str, Any]:
    from rig.capture.dicom_catalog import import_dicom
    from rig.catalog.dicom_import import Options
    from rig.dicom.screening import Screening
    from rig.synthesis.pool import default_workers, make_pool

    options = Options(
        annotations=Path(place.annotations) if place.annotations else None,
        keep_16_bit=asked.keep_16_bit,
        how=Screening(laterals=asked.laterals, children=asked.children),
        workers=min(WORKERS, default_workers()),
    )
    done = import_dicom(
        rig.database, rig.home, new_id=secrets.token_hex(8), name=asked.name,
        paths=[Path(one) for one in place.paths], options=options, order="csv", seed=0,
        wait_for_review=True, link_file=None, now_ns=rig.clock_ns(), actor=asked.by,
        make_pool=make_pool, progress=handle.progress,
    )  # fmt: skip
    told = {"name": asked.name, "files": len(done.rows), **done.counts, "reasons": done.reasons}
    if done.kept is not None:
        return told | {"catalog": done.kept.name, "xrays": done.kept.count}
    handle.job = replace(handle.job, result=told)
    held = done.counts["held"]
    if held:
        images = "1 image waits" if held == 1 else f"{held} images wait"
        raise DicomImportError(
            f"{images} for a person: decide at /catalogs/{asked.name}/review, then resume."
        )
    raise DicomImportError(
        f"None of {len(done.rows)} files can be used; report.csv in catalogs/{asked.name} of the "
        "home says why."
    )


def is_free(connection: Connection, name: str) -> bool:
    """Whether no catalog has that name yet."""
    try:
        catalogs.find(connection, name)
    except NotFoundError:
        return True
    return False
