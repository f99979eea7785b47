"""What an import leaves behind: the CSV, and no file that is not in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rig.catalog.dicom_rows import Outcome, Row, chexpert_row
from rig.catalog.model import COLUMNS
from rig.dicom.header import Header
from rig.dicom.making import DEEP, DICOM, IMAGES, MakeTask
from rig.dicom.reviews import HELD
from rig.durable import PRIVATE, write_atomic

CSV = "catalog.csv"


def write_csv(
    folder: Path,
    used: Sequence[MakeTask],
    headers: Mapping[int, Header | None],
    labels: Mapping[int, Mapping[str, str]],
) -> Path | None:
    """Write CheXpert's 19 columns for the images in use; None when there are none.

    Args:
        folder: of the import.
        used: the images, in the order of their rows.
        headers: number -> what may be told of its header.
        labels: number -> observation -> label; blank where there is none.
    """
    rows = []
    for task in used:
        header = headers[task.number]
        if header is not None:
            path = f"{folder.name}/{task.tail}"
            rows.append(chexpert_row(path, header, labels.get(task.number, {})))
    if not rows:
        return None
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    write_atomic(folder / CSV, out.getvalue().encode(), mode=PRIVATE)
    return folder / CSV


def sweep(folder: Path, used: Iterable[MakeTask], rows: Iterable[Row]) -> None:
    """Remove pictures and DICOM files of an earlier run that are not in use any more.

    A person may have refused an image meanwhile, or an input is gone: what lies there may be
    copied by whoever releases the folder.
    """
    wanted: set[Path] = set()
    for task in used:
        wanted |= {folder / IMAGES / task.tail, folder / DICOM / f"{task.image_id}.dicom"}
        if task.keep_16_bit:
            wanted.add(folder / DEEP / task.tail)
    for row in rows:
        if row.outcome is Outcome.HELD:
            wanted |= {folder / HELD / f"{row.image_id}.{ending}" for ending in ("png", "json")}
    for place in (IMAGES, DEEP, DICOM, HELD):
        for file in (folder / place).rglob("*"):
            if file.is_file() and file not in wanted:
                file.unlink()
