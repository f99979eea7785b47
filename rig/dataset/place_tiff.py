"""Take the place out of an EXIF block (TIFF 6.0, EXIF 2.32) and leave everything else where it is.

The block keeps its length, and offsets stay true: an entry is taken out of its directory and what
it pointed to becomes zeros. What goes:

* the GPS directory, wherever a directory points to one;
* the maker's note: it is private, differs from firmware to firmware, and some hold a place (Nikon
  LocationInfo, Panasonic City and Landmark), so that none can be shown to hold none;
* XMP, IPTC and image resources inside the TIFF, whose own segments are cleaned apart;
* free text that mentions a place, and the metadata inside the thumbnail;
* whatever no entry points to.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from rig.dataset.place_words import says_place

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes per value of each TIFF type."""
_GPS, _MAKER, _ORIENTATION = 0x8825, 0x927C, 0x0112
_DROPPED = frozenset({_MAKER, 0x02BC, 0x83BB, 0x8649})
_BELOW = frozenset({0x8769, 0xA005, 0x014A})
"""EXIF, interoperability and sub-directories."""
_THUMB, _THUMB_SIZE = 0x0201, 0x0202
_TEXT = frozenset({1, 2, 6, 7})
_DIRECTORIES = 32


@dataclass(slots=True)
class _Block:
    data: bytearray
    order: str
    ahead: list[int]
    seen: set[int] = field(default_factory=set)
    used: list[tuple[int, int]] = field(default_factory=lambda: [(0, 8)])
    sound: bool = True

    def number(self, code: str, at: int) -> int:
        return int(struct.unpack_from(self.order + code, self.data, at)[0])


def tiff_without_place(block: bytes) -> bytes | None:
    """*block* (TIFF) without a place; None when it cannot be followed to its end."""
    made = _open(block)
    if made is None:
        return None
    while made.ahead and made.sound:
        at = made.ahead.pop()
        if at in made.seen:
            continue
        made.seen.add(at)
        if len(made.seen) > _DIRECTORIES:
            return None
        _directory(made, at)
    return _reachable(made) if made.sound else None


def _reachable(block: _Block) -> bytes:
    """The block with zeros where nothing points to: a directory cut loose hides nothing."""
    kept = bytearray(len(block.data))
    for start, end in block.used:
        kept[start:end] = block.data[start:end]
    return bytes(kept)


def orientation(block: bytes) -> int:
    """The orientation that the first directory of *block* says, 1..8; 1 when it says none."""
    made = _open(block)
    if made is None:
        return 1
    try:
        at = made.ahead[0]
        for place in range(made.number("H", at)):
            entry = at + 2 + 12 * place
            if made.number("H", entry) == _ORIENTATION:
                value = made.number("H", entry + 8)
                return value if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def minimal(turn: int) -> bytes:
    """A TIFF block that says the orientation *turn* and nothing else."""
    entry = struct.pack("<HHIHH", _ORIENTATION, 3, 1, turn, 0)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)


def _open(block: bytes) -> _Block | None:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        return None
    (first,) = struct.unpack_from(f"{order}I", block, 4)
    return _Block(bytearray(block), order, [first]) if first else None


def _directory(block: _Block, at: int) -> None:
    """Clean one directory; where it leads goes on the list."""
    size = len(block.data)
    if at < 8 or at + 2 > size:
        block.sound = False
        return
    count = block.number("H", at)
    end = at + 2 + 12 * count + 4
    if end > size:
        block.sound = False
        return
    entries = [bytes(block.data[at + 2 + 12 * i : at + 14 + 12 * i]) for i in range(count)]
    following = bytes(block.data[end - 4 : end])
    kept = [entry for entry in entries if _entry(block, entry)]
    if not block.sound:
        return
    block.used.append((at, end))
    _thumbnail(block, kept)
    if len(kept) < count:
        packed = struct.pack(f"{block.order}H", len(kept)) + b"".join(kept) + following
        block.data[at:end] = packed.ljust(end - at, b"\0")
    (after,) = struct.unpack(f"{block.order}I", following)
    if after:
        block.ahead.append(after)


def _entry(block: _Block, entry: bytes) -> bool:
    """Whether *entry* stays; what it leads to is cleaned or emptied."""
    tag, kind, number, value = struct.unpack(f"{block.order}HHII", entry)
    if kind not in _SIZES:
        # Readers pass over types they do not know; what it points to cannot be told.
        return False
    length = _SIZES[kind] * number
    inside = length <= 4
    if not inside and (value < 8 or value + length > len(block.data)):
        block.sound = False
        return False
    where = slice(value, value + length)
    if tag == _GPS:
        _empty_directory(block, value)
        return False
    if tag in _DROPPED:
        if not inside:
            block.data[where] = bytes(length)
        return False
    if tag in _BELOW:
        size = {3: "H", 4: "I", 13: "I"}.get(kind)
        if size is None or number > _DIRECTORIES:
            block.sound = False
        elif inside:
            block.ahead.append(
                value if size == "I" else struct.unpack(f"{block.order}H", entry[8:10])[0]
            )
        else:
            block.used.append((value, value + length))
            block.ahead += struct.unpack_from(f"{block.order}{number}{size}", block.data, value)
        return True
    if kind in _TEXT and not inside and says_place(bytes(block.data[where])):
        block.data[where] = bytes(length)
        return False
    if not inside:
        block.used.append((value, value + length))
    return True


def _empty_directory(block: _Block, at: int) -> None:
    """Overwrite a directory and every value it points to."""
    size = len(block.data)
    if at < 8 or at + 2 > size:
        return
    count = block.number("H", at)
    stop = min(at + 2 + 12 * count + 4, size)
    for entry in range(at + 2, stop - 11, 12):
        kind, number = block.number("H", entry + 2), block.number("I", entry + 4)
        length = _SIZES.get(kind, 1) * number
        value = block.number("I", entry + 8)
        if length > 4 and value >= 8 and value + length <= size:
            block.data[value : value + length] = bytes(length)
    block.data[at:stop] = bytes(stop - at)


def _thumbnail(block: _Block, entries: list[bytes]) -> None:
    """Empty the metadata segments of a JPEG thumbnail: it has no use for any."""
    told = {}
    for entry in entries:
        tag, _, _, value = struct.unpack(f"{block.order}HHII", entry)
        told[tag] = value
    start, length = told.get(_THUMB, 0), told.get(_THUMB_SIZE, 0)
    end = min(start + length, len(block.data))
    block.used.append((start, end))
    at = start + 2
    if start < 8 or block.data[start:at] != b"\xff\xd8":
        return
    while at + 4 <= end and block.data[at] == 0xFF and block.data[at + 1] != 0xDA:
        marker = block.data[at + 1]
        size = int.from_bytes(block.data[at + 2 : at + 4], "big")
        if size < 2:
            return
        if 0xE1 <= marker <= 0xEF or marker == 0xFE:
            stop = min(at + 2 + size, end)
            block.data[at + 4 : stop] = bytes(stop - at - 4)
        at += 2 + size
