"""Journal lines: whole records, torn tails, damaged middles."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.protocol.journal import JournalCorrupt, encode_record, parse_journal

RECORDS = [
    {"k": "RUN", "sub": 1},
    {"k": "INTENT", "i": 1, "a": 2},
    {"k": "VOID", "why": "\u00e9\n"},
]
LINES = [encode_record(r) for r in RECORDS]
DATA = b"".join(LINES)
VALUES = st.dictionaries(
    st.text(max_size=6), st.none() | st.booleans() | st.integers() | st.text(max_size=9), max_size=5
)


def test_a_line_is_crc_space_json_feed():
    """crc32 in 8 hex digits over the canonical JSON."""
    body = json.dumps({"a": 2, "i": 1, "k": "INTENT"}, separators=(",", ":")).encode()
    assert LINES[1] == f"{zlib.crc32(body):08x} ".encode() + body + b"\n"


def test_an_empty_journal_has_no_records():
    assert parse_journal(b"") == ([], 0)
    assert parse_journal(bytes(4096)) == ([], 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, max_size=6), st.integers(0, 50))
def test_records_come_back_whatever_zeros_follow(records, zeros: int):
    """Text with feeds and zeros inside is escaped, so a line is a line."""
    data = b"".join(encode_record(r) for r in records)
    assert parse_journal(data + bytes(zeros)) == (records, len(data))


def test_a_tail_torn_at_any_byte_is_cut_off():
    """Whole records before the tear stay; nothing of the torn one remains."""
    for cut in range(len(DATA) + 1):
        whole = [n for n in range(4) if len(b"".join(LINES[:n])) <= cut][-1]
        expected = (RECORDS[:whole], len(b"".join(LINES[:whole])))
        assert parse_journal(DATA[:cut]) == expected
        assert parse_journal(DATA[:cut] + bytes(100)) == expected


def test_a_last_line_with_a_wrong_byte_is_torn():
    """Also when its line feed was written before its middle."""
    start = len(DATA) - len(LINES[2])
    for at in range(start, len(DATA) - 1):
        damaged = bytearray(DATA)
        damaged[at] ^= 0x10
        assert parse_journal(bytes(damaged)) == (RECORDS[:2], start)


def test_a_damaged_line_before_whole_ones_is_refused():
    """A bad CRC in the middle means the disk lies."""
    for at in range(len(LINES[0]), len(LINES[0]) + len(LINES[1]) - 1):
        damaged = bytearray(DATA)
        damaged[at] ^= 0x10
        with pytest.raises(JournalCorrupt, match="line 2"):
            parse_journal(bytes(damaged))


@pytest.mark.parametrize("size", [1, 7, 20])
def test_zeros_in_the_middle_are_damage_too(size: int):
    """A page that the file system lost must not hide the records after it."""
    for at in range(len(DATA) - len(LINES[2]) - size):
        damaged = DATA[:at] + bytes(size) + DATA[at + size :]
        with pytest.raises(JournalCorrupt):
            parse_journal(damaged)


@pytest.mark.parametrize("body", [b"[1]", b"1", b'"x"', b"\xff", b"{"])
def test_a_line_that_is_no_object_is_no_record(body: bytes):
    line = b"%08x %s\n" % (zlib.crc32(body), body)
    assert parse_journal(LINES[0] + line) == (RECORDS[:1], len(LINES[0]))


@pytest.mark.parametrize("line", [b"\n", b"xyz\n", b"0000000g {}\n", b"00000000{}\n", b"0 {}\n"])
def test_a_line_without_its_crc_is_no_record(line: bytes):
    assert parse_journal(LINES[0] + line) == (RECORDS[:1], len(LINES[0]))
