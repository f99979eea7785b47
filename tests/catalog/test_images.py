"""A file is a whole picture, or there is a reason."""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rig.catalog.images import BadImage, inspect


@pytest.fixture
def noise(tmp_path: Path) -> Image.Image:
    """A picture that does not compress, so that every part of its file carries pixels."""
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 120), np.uint8))


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims a size and has next to no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        tail = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + tail

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP"])
def test_whole_pictures_give_digest_and_size(tmp_path: Path, noise: Image.Image, kind: str) -> None:
    """The digest is that of the bytes; width comes before height."""
    file = tmp_path / "a"
    noise.save(file, kind)
    facts = inspect(file)
    assert facts.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (facts.width, facts.height) == (120, 90)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP"])
@pytest.mark.parametrize("lost", [1, 11, 200, 0.5])
def test_truncated_pictures_are_refused(
    tmp_path: Path, noise: Image.Image, kind: str, lost: float
) -> None:
    """Even one missing byte at the end shows that the copy is not whole."""
    file = tmp_path / "a"
    noise.save(file, kind)
    data = file.read_bytes()
    file.write_bytes(data[: -int(lost if lost >= 1 else len(data) * lost)])
    with pytest.raises(BadImage, match="cut short"):
        inspect(file)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """Zero bytes are named as such."""
    (tmp_path / "a.jpg").touch()
    with pytest.raises(BadImage, match="zero bytes"):
        inspect(tmp_path / "a.jpg")


def test_text_and_programs_for_printers_are_not_images(tmp_path: Path) -> None:
    """Only raster formats are opened, whatever the name says; EPS would start a program."""
    for text in (b"hello, I am a picture", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"):
        (tmp_path / "a.jpg").write_bytes(text)
        with pytest.raises(BadImage, match="not an image"):
            inspect(tmp_path / "a.jpg")


@pytest.mark.parametrize("size", [(20_000, 10_001), (30_000, 20_000), (2**31 - 1, 2)])
def test_more_than_200_megapixels_are_refused_before_decoding(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    """A small file that unpacks to gigabytes never gets that far."""
    (tmp_path / "a.png").write_bytes(png_of(*size))
    with pytest.raises(BadImage, match="200 megapixels"):
        inspect(tmp_path / "a.png")


@pytest.mark.filterwarnings("ignore")
def test_the_limit_does_not_hang_on_warnings_being_errors(tmp_path: Path) -> None:
    """Between Pillow's warning and its own refusal our limit still holds."""
    (tmp_path / "a.png").write_bytes(png_of(20_000, 10_001))
    with pytest.raises(BadImage, match="200 megapixels"):
        inspect(tmp_path / "a.png")


def test_exactly_200_megapixels_are_looked_at(tmp_path: Path) -> None:
    """The limit itself is allowed: this one fails only because its pixels are missing."""
    (tmp_path / "a.png").write_bytes(png_of(20_000, 10_000))
    with pytest.raises(BadImage, match="cut short"):
        inspect(tmp_path / "a.png")


def test_folders_and_pipes_are_refused(tmp_path: Path) -> None:
    """Nothing waits for somebody to write into a pipe."""
    os.mkfifo(tmp_path / "pipe.jpg")
    for file in (tmp_path, tmp_path / "pipe.jpg"):
        with pytest.raises(BadImage, match="regular file"):
            inspect(file)
