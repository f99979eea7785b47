"""Ports are found by what they are, opened once, and traced on request."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rig.environment.model import ActuatorError
from rig.environment.port import SerialLine, find_port


def ports(*rows: tuple[str, int, int, str]) -> Any:
    return lambda: [
        SimpleNamespace(device=device, vid=vid, pid=pid, serial_number=number)
        for device, vid, pid, number in rows
    ]


CH340 = ("/dev/ttyUSB7", 0x1A86, 0x7523, "")
FTDI_A, FTDI_B = ("/dev/ttyUSB1", 0x0403, 0x6001, "A1"), ("/dev/ttyUSB2", 0x0403, 0x6001, "B2")


def test_a_device_is_found_by_vendor_product_and_serial_number() -> None:
    """Whatever number its port has today."""
    there = ports(CH340, FTDI_A, FTDI_B)
    assert find_port("usb:1A86:7523", there) == "/dev/ttyUSB7"
    assert find_port("usb:0403:6001:B2", there) == "/dev/ttyUSB2"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("usb:0403:6001", "ambiguous: /dev/ttyUSB1, /dev/ttyUSB2"),
        ("usb:2A19:0800", "there are: /dev/ttyUSB1"),
        ("usb:relay", "not usb:VENDOR:PRODUCT"),
    ],
)
def test_no_device_or_several_are_listed(text: str, says: str) -> None:
    """The sentence says what to write instead."""
    with pytest.raises(ActuatorError, match=says):
        find_port(text, ports(CH340, FTDI_A, FTDI_B))


def test_other_names_are_taken_as_they_are() -> None:
    """Including pyserial's URLs."""
    assert find_port("socket://lab:7000", ports()) == "socket://lab:7000"


def test_a_port_is_opened_by_one_program_only(device: Any) -> None:
    """Two programs on one relay board would take each other's answers."""
    far = device(lambda data: (len(data), b""))
    line = SerialLine(far.port)
    with pytest.raises(ActuatorError, match="no other program"):
        SerialLine(far.port)
    line.close()
    SerialLine(far.port).close()


def test_what_cannot_be_opened_says_why() -> None:
    """With the remedy."""
    with pytest.raises(ActuatorError, match="Is it plugged in"):
        SerialLine("/dev/serial/by-id/none")


def test_a_trace_holds_every_byte_both_ways(device: Any, tmp_path: Path) -> None:
    """pyserial's spy."""
    far = device(lambda data: (len(data), b"\xff\x01\x01"))
    trace = tmp_path / "lamp.txt"
    line = SerialLine(far.port, trace=trace)
    line.write(b"\xff\x01\x03")
    assert line.read_exactly(3, 10) == b"\xff\x01\x01"
    line.close()
    text = trace.read_text()
    assert "TX" in text
    assert "RX" in text
    assert "FF 01 03" in text


def test_loop_urls_work_too() -> None:
    """What is written comes back."""
    line = SerialLine("loop://")
    line.write(b"abc\n")
    assert line.read_until(b"\n", 5) == b"abc\n"
    line.close()
