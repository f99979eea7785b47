"""Datasets in the forms that the usual tools load unchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rig.dataset.errors import DatasetError

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written: where, how many images, how many boxes."""

    path: Path
    images: int
    boxes: int


FORMS = ("hf", "croissant", "webdataset", "coco", "vindr")
"""What `export` writes."""


def export(
    root: Path,
    form: str,
    out: Path | None = None,
    *,
    copy: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Write the dataset at *root* as *form*: whole or not at all.

    Args:
        root: the dataset; it is not changed, but for `croissant`, which is a file inside it.
        form: one of `FORMS`.
        out: the folder to make (for `croissant` the file); beside the dataset by default. An
            earlier export of the same dataset and form is replaced, nothing else ever is.
        copy: of `hf`, copy pictures; by default they are hard links where there are such.
        progress: called with (done, total) images.

    Raises:
        DatasetError: *root* is no dataset, *out* is something else, or a package is missing.
    """
    from rig.dataset.export import coco, croissant, huggingface, vindr, webdataset

    writers: dict[str, Callable[..., ExportReport]] = {
        "hf": partial(huggingface.export, copy=copy),
        "croissant": croissant.export,
        "webdataset": webdataset.export,
        "coco": coco.export,
        "vindr": vindr.export,
    }
    if form not in writers:
        raise DatasetError(f"No export {form!r}; choose one of {', '.join(FORMS)}.")
    return writers[form](root, out, progress=progress)
