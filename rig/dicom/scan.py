"""First look at a file: its header only, turned into pseudonyms before anything is told of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from rig.dicom.decoding import NATIVE, PLUGINS, decode
from rig.dicom.header import Header, header_of
from rig.dicom.pseudonyms import Pseudonyms
from rig.dicom.quiet import mute_worker
from rig.dicom.reading import Origin, check, origin, read
from rig.dicom.refusal import Reason, Refused


@dataclass(frozen=True, slots=True)
class ScanTask:
    """A file to look at: its number, where it is, and the names to give."""

    number: int
    path: Path
    names: Pseudonyms


@dataclass(frozen=True, slots=True)
class Scanned:
    """What may be told of a file.

    Attributes:
        number: of the input.
        refused: why it is not used, or None; then the rest holds.
        image_id: 32 hex digits.
        patient: pseudonym.
        study: pseudonym.
        sources: marks under which annotations may know it: of its name and its SOP Instance UID.
        header: what rules may look at.
    """

    number: int
    refused: Reason | None = None
    image_id: str = ""
    patient: str = ""
    study: str = ""
    sources: tuple[str, ...] = ()
    header: Header | None = None


def scan(task: ScanTask) -> Scanned:
    """Look at the header of a file; never raises for what is in it."""
    mute_worker()
    try:
        dataset = read(task.path, pixels=False)
        check(dataset)
        from_where = origin(dataset)
        header = header_of(dataset)
        if header.syntax not in NATIVE and header.syntax not in PLUGINS:
            raise Refused(Reason.SYNTAX)
    except Refused as refused:
        return Scanned(task.number, refused.reason)
    except Exception:  # noqa: BLE001 - whatever a header holds, it costs one row
        return Scanned(task.number, Reason.DAMAGED)
    names = task.names
    return Scanned(
        number=task.number,
        image_id=names.image_id(from_where.sop),
        patient=patient_of(from_where, names),
        study=names.study(from_where.study or from_where.sop),
        sources=(names.mark(task.path.stem), names.mark(from_where.sop)),
        header=header,
    )


def patient_of(from_where: Origin, names: Pseudonyms) -> str:
    """The pseudonym of whoever is shown; a study whose patient is unknown is its own patient."""
    if from_where.patient:
        return names.patient(from_where.patient, from_where.issuer)
    return names.lone_patient(from_where.study or from_where.sop)


def fingerprint(task: ScanTask) -> tuple[int, str]:
    """Number and SHA-256 of the stored pixel values of a file; empty when it has none."""
    mute_worker()
    try:
        stored = decode(read(task.path))
    except Refused:
        return task.number, ""
    except Exception:  # noqa: BLE001 - as above
        return task.number, ""
    digest = hashlib.sha256(repr((stored.shape, stored.dtype.str)).encode())
    digest.update(stored.tobytes())
    return task.number, digest.hexdigest()
