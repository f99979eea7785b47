"""Is the file that the camera left really a photo?

The segments are walked as ITU-T T.81 annex B lays them down. An EOI inside the thumbnail of
the EXIF segment therefore does not count as the end, and bytes after the real EOI (motion photos,
maker's trailers) do not matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from phone_agent.cameras import CameraFault
from phone_agent.files import sha256_file

__all__ = ["JpegInfo", "inspect", "measure", "sha256_file"]

_SOI = b"\xff\xd8"
_EOI = 0xD9
_SOS = 0xDA
# Frame headers: C0..CF but DHT (C4), JPG (C8) and DAC (CC).
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM, RST0..7: no length follows
# In entropy-coded data FF00 is a stuffed byte, FFD0..D7 a restart, FFFF fill: all others end it.
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


@dataclass(frozen=True, slots=True)
class JpegInfo:
    """Width and height in pixels as stored, before any EXIF orientation."""

    width: int
    height: int


def inspect(path: Path, *, min_bytes: int = 1) -> JpegInfo:
    """Check a photo from SOI to EOI and read its size.

    Args:
        path: the file the camera wrote.
        min_bytes: a smaller file counts as empty.

    Raises:
        CameraFault: CAMERA_EMPTY for a missing or too small file, CAMERA_BAD_JPEG otherwise.
        OSError: the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise CameraFault("CAMERA_EMPTY", f"The camera left no file {path.name}.") from error
    if len(data) < min_bytes or not data:
        raise CameraFault(
            "CAMERA_EMPTY",
            f"The camera left {path.name} with {len(data)} bytes, needed are {max(min_bytes, 1)}. "
            "Look whether the camera's app is open and in front.",
        )
    try:
        return measure(data)
    except ValueError as error:
        raise CameraFault("CAMERA_BAD_JPEG", f"{path.name} is not a whole JPEG: {error}") from error


def measure(data: bytes) -> JpegInfo:
    """Walk the segments of one JPEG in memory; raises ValueError with a sentence."""
    if not data.startswith(_SOI):
        raise ValueError(f"it begins with {data[:4].hex()} instead of ffd8.")
    size: JpegInfo | None = None
    scans = 0
    at = 2
    while True:
        marker, at = _marker(data, at)
        if marker == _EOI:
            break
        if marker in _STANDALONE:
            continue
        end = _segment_end(data, at)
        if marker in _SOF:
            size = _frame_size(data[at + 2 : end])
        at = end
        if marker == _SOS:
            scans += 1
            at = _scan_end(data, at)
    if size is None or not scans:
        raise ValueError("it has no frame header or no scan before its end marker.")
    return size


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """The marker at `at` and the offset behind it; fill bytes FF before it are allowed."""
    if at < len(data) and data[at] != 0xFF:
        raise ValueError(f"at byte {at} a marker should stand, found {data[at]:02x}.")
    while at < len(data) and data[at] == 0xFF:
        at += 1
    if at >= len(data):
        raise ValueError(f"it ends after {len(data)} bytes without an end marker.")
    return data[at], at + 1


def _segment_end(data: bytes, at: int) -> int:
    length = int.from_bytes(data[at : at + 2], "big")
    end = at + length
    if length < 2:
        raise ValueError(f"the segment at byte {at} has the impossible length {length}.")
    if end > len(data):
        raise ValueError(f"it ends after {len(data)} bytes inside the segment at byte {at}.")
    return end


def _frame_size(frame: bytes) -> JpegInfo:
    """Sample precision (1), height (2), width (2), components (1, ...)."""
    if len(frame) < 6:
        raise ValueError(f"its frame header has {len(frame)} bytes, needed are 6.")
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    if not width or not height:
        raise ValueError(f"its frame header gives the size {width} x {height}.")
    return JpegInfo(width, height)


def _scan_end(data: bytes, at: int) -> int:
    found = _SCAN_END.search(data, at)
    if found is None:
        raise ValueError(f"it ends after {len(data)} bytes inside the picture data.")
    return found.start()
