"""Typed fields out of a parsed payload."""

from __future__ import annotations

from collections.abc import Mapping

from rig.protocol.datagram import BadDatagram, Scalar


def hex_field(values: Mapping[str, Scalar], name: str, size: int) -> bytes:
    """The *size* bytes that payload field *name* holds as hex; BadDatagram if it does not."""
    try:
        raw = bytes.fromhex(str(values.get(name)))
    except ValueError as error:
        raise BadDatagram(f"{name} is not hex") from error
    if len(raw) != size:
        raise BadDatagram(f"{name} is not {size} bytes")
    return raw


def number_field(values: Mapping[str, Scalar], name: str) -> int:
    """The integer in payload field *name*; BadDatagram if there is none."""
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadDatagram(f"{name} is not a number")
    return value
