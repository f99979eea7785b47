"""Decoding within limits."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from rig.intake.read import UnreadableImage, decode_grey, read_grey, sha256_of


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "I;16"])
def test_every_mode_becomes_grey(mode):
    """(H, W) uint8 whatever the file holds."""
    grey = Image.fromarray(np.full((20, 30), 200, np.uint8))
    picture = (
        Image.fromarray(np.full((20, 30), 200 << 8, np.uint16))
        if mode == "I;16"
        else grey.convert(mode)
    )
    found = decode_grey(encoded(picture, "PNG"), "x.png")
    assert found.shape == (20, 30)
    assert found.dtype == np.uint8
    assert int(found[5, 5]) == 200


def test_orientation_is_not_applied():
    """The homography speaks of stored pixels; a viewer's turn is not ours."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.new("L", (30, 20)), "JPEG", exif=exif)
    assert decode_grey(data, "x.jpg").shape == (20, 30)


@pytest.mark.parametrize("cut", [0, 10, 400])
def test_damage_is_a_sentence(cut):
    """Empty, headless and cut short."""
    whole = encoded(Image.effect_noise((300, 200), 50), "JPEG")
    with pytest.raises(UnreadableImage, match=r"x\.jpg"):
        decode_grey(whole[:cut], "x.jpg")


def test_too_many_pixels_are_refused_before_decoding():
    """A small file can claim a huge picture."""
    data = encoded(Image.new("L", (3000, 3000)), "PNG")
    with pytest.raises(UnreadableImage, match="3000 x 3000"):
        decode_grey(data, "x.png", 1_000_000)


def test_a_missing_file_is_a_sentence(tmp_path):
    """With its path."""
    with pytest.raises(UnreadableImage, match="gone"):
        read_grey(tmp_path / "gone.jpg")


def test_sha256_is_of_the_bytes(tmp_path):
    """As `sha256sum` prints it."""
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    assert sha256_of(file).startswith("ba7816bf")
