"""VinDr-CXR's own layout: a DICOM file per image, and what each reader said of it in two tables.

`annotations_<split>.csv` has a row per finding, `image_labels_<split>.csv` one per reader.
torchxrayvision's `VinBrain_Dataset` reads it. Images whose x-ray nobody annotated are left out, and
so is a reader of whose findings none is left in the picture: a row without a 1 would say that they
denied them all, and `No finding` is said only where a reader said it.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, TextIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from rig.catalog.vindr_names import FINDINGS, LOCAL, NO_FINDING
from rig.dataset import layout
from rig.dataset.box_table import iter_boxes
from rig.dataset.errors import DatasetError
from rig.dataset.export import ExportReport, Progress
from rig.dataset.export.extras import package
from rig.dataset.export.folder import new_folder
from rig.dataset.export.images import BoxRow, ImageRow, count, has_boxes, images
from rig.dataset.files import write_durably
from rig.dataset.labels import splits_of

COLUMNS = ("image_id", "rad_id", "class_name", "x_min", "y_min", "x_max", "y_max")
ANNOTATIONS, INDEX = "annotations", "images.csv"
_READER = "R1"
"""Who said what nobody is named for."""
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""SOP class (DICOM PS3.4, B.5): a picture that no modality made."""


def export(
    root: Path, out: Path | None = None, *, progress: Progress | None = None
) -> ExportReport:
    """Write `<split>/<image_id>.dicom`, both tables and `images.csv`; see the package.

    The pixels are those of the picture as stored, in 8-bit grey and uncompressed, so that every
    reader of DICOM opens them. `images.csv` leads from `image_id` back to `Path`.

    Raises:
        DatasetError: the dataset has no boxes, or a picture cannot be read.
    """
    pydicom = package("pydicom", "The VinDr export", "dicom")
    if not has_boxes(root):
        raise DatasetError(
            f"{root} has no {layout.BOXES}: build it with --boxes annotations_train.csv."
        )
    total, done, written, boxes = count(root), 0, 0, 0
    names = _findings(root)
    with new_folder(root, "vindr", out) as (folder, final):
        (folder / ANNOTATIONS).mkdir()
        with write_durably(folder / INDEX) as index:
            _table(index).writerow(("image_id", "split", "Path"))
            for split in splits_of(root):
                (folder / split).mkdir()
                with _Tables(folder / ANNOTATIONS, split, names) as tables:
                    for image in images(root, split):
                        found = [row for row in image.findings if _tells(row)]
                        if found:
                            ident = image_id(image)
                            tables.add(ident, found)
                            _table(index).writerow((ident, split, image.row.path))
                            _write(pydicom, root, image, folder / split / f"{ident}.dicom")
                            written, boxes = written + 1, boxes + len(image.boxes)
                        done += 1
                        if progress:
                            progress(done, total)
    return ExportReport(final, written, boxes)


def image_id(image: ImageRow) -> str:
    """32 hex digits, as VinDr's own: readers look ids up as parts of others, so all are as long."""
    return hashlib.sha256(image.row.path.encode()).hexdigest()[:32]


def _table(handle: TextIO) -> Any:
    return csv.writer(handle, lineterminator="\n")


def _tells(row: BoxRow) -> bool:
    """A box in the picture, or what was said without one; not a box that fell out of it."""
    return row["dropped"] is None


def _findings(root: Path) -> tuple[str, ...]:
    """The columns of the image labels.

    Every reader was asked about the 22 local findings; about an impression of the whole image only
    where somebody gave it, as far as the dataset knows: the others are no columns, for a 0 denies.
    """
    given = {row["class_name"] for row in iter_boxes(root) if _tells(row)}
    known = tuple(name for name in FINDINGS if name in given or name in (*LOCAL, NO_FINDING))
    return (*known, *sorted(given - set(FINDINGS)))


class _Tables:
    """`annotations_<split>.csv` and `image_labels_<split>.csv` while they are written."""

    def __init__(self, folder: Path, split: str, names: Sequence[str]) -> None:
        self._names = names
        with ExitStack() as stack:
            wide, boxes = (
                _table(stack.enter_context(write_durably(folder / f"{kind}_{split}.csv")))
                for kind in ("image_labels", "annotations")
            )
            self._wide, self._boxes = wide, boxes
            self._boxes.writerow(COLUMNS)
            self._wide.writerow(("image_id", "rad_id", *names))
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    def add(self, ident: str, found: Sequence[BoxRow]) -> None:
        """Write what the readers of one image said, each on their own."""
        said: dict[str, dict[str, None]] = {}
        for row in found:
            reader = row["rad_id"] or _READER
            said.setdefault(reader, {})[row["class_name"]] = None
            if row["x_min"] is not None:
                self._boxes.writerow((ident, reader, row["class_name"], *_edges(row)))
        drew = {row["rad_id"] or _READER for row in found if row["x_min"] is not None}
        for reader, names in said.items():
            self._wide.writerow((ident, reader, *(int(name in names) for name in self._names)))
            # A local finding without a box is a label only: readers of this table want its edges.
            whole = [n for n in names if n not in LOCAL and (reader not in drew or n == NO_FINDING)]
            self._boxes.writerows((ident, reader, name, *("",) * 4) for name in whole)


def _edges(row: BoxRow) -> list[float]:
    return [row[name] for name in ("x_min", "y_min", "x_max", "y_max")]


def _write(pydicom: Any, root: Path, image: ImageRow, target: Path) -> None:
    """One picture as DICOM; the same for the same picture: no time, no random number."""
    try:
        with Image.open(root / image.path) as picture:
            pixels = np.asarray(picture.convert("L"))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{image.path} is no picture: {error}.") from error
    uids = [
        pydicom.uid.generate_uid(entropy_srcs=["/".join(parts)])
        for parts in (
            (image.row.path,),
            (image.row.path, "series"),
            (image.row.path.split("/")[0], image.place.patient, image.place.study),
        )
    ]
    made = pydicom.Dataset()
    made.SOPClassUID, made.SOPInstanceUID = SECONDARY_CAPTURE, uids[0]
    made.SeriesInstanceUID, made.StudyInstanceUID = uids[1:]
    made.PatientID, made.PatientName, made.PatientBirthDate = image.place.patient, "", ""
    made.PatientSex = {"male": "M", "female": "F"}.get(image.row.values[1].lower(), "")
    made.StudyDate = made.StudyTime = made.StudyID = made.AccessionNumber = ""
    made.ReferringPhysicianName = ""
    made.SeriesNumber, made.InstanceNumber = 1, 1
    made.Modality, made.ConversionType = "OT", "DI"
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    made.set_pixel_data(pixels, "MONOCHROME2", 8, generate_instance_uid=False)
    made.save_as(target, enforce_file_format=True)
