"""Stored pixel values out of every common transfer syntax, cleaned of what lies beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder

from rig.dicom.extended import decode_extended, precision
from rig.dicom.quiet import quiet, quiet_gdcm
from rig.dicom.reading import check, depth
from rig.dicom.refusal import Reason, Refused

Stored = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.int8] | NDArray[np.int16]
"""Rows by columns; the values as BitsStored and PixelRepresentation say."""

NATIVE = frozenset(
    {
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    }
)
_J2K = ("pylibjpeg", "gdcm", "pillow")
_HTJ2K = ("pylibjpeg",)
_JPEG = ("gdcm", "pillow")
_JLS = ("pyjpegls", "gdcm")
PLUGINS: dict[str, tuple[str, ...]] = {
    uid.RLELossless: ("pydicom",),
    uid.JPEGBaseline8Bit: _JPEG,
    uid.JPEGExtended12Bit: _JPEG,
    uid.JPEGLossless: ("gdcm",),
    uid.JPEGLosslessSV1: ("gdcm",),
    uid.JPEGLSLossless: _JLS,
    uid.JPEGLSNearLossless: _JLS,
    uid.JPEG2000Lossless: _J2K,
    uid.JPEG2000: _J2K,
    uid.HTJ2KLossless: _HTJ2K,
    uid.HTJ2KLosslessRPCL: _HTJ2K,
    uid.HTJ2K: _HTJ2K,
}
"""Compressed transfer syntax -> pydicom's plugins for it, in the order they are tried."""

_END = b"\xff\xd9"  # ends a JPEG, JPEG-LS and JPEG 2000 stream alike

quiet_gdcm()


def readable() -> dict[str, bool]:
    """Every transfer syntax of `NATIVE` and `PLUGINS` by a short name -> can it be read here?"""
    found = dict.fromkeys(sorted(_short(one) for one in NATIVE), True)
    for syntax, plugins in PLUGINS.items():
        there = set(get_decoder(uid.UID(syntax)).available_plugins)
        # Twelve bits of JPEG extended go to GDCM, whatever else decodes its eight.
        wanted = {"gdcm"} if syntax == uid.JPEGExtended12Bit else set(plugins)
        found[_short(syntax)] = not there.isdisjoint(wanted)
    return found


def _short(syntax: str) -> str:
    name = uid.UID(syntax).keyword
    return name.removesuffix("LittleEndian") if syntax in NATIVE else name


def decode(dataset: Dataset) -> Stored:
    """The stored values of the one frame of *dataset*.

    Bits above and below the stored ones are removed: they may hold overlays, or anything.

    Raises:
        Refused: as `rig.dicom.reading.check`, and SYNTAX, TRUNCATED or DAMAGED.
    """
    check(dataset)
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    with quiet():
        if syntax in NATIVE:
            values = _native(dataset)
        elif syntax in PLUGINS:
            values = _compressed(dataset, syntax)
        else:
            raise Refused(Reason.SYNTAX)
    if values.shape != (dataset.Rows, dataset.Columns):
        raise Refused(Reason.DAMAGED)
    allocated, bits, high, signed = depth(dataset)
    if values.dtype.itemsize * 8 < allocated:  # an 8-bit stream in an image of 16 bits
        values = values.astype(np.int16 if signed else np.uint16)
    # Codecs give their values from bit 0; where HighBit lies matters in plain words only.
    words = syntax in NATIVE or syntax == uid.RLELossless
    return clean(values, bits, high + 1 - bits if words else 0, signed=signed)


def clean(values: NDArray[Any], bits: int, shift: int, *, signed: bool) -> Stored:
    """Of each value the *bits* bits above the lowest *shift*, as a number that is *signed* or not.

    >>> clean(np.array([0xF801], np.uint16), 12, 0, signed=True)
    array([-2047], dtype=int16)
    """
    width = values.dtype.itemsize * 8
    if width not in {8, 16}:
        raise Refused(Reason.DEPTH)
    kind: Any = np.uint8 if width == 8 else np.uint16
    plain: NDArray[Any] = np.ascontiguousarray(values).view(kind)
    result: Stored
    if signed:
        # To the top, which drops what is above, and back, which repeats the sign.
        top: NDArray[Any] = (plain << (width - bits - shift)).view(f"i{width // 8}")
        result = top >> (width - bits)
    else:
        result = plain if bits == width else (plain >> shift) & kind((1 << bits) - 1)
    return result


def _native(dataset: Dataset) -> NDArray[Any]:
    allocated = dataset.BitsAllocated
    data = _pixel_bytes(dataset)
    count = dataset.Rows * dataset.Columns
    if len(data) < count * allocated // 8:
        raise Refused(Reason.TRUNCATED)
    little = dataset.file_meta.TransferSyntaxUID != uid.ExplicitVRBigEndian
    if allocated == 8:
        if not little and dataset["PixelData"].VR == "OW":
            # Words of two pixels each, PS3.5 section 8.1.1: in big endian the second comes first.
            data = np.frombuffer(data[: len(data) // 2 * 2], ">u2").astype("<u2").tobytes()
        values: NDArray[Any] = np.frombuffer(data, np.uint8, count)
    else:
        words = np.frombuffer(data, "<u2" if little else ">u2", count)
        values = words.astype(np.uint16, copy=False)
    return values.reshape(dataset.Rows, dataset.Columns)


def _pixel_bytes(dataset: Dataset) -> bytes:
    try:
        data: object = dataset["PixelData"].value
    except Exception:  # noqa: BLE001 - a library given damaged bytes may raise anything
        data = None
    if not isinstance(data, bytes) or not data:
        raise Refused(Reason.NO_PIXELS)
    return data


def _compressed(dataset: Dataset, syntax: str) -> NDArray[Any]:
    data = _pixel_bytes(dataset)
    if syntax != uid.RLELossless:
        stream = _stream(data)
        if syntax == uid.JPEGExtended12Bit and precision(stream) > 8:
            return decode_extended(stream, dataset.Rows, dataset.Columns)
    decoder = get_decoder(uid.UID(syntax))
    for plugin in PLUGINS[syntax]:
        if plugin not in decoder.available_plugins:
            continue
        try:
            values, _ = decoder.as_array(dataset, index=0, raw=True, decoding_plugin=plugin)
        except Exception:  # noqa: BLE001, S112 - the next plugin may know better
            continue
        result: NDArray[Any] = values
        return result
    raise Refused(Reason.DAMAGED if decoder.is_available else Reason.SYNTAX)


def _stream(data: bytes) -> bytes:
    """The one frame of an encapsulated image, whole."""
    try:
        frame = next(generate_frames(data, number_of_frames=1), b"")
    except Exception:  # noqa: BLE001 - a library given damaged bytes may raise anything
        frame = b""
    if not frame:
        raise Refused(Reason.DAMAGED)
    # Half a stream decodes to half an image without complaint, so its end marker must be there.
    # Writers pad with 00 or FF; within a stream FF is never followed by D9.
    if _END not in frame[-64:]:
        raise Refused(Reason.TRUNCATED)
    return frame
