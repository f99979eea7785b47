"""Metadata larger than one datagram: parts on the wire, and the shelf they are put together on.

A META_PART and the META_ACK that answers it share one binary payload (XCAP/1 section 2): SHA-256 of
the whole, offset, size of the whole, then the part's bytes. Base64 inside flat JSON would not fit
1024 bytes into a datagram, and a length test with one `struct.unpack` leaves nothing to parse.
"""

from __future__ import annotations

import hashlib
import struct
from collections import OrderedDict
from dataclasses import dataclass

from rig.protocol.codes import META_MAX, Code
from rig.protocol.datagram import BadDatagram

PART_SIZE = 1024
"""Bytes of metadata that one META_PART carries at most."""
SHELF_SIZE = 4
"""Metadata that the phone holds at a time: this index, the next, and what two restarts left."""

_HEAD = struct.Struct("!32sII")


@dataclass(frozen=True)
class Part:
    """A piece of the metadata whose SHA-256 is *sha256* (32 bytes) and whose size is *total*.

    In a META_ACK *offset* is the next one wanted (*total*: it is whole) and *data* is empty.
    """

    sha256: bytes
    offset: int
    total: int
    data: bytes = b""


def encode_part(part: Part) -> bytes:
    """The payload of a META_PART or META_ACK."""
    return _HEAD.pack(part.sha256, part.offset, part.total) + part.data


def parse_part(payload: bytes) -> Part:
    """What a META_PART or META_ACK says.

    Raises:
        BadDatagram: too short, too long, or a piece that lies outside the whole.
    """
    if not _HEAD.size <= len(payload) <= _HEAD.size + PART_SIZE:
        raise BadDatagram("a part of metadata of an impossible size")
    sha256, offset, total = _HEAD.unpack_from(payload)
    part = Part(sha256, offset, total, bytes(payload[_HEAD.size :]))
    if offset + len(part.data) > total:
        raise BadDatagram("a part of metadata beyond its end")
    return part


def cut(metadata: bytes, offset: int) -> Part:
    """The part of *metadata* that begins at *offset*."""
    data = metadata[offset : offset + PART_SIZE]
    return Part(hashlib.sha256(metadata).digest(), offset, len(metadata), data)


class Shelf:
    """Where the phone puts metadata together; in RAM, for a lost piece is only asked for again.

    At most `SHELF_SIZE` pieces of work of at most 64 KiB each, the least recently used goes first.
    """

    def __init__(self) -> None:
        self._pieces: OrderedDict[bytes, bytes] = OrderedDict()
        self._whole: dict[bytes, bytes] = {}

    def put(self, part: Part) -> tuple[Code, int]:
        """Take *part* in; what to answer: a code, and the next offset wanted.

        Only the part that follows what is here is kept: any other is a duplicate, or comes too
        early, and the answer says what is wanted instead. Bytes that do not have the SHA-256 they
        were announced by are forgotten.
        """
        if part.total > META_MAX:
            return Code.META_TOO_BIG, 0
        if part.sha256 in self._whole:
            self._pieces.move_to_end(part.sha256)
            return Code.OK, part.total
        held = self._pieces.get(part.sha256, b"")
        if part.offset == len(held):
            held += part.data
        self._pieces[part.sha256] = held
        self._pieces.move_to_end(part.sha256)
        while len(self._pieces) > SHELF_SIZE:
            oldest, _ = self._pieces.popitem(last=False)
            self._whole.pop(oldest, None)
        if len(held) >= part.total:
            self._close(part.sha256, held)
        return Code.OK, len(self._pieces.get(part.sha256, b""))

    def whole(self, digest: bytes) -> bytes | None:
        """The metadata whose SHA-256 begins with the 8 bytes of *digest*; None if not complete."""
        for sha256, metadata in self._whole.items():
            if sha256[:8] == digest:
                self._pieces.move_to_end(sha256)
                return metadata
        return None

    def _close(self, sha256: bytes, metadata: bytes) -> None:
        if hashlib.sha256(metadata).digest() == sha256:
            self._whole[sha256] = metadata
        else:
            del self._pieces[sha256]
