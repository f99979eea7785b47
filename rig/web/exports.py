"""The export and the check of a dataset as jobs: asked for again, or resumed, they begin anew.

A check changes nothing. An export appears complete or not at all, so one that was cancelled or cut
short by a restart leaves nothing behind and spoils nothing; an earlier export of the same form
stays until the new one is whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rig.store.errors import NotFoundError
from rig.web.controller import Controller
from rig.web.jobs import Handle, Work

KIND, CHECK = "export", "check"
DATASETS = "datasets"
"""Folder of the home."""
TOLD = 100
"""Problems that a check keeps."""
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$"


class Export(BaseModel):
    """Which dataset, in which form; the export lies beside the dataset."""

    model_config = ConfigDict(extra="forbid")
    dataset: Annotated[str, Field(pattern=NAME)]
    to: Literal["hf", "croissant", "webdataset", "coco", "vindr"]


class Check(BaseModel):
    """Which dataset is to be looked at."""

    model_config = ConfigDict(extra="forbid")
    dataset: Annotated[str, Field(pattern=NAME)]


def work_for(rig: Controller, asked: Export | Check) -> Work:
    """The work of what was asked for.

    Raises:
        NotFoundError: no such dataset.
    """
    root = find(rig, asked.dataset)
    return _check(root, asked) if isinstance(asked, Check) else _export(root, asked)


def _export(root: Path, asked: Export) -> Work:
    def work(handle: Handle) -> Mapping[str, Any]:
        from rig.dataset.export import export

        report = export(root, asked.to, progress=handle.progress)
        return {"path": report.path.name, "images": report.images, "boxes": report.boxes}

    return work


def _check(root: Path, asked: Check) -> Work:
    def work(handle: Handle) -> Mapping[str, Any]:
        from rig.dataset.check import check

        found = check(root, progress=handle.progress)
        told = [str(one) for one in found.findings[:TOLD]]
        return {
            "name": asked.dataset, "images": found.images, "gaps": found.gaps,
            "count": found.count, "problems": told,
        }  # fmt: skip

    return work


def find(rig: Controller, name: str) -> Path:
    """The dataset *name* of this controller; raises NotFoundError when there is none."""
    from rig.dataset.labels import splits_of

    root = rig.home / DATASETS / name
    if not splits_of(root):
        raise NotFoundError(f"No dataset is named {name!r}; build one first.")
    return root
