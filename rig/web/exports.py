"""The export of a dataset as a job: asked for again, or resumed, it begins anew.

An export appears complete or not at all, so one that was cancelled or cut short by a restart leaves
nothing behind and spoils nothing; an earlier export of the same form stays until the new one is
whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rig.store.errors import NotFoundError
from rig.web import works
from rig.web.controller import Controller
from rig.web.jobs import Handle, Work

KIND = "export"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$"


class Export(BaseModel):
    """Which dataset, in which form; the export lies beside the dataset."""

    model_config = ConfigDict(extra="forbid")
    dataset: Annotated[str, Field(pattern=NAME)]
    to: Literal["hf", "croissant", "webdataset", "coco", "vindr"]


def work_for(rig: Controller, wanted: Mapping[str, Any]) -> Work:
    """The work of an export that was asked for with *wanted*.

    Raises:
        WantedError: a field that makes no sense.
        NotFoundError: no such dataset.
    """
    try:
        asked = Export.model_validate(dict(wanted))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the job"
        raise works.WantedError(f"{KIND}: {where}: {first['msg']}.") from error
    root = find(rig, asked.dataset)

    def work(handle: Handle) -> Mapping[str, Any]:
        from rig.dataset.export import export

        report = export(root, asked.to, progress=handle.progress)
        return {"path": report.path.name, "images": report.images, "boxes": report.boxes}

    return work


def find(rig: Controller, name: str) -> Path:
    """The dataset *name* of this controller; raises NotFoundError when there is none."""
    from rig.dataset.labels import splits_of

    root = rig.home / works.DATASETS / name
    if not splits_of(root):
        raise NotFoundError(f"No dataset is named {name!r}; build one first.")
    return root
