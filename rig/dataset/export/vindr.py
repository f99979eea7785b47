"""VinDr-CXR's own layout: a DICOM file per image, `annotations_<split>.csv` with a row per finding.

torchxrayvision's `VinBrain_Dataset` reads it. Images whose x-ray nobody annotated are left out, and
so are those of which no finding is left in the picture: without a row an image would have no label,
and `No finding` is said only where a reader said it.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from rig.dataset import layout
from rig.dataset.errors import DatasetError
from rig.dataset.export import ExportReport, Progress
from rig.dataset.export.extras import package
from rig.dataset.export.folder import new_folder
from rig.dataset.export.images import BoxRow, ImageRow, count, has_boxes, images
from rig.dataset.files import write_durably
from rig.dataset.labels import splits_of

COLUMNS = ("image_id", "rad_id", "class_name", "x_min", "y_min", "x_max", "y_max")
NOTHING = "No finding"
ANNOTATIONS, INDEX = "annotations", "images.csv"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""SOP class (DICOM PS3.4, B.5): a picture that no modality made."""


def export(
    root: Path, out: Path | None = None, *, progress: Progress | None = None
) -> ExportReport:
    """Write `<split>/<image_id>.dicom`, the annotations and `images.csv`; see the package.

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
    with new_folder(root, "vindr", out) as (folder, final):
        (folder / ANNOTATIONS).mkdir()
        with write_durably(folder / INDEX) as index:
            _table(index).writerow(("image_id", "split", "Path"))
            for split in splits_of(root):
                (folder / split).mkdir()
                file = folder / ANNOTATIONS / f"annotations_{split}.csv"
                with write_durably(file) as handle:
                    _table(handle).writerow(COLUMNS)
                    for image in images(root, split):
                        found = [row for row in image.findings if _tells(row)]
                        if found:
                            ident = image_id(image)
                            _table(handle).writerows(_cells(ident, row) for row in found)
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
    """A box, or a reader who found nothing."""
    return row["x_min"] is not None or row["class_name"].strip().lower() == NOTHING.lower()


def _cells(ident: str, row: BoxRow) -> tuple[object, ...]:
    edges = [row[name] for name in ("x_min", "y_min", "x_max", "y_max")]
    name = NOTHING if edges[0] is None else row["class_name"]
    return (ident, row["rad_id"] or "R1", name, *edges)


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
