"""The import of a catalog as a job: unpack if need be, read every file, tell every bad row."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import Connection

from rig.capture import importing
from rig.capture.importing import BadRowsError
from rig.store import catalogs
from rig.store.errors import ConflictError, NotFoundError
from rig.web import jobs, unpacking, uploads
from rig.web.controller import Controller
from rig.web.jobs import Handle, Job, JobState, Work
from rig.web.uploads import UploadError

KIND = "import"
TOLD = 200
"""Bad rows that are kept with the job; a CSV of another kind has as many as it has rows."""
_Path = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]


class Import(BaseModel):
    """What to import: paths of the controller, or an upload."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
    csv: _Path = ""
    data_dir: _Path = ""
    upload: Annotated[str, Field(pattern=r"^(u[0-9a-f]{16})?$")] = ""
    order: Literal["csv", "patient", "shuffle"] = "csv"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    skip_bad: bool = False
    by: Annotated[str, Field(max_length=80)] = "operator"


def check(rig: Controller, asked: Import) -> None:
    """Whether the import can be begun at all. Blocks.

    Raises:
        UploadError: neither paths nor an upload, or a relative path.
        NotFoundError: no such upload.
        ConflictError: the name is taken.
        StoreError: the name cannot be one.
    """
    catalogs.check_name(asked.name, "catalog")
    if asked.upload:
        uploads.look(rig.home, asked.upload)
    else:
        for path, what in ((asked.csv, "CSV"), (asked.data_dir, "folder of the images")):
            if not path:
                raise UploadError(f"Say where the {what} is on the controller's machine.")
            if "\0" in path or not _absolute(path).is_absolute():
                raise UploadError(
                    f"The path of the {what} must be whole, from the root of the controller's "
                    "machine, for example /data/CheXpert/train.csv."
                )
    rig.database.query(lambda c: _is_free(c, asked.name))


def work_for(rig: Controller, asked: Import) -> Work:
    """The job of an import; raises as `check`."""
    check(rig, asked)

    def work(handle: Handle) -> dict[str, Any]:
        csv, data_dir = _absolute(asked.csv), _absolute(asked.data_dir)
        if asked.upload:
            unpacking.unpack(rig.home, asked.upload, handle.progress)
            csv, data_dir = uploads.sources(rig.home, asked.upload)
        try:
            kept = importing.import_catalog(
                rig.database, new_id=secrets.token_hex(8), name=asked.name, csv=csv,
                data_dir=data_dir, order=asked.order, seed=asked.seed, skip_bad=asked.skip_bad,
                now_ns=rig.clock_ns(), actor=asked.by, progress=handle.progress,
            )  # fmt: skip
        except BadRowsError as error:
            rows = [asdict(one) for one in error.problems[:TOLD]]
            told = {"problems": rows, "problem_count": len(error.problems), "good": error.good}
            handle.job = replace(handle.job, result=told)
            raise
        if asked.upload:
            uploads.keep(rig.home, asked.upload)
        return {"catalog": kept.name, "count": kept.count, "left_out": len(kept.problems)}

    return work


def in_use(connection: Connection) -> frozenset[str]:
    """Uploads that an import reads right now."""
    running = [one for one in jobs.latest(connection) if one.state is JobState.RUNNING]
    wanted = (jobs.wanted_of(connection, one) or {} for one in running if one.kind == KIND)
    return frozenset(str(one.get("upload")) for one in wanted if one.get("upload"))


def open_ones(newest: Sequence[Job]) -> list[Job]:
    """The imports among *newest* (newest first) that run, or were refused and not tried again."""
    found: list[Job] = []
    for one in (job for job in newest if job.kind == KIND):
        if one.state is JobState.RUNNING or not found:
            found.append(one)
    return [one for one in found if one.state is not JobState.DONE]


def _absolute(path: str) -> Path:
    return Path(path).expanduser() if path.startswith("~") else Path(path)


def _is_free(connection: Connection, name: str) -> None:
    try:
        catalogs.find(connection, name)
    except NotFoundError:
        return
    raise ConflictError(f"A catalog named {name} exists already; choose another name.")
