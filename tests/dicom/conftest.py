"""Datasets made here, of any shape and syntax, and a few real files."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmwrite, uid
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag

DATA = Path(__file__).with_name("data")
DX = uid.DigitalXRayImageStorageForPresentation


def ramp(bits: int = 12) -> np.ndarray:
    """48 rows of 64 columns, smooth, with every size of value."""
    y, x = np.mgrid[0:48, 0:64]
    values = (x * 64 + y * 5) % 4096
    return (values >> (12 - bits) if bits < 12 else values << (bits - 12)).astype(
        np.uint8 if bits <= 8 else np.uint16
    )


def dataset_of(pixels: np.ndarray, **elements: Any) -> Dataset:
    """A chest x-ray with *pixels*, in memory; *elements* by keyword, None leaves one out."""
    with warnings.catch_warnings():  # of values that are wrong on purpose
        warnings.simplefilter("ignore")
        return _dataset_of(pixels, elements)


def _dataset_of(pixels: np.ndarray, elements: dict[str, Any]) -> Dataset:
    made = Dataset()
    width = pixels.dtype.itemsize * 8
    signed = pixels.dtype.kind == "i"
    values: dict[str, Any] = {
        "SOPClassUID": DX,
        "SOPInstanceUID": "1.2.3.4.5",
        "StudyInstanceUID": "1.2.3.4",
        "SeriesInstanceUID": "1.2.3.4.9",
        "PatientID": "P1",
        "Modality": "DX",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": width,
        "BitsStored": width,
        "PixelRepresentation": int(signed),
    }
    values.update(elements)
    values.setdefault("HighBit", values["BitsStored"] - 1 if values["BitsStored"] else None)
    for keyword, value in values.items():
        if value is not None:
            setattr(made, keyword, value)
    little = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    made.add_new("PixelData", "OW", little + b"\0" * (len(little) % 2))
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    return made


def file_of(dataset: Dataset, syntax: str = uid.ExplicitVRLittleEndian) -> bytes:
    """*dataset* as a file in *syntax*; its pixel data must be in that syntax."""
    with warnings.catch_warnings():  # of values that are wrong on purpose
        warnings.simplefilter("ignore")
        return _file_of(dataset, syntax)


def _file_of(dataset: Dataset, syntax: str) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DX
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID") or "1.2.9"
    meta.TransferSyntaxUID = uid.UID(syntax)
    meta.ImplementationClassUID = "1.2.3"
    out = io.BytesIO()
    content = Dataset()
    content.update(dataset)
    if not meta.TransferSyntaxUID.is_little_endian:
        content["PixelData"].value = swapped(content)
    file = FileDataset(out, content, preamble=b"\0" * 128, file_meta=meta)
    if meta.TransferSyntaxUID.is_encapsulated:
        file["PixelData"].is_undefined_length = True
    dcmwrite(
        out,
        file,
        enforce_file_format=True,
    )
    return out.getvalue()


def swapped(dataset: Dataset) -> bytes:
    return np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()


def with_stream(dataset: Dataset, stream: bytes) -> Dataset:
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].value = encapsulate([stream])
    return dataset


def jpeg(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=95)
    return out.getvalue()


CANARY = b"CANARY"
NEEDED = {
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "Modality",
    "BodyPartExamined",
    "ViewPosition",
    "NumberOfFrames",
}
LONG = {"OB", "OW", "OD", "OF", "OL", "OV", "UN", "UC", "UR", "UT"}


def dicomdir(*names: tuple[str, ...]) -> bytes:
    """A DICOMDIR with an IMAGE record for each name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _dicomdir(names)


def _dicomdir(names: tuple[tuple[str, ...], ...]) -> bytes:
    directory = Dataset()
    directory.FileSetID = "DISC"
    patient = Dataset()
    patient.DirectoryRecordType = "PATIENT"
    patient.PatientName = "CANARY"
    records = [patient]
    for name in names:
        record = Dataset()
        record.DirectoryRecordType = "IMAGE"
        record.ReferencedFileID = list(name)
        records.append(record)
    directory.DirectoryRecordSequence = records
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = uid.MediaStorageDirectoryStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.77"
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    meta.ImplementationClassUID = "1.2.3"
    out = io.BytesIO()
    dcmwrite(
        out, FileDataset(out, directory, preamble=b"\0" * 128, file_meta=meta),
        enforce_file_format=True,
    )  # fmt: skip
    return out.getvalue()


