"""Parts of metadata on the wire, and the shelf on which the phone puts them together."""

from __future__ import annotations

import hashlib
import random
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.protocol.codes import META_MAX, Code
from rig.protocol.datagram import MAX_PAYLOAD, BadDatagram
from rig.protocol.metadata import PART_SIZE, Part, Shelf, cut, encode_part, parse_part


def _meta(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def _parts(metadata: bytes) -> list[Part]:
    return [cut(metadata, at) for at in range(0, len(metadata), PART_SIZE)]


def _digest(metadata: bytes) -> bytes:
    return hashlib.sha256(metadata).digest()[:8]


def test_a_whole_part_fits_a_datagram():
    assert len(encode_part(cut(_meta(5000), 0))) <= MAX_PAYLOAD


@given(st.binary(max_size=3000), st.integers(0, 3000))
@settings(max_examples=60, deadline=None)
def test_a_part_survives_the_wire(metadata: bytes, offset: int):
    part = cut(metadata, min(offset, len(metadata)))
    assert parse_part(encode_part(part)) == part


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        bytes(39),
        bytes(40 + PART_SIZE + 1),
        encode_part(Part(bytes(32), 5, 4)),
        encode_part(Part(bytes(32), 0, 2, b"abc")),
    ],
)
def test_a_part_that_makes_no_sense_is_refused(payload: bytes):
    with pytest.raises(BadDatagram):
        parse_part(payload)


@given(st.binary(max_size=1200))
@settings(max_examples=100, deadline=None)
def test_anything_is_a_part_or_a_bad_datagram(payload: bytes):
    with suppress(BadDatagram):
        assert encode_part(parse_part(payload)) == payload


@given(st.lists(st.integers(0, 4), max_size=40), st.integers(3 * PART_SIZE + 1, 5 * PART_SIZE))
@settings(max_examples=60, deadline=None)
def test_duplicates_and_any_order_end_with_the_same_bytes(order: list[int], size: int):
    """Whatever came before, following the answers brings the rest; nothing wrong is ever whole."""
    metadata, shelf = _meta(size), Shelf()
    parts = _parts(metadata)
    for n in order:
        shelf.put(parts[n % len(parts)])
        assert shelf.whole(_digest(metadata)) in (None, metadata)
    wanted = shelf.put(parts[0])[1]
    while wanted < size:
        wanted = shelf.put(cut(metadata, wanted))[1]
    assert shelf.whole(_digest(metadata)) == metadata


def test_bytes_that_are_not_what_they_were_announced_as_are_forgotten():
    """Neither is a false piece ever whole, nor does it stand in the way of the true one."""
    metadata, shelf = _meta(1500), Shelf()
    sha = hashlib.sha256(metadata).digest()
    shelf.put(Part(sha, 0, 1500, bytes(1024)))
    assert shelf.put(cut(metadata, 1024)) == (Code.OK, 0)
    assert shelf.whole(sha[:8]) is None
    for part in _parts(metadata):
        shelf.put(part)
    assert shelf.whole(sha[:8]) == metadata


def test_metadata_beyond_64_kib_is_refused():
    assert META_MAX == 65536
    assert Shelf().put(Part(bytes(32), 0, META_MAX + 1, b"x")) == (Code.META_TOO_BIG, 0)
    metadata, shelf = _meta(META_MAX), Shelf()
    for part in _parts(metadata):
        assert shelf.put(part)[0] == Code.OK
    assert shelf.whole(_digest(metadata)) == metadata


def test_the_shelf_is_bounded_and_the_least_recently_used_goes_first():
    """However much is sent: four pieces at most, whole or not."""
    shelf, first = Shelf(), _meta(100, seed=1000)
    shelf.put(cut(first, 0))
    for seed in range(50):
        shelf.put(cut(_meta(3000, seed), 0))
        assert shelf.whole(_digest(first)) == first
    assert len(shelf._pieces) == 4
    for seed in range(4):
        shelf.put(cut(_meta(3000, 100 + seed), 0))
    assert shelf.whole(_digest(first)) is None
    assert shelf._whole == {}
