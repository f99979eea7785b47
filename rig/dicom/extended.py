"""JPEG Extended with 12 bits through GDCM, which pydicom's own plugin for it turns away.

pydicom refuses these because older GDCM mistook BitsStored for the precision of the stream. Here
the stream's own precision is given.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import JPEGExtended12Bit

from rig.dicom.refusal import Reason, Refused

_SIZE_FRAMES = {0xC0, 0xC1, 0xC3}


def precision(stream: bytes) -> int:
    """Bits per sample that the frame header of a JPEG *stream* tells, or 0 when it has none."""
    at = 2
    while at + 9 < len(stream) and stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker in _SIZE_FRAMES:
            return stream[at + 4]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        at += 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
    return 0


def decode_extended(stream: bytes, rows: int, columns: int) -> NDArray[Any]:
    """The samples of a 12-bit JPEG Extended stream (process 4).

    Raises:
        Refused: SYNTAX without GDCM, DAMAGED when it makes nothing of the stream.
    """
    try:
        import gdcm
    except ImportError as error:
        raise Refused(Reason.SYNTAX) from error
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(stream)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    syntax = gdcm.TransferSyntax.GetTSType(str(JPEGExtended12Bit))
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    bits = precision(stream)
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, bits, bits - 1, 0))
    # GDCM gives its bytes as a str.
    data = (image.GetBuffer() or "").encode("utf-8", "surrogateescape")
    if len(data) != rows * columns * 2:
        raise Refused(Reason.DAMAGED)
    return np.frombuffer(data, "<u2").astype(np.uint16).reshape(rows, columns)