def canary_for(kind: str) -> bytes:
    """A raw value of a value representation that spells the canary."""
    if kind in {"SS", "US", "AT"}:
        return CANARY + (b"CA" if kind == "AT" else b"")
    if kind in {"UL", "SL", "FL", "FD", "SV", "UV", "OD", "OF", "OL", "OV"}:
        return CANARY * 4
    return CANARY


def planted(stored: np.ndarray, **elements: Any) -> bytes:
    """`poisoned`, with canaries in the file meta information, too."""
    with warnings.catch_warnings():  # pydicom protests, and rightly
        warnings.simplefilter("ignore")
        return PlantedMeta.into(poisoned(stored, **elements))


def raw_element(tag: int, kind: str, value: bytes) -> Any:
    return RawDataElement(Tag(tag), kind, len(value), value, 0, False, True)


def poisoned(stored: np.ndarray, **elements: Any) -> bytes:
    """A chest x-ray with a canary wherever one can be hidden, as a file."""
    dataset = dataset_of(stored, **elements)
    nested = Dataset()
    nested.PatientName = "CANARY^NESTED"
    deeper = Dataset()
    deeper.PatientID = "CANARY"
    nested.ReferencedStudySequence = [deeper]
    for tag, (kind, *_, keyword) in DicomDictionary.items():
        if keyword in NEEDED or tag >> 16 in {0x0000, 0x0002, 0x0004, 0xFFFE, 0xFFFC, 0x7FE0}:
            continue
        if keyword in elements:
            continue
        if kind == "SQ":
            dataset.add_new(tag, "SQ", [nested])
        else:
            first = kind.split(" or ")[0]
            dataset[tag] = raw_element(tag, first, canary_for(first))
    kinds = "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SS ST SV TM UC UI UL UN"
    dataset[0x00110010] = raw_element(0x00110010, "LO", b"CANARY PRIVATE")
    for place, kind in enumerate([*kinds.split(), "UR", "US", "UT", "UV"]):
        tag = 0x00111000 + place
        dataset[tag] = raw_element(tag, kind, canary_for(kind))
    dataset.add_new(0x60003000, "OW", CANARY * 20)
    dataset.add_new(0x60020022, "LO", "CANARY OVERLAY")
    icon = dataset_of(np.frombuffer(CANARY * 6, np.uint8).reshape(6, 6))
    dataset.add_new(0x00880200, "SQ", [icon])
    dataset.add_new(0xFFFCFFFC, "OB", CANARY * 3)
    data = bytearray(file_of(dataset))
    data[:128] = (CANARY * 22)[:128]
    return bytes(data) + CANARY


class PlantedMeta:
    """Puts canaries into the file meta information of a file."""

    @staticmethod
    def into(data: bytes) -> bytes:
        extra = b""
        for element, kind, value in (
            (0x0013, b"SH", b"CANARY"),
            (0x0016, b"AE", b"CANARY"),
            (0x0017, b"AE", b"CANARY"),
            (0x0100, b"UI", b"1.2.3\0"),
        ):
            extra += struct.pack("<HH", 2, element) + kind + struct.pack("<H", len(value)) + value
        extra += struct.pack("<HH", 2, 0x0102) + b"OB\0\0" + struct.pack("<I", 6) + CANARY
        length = int.from_bytes(data[140:144], "little")
        end = 144 + length
        grown = struct.pack("<I", length + len(extra))
        return data[:140] + grown + data[144:end] + extra + data[end:]


@pytest.fixture
def kit() -> Any:
    """The functions of this file, for tests."""

    class Kit:
        data = DATA
        ramp = staticmethod(ramp)
        dataset = staticmethod(dataset_of)
        file = staticmethod(file_of)
        with_stream = staticmethod(with_stream)
        jpeg = staticmethod(jpeg)
        dicomdir = staticmethod(dicomdir)
        canary = CANARY
        poisoned = staticmethod(planted)
        raw_element = staticmethod(raw_element)

    return Kit
