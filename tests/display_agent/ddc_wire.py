"""A monitor on an I2C bus, byte for byte, below the driver of the package monitorcontrol.

DDC/CI 1.1: the host writes to address 37h `51 8x ... checksum`; the monitor is read as
`6E 88 02 result code type maxH maxL valueH valueL checksum`; a monitor that is not ready answers
the null message `6E 80 BE`. Checksums are the XOR of everything with the addresses (6E, 50).
"""

from __future__ import annotations

import threading
from functools import reduce
from operator import xor
from typing import Any

from monitorcontrol import Monitor
from monitorcontrol.vcp import VCPIOError
from monitorcontrol.vcp.vcp_linux import LinuxVCP

PRESET, REQUEST, INCREMENT = 0x14, 0x0C, 0x0B
NULL_MESSAGE = bytes([0x6E, 0x80, 0xBE])


def reply(code: int, value: int, maximum: int, *, result: int = 0) -> bytes:
    """The monitor's answer to a question for *code*."""
    body = bytes([0x6E, 0x88, 0x02, result, code, 0])
    body += maximum.to_bytes(2, "big") + value.to_bytes(2, "big")
    return body + bytes([reduce(xor, body, 0x50)])


class Panel(LinuxVCP):
    """The panel; what goes wrong is set by attributes, at any time.

    Attributes:
        values: VCP code -> value; a code that is missing is answered as unsupported.
        presets: values that the preset takes; others it takes and stays as it is.
        silent: nothing is on the bus: reading fails.
        stubborn: it accepts and changes nothing.
        deaf: it changes, and answers nothing from then on.
        garbled: so many answers come with flipped bits.
        busy: so many answers are the null message.
        stale: so many answers are to the question before.
        hang: reading and writing wait for this event.
        written: every write, as it came.
    """

    def __init__(self) -> None:
        super().__init__(0)
        self.values = {PRESET: 5, REQUEST: 35, INCREMENT: 100, 0x10: 40}
        self.presets = {1, 2, 4, 5, 6, 8, 11}
        self.silent = self.stubborn = self.deaf = False
        self.garbled = self.busy = self.stale = 0
        self.hang: threading.Event | None = None
        self.written: list[bytes] = []
        self.opened = 0
        self._answer = b""
        self._before = reply(0x10, 40, 100)

    def __enter__(self) -> Any:
        self.opened += 1
        self.read_bytes(1)
        return self

    def __exit__(self, *about: object) -> bool:
        return False

    def read_bytes(self, num_bytes: int) -> bytes:
        """What the host reads next."""
        self._wait()
        if self.silent:
            raise VCPIOError("unable to read from I2C bus")
        taken, self._answer = self._answer[:num_bytes], self._answer[num_bytes:]
        return taken

    def write_bytes(self, data: bytes) -> None:
        """What the host writes: a question or a setting."""
        self._wait()
        if self.silent:
            raise VCPIOError("unable write to I2C bus")
        data = bytes(data)
        self.written.append(data)
        assert reduce(xor, data, 0x6E) == 0, "the host's checksum"
        assert data[0] == 0x51
        assert data[1] == 0x80 | len(data) - 3
        if data[2] == 0x01:
            self._ask(data[3])
        else:
            assert data[2] == 0x03
            self._set(data[3], int.from_bytes(data[4:6], "big"))

    @property
    def sets(self) -> list[tuple[int, int]]:
        """Code and value of every setting that was asked for."""
        return [(one[3], int.from_bytes(one[4:6], "big")) for one in self.written if one[2] == 0x03]

    def _wait(self) -> None:
        if self.hang is not None:
            assert self.hang.wait(30)

    def _set(self, code: int, value: int) -> None:
        if not self.stubborn and code in self.values and (code != PRESET or value in self.presets):
            self.values[code] = value
            if code == REQUEST:
                self.values[PRESET] = 11  # as many do: a user preset
        self.silent = self.silent or self.deaf

    def _ask(self, code: int) -> None:
        known = code in self.values
        right = reply(code, self.values.get(code, 0), 100 if known else 0, result=int(not known))
        if code == INCREMENT and known:
            right = reply(code, self.values[code], 0)
        if self.busy:
            self.busy -= 1
            self._answer = NULL_MESSAGE
        elif self.stale:
            self.stale -= 1
            self._answer = self._before
        elif self.garbled:
            self.garbled -= 1
            self._answer = right[:8] + bytes([right[8] ^ 0x40, right[9] ^ 0x28, right[10]])
        else:
            self._answer = right
        self._before = right


def monitor_of(panel: Panel) -> Monitor:
    """The package's own monitor on the made-up bus."""
    return Monitor(panel)
