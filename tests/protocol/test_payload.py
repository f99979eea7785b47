"""Typed fields out of a parsed payload."""

from __future__ import annotations

import pytest

from rig.protocol.datagram import BadDatagram
from rig.protocol.payload import hex_field, number_field


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
