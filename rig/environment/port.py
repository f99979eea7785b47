"""Serial ports by pyserial: found by name or USB id, exclusive, with deadlines and a trace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import serial
from serial.tools import list_ports

from rig.environment.model import ActuatorError

WRITE_SECONDS = 2.0
"""A device that does not take its bytes within this is stuck."""
_SLICE = 0.05


class PortLostError(ActuatorError):
    """The port cannot be opened or went away."""


class UsbPort(Protocol):
    """What `list_ports` tells of a port."""

    device: str
    vid: int | None
    pid: int | None
    serial_number: str | None


def find_port(text: str, ports: Callable[[], Iterable[UsbPort]] = list_ports.comports) -> str:
    """The port that *text* names.

    ``usb:1A86:7523`` or ``usb:1A86:7523:SERIAL`` looks for that vendor, product and serial number;
    everything else (``/dev/serial/by-id/...``, ``COM3``, ``loop://``, ``socket://host:port``) is
    taken as it is. `ttyUSB0` works, but means another device after the next plugging.

    Raises:
        ActuatorError: no such device, or several; the sentence lists what is there.
    """
    if not text.lower().startswith("usb:"):
        return text
    vendor, _, rest = text[4:].partition(":")
    product, _, number = rest.partition(":")
    try:
        wanted = int(vendor, 16), int(product, 16)
    except ValueError as error:
        raise ActuatorError(f"{text!r} is not usb:VENDOR:PRODUCT[:SERIAL] in hex.") from error
    there = list(ports())
    found = [
        port.device
        for port in there
        if (port.vid, port.pid) == wanted and (not number or port.serial_number == number)
    ]
    if len(found) == 1:
        return str(found[0])
    if found:
        raise ActuatorError(
            f"{text} is ambiguous: {', '.join(sorted(found))}. Add the serial number, or use the "
            "name below /dev/serial/by-id."
        )
    seen = ", ".join(sorted(port.device for port in there)) or "none at all"
    raise ActuatorError(f"No serial port is {text}; there are: {seen}. Is it plugged in?")


class SerialLine:
    """One open port.

    Args:
        port: as `find_port` takes it; anything that `serial_for_url` opens.
        baud: bits per second; 8 data bits, no parity, 1 stop bit.
        trace: file that gets every byte both ways, in hex (pyserial's ``spy://``).

    Raises:
        PortLostError: it cannot be opened, or another program has it.
    """

    def __init__(self, port: str, baud: int = 9600, *, trace: Path | None = None) -> None:
        self._place = find_port(port)
        url = self._place if trace is None else f"spy://{self._place}?file={trace}"
        try:
            self._serial: Any = serial.serial_for_url(
                url, baudrate=baud, timeout=_SLICE, write_timeout=WRITE_SECONDS, exclusive=True
            )
        except (serial.SerialException, OSError, ValueError) as error:
            raise PortLostError(
                f"{self._place} cannot be opened ({error}). Is it plugged in, may you use it "
                "(see deploy/udev), and does no other program have it?"
            ) from error

    @property
    def place(self) -> str:
        """The port, for people."""
        return self._place

    def write(self, data: bytes) -> None:
        """Send *data* and wait until it is out."""
        try:
            self._serial.write(data)
            self._serial.flush()
        except serial.SerialTimeoutException as error:
            raise ActuatorError(f"{self._place} takes no bytes; is the device on?") from error
        except (serial.SerialException, OSError) as error:
            raise self._gone(error) from error

    def read_until(self, end: bytes, seconds: float) -> bytes:
        """Up to and including *end*, or what came within *seconds*."""
        return self._collect(lambda got: end in got, seconds)

    def read_exactly(self, count: int, seconds: float) -> bytes:
        """*count* bytes, or what came of them within *seconds*."""
        return self._collect(lambda got: len(got) >= count, seconds)

    def drain(self) -> None:
        """Forget what has arrived."""
        try:
            self._serial.reset_input_buffer()
        except (serial.SerialException, OSError) as error:
            raise self._gone(error) from error

    def wait(self, seconds: float) -> None:
        """Sleep on the worker thread."""
        time.sleep(seconds)

    def close(self) -> None:
        """Give the port back; twice does no harm."""
        self._serial.close()
        # pyserial's spy leaves its file open.
        output = getattr(getattr(self._serial, "formatter", None), "output", None)
        if output is not None:
            output.close()

    def _collect(self, enough: Callable[[bytes], bool], seconds: float) -> bytes:
        until, got = time.monotonic() + seconds, b""
        try:
            while not enough(got) and time.monotonic() < until:
                # One byte at a time would be slow, more than is there would wait for the slice.
                got += self._serial.read(max(1, self._serial.in_waiting if not got else 1))
        except (serial.SerialException, OSError, TypeError) as error:
            raise self._gone(error) from error
        return got

    def _gone(self, error: BaseException) -> PortLostError:
        return PortLostError(
            f"{self._place} went away ({error}). Plug the device in again and set the level once "
            "more."
        )
