"""A new DICOM file that holds an image and nobody's name.

Nothing is deleted from the old header: a new one is written from a whitelist, the 25 elements that
VinDr-CXR keeps (Nguyen et al. 2022, Table 4, and `de-identification/tags.csv` of its authors), each
value checked for being what its element is for, the window made to fit the picture.
So nothing else, nested, private, in overlays, icons, preamble or file meta information, can come
along. The pixel data is written anew, too, uncompressed: streams may hold comments and the unused
bits of a word anything.

Marks are those of PS3.15 annex E: the Basic Application Level Confidentiality Profile with Retain
Patient Characteristics and, once a person has looked at the pixels, Clean Pixel Data.
"""

from __future__ import annotations

import io

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from rig.dicom import elements
from rig.dicom.decoding import Stored
from rig.dicom.equivalent import Kept, kept_window
from rig.dicom.header import age_of
from rig.dicom.plausible import decimals, rescale
from rig.dicom.pseudonyms import Pseudonyms
from rig.dicom.quiet import quiet
from rig.dicom.reading import Origin
from rig.dicom.rendering import grey_of, is_inverted

WHITELIST: tuple[str, ...] = (
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "PixelAspectRatio",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "WindowCenter",
    "WindowWidth",
    "RescaleIntercept",
    "RescaleSlope",
    "PixelData",
)
"""What is kept of a header, by keyword."""
MARKS: tuple[str, ...] = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
    "BurnedInAnnotation",
)
"""What is added: UIDs, so that the file can be stored, and what was done to it."""

IMPLEMENTATION = UID("2.25.233918406428194405614938371906173085413")
METHOD = "capture-rig: whitelist of 25 elements, PS3.15 E.2 Basic Profile"
_BASIC = ("113100", "Basic Application Confidentiality Profile")
_CLEAN_PIXELS = ("113101", "Clean Pixel Data Option")
_RETAIN = ("113108", "Retain Patient Characteristics Option")

_METHODS = frozenset(
    {"ISO_10918_1", "ISO_14495_1", "ISO_15444_1", "ISO_15444_15", "ISO_18181_1", "ISO_13818_2"}
)


def deidentify(
    dataset: Dataset,
    stored: Stored,
    origin: Origin,
    names: Pseudonyms,
    *,
    pixels_reviewed: bool = False,
    window: Kept | None = None,
) -> bytes:
    """The bytes of a DICOM file with what may be kept of *dataset*.

    Args:
        dataset: as read.
        stored: its stored values, as they shall be written (`rig.dicom.decoding.decode`).
        origin: where it comes from.
        names: the site's pseudonyms; they give the new UIDs.
        pixels_reviewed: a person has seen to it that no text is burned in: only then is
            `BurnedInAnnotation` `NO` written and Clean Pixel Data claimed.
        window: with which it looks like its picture (`rig.dicom.equivalent.kept_window`); None
            works it out from *stored*.
    """
    kept = Dataset()
    if window is None:
        window = kept_window(dataset, stored, grey_of(dataset, stored))
    with quiet():
        _characteristics(kept, dataset)
        _display(kept, dataset, window)
    _image(kept, dataset, stored)
    _identity(kept, origin, names)
    _marks(kept, pixels_reviewed=pixels_reviewed)
    return _file(kept)


def _characteristics(kept: Dataset, dataset: Dataset) -> None:
    sex = elements.text(dataset, "PatientSex").upper()
    if sex in {"M", "F", "O"}:
        kept.PatientSex = sex
    if age := age_of(dataset):
        kept.PatientAge = age
    for keyword in ("PatientSize", "PatientWeight"):
        _decimals(kept, dataset, keyword)


