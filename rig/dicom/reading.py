"""One file to one dataset, or a reasoned refusal."""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from rig.dicom import elements
from rig.dicom.quiet import quiet
from rig.dicom.refusal import Reason, Refused

MAX_PIXELS = 200_000_000
"""Larger images are refused before they are decoded, as `rig.catalog.images` does."""

_DIRECTORY = "1.2.840.10008.1.3.10"
_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_UID = re.compile(r"[0-9]+(\.[0-9]+)+", re.ASCII)
_STRIPPED = re.compile(r"[0-9A-Za-z][0-9A-Za-z.]{0,63}", re.ASCII)
_MONOCHROME = ("MONOCHROME1", "MONOCHROME2")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an image says it comes from: identifying, for pseudonyms only, never to be told.

    Attributes:
        sop: SOP Instance UID.
        sop_class: SOP Class UID.
        study: Study Instance UID; empty in a file that was stripped of it.
        series: Series Instance UID; likewise.
        patient: Patient ID, or name and birth date where there is no ID; empty when unknown.
        issuer: Issuer of Patient ID.
    """

    sop: str
    sop_class: str
    study: str
    series: str
    patient: str
    issuer: str


def read(source: Path | bytes, *, pixels: bool = True) -> Dataset:
    """The dataset of a file.

    Args:
        source: the file or its bytes.
        pixels: read the pixel data, too.

    Raises:
        Refused: NOT_DICOM, DIRECTORY, TRUNCATED, DAMAGED or UNREADABLE.
    """
    reason: Reason | None = None
    with quiet() as warned:
        try:
            data = source.read_bytes() if isinstance(source, Path) and pixels else source
            dataset = _parse(data, pixels=pixels)
        except Refused:
            raise
        except InvalidDicomError:
            reason = Reason.NOT_DICOM
        except EOFError:
            reason = Reason.TRUNCATED
        except OSError:
            reason = Reason.UNREADABLE
        except Exception:  # noqa: BLE001 - a parser given damaged bytes may raise anything
            reason = Reason.DAMAGED
    # Raised outside the handler: the library's exception quotes the header and must not hang on.
    if reason is not None:
        raise Refused(reason)
    if elements.text(dataset.file_meta, "MediaStorageSOPClassUID") == _DIRECTORY:
        raise Refused(Reason.DIRECTORY)
    if any("End of file" in str(one.message) for one in warned):
        raise Refused(Reason.TRUNCATED)
    if pixels and "PixelData" not in dataset:
        raise Refused(Reason.NO_PIXELS)
    return dataset


def _parse(source: Path | bytes, *, pixels: bool) -> Dataset:
    bare = _is_bare(source)
    handle = io.BytesIO(source) if isinstance(source, bytes) else source
    dataset = dcmread(handle, stop_before_pixels=not pixels, force=bare)
    if not len(dataset) and not len(dataset.file_meta):
        raise Refused(Reason.NOT_DICOM)
    if bare and not elements.text(dataset, "SOPClassUID"):
        raise Refused(Reason.NOT_DICOM)
    if not elements.text(dataset.file_meta, "TransferSyntaxUID"):
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset


def _is_bare(source: Path | bytes) -> bool:
    """Does it begin with an element of group 2 or 8, without preamble and prefix?"""
    if isinstance(source, bytes):
        start = source[:132]
    else:
        with source.open("rb") as file:
            start = file.read(132)
    if not start:
        raise Refused(Reason.TRUNCATED)
    if start[128:132] == b"DICM" or len(start) < 8:
        return False
    group, element, length = struct.unpack("<HHI", start[:8])
    explicit = bytes(start[4:6]).isalpha() and bytes(start[4:6]).isupper()
    return group in {2, 8} and element <= 0x60 and (explicit or length < 4096)


def check(dataset: Dataset) -> None:
    """Is this one monochrome image of 8 to 16 bits?

    Raises:
        Refused: COLOUR, MULTI_FRAME, ZERO_SIZE, TOO_LARGE, DEPTH or NO_PIXELS.
    """
    rows, columns = elements.whole(dataset, "Rows"), elements.whole(dataset, "Columns")
    if not elements.text(dataset, "PhotometricInterpretation") and rows is None:
        raise Refused(Reason.NO_PIXELS)
    photometric = elements.text(dataset, "PhotometricInterpretation")
    if elements.whole(dataset, "SamplesPerPixel") not in {None, 1} or (
        photometric and photometric not in _MONOCHROME
    ):
        raise Refused(Reason.COLOUR)
    if (elements.whole(dataset, "NumberOfFrames") or 1) > 1:
        raise Refused(Reason.MULTI_FRAME)
    if not rows or not columns or rows < 0 or columns < 0:
        raise Refused(Reason.ZERO_SIZE)
    if rows * columns > MAX_PIXELS:
        raise Refused(Reason.TOO_LARGE)
    if not photometric:
        raise Refused(Reason.DAMAGED)
    depth(dataset)


def depth(dataset: Dataset) -> tuple[int, int, int, bool]:
    """Bits allocated, bits stored, high bit, signed.

    Raises:
        Refused: DEPTH.
    """
    allocated = elements.whole(dataset, "BitsAllocated")
    stored = elements.whole(dataset, "BitsStored") or allocated
    high = elements.whole(dataset, "HighBit")
    signed = elements.whole(dataset, "PixelRepresentation") or 0
    if allocated not in {8, 16} or stored is None or not 1 < stored <= allocated:
        raise Refused(Reason.DEPTH)
    if signed not in {0, 1}:
        raise Refused(Reason.DEPTH)
    if high is None or not stored - 1 <= high < allocated:
        high = stored - 1
    return allocated, stored, high, bool(signed)


def origin(dataset: Dataset) -> Origin:
    """Whose image it is.

    A file that was already stripped of every identifier, as VinDr-CXR's published ones are, is
    known by the UID in its file meta information; it is a study and a patient of its own.

    Raises:
        Refused: MISSING_UID or BAD_UID.
    """
    found = [elements.text(dataset, keyword) for keyword in _UIDS]
    patient = _patient(dataset)
    if not any(found[1:]) and not patient:
        return _stripped(dataset, found[0])
    if not all(found):
        raise Refused(Reason.MISSING_UID)
    if not all(_is_uid(one) for one in found):
        raise Refused(Reason.BAD_UID)
    sop_class, sop, study, series = found
    issuer = elements.text(dataset, "IssuerOfPatientID")
    return Origin(sop, sop_class, study, series, patient, issuer)


def _stripped(dataset: Dataset, sop_class: str) -> Origin:
    sop = elements.text(dataset.file_meta, "MediaStorageSOPInstanceUID")
    sop_class = sop_class or elements.text(dataset.file_meta, "MediaStorageSOPClassUID")
    if not sop or not sop_class:
        raise Refused(Reason.MISSING_UID)
    # VinDr's published files have 32 hex digits where a UID belongs.
    if not _STRIPPED.fullmatch(sop) or not _is_uid(sop_class):
        raise Refused(Reason.BAD_UID)
    return Origin(sop, sop_class, "", "", "", "")


_NOBODY = frozenset({"", "0", "anon", "anonymous", "anonymized", "anonymised", "unknown", "none"})


def _patient(dataset: Dataset) -> str:
    identifier = elements.text(dataset, "PatientID")
    if identifier.casefold() not in _NOBODY:
        return identifier
    name, born = elements.text(dataset, "PatientName"), elements.text(dataset, "PatientBirthDate")
    if name.strip("^ ").casefold() in _NOBODY or not born:
        return ""
    return f"{name}\n{born}"


def _is_uid(written: str) -> bool:
    return len(written) <= 64 and _UID.fullmatch(written) is not None
