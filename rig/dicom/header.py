"""What a header says of an image that names nobody: every text is of a closed vocabulary."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydicom import uid
from pydicom.dataset import Dataset

from rig.dicom import elements
from rig.dicom.ages import age_between, age_days, kept_age

_MODALITIES = (
    "CR DX DR RG RF XA MG IO PX CT MR US NM PT OT SC ES XC OP SM OCT ECG HD SR PR KO DOC SEG "
    "RTIMAGE RTDOSE RTPLAN RTSTRUCT BI BMD"
)
MODALITIES = frozenset(_MODALITIES.split())
"""PS3.3 C.7.3.1.1.1, and DR, which is no defined term but often written."""
_BODY_PARTS = (
    "CHEST THORAX LUNG RIB RIBS STERNUM HEART BREAST CLAVICLE SHOULDER SCAPULA ABDOMEN PELVIS HIP "
    "HEAD SKULL NECK JAW SPINE CSPINE TSPINE LSPINE SSPINE COCCYX ARM HUMERUS ELBOW FOREARM WRIST "
    "HAND FINGER THUMB EXTREMITY LEG FEMUR KNEE TIBIA FIBULA ANKLE FOOT TOE HEEL CALCANEUS BRAIN "
    "LIVER KIDNEY BLADDER UTERUS PROSTATE COLON STOMACH WHOLEBODY ABDOMENPELVIS CHESTABDOMEN "
    "CHESTABDPELVIS HEADNECK PORT"
)
BODY_PARTS = frozenset(_BODY_PARTS.split())
"""PS3.16 annex L, the ones that are met, and THORAX and PORT (portable), which are written too."""
_VIEWS = "AP PA LL RL RLD LLD RLO LLO LAT LATERAL AX OBL"
VIEWS = frozenset(_VIEWS.split())
OTHER = "OTHER"
"""Stands for any text that is not of the vocabulary, and so might be anything."""
_BY_CLASS = {
    uid.ComputedRadiographyImageStorage: "CR",
    uid.DigitalXRayImageStorageForPresentation: "DX",
    uid.DigitalXRayImageStorageForProcessing: "DX",
    uid.CTImageStorage: "CT",
    uid.MRImageStorage: "MR",
}


@dataclass(frozen=True, slots=True)
class Header:
    """The part of a header that rules may look at and reports may show.

    Attributes:
        modality: one of `MODALITIES`, `OTHER` or empty.
        body_part: one of `BODY_PARTS`, `OTHER` or empty.
        view: one of `VIEWS`, `OTHER` or empty.
        age: Age String in proper form, over 89 years `090Y`; empty when unknown.
        age_days: the same in days, or None.
        sex: `M`, `F`, `O` or empty.
        rows: pixels.
        columns: pixels.
        bits_stored: 2..16.
        photometric: `MONOCHROME1` or `MONOCHROME2`.
        burned_in: `YES`, `NO` or empty.
        presentation: `FOR PRESENTATION`, `FOR PROCESSING` or empty.
        syntax: transfer syntax UID.
        windowed: it brings a window or a VOI LUT.
        pixel_spacing_mm: (row, column), of the patient, else of the detector; None when unknown.
        lossy: it was compressed with losses once.
    """

    modality: str
    body_part: str
    view: str
    age: str
    age_days: int | None
    sex: str
    rows: int
    columns: int
    bits_stored: int
    photometric: str
    burned_in: str
    presentation: str
    syntax: str
    windowed: bool
    pixel_spacing_mm: tuple[float, float] | None
    lossy: bool


def header_of(dataset: Dataset) -> Header:
    """Of a dataset that `rig.dicom.reading.check` let pass."""
    age = age_of(dataset)
    return Header(
        modality=_modality(dataset),
        body_part=_known(dataset, "BodyPartExamined", BODY_PARTS, spaces=""),
        view=_known(dataset, "ViewPosition", VIEWS),
        age=age,
        age_days=age_days(age),
        sex=_one_of(dataset, "PatientSex", ("M", "F", "O")),
        rows=elements.whole(dataset, "Rows") or 0,
        columns=elements.whole(dataset, "Columns") or 0,
        bits_stored=elements.whole(dataset, "BitsStored") or 0,
        photometric=_one_of(dataset, "PhotometricInterpretation", ("MONOCHROME1", "MONOCHROME2")),
        burned_in=_one_of(dataset, "BurnedInAnnotation", ("YES", "NO")),
        presentation=_one_of(
            dataset, "PresentationIntentType", ("FOR PRESENTATION", "FOR PROCESSING")
        ),
        syntax=_syntax(dataset),
        windowed="VOILUTSequence" in dataset or "WindowWidth" in dataset,
        pixel_spacing_mm=_spacing(dataset),
        lossy=_one_of(dataset, "LossyImageCompression", ("00", "01")) == "01",
    )


def age_of(dataset: Dataset) -> str:
    """Patient's Age in proper form, else from birth and study date, else empty."""
    written = elements.text(dataset, "PatientAge")
    if written:
        return kept_age(written)
    born = elements.text(dataset, "PatientBirthDate")
    days = (elements.text(dataset, day) for day in ("StudyDate", "AcquisitionDate", "ContentDate"))
    return age_between(born, next(filter(None, days), ""))


def _modality(dataset: Dataset) -> str:
    told = _known(dataset, "Modality", MODALITIES)
    if told:
        return told
    sop_class = elements.text(dataset, "SOPClassUID")
    sop_class = sop_class or elements.text(dataset.file_meta, "MediaStorageSOPClassUID")
    return _BY_CLASS.get(uid.UID(sop_class), "")


def _syntax(dataset: Dataset) -> str:
    found = uid.UID(elements.text(dataset.file_meta, "TransferSyntaxUID"))
    return str(found) if found.is_transfer_syntax and not found.is_private else ""


def _known(dataset: Dataset, keyword: str, words: frozenset[str], spaces: str = " ") -> str:
    told = elements.text(dataset, keyword).upper().replace(" ", spaces)
    return told if told in words or not told else OTHER


def _one_of(dataset: Dataset, keyword: str, allowed: tuple[str, ...]) -> str:
    told = elements.text(dataset, keyword).upper()
    return told if told in allowed else ""


def _spacing(dataset: Dataset) -> tuple[float, float] | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        found = elements.numbers(dataset, keyword)
        if len(found) == 2 and all(math.isfinite(one) and 0 < one < 10 for one in found):
            return found[0], found[1]
    return None
