"""Typed fields out of a parsed payload, and people's words cut to fit one."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping

from rig.protocol.datagram import BadDatagram, Scalar

WHY_SIZE = 600
"""Bytes that the reason of an ABORT may take."""


def hex_field(values: Mapping[str, Scalar], name: str, size: int) -> bytes:
    """The *size* bytes that payload field *name* holds as hex; BadDatagram if it does not."""
    try:
        raw = bytes.fromhex(str(values.get(name)))
    except ValueError as error:
        raise BadDatagram(f"{name} is not hex") from error
    if len(raw) != size:
        raise BadDatagram(f"{name} is not {size} bytes")
    return raw


def number_field(values: Mapping[str, Scalar], name: str, most: int = 2**32 - 1) -> int:
    """The integer 0..*most* in payload field *name*; BadDatagram if there is none."""
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadDatagram(f"{name} is not a number")
    if not 0 <= value <= most:
        raise BadDatagram(f"{name} is out of range")
    return value


def clip(text: str, size: int) -> str:
    """The longest beginning of *text* that takes at most *size* bytes in canonical JSON."""
    text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    for end, character in enumerate(text):
        size -= len(json.dumps(character, ensure_ascii=False).encode("utf-8")) - 2
        if size < 0:
            return text[:end]
    return text
