"""Typed fields out of a parsed payload."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.protocol.datagram import BadDatagram, canonical
from rig.protocol.payload import clip, hex_field, number_field


def test_a_hex_field_gives_its_bytes():
    assert hex_field({"a": "00ff"}, "a", 2) == b"\0\xff"


@pytest.mark.parametrize("value", ["zz", "00", "000000", "", None, True, 10])
def test_a_hex_field_of_another_size_or_kind_is_refused(value: object):
    with pytest.raises(BadDatagram):
        hex_field({"a": value}, "a", 2)


def test_a_missing_field_is_refused():
    with pytest.raises(BadDatagram):
        hex_field({}, "a", 2)
    with pytest.raises(BadDatagram):
        number_field({}, "a")


@pytest.mark.parametrize("value", ["1", None, True, False])
def test_only_an_integer_is_a_number(value: object):
    with pytest.raises(BadDatagram):
        number_field({"a": value}, "a")


def test_a_number_field_gives_its_number():
    assert number_field({"a": 0}, "a") == 0


@pytest.mark.parametrize(("value", "most"), [(-1, 10), (11, 10), (2**32, 2**32 - 1)])
def test_a_number_out_of_its_range_is_refused(value: int, most: int):
    """What is packed into a header later must fit one."""
    with pytest.raises(BadDatagram, match="range"):
        number_field({"a": value}, "a", most)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40), st.integers(0, 60))
def test_clipped_words_take_no_more_than_their_bytes(text: str, size: int):
    """In canonical JSON, escapes and all; half characters from file names included."""
    words = clip(text, size)
    assert len(canonical({"": words})) - len(canonical({"": ""})) <= size
    assert clip(words, size) == words


def test_words_that_fit_are_not_clipped():
    assert clip("caf\u00e9", 5) == "caf\u00e9"
    assert clip("caf\u00e9", 4) == "caf"