def _display(kept: Dataset, dataset: Dataset, window: Kept) -> None:
    _decimals(kept, dataset, "PixelSpacing")
    if (found := rescale(dataset)) is not None:
        _write(kept, "RescaleSlope", found[:1])
        _write(kept, "RescaleIntercept", found[1:])
    _write(kept, "WindowCenter", window.centres)
    _write(kept, "WindowWidth", window.widths)
    ratio = elements.numbers(dataset, "PixelAspectRatio")
    if len(ratio) == 2 and all(one == one // 1 and 0 < one < 100_000 for one in ratio):
        kept.PixelAspectRatio = [int(one) for one in ratio]
    if elements.text(dataset, "LossyImageCompression") in {"00", "01"}:
        kept.LossyImageCompression = elements.text(dataset, "LossyImageCompression")
        _decimals(kept, dataset, "LossyImageCompressionRatio")
        methods = elements.texts(dataset, "LossyImageCompressionMethod")
        if methods and all(one in _METHODS for one in methods):
            kept.LossyImageCompressionMethod = list(methods)


def _decimals(kept: Dataset, dataset: Dataset, keyword: str) -> None:
    _write(kept, keyword, decimals(dataset, keyword))


def _write(kept: Dataset, keyword: str, values: tuple[float, ...]) -> None:
    if values:
        written = [format_number_as_ds(one) for one in values]
        setattr(kept, keyword, written if len(written) > 1 else written[0])


def _image(kept: Dataset, dataset: Dataset, stored: Stored) -> None:
    kept.SamplesPerPixel = 1
    # A presentation LUT shape is not kept, so what it turned is told in the one way that is.
    kept.PhotometricInterpretation = "MONOCHROME1" if is_inverted(dataset) else "MONOCHROME2"
    if "NumberOfFrames" in dataset:
        kept.NumberOfFrames = 1
    kept.Rows, kept.Columns = stored.shape
    width = stored.dtype.itemsize * 8
    signed = stored.dtype.kind == "i"
    bits = elements.whole(dataset, "BitsStored") or width
    kept.BitsAllocated = width
    kept.BitsStored = bits
    kept.HighBit = bits - 1
    kept.PixelRepresentation = int(signed)
    kind = "SS" if signed else "US"
    for keyword, value in (
        ("SmallestImagePixelValue", stored.min()),
        ("LargestImagePixelValue", stored.max()),
    ):
        if keyword in dataset:
            kept.add_new(keyword, kind, int(value))
    data = np.ascontiguousarray(stored, dtype=stored.dtype.newbyteorder("<")).tobytes()
    kept.add_new("PixelData", "OW" if width == 16 else "OB", data + b"\0" * (len(data) % 2))


def _identity(kept: Dataset, origin: Origin, names: Pseudonyms) -> None:
    kept.SOPClassUID = origin.sop_class
    kept.SOPInstanceUID = names.new_uid(origin.sop)
    # A file without them gets ones of its own: without them no archive stores it.
    kept.StudyInstanceUID = names.new_uid(origin.study or f"study of {origin.sop}")
    kept.SeriesInstanceUID = names.new_uid(origin.series or f"series of {origin.sop}")


def _marks(kept: Dataset, *, pixels_reviewed: bool) -> None:
    kept.PatientIdentityRemoved = "YES"
    kept.DeidentificationMethod = METHOD
    codes = [_BASIC, *([_CLEAN_PIXELS] if pixels_reviewed else []), _RETAIN]
    kept.DeidentificationMethodCodeSequence = [_code(*one) for one in codes]
    kept.LongitudinalTemporalInformationModified = "REMOVED"
    if pixels_reviewed:
        kept.BurnedInAnnotation = "NO"


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = "DCM"
    item.CodeMeaning = meaning
    return item


def _file(kept: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = kept.SOPClassUID
    meta.MediaStorageSOPInstanceUID = kept.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION
    meta.ImplementationVersionName = "CAPTURE_RIG"
    out = io.BytesIO()
    file = FileDataset(out, kept, preamble=b"\0" * 128, file_meta=meta)
    dcmwrite(out, file, enforce_file_format=True)
    return out.getvalue()
