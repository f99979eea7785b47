"""Photo names: the label of a photo, written into its file name as a bijection (XCAP/1 section 9).

``x1_<campaign>_s<subset>_i<index>_a<attempt>_<env>_<key>_m<meta16>_p<photo16>_c<chk8>.jpg``

Upper case and separators are escaped, so names that differ only by case cannot collide on FAT,
exFAT, NTFS, APFS or sdcardfs, and ``_`` only ever separates. The check field detects truncated and
renamed files.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass

ENV_BUDGET = 33
"""Encoded bytes of the environment name (fits the hashed form exactly)."""
KEY_BUDGET = 110
"""Encoded bytes of the x-ray's key."""

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789.-")
_HEX = frozenset("0123456789abcdef")
_FIELDS = re.compile(
    r"x1_(?P<campaign>[0-9a-f]{16})_s(?P<subset>\d{4,10})_i(?P<index>\d{7,10})_a(?P<attempt>\d{3,5})"
    r"_(?P<env>[^_]+)_(?P<key>[^_]+)_m(?P<meta>[0-9a-f]{16})_p(?P<photo>[0-9a-f]{16})"
    r"_c(?P<check>[0-9a-f]{8})\.jpg",
    re.ASCII,
)


class BadPhotoName(ValueError):
    """The name is not one that `encode_name` writes; the sentence says why."""


@dataclass(frozen=True)
class PhotoName:
    """What a photo's file name says.

    Attributes:
        campaign: 16 lower-case hex digits.
        subset: 0..2^32-1.
        index: index of the x-ray, 0..2^32-1.
        attempt: exposure number, 1..65535.
        env: environment name; ``~`` + 32 hex when the name was over its budget.
        key: key of the x-ray; ``~`` + 32 hex when over its budget.
        meta16: first 16 hex digits of the metadata's SHA-256.
        photo16: first 16 hex digits of the photo's SHA-256.
    """

    campaign: str
    subset: int
    index: int
    attempt: int
    env: str
    key: str
    meta16: str
    photo16: str


def encode_name(name: PhotoName) -> str:
    """The file name, ASCII, at most 234 bytes (245 with numbers wider than their padding).

    Raises:
        BadPhotoName: a field is out of its range or empty.
    """
    _require(_is_hex(name.campaign, 16), f"campaign {name.campaign!r} is not 16 hex digits")
    _require(0 <= name.subset < 2**32, f"subset {name.subset} is out of range")
    _require(0 <= name.index < 2**32, f"index {name.index} is out of range")
    _require(1 <= name.attempt < 2**16, f"attempt {name.attempt} is out of range")
    _require(_is_hex(name.meta16, 16), f"meta hash {name.meta16!r} is not 16 hex digits")
    _require(_is_hex(name.photo16, 16), f"photo hash {name.photo16!r} is not 16 hex digits")
    stem = (
        f"x1_{name.campaign}_s{name.subset:04d}_i{name.index:07d}_a{name.attempt:03d}"
        f"_{_escape(name.env, ENV_BUDGET)}_{_escape(name.key, KEY_BUDGET)}"
        f"_m{name.meta16}_p{name.photo16}_"
    )
    return f"{stem}c{_check(stem)}.jpg"


def decode_name(name: str) -> PhotoName:
    """What *name* says.

    Raises:
        BadPhotoName: it is not exactly what `encode_name` would write.
    """
    match = _FIELDS.fullmatch(name) if name.isascii() else None
    if match is None:
        raise BadPhotoName(f"{name[:80]!r} is not a photo name of this rig")
    stem = name[: match.end("photo")] + "_"
    _require(
        _check(stem) == match["check"],
        f"{name!r}: the check field does not fit, so the name was cut or changed",
    )
    decoded = PhotoName(
        campaign=match["campaign"],
        subset=int(match["subset"]),
        index=int(match["index"]),
        attempt=int(match["attempt"]),
        env=_unescape(match["env"], ENV_BUDGET),
        key=_unescape(match["key"], KEY_BUDGET),
        meta16=match["meta"],
        photo16=match["photo"],
    )
    # One value, one spelling: needless zeros or other padding would break the bijection.
    _require(encode_name(decoded) == name, f"{name!r} is not in canonical form")
    return decoded


def sidecar_name(name: str) -> str:
    """The name of the metadata file beside photo *name* (same stem, ``.json``)."""
    return name[: -len(".jpg")] + ".json"


def shorten(value: str, budget: int) -> str:
    """*value* as it comes back from a name: itself, or ``~`` + 32 hex when over *budget*."""
    return _unescape(_escape(value, budget), budget)


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise BadPhotoName(sentence)


def _is_hex(value: str, length: int) -> bool:
    return len(value) == length and set(value) <= _HEX


def _check(stem: str) -> str:
    return hashlib.sha256(stem.encode("ascii")).hexdigest()[:8]


def _escape(value: str, budget: int) -> str:
    if _is_hashed(value):
        return value
    _require(value != "", "an environment or key is empty")
    try:
        raw = unicodedata.normalize("NFC", value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadPhotoName(f"{value!r} is not text that UTF-8 can hold") from error
    text = "".join(chr(b) if b in _PLAIN else f"%{b:02x}" for b in raw)
    if len(text) <= budget:
        return text
    return "~" + hashlib.sha256(raw).hexdigest()[:32]


def _unescape(text: str, budget: int) -> str:
    if _is_hashed(text):
        return text
    _require(len(text) <= budget, f"{text[:40]!r}... is longer than {budget} bytes")
    raw = bytearray()
    at = 0
    while at < len(text):
        if text[at] == "%":
            digits = text[at + 1 : at + 3]
            _require(_is_hex(digits, 2), f"{text!r} holds a broken escape")
            byte = int(digits, 16)
            _require(byte not in _PLAIN, f"{text!r} escapes a character that needs none")
            raw.append(byte)
            at += 3
        else:
            _require(ord(text[at]) in _PLAIN, f"{text!r} holds {text[at]!r}, which must be escaped")
            raw.append(ord(text[at]))
            at += 1
    try:
        value = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadPhotoName(f"{text!r} is not UTF-8 under its escapes") from error
    _require(unicodedata.normalize("NFC", value) == value, f"{text!r} is not in normal form C")
    return value


def _is_hashed(text: str) -> bool:
    return len(text) == 33 and text[0] == "~" and set(text[1:]) <= _HEX
