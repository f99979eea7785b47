"""Words of metadata that say a place: in XMP, in IPTC, in free text. Bytes in, bytes out."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

_NAMES = (
    rb"GPS\w*|City|State|Country\w*|Location\w*|SubLocation|Sublocation|ProvinceState|"
    rb"Province\w*|WorldRegion\w*|IntellectualGenreLocation|PlaceName\w*|Latitude|Longitude"
)
_PROPERTY = re.compile(
    rb"""(?:[\w-]+:(?:%(n)s)|geo:\w+)\s*=\s*(?:"[^"]*"|'[^']*')"""
    rb"""|<([\w-]+:(?:%(n)s)|geo:\w+)\b[^>]*?(?:/>|>.*?</\1\s*>)""" % {b"n": _NAMES},
    re.DOTALL | re.IGNORECASE,
)
_MENTION = re.compile(
    rb"gps|geo:|latitude|longitude|[:>](?:%s)\b|:(?:city|country)" % _NAMES, re.IGNORECASE
)
_FREE = re.compile(
    rb"gps|latitude|longitude|location|\blat\b|\blong?\b|geo:|"
    rb"[-+]?\d{1,3}[.,]\d{3,}\s*[NSns]?\s*[,;/ ]\s*[-+]?\d{1,3}[.,]\d{3,}|"
    rb"\d{1,3}\s*(?:\xc2?\xb0|deg)\s*\d{1,2}",
    re.IGNORECASE,
)
_IPTC_PLACES = frozenset({26, 27, 90, 92, 95, 100, 101})
"""Record 2: content location code and name, city, sub-location, province, country code and name."""


def says_place(text: bytes) -> bool:
    """Whether free text, in any of the usual encodings, seems to say a place."""
    return _FREE.search(text.replace(b"\0", b"")) is not None


def xmp_without_place(packet: bytes) -> bytes | None:
    """*packet* with properties of place as spaces; None when some of it would be left.

    A packet in UTF-16 is either free of them or given up: it is rare, and parts of it cannot be
    told from each other by bytes.
    """
    narrow = packet.replace(b"\0", b"")
    if not _MENTION.search(narrow):
        return packet
    blanked = _PROPERTY.sub(lambda found: b" " * len(found[0]), packet)
    return None if _MENTION.search(blanked.replace(b"\0", b"")) else blanked


def mentions_place(packet: bytes) -> bool:
    """Whether an XMP packet, or a part of one, has properties of place."""
    return _MENTION.search(packet.replace(b"\0", b"")) is not None


def photoshop_without_place(block: bytes) -> bytes | None:
    """The image resources of an APP13 segment without those that say a place; None when damaged.

    IPTC (0x0404) loses its places; copies of EXIF and XMP inside (0x0422, 0x0423, 0x0424) go as a
    whole, what they say stands in segments of their own.
    """
    kept: list[bytes] = []
    at = 0
    while at < len(block):
        if block[at : at + 4] != b"8BIM":
            # Padding at the end is all that may follow.
            return b"".join(kept) if not block[at:].strip(b"\0") else None
        name = block[at + 6] if at + 6 < len(block) else 0
        head = 6 + 1 + name + (name + 1) % 2
        if at + head + 4 > len(block):
            return None
        (number,) = struct.unpack_from(">H", block, at + 4)
        (size,) = struct.unpack_from(">I", block, at + head)
        end = at + head + 4 + size
        if end > len(block):
            return None
        data = block[at + head + 4 : end]
        if number == 0x0404:
            cleaned = _iptc(data)
            if cleaned is not None:
                pad = b"\0" * (len(cleaned) % 2)
                size_now = struct.pack(">I", len(cleaned))
                kept.append(block[at : at + head] + size_now + cleaned + pad)
        elif number not in {0x0422, 0x0423, 0x0424}:
            kept.append(block[at : end + size % 2])
        at = end + size % 2
    return b"".join(kept)


def _iptc(data: bytes) -> bytes | None:
    """IPTC records without their places; None when they cannot be followed."""
    kept = []
    for record in _records(data):
        if record is None:
            return None
        start, end, number, dataset = record
        if not (number == 2 and dataset in _IPTC_PLACES):
            kept.append(data[start:end])
    return b"".join(kept)


def _records(data: bytes) -> Iterator[tuple[int, int, int, int] | None]:
    """Start, end, record and data set of each entry; None where it breaks off."""
    at = 0
    while at < len(data):
        if data[at] != 0x1C:
            if data[at:].strip(b"\0"):
                yield None
            return
        if at + 5 > len(data):
            yield None
            return
        (size,) = struct.unpack_from(">H", data, at + 3)
        body = at + 5
        if size & 0x8000:  # an extended length: so many bytes of length follow
            wide = size & 0x7FFF
            if wide > 4 or body + wide > len(data):
                yield None
                return
            size = int.from_bytes(data[body : body + wide], "big")
            body += wide
        if body + size > len(data):
            yield None
            return
        yield at, body + size, data[at + 1], data[at + 2]
        at = body + size
