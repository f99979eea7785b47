"""A photo is judged from its first byte to its real end marker."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image

from phone_agent.cameras import CameraFault
from phone_agent.jpeg import JpegInfo, inspect, measure, sha256_file


def fault(path: Path, data: bytes, **options: int) -> CameraFault:
    path.write_bytes(data)
    with pytest.raises(CameraFault) as caught:
        inspect(path, **options)
    return caught.value


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"mode": "RGB"}, {"mode": "RGB", "restart_marker_rows": 1}],
    ids=["baseline", "progressive", "colour", "restarts"],
)
def test_size_is_read_from_any_kind_of_jpeg(tmp_path, jpeg, options):
    """Baseline, progressive (several scans), colour and restart markers are all walked."""
    path = tmp_path / "1.1.aa.part"
    path.write_bytes(jpeg(70, 33, **options))
    assert inspect(path) == JpegInfo(70, 33)


def test_bytes_after_the_end_marker_are_tolerated(jpeg):
    """Motion photos carry a film behind the picture."""
    assert measure(jpeg(20, 30) + b"\x00\x00 ftypmp4" * 50) == JpegInfo(20, 30)


def test_thumbnail_inside_exif_is_not_the_photo(jpeg):
    """Neither its size nor its end marker count: with only the thumbnail whole, it is truncated."""
    small = jpeg(16, 16)
    exif = b"\xff\xe1" + (len(small) + 2).to_bytes(2, "big") + small
    whole = jpeg(120, 80)
    data = whole[:2] + exif + whole[2:]
    assert measure(data) == JpegInfo(120, 80)
    with pytest.raises(ValueError, match=r"without|inside"):
        measure(data[:-40])


@pytest.mark.parametrize("progressive", [False, True])
def test_every_truncation_is_noticed(jpeg, progressive):
    """However many bytes are missing at the end, the file is refused."""
    data = jpeg(24, 24, progressive=progressive)
    for length in range(2, len(data)):
        with pytest.raises(ValueError, match=r"ends after|impossible length"):
            measure(data[:length])


def test_fill_bytes_before_a_marker_are_allowed(jpeg):
    """T.81 B.1.1.2 permits any number of FF before a marker."""
    data = jpeg(9, 8)
    assert measure(data[:2] + b"\xff\xff\xff" + data[2:]) == JpegInfo(9, 8)


def test_tables_before_the_frame_header_are_not_the_frame_header(jpeg):
    """DHT (C4) lies among the codes of frame headers, and may come first."""
    data = jpeg(44, 22)
    at = data.index(b"\xff\xc4")
    table = data[at : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
    assert measure(data[:2] + table + data[2:]) == JpegInfo(44, 22)


def test_missing_and_empty_files_are_empty_photos(tmp_path, jpeg):
    """termux-camera-photo leaves a 0-byte file when it fails; a limit can be raised."""
    path = tmp_path / "1.1.aa.part"
    with pytest.raises(CameraFault) as caught:
        inspect(path)
    assert caught.value.code_name == "CAMERA_EMPTY"
    assert "1.1.aa.part" in str(caught.value)
    assert fault(path, b"").code_name == "CAMERA_EMPTY"
    assert fault(path, jpeg(), min_bytes=50_000).code_name == "CAMERA_EMPTY"


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda d: b"<html>no camera</html>", "3c68746d"),
        (lambda d: d[:2] + b"\xff\xd9", "no frame header"),
        (lambda d: d[:2] + b"\x00" + d[2:], "a marker should stand"),
        (lambda d: d[:2] + b"\xff\xe1\x00\x01" + d[2:], "impossible length"),
        (lambda d: d[:2] + b"\xff\xc0\x00\x05\x08\x00\x01" + d[2:], "frame header has 3"),
        (lambda d: d[:2] + b"\xff\xc0\x00\x08\x08\x00\x00\x00\x10\x01" + d[2:], "16 x 0"),
    ],
    ids=["html", "headerless", "no-marker", "length", "short-frame", "height-0"],
)
def test_what_is_no_jpeg_is_named(tmp_path, jpeg, damage, says):
    """The sentence tells the file and what is wrong with it."""
    found = fault(tmp_path / "3.1.bb.part", damage(jpeg()))
    assert found.code_name == "CAMERA_BAD_JPEG"
    assert "3.1.bb.part" in found.sentence
    assert says in found.sentence


def test_agrees_with_pillow(jpeg):
    """The size is the one Pillow reads."""
    data = jpeg(333, 77, mode="RGB", subsampling=2, optimize=True)
    with Image.open(io.BytesIO(data)) as picture:
        assert measure(data) == JpegInfo(*picture.size)


def test_sha256_of_a_file_longer_than_a_block(tmp_path):
    """The hash is over all blocks."""
    data = bytes(range(256)) * 9000
    path = tmp_path / "f"
    path.write_bytes(data)
    assert sha256_file(path) == hashlib.sha256(data).digest()


def test_unknown_fault_code_is_a_defect():
    """Only the retryable codes of the protocol exist."""
    with pytest.raises(ValueError, match="CAMERA_SAD"):
        CameraFault("CAMERA_SAD", "x")
