"""Typed fields out of a parsed payload, and people's words cut to fit one."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping

from rig.protocol.codes import code_name
from rig.protocol.datagram import BadDatagram, Scalar, parse_payload

WHY_SIZE = 600
"""Bytes that the reason of an ABORT may take."""
SENTENCE = 500
"""Characters that the reason in a FAILED may have."""
_SENTENCE_SIZE = 1000
"""Bytes that they may take: with the rest of the payload they fit a datagram."""
_PLACE = re.compile(
    r"""(?P<quote>['"])(?:~?/|[A-Za-z]:\\)[^'"]*(?P=quote)"""  # a quoted path may hold spaces
    r"""|(?<![\w:/.])(?:~?/|[A-Za-z]:\\)[^\s'",;)\]]+"""
    r"""|\bx1_[^\s'",;)\]]+"""
)
"""Absolute paths, and names of photos, which hold an x-ray's key. No URL: its / follows a colon."""


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


def printable(text: str) -> str:
    """*text* on one line, without control, format and surrogate characters."""
    return " ".join("".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text).split())


def told(text: str) -> str:
    """*text* as the other side may be told: one line, bounded, no path and no photo's name."""
    text = unicodedata.normalize("NFC", printable(_PLACE.sub("(a file)", text)))
    return clip(text[:SENTENCE], _SENTENCE_SIZE)


def why_field(payload: bytes) -> str:
    """The optional sentence `why` of a FAILED; empty where there is none or it is malformed."""
    if not payload:
        return ""
    try:
        why = parse_payload(payload).get("why")
    except BadDatagram:
        return ""
    return printable(why) if isinstance(why, str) and len(why) <= SENTENCE else ""


def told_abort(why: str, size: int = WHY_SIZE) -> str:
    """The reason of an abort as `told`, in at most *size* bytes of canonical JSON."""
    return clip(told(why), size)


def heard_abort(payload: bytes, code: int) -> tuple[str, int | None, int | None]:
    """Reason, expected and got of an ABORT with *code*: what is no text or number counts as none.

    The reason is fit to be shown: one line, no control character, at most `WHY_SIZE` bytes.

    Raises:
        BadDatagram: the payload is none.
    """
    body = parse_payload(payload)
    why = heard_why(body.get("why")) or code_name(code)
    return why, heard_number(body.get("expected")), heard_number(body.get("got"))


def heard_number(value: Scalar) -> int | None:
    """*value* if it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def heard_why(why: Scalar) -> str:
    """An abort's reason as it may be shown and journalled; empty if *why* is no text."""
    return clip(printable(why), WHY_SIZE) if isinstance(why, str) else ""


def clip(text: str, size: int) -> str:
    """The longest beginning of *text* that takes at most *size* bytes in canonical JSON."""
    text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    for end, character in enumerate(text):
        size -= len(json.dumps(character, ensure_ascii=False).encode("utf-8")) - 2
        if size < 0:
            return text[:end]
    return text
