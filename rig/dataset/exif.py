"""Take the place out of a photo's metadata and leave every other byte as the camera wrote it.

The length of the file does not change: the directory entry of the GPS block is taken out of its
directory, and what it pointed to is overwritten with zeros; GPS properties in XMP become spaces.
Read are the segments before the picture's data (EXIF 2.32, TIFF 6.0, XMP part 3).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

_GPS_POINTER = 0x8825
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""Bytes per value of each TIFF type."""
_XMP_GPS = re.compile(
    rb"""[\w]+:GPS\w+\s*=\s*("[^"]*"|'[^']*')|<([\w]+:GPS\w+)[^>]*?(/>|>.*?</\2\s*>)""", re.DOTALL
)


def without_location(photo: bytes) -> bytes:
    """*photo* (JPEG) without GPS; the very same object when it holds none.

    Damaged metadata is no reason to lose a photo: what cannot be followed is left as it is, but a
    GPS block that can be found is always taken out.
    """
    data = bytearray(photo)
    for start, end in _app1(photo):
        if photo[start : start + 6] == b"Exif\0\0":
            _clean_tiff(data, start + 6, end)
        elif b"GPS" in photo[start:end]:
            blanked = _XMP_GPS.sub(lambda m: b" " * len(m[0]), photo[start:end])
            data[start:end] = blanked
    return photo if data == photo else bytes(data)


def _app1(photo: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of the payload of each APP1 segment before the picture's data."""
    at = 2
    while photo[:2] == b"\xff\xd8" and at + 4 <= len(photo) and photo[at] == 0xFF:
        marker = photo[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == 0xDA:  # the picture's data begins
            return
        length = int.from_bytes(photo[at + 2 : at + 4], "big")
        if length < 2:
            return
        if marker == 0xE1:
            yield at + 4, min(at + 2 + length, len(photo))
        at += 2 + length


def _clean_tiff(data: bytearray, start: int, end: int) -> None:
    """Take the GPS entry out of the first directories of the TIFF block data[start:end]."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[start : start + 2]))
    if order is None or end - start < 8:
        return
    (first,) = struct.unpack_from(f"{order}I", data, start + 4)
    seen: set[int] = set()
    while first and first not in seen and start + first + 2 <= end:
        seen.add(first)
        first = _clean_directory(data, start, end, first, order)


def _clean_directory(data: bytearray, start: int, end: int, offset: int, order: str) -> int:
    """Take GPS entries out of one directory; returns the next directory's offset or 0."""
    at = start + offset
    (count,) = struct.unpack_from(f"{order}H", data, at)
    if at + 2 + 12 * count + 4 > end:
        return 0
    entries = [bytes(data[at + 2 + 12 * i : at + 14 + 12 * i]) for i in range(count)]
    following = bytes(data[at + 2 + 12 * count : at + 6 + 12 * count])
    kept = []
    for entry in entries:
        tag, _, _, value = struct.unpack(f"{order}HHII", entry)
        if tag == _GPS_POINTER:
            _zero_directory(data, start, end, value, order)
        else:
            kept.append(entry)
    if len(kept) < count:
        packed = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + following
        data[at : at + 6 + 12 * count] = packed.ljust(6 + 12 * count, b"\0")
    (result,) = struct.unpack(f"{order}I", following)
    return int(result)


def _zero_directory(data: bytearray, start: int, end: int, offset: int, order: str) -> None:
    """Overwrite a directory and every value it points to."""
    at = start + offset
    if offset < 8 or at + 2 > end:
        return
    (count,) = struct.unpack_from(f"{order}H", data, at)
    stop = min(at + 2 + 12 * count + 4, end)
    for entry in range(at + 2, stop - 15, 12):
        _, kind, number, value = struct.unpack_from(f"{order}HHII", data, entry)
        size = _SIZES.get(kind, 1) * number
        if size > 4 and value >= 8 and start + value + size <= end:
            data[start + value : start + value + size] = bytes(size)
    data[at:stop] = bytes(stop - at)
