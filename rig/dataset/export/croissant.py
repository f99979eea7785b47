"""Croissant: `croissant.json` inside the dataset, whose tables and pictures it describes."""

from __future__ import annotations

from pathlib import Path

from rig.dataset import layout
from rig.dataset.croissant import write_croissant
from rig.dataset.errors import DatasetError
from rig.dataset.export import ExportReport, Progress
from rig.dataset.export.images import count


def export(
    root: Path, out: Path | None = None, *, progress: Progress | None = None
) -> ExportReport:
    """Write the description anew, e.g. for a dataset that came without; no picture is touched.

    Raises:
        DatasetError: *root* is no dataset, or *out* is not in its folder: the paths in the
            description start there.
    """
    images = count(root)
    file = root / layout.CROISSANT if out is None else out
    if file.resolve().parent != root.resolve() or file.suffix != ".json":
        raise DatasetError(f"{file} must be a .json file in {root}: its paths start there.")
    write_croissant(root, root.resolve().name, file)
    if progress:
        progress(images, images)
    return ExportReport(file, images, 0)
