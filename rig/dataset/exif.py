"""Take the place out of a published photo, and leave its picture as the camera wrote it.

What is kept is named, everything else goes, because a list of what to remove is never complete:

* kept: the coded picture, byte for byte; JFIF, ICC and Adobe segments; EXIF, XMP and Photoshop
  segments without what says a place (`place_tiff`, `place_words`);
* dropped: all other application segments and comments (GoPro writes GPS into APP6, C2PA manifests
  in APP11 may state a place, multi-picture indexes in APP2 point behind the picture), and whatever
  follows the end of the picture: further pictures with EXIF of their own, depth, the film of a
  "motion photo" with its sound and place, makers' trailers.

EXIF that cannot be followed to its end is replaced by the orientation alone. The original in the
home stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rig.dataset.place_tiff import minimal, orientation, tiff_without_place
from rig.dataset.place_words import mentions_place, photoshop_without_place, xmp_without_place

_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_MORE = b"http://ns.adobe.com/xmp/extension/\0"
_XMP_MORE_HEAD = len(_XMP_MORE) + 40
_PHOTOSHOP = b"Photoshop 3.0\0"
_KEPT = {0xE0: (b"JFIF\0", b"JFXX\0"), 0xE2: (b"ICC_PROFILE\0",), 0xEE: (b"Adobe",)}
_SOS, _EOI = 0xDA, 0xD9
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a length."""
_JFXX = b"JFXX\0"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A marker segment (or coded data, marker 0): photo[start:end]; its payload begins at body."""

    marker: int
    start: int
    end: int
    body: int


def without_location(photo: bytes) -> bytes:
    """*photo* (JPEG) without anything that says a place; the very same object when it holds none.

    The coded picture and the orientation are never changed. Bytes that are no JPEG come back as
    they are.
    """
    if photo[:2] != b"\xff\xd8":
        return photo
    pieces = list(_pieces(photo))
    more_xmp = _extended_xmp(photo, pieces)
    out = bytearray(b"\xff\xd8")
    exif_seen = False
    for piece in pieces:
        if not (0xE0 <= piece.marker <= 0xEF or piece.marker == 0xFE):
            out += photo[piece.start : piece.end]
            continue
        payload = photo[piece.body : piece.end]
        if payload.startswith(_EXIF) and piece.marker == 0xE1:
            # Readers take the first one; a second could say other things.
            kept = None if exif_seen else _exif(payload)
            exif_seen = True
        else:
            kept = _payload(piece.marker, payload, more_xmp=more_xmp)
        if kept is payload:
            out += photo[piece.start : piece.end]
        elif kept is not None:
            out += bytes((0xFF, piece.marker)) + (len(kept) + 2).to_bytes(2, "big") + kept
    return photo if out == photo else bytes(out)


def _exif(payload: bytes) -> bytes | None:
    block = payload[len(_EXIF) :]
    cleaned = tiff_without_place(block)
    if cleaned is None:
        turn = orientation(block)
        return None if turn == 1 else _EXIF + minimal(turn)
    return payload if cleaned == block else _EXIF + cleaned


def _payload(marker: int, payload: bytes, *, more_xmp: bool) -> bytes | None:
    """What is left of a segment; None when it goes."""
    if marker in _KEPT and payload.startswith(_KEPT[marker]):
        # A JFXX thumbnail may be a JPEG with segments of its own: nobody needs it.
        return None if payload.startswith(_JFXX) else payload
    if marker == 0xE1 and payload.startswith(_XMP):
        packet = payload[len(_XMP) :]
        cleaned = xmp_without_place(packet)
        if cleaned is None:
            return None
        return payload if cleaned == packet else _XMP + cleaned
    if marker == 0xE1 and payload.startswith(_XMP_MORE):
        return payload if more_xmp else None
    if marker == 0xED and payload.startswith(_PHOTOSHOP):
        block = payload[len(_PHOTOSHOP) :]
        resources = photoshop_without_place(block)
        if resources is None:
            return None
        return payload if resources == block else _PHOTOSHOP + resources
    return None


def _extended_xmp(photo: bytes, pieces: list[_Piece]) -> bool:
    """Whether XMP that is spread over segments may stay: joined it mentions no place."""
    joined = b"".join(
        photo[piece.body + _XMP_MORE_HEAD : piece.end]
        for piece in pieces
        if piece.marker == 0xE1 and photo.startswith(_XMP_MORE, piece.body)
    )
    return not mentions_place(joined)


def _pieces(photo: bytes) -> Iterator[_Piece]:
    """Segments and coded data up to the end of the picture, as a decoder walks them.

    Bytes between segments that belong to none are passed over, as decoders do; what is cut off in
    the middle of a segment is left out, coded data that ends without a marker is kept.
    """
    at, size = 2, len(photo)
    while at < size:
        mark = photo.find(b"\xff", at)
        if mark < 0 or mark + 1 >= size:
            return
        marker = photo[mark + 1]
        if marker in {0x00, 0xFF}:
            at = mark + 1
            continue
        if marker in _ALONE:
            yield _Piece(marker, mark, mark + 2, mark + 2)
            at = mark + 2
            continue
        if marker == _EOI:
            yield _Piece(marker, mark, mark + 2, mark + 2)
            return
        length = int.from_bytes(photo[mark + 2 : mark + 4], "big")
        end = mark + 2 + length
        if length < 2 or end > size:
            return
        yield _Piece(marker, mark, end, mark + 4)
        at = end
        if marker == _SOS:
            at = _coded(photo, end)
            yield _Piece(0, end, at, end)


def _coded(photo: bytes, start: int) -> int:
    """Where the coded data that begins at *start* ends: at the next marker that is not in it."""
    at = start
    while True:
        at = photo.find(b"\xff", at)
        if at < 0 or at + 1 >= len(photo):
            return len(photo)
        follows = photo[at + 1]
        if follows == 0xFF:
            at += 1
        elif follows == 0x00 or 0xD0 <= follows <= 0xD7:
            at += 2
        else:
            return at
