"""The datagram codec: bytes in, a frozen datagram out, or `BadDatagram` and nothing else.

Layout (XCAP/1 section 2): a 58-byte big-endian header, a payload of up to 1126 bytes, and the first
16 bytes of HMAC-SHA256 over everything before. The tag is verified before anything is believed but
the magic, the version, the type and the connection id, which choose the key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from rig.protocol.codes import MAX_DATAGRAM, MessageType

HEADER = struct.Struct("!2sBBQIIIIHBB8s8s8sH")
MAGIC = b"XC"
VERSION = 1
TAG_SIZE = 16
MIN_DATAGRAM = HEADER.size + TAG_SIZE
MAX_PAYLOAD = MAX_DATAGRAM - MIN_DATAGRAM
NOTHING = bytes(8)

Scalar = str | int | bool | None
"""A value that a payload may hold."""

_TYPES = frozenset(int(t) for t in MessageType)
_MAX_KEYS = 32
_MAX_INT = 2**53


class BadDatagram(ValueError):
    """Not a datagram of this protocol under this key; the reason is one short word or phrase."""


@dataclass(frozen=True)
class Datagram:
    """One message. Byte fields are 8 bytes long; *conn_id* too.

    Attributes follow the table of XCAP/1 section 2; *pn* and *ack_pn* are packet numbers.
    """

    type: int
    conn_id: bytes = NOTHING
    pn: int = 0
    ack_pn: int = 0
    subset: int = 0
    index: int = 0
    attempt: int = 0
    flags: int = 0
    code: int = 0
    token: bytes = NOTHING
    chain: bytes = NOTHING
    digest: bytes = NOTHING
    payload: bytes = b""


def encode(d: Datagram, key: bytes) -> bytes:
    """The bytes of *d*, authenticated under *key*.

    Raises:
        ValueError: a field does not fit (a defect on our side).
    """
    if len(d.payload) > MAX_PAYLOAD:
        raise ValueError(f"payload of {len(d.payload)} bytes exceeds {MAX_PAYLOAD}")
    for field in (d.conn_id, d.token, d.chain, d.digest):
        if len(field) != 8:
            raise ValueError(f"a byte field is {len(field)} bytes long, not 8")
    try:
        head = HEADER.pack(
            MAGIC, VERSION, d.type, int.from_bytes(d.conn_id, "big"), d.pn, d.ack_pn, d.subset,
            d.index, d.attempt, d.flags, d.code, d.token, d.chain, d.digest, len(d.payload),
        )  # fmt: skip
    except struct.error as error:
        raise ValueError(f"a header field is out of range: {error}") from error
    body = head + d.payload
    return body + hmac.digest(key, body, hashlib.sha256)[:TAG_SIZE]


def peek(data: bytes) -> tuple[int, bytes]:
    """Type and connection id of *data*, unauthenticated: good for choosing a key and nothing else.

    Raises:
        BadDatagram: wrong length, magic, version or type.
    """
    if not MIN_DATAGRAM <= len(data) <= MAX_DATAGRAM:
        raise BadDatagram("length")
    if data[:2] != MAGIC:
        raise BadDatagram("magic")
    if data[2] != VERSION:
        raise BadDatagram("version")
    if data[3] not in _TYPES:
        raise BadDatagram("type")
    return data[3], bytes(data[4:12])


def decode(data: bytes, key: bytes) -> Datagram:
    """The datagram in *data*.

    Raises:
        BadDatagram: anything at all is wrong with it.
    """
    peek(data)
    tag = hmac.digest(key, data[:-TAG_SIZE], hashlib.sha256)[:TAG_SIZE]
    if not hmac.compare_digest(tag, data[-TAG_SIZE:]):
        raise BadDatagram("tag")
    fields = HEADER.unpack_from(data)
    _, _, type_, conn, pn, ack_pn, subset, index, attempt, flags, code, *rest = fields
    token, chain, digest, plen = rest
    if plen != len(data) - MIN_DATAGRAM:
        raise BadDatagram("payload length")
    return Datagram(
        type_, conn.to_bytes(8, "big"), pn, ack_pn, subset, index, attempt, flags, code,
        token, chain, digest, bytes(data[HEADER.size : -TAG_SIZE]),
    )  # fmt: skip


def canonical(values: Mapping[str, Scalar]) -> bytes:
    """*values* as canonical JSON (sorted keys, compact, NFC, UTF-8): its digest reproduces."""
    flat = {_nfc(k): _nfc(v) if isinstance(v, str) else v for k, v in values.items()}
    return json.dumps(
        flat, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode("utf-8")


def parse_payload(payload: bytes) -> dict[str, Scalar]:
    """A payload as a flat object of strings, integers, booleans and nulls.

    Raises:
        BadDatagram: not one flat JSON object of at most 32 distinct keys with such values.
    """
    try:
        values = json.loads(
            payload.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_refuse_constant,
        )
    except BadDatagram:
        raise
    except (ValueError, RecursionError) as error:
        raise BadDatagram("payload is not JSON") from error
    if not isinstance(values, dict) or len(values) > _MAX_KEYS:
        raise BadDatagram("payload is not a small object")
    for word, value in values.items():
        if isinstance(value, int) and not isinstance(value, bool):
            if not -_MAX_INT < value < _MAX_INT:
                raise BadDatagram("payload holds an integer beyond 2^53")
        elif not isinstance(value, (str, bool, type(None))):
            raise BadDatagram("payload holds a nested value")
        _require_text(word)
        if isinstance(value, str):
            _require_text(value)
    return values


def _require_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadDatagram("payload holds half a character") from error


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _object(pairs: list[tuple[str, Scalar]]) -> dict[str, Scalar]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise BadDatagram("payload repeats a key")
    return values


def _refuse_constant(text: str) -> Scalar:
    raise BadDatagram(f"payload holds the number {text[:16]}")
