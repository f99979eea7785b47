"""The one file that leads back from pseudonyms to people: only on request, and kept apart."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from rig.catalog.dicom_rows import Row
from rig.dicom import elements
from rig.dicom.finding import Input
from rig.dicom.quiet import quiet
from rig.dicom.reading import read
from rig.dicom.refusal import Refused
from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError

IDENTIFIERS = (
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "AccessionNumber",
    "StudyDate",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
)
COLUMNS = ("file", "path", "decision", "image_id", "patient", "split", *IDENTIFIERS)
_HEAD = ",".join(COLUMNS)


def check_place(file: Path, home: Path) -> Path:
    """*file*, if the link file may be written there.

    Raises:
        UserError: it is inside the home, which is copied and backed up, or would replace something
            that is no link file.
    """
    whole = file.expanduser().resolve()
    if whole.is_relative_to(home.resolve()):
        raise UserError(
            "The link file leads back to patients and must not lie in the home, which is backed "
            "up and shown: name a place outside, best on a medium that is locked away."
        )
    if whole.is_dir() or (whole.exists() and not _is_link_file(whole)):
        raise UserError(f"{whole} is there already and is no link file: name another.")
    return whole


def write_link(file: Path, inputs: Iterable[Input], rows: Mapping[int, Row]) -> None:
    """Write who is who, mode 0600.

    Args:
        file: from `check_place`.
        inputs: of the import; their headers are read once more.
        rows: number -> what became of it.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in inputs:
        row = rows[one.number]
        told = (one.number, one.path, row.outcome, row.image_id, row.patient, row.split)
        writer.writerow((*told, *_identifiers(one)))
    write_atomic(file, out.getvalue().encode("utf-8", "surrogateescape"), mode=PRIVATE)


def _identifiers(one: Input) -> tuple[str, ...]:
    try:
        dataset = read(one.path, pixels=False)
    except Refused:
        return ("",) * len(IDENTIFIERS)
    with quiet():
        return tuple(elements.text(dataset, keyword) for keyword in IDENTIFIERS)


def _is_link_file(file: Path) -> bool:
    with file.open(encoding="utf-8", errors="replace") as handle:
        return handle.readline().rstrip("\n") == _HEAD
