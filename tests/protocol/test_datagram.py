"""The codec: a datagram out, or BadDatagram and nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.protocol.codes import MessageType
from rig.protocol.datagram import (
    HEADER,
    MAX_PAYLOAD,
    MIN_DATAGRAM,
    BadDatagram,
    Datagram,
    canonical,
    decode,
    encode,
    parse_payload,
    peek,
)

KEY = bytes(range(32))
EIGHT = st.binary(min_size=8, max_size=8)
U32 = st.integers(0, 2**32 - 1)
BYTE = st.integers(0, 255)
DATAGRAMS = st.builds(
    Datagram, st.sampled_from([int(t) for t in MessageType]), EIGHT, U32, U32, U32, U32,
    st.integers(0, 65535), BYTE, BYTE, EIGHT, EIGHT, EIGHT, st.binary(max_size=MAX_PAYLOAD),
)  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | TEXT
OBJECTS = st.dictionaries(TEXT, SCALARS, max_size=8)


def _sealed(**header: object) -> bytes:
    """A datagram whose tag is right, whatever its header says."""
    fields = {
        "magic": b"XC", "version": 1, "type": 6, "conn": 0, "pn": 1, "ack": 0, "subset": 0,
        "index": 0, "attempt": 0, "flags": 0, "code": 0, "token": bytes(8), "chain": bytes(8),
        "digest": bytes(8), "plen": 0, **header,
    }  # fmt: skip
    body = HEADER.pack(*fields.values())
    return body + hmac.digest(KEY, body, hashlib.sha256)[:16]


def test_the_header_is_58_bytes_and_a_datagram_at_most_1200():
    assert (HEADER.size, MIN_DATAGRAM, MAX_PAYLOAD) == (58, 74, 1126)
    largest = encode(Datagram(MessageType.CAPTURE, payload=bytes(1126)), KEY)
    assert len(largest) == 1200


@settings(max_examples=150, deadline=None)
@given(DATAGRAMS, st.binary(min_size=1, max_size=64))
def test_what_is_encoded_decodes_to_itself(d: Datagram, key: bytes):
    data = encode(d, key)
    assert decode(data, key) == d
    assert peek(data) == (d.type, d.conn_id)


def test_every_single_flipped_bit_is_refused():
    """Header, payload or tag: one wrong bit and the datagram does not exist."""
    data = encode(Datagram(MessageType.CAPTURE, index=7, payload=b'{"a":1}'), KEY)
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BadDatagram):
            decode(bytes(changed), KEY)


def test_every_truncation_and_extension_is_refused():
    data = encode(Datagram(MessageType.CAPTURE, payload=b"p" * 40), KEY)
    for cut in range(len(data)):
        with pytest.raises(BadDatagram):
            decode(data[:cut], KEY)
    with pytest.raises(BadDatagram):
        decode(data + b"\0", KEY)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=1400))
def test_garbage_raises_nothing_but_bad_datagram(data: bytes):
    with pytest.raises(BadDatagram):
        decode(data, KEY)


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=70, max_size=1196))
def test_garbage_behind_a_good_head_raises_nothing_but_bad_datagram(tail: bytes):
    with pytest.raises(BadDatagram):
        decode(b"XC\x01\x06" + tail, KEY)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"magic": b"XD"}, "magic"),
        ({"version": 2}, "version"),
        ({"type": 0}, "type"),
        ({"type": 0x14}, "type"),
        ({"plen": 1}, "payload length"),
    ],
)
def test_a_right_tag_does_not_excuse_a_wrong_header(header: dict[str, object], reason: str):
    """plen MUST equal the length minus 74; magic, version and type must be known."""
    with pytest.raises(BadDatagram, match=reason):
        decode(_sealed(**header), KEY)


def test_the_tag_is_verified_before_the_payload_length_is_believed():
    data = bytearray(_sealed(plen=1))
    data[-1] ^= 1
    with pytest.raises(BadDatagram, match="tag"):
        decode(bytes(data), KEY)


def test_another_key_refuses():
    with pytest.raises(BadDatagram, match="tag"):
        decode(encode(Datagram(MessageType.PING), KEY), bytes(32))


@pytest.mark.parametrize(
    "wrong",
    [
        {"pn": 2**32}, {"pn": -1}, {"index": 2**32}, {"attempt": 65536}, {"flags": 256},
        {"code": -1}, {"token": b"short"}, {"chain": bytes(32)}, {"conn_id": b""},
        {"payload": bytes(MAX_PAYLOAD + 1)},
    ],
)  # fmt: skip
def test_a_field_that_does_not_fit_is_our_own_defect(wrong: dict[str, object]):
    """Encoding raises ValueError, never a datagram that lies."""
    with pytest.raises(ValueError, match=r"out of range|bytes"):
        encode(replace(Datagram(MessageType.CAPTURE), **wrong), KEY)


@settings(max_examples=150, deadline=None)
@given(OBJECTS)
def test_a_payload_comes_back_in_normal_form_c(values: dict[str, object]):
    data = canonical(values)
    expected = {
        unicodedata.normalize("NFC", k): unicodedata.normalize("NFC", v)
        if isinstance(v, str)
        else v
        for k, v in values.items()
    }
    assert parse_payload(data) == expected
    assert canonical(parse_payload(data)) == data


@settings(max_examples=50, deadline=None)
@given(OBJECTS, st.randoms())
def test_the_canonical_form_does_not_depend_on_the_order_of_keys(values, random):
    items = list(values.items())
    random.shuffle(items)
    if len({unicodedata.normalize("NFC", k) for k in values}) == len(values):
        assert canonical(dict(items)) == canonical(values)


def test_the_canonical_form_is_sorted_compact_nfc_utf8():
    """Known bytes, so that its digest reproduces on any machine."""
    assert canonical({"b": "e\u0301", "a": 1, "c": None}) == b'{"a":1,"b":"\xc3\xa9","c":null}'


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"[]", b"1", b"null", b'"text"', b"{", b'{"a":}', b"\xff\xfe", b'\xef\xbb\xbf{"a":1}',
        b'{"a":1,"a":1}', b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1.0}',
        b'{"a":1e3}', b'{"a":{}}', b'{"a":[]}', b'{"a":[NaN]}', b'{"a":{"b":1,"b":2}}',
        b'{"a":9007199254740992}', b'{"a":-9007199254740992}', b'{"a":' + b"9" * 1000 + b"}",
        b'{"a":"\\ud800"}', b'{"\\udfff":1}', b'{"a":1}x', b"[" * 1126, b'{"a":' * 200 + b"1",
        b'{"a":"\xed\xa0\x80"}',
    ],
)  # fmt: skip
def test_a_payload_that_is_not_one_flat_small_object_is_refused(payload: bytes):
    """Duplicate keys, NaN, floats, numbers beyond 2^53, nesting, half characters: refused."""
    with pytest.raises(BadDatagram):
        parse_payload(payload)


@pytest.mark.parametrize(
    "payload", [b"[" * 200_000, b'{"a":' * 200_000, b'{"a":' + b"9" * 5000 + b"}"]
)
def test_a_payload_longer_than_any_datagram_still_raises_only_bad_datagram(payload: bytes):
    """Depth and length that exhaust a parser are refused like any other nonsense."""
    with pytest.raises(BadDatagram):
        parse_payload(payload)


def test_a_payload_has_at_most_32_keys():
    body = {f"k{n}": n for n in range(32)}
    assert parse_payload(json.dumps(body).encode()) == body
    with pytest.raises(BadDatagram, match="small"):
        parse_payload(json.dumps({**body, "one": "more"}).encode())


def test_the_largest_exact_integers_are_accepted():
    assert parse_payload(b'{"a":9007199254740991,"b":-9007199254740991}')["a"] == 2**53 - 1


def test_fields_lie_at_the_offsets_of_the_specification():
    """The table of section 2, offset by offset."""
    d = Datagram(
        MessageType.CAPTURE, b"connidxx", 1, 2, 3, 4, 5, 6, 7, b"tokenxxx", b"chainxxx",
        b"digestxx", b"{}",
    )  # fmt: skip
    data = encode(d, KEY)
    assert data[:4] == b"XC\x01\x06"
    assert data[4:12] == b"connidxx"
    assert struct.unpack_from("!IIIIHBB", data, 12) == (1, 2, 3, 4, 5, 6, 7)
    assert data[32:56] == b"tokenxxxchainxxxdigestxx"
    assert data[56:60] == b"\0\x02{}"
