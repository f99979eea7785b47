"""What the monitor is asked to show."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from display_agent.compose import (
    BadImage,
    MarkerLabel,
    compose,
    decode,
    notice,
    surface_sha,
)
from display_agent.cursor import CursorSpec
from display_agent.look import PLAIN, Look, look_of


def _grey(width: int, height: int, value: int = 200) -> Image.Image:
    return Image.new("L", (width, height), value)


@pytest.mark.parametrize(
    ("inner", "rect"),
    [
        ((100, 50), (0, 25, 200, 100)),
        ((50, 100), (62, 0, 75, 150)),
        ((400, 300), (0, 0, 200, 150)),
        ((1, 1000), (99, 0, 1, 150)),
    ],
)
def test_the_xray_is_centred_as_large_as_fits_with_its_aspect_kept(inner, rect):
    """The rectangle says where the x-ray lies; all around is black."""
    made = compose(_grey(*inner), (200, 150))
    assert made.frame.size == (200, 150)
    assert made.rect == rect
    pixels = np.asarray(made.frame).copy()
    x, y, w, h = rect
    assert (pixels[y : y + h, x : x + w] == 200).all()
    pixels[y : y + h, x : x + w] = 0
    assert not pixels.any()


def test_eight_bit_grey_of_the_screens_size_is_shown_unchanged():
    """No resampling touches pixels that fit already."""
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30), dtype=np.uint8)
    made = compose(Image.fromarray(pixels), (30, 20))
    assert made.frame.mode == "L"
    assert (np.asarray(made.frame) == pixels).all()


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_sixteen_bit_grey_keeps_its_gradation(mode):
    """0..65535 becomes 0..255 linearly, where Pillow's own conversion would clip."""
    ramp = np.linspace(0, 65535, 256).round()
    kind = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}[mode]
    raw = np.tile(ramp, (4, 1)).astype(kind).tobytes()
    frame = compose(Image.frombytes(mode, (256, 4), raw), (256, 4)).frame
    assert frame.mode == "L"
    assert (np.asarray(frame) == np.arange(256)).all()


def test_a_sixteen_bit_png_is_decoded_and_shown():
    """The usual file of that depth."""
    out = io.BytesIO()
    Image.fromarray(np.full((10, 10), 32768, np.uint16)).save(out, "PNG")
    frame = compose(decode(out.getvalue()), (20, 20)).frame
    assert set(np.asarray(frame).ravel()) == {128}


@pytest.mark.parametrize(
    ("mode", "colour", "expected_mode", "expected"),
    [
        ("RGB", (10, 20, 30), "RGB", (10, 20, 30)),
        ("RGBA", (200, 100, 50, 0), "RGB", (0, 0, 0)),
        ("RGBA", (200, 100, 50, 255), "RGB", (200, 100, 50)),
        ("LA", (200, 0), "L", 0),
        ("LA", (200, 255), "L", 200),
        ("1", 1, "L", 255),
        ("CMYK", (0, 0, 0, 255), "RGB", (0, 0, 0)),
    ],
)
def test_every_usual_mode_becomes_grey_or_rgb_over_black(mode, colour, expected_mode, expected):
    """Transparency shows the black screen behind it."""
    frame = compose(Image.new(mode, (4, 4), colour), (4, 4)).frame
    assert frame.mode == expected_mode
    assert frame.getpixel((2, 2)) == expected


def test_a_palette_is_resolved_before_it_is_scaled():
    """Palette numbers must never be interpolated."""
    image = Image.new("P", (2, 2), 0)
    image.putpalette([250, 0, 0] + [0, 0, 250] * 255)
    frame = compose(image, (8, 8)).frame
    assert frame.mode == "RGB"
    assert frame.getpixel((4, 4)) == (250, 0, 0)


def test_the_exif_orientation_is_obeyed():
    """A picture stored on its side is shown upright."""
    image = Image.new("L", (20, 10), 0)
    image.paste(255, (0, 0, 10, 10))  # its left half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by 90 degrees: left becomes top
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, quality=95)
    made = compose(decode(out.getvalue()), (10, 20))
    assert made.rect == (0, 0, 10, 20)
    assert made.frame.getpixel((5, 2)) > 240
    assert made.frame.getpixel((5, 17)) < 15


def test_a_picture_without_known_white_is_refused_with_a_remedy():
    """Floating-point and beyond-16-bit greys are not guessed."""
    with pytest.raises(BadImage, match="16-bit PNG"):
        compose(Image.new("F", (4, 4), 0.5), (8, 8))
    with pytest.raises(BadImage, match="100000"):
        compose(Image.new("I", (4, 4), 100_000), (8, 8))


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\xff\xd8\xff\xe0 torn"])
def test_bytes_that_are_no_picture_raise_the_one_declared_error(data):
    """Whatever Pillow raises inside."""
    with pytest.raises(BadImage):
        decode(data)


def test_a_truncated_file_is_refused_and_not_shown_half_grey(xray_bytes):
    """Half an x-ray would pass for a whole one."""
    data = xray_bytes(5)
    with pytest.raises(BadImage):
        decode(data[: len(data) // 2])


def test_the_surface_hash_changes_with_any_pixel_the_size_or_the_mode():
    """Equal hash, equal surface."""
    frame = _grey(6, 4)
    changed = frame.copy()
    changed.putpixel((5, 3), 201)
    others = [changed, _grey(4, 6), frame.convert("RGB")]
    assert surface_sha(frame) == surface_sha(frame.copy())
    assert len({surface_sha(f) for f in [frame, *others]}) == 4
    assert len(surface_sha(frame)) == 32


def test_a_notice_is_black_with_its_text_inside_the_frame():
    """A long reason is wrapped, not cut off at the edges."""
    frame = notice((640, 360), "INDEX_MISMATCH: the phone expected x-ray 17 and got 18. " * 3)
    pixels = np.asarray(frame)
    assert pixels.max() > 150
    assert (pixels == 0).mean() > 0.7
    assert not pixels[:, :8].any()
    assert not pixels[:, -8:].any()


def test_a_plain_look_is_one_resampling_pasted_on_black_and_nothing_else():
    """Byte for byte what was shown before there were looks."""
    pixels = np.random.default_rng(4).integers(0, 256, (61, 47), dtype=np.uint8)
    image = Image.fromarray(pixels)
    made = compose(image, (200, 150), PLAIN, label=MarkerLabel(3))
    expected = Image.new("L", (200, 150), 0)
    expected.paste(image.resize((116, 150), Image.Resampling.LANCZOS), (42, 0))
    assert made.frame.mode == "L"
    assert made.frame.tobytes() == expected.tobytes()
    assert (made.cursor, made.gains, made.tags, made.shrunk) == (None, (1, 1, 1), (), 1)


def test_a_cursor_is_drawn_and_its_place_told():
    """The frame becomes RGB; away from the cursor it is the plain one."""
    plain = compose(_grey(40, 30, 90), (320, 240)).frame
    made = compose(_grey(40, 30, 90), (320, 240), Look(cursor=CursorSpec("centre")))
    assert made.cursor == (160, 120)
    assert made.frame.mode == "RGB"
    changed = np.argwhere((np.asarray(made.frame) != np.asarray(plain.convert("RGB"))).any(axis=2))
    assert changed.min(axis=0).tolist() == [120, 160]
    assert (changed.max(axis=0) - changed.min(axis=0) < 25).all()


def test_a_moved_cursor_follows_the_index_and_stays_on_the_xray():
    """Another x-ray, another place; the same one, the same."""
    look = Look(cursor=CursorSpec("moved", 9))
    places = [
        compose(_grey(30, 30), (320, 240), look, label=MarkerLabel(i)).cursor for i in (1, 2, 1)
    ]
    assert places[0] == places[2] != places[1]
    assert all(place is not None and 40 <= place[0] < 280 for place in places)


def test_gains_tint_the_whole_frame_and_are_told():
    """White of the x-ray becomes the white of that temperature."""
    look = look_of({"colour_temperature": "2700K"}, seed=0)
    made = compose(_grey(40, 30, 255), (320, 240), look)
    assert made.gains == look.gains
    assert made.frame.getpixel((160, 120)) == tuple(round(255 * gain) for gain in look.gains)


@pytest.mark.parametrize("look", [Look(marker=True), Look(cursor=CursorSpec("moved"))])
def test_a_marker_or_moved_cursor_must_know_the_xray(look):
    """A marker that says a made-up index would be worse than none."""
    with pytest.raises(ValueError, match="which x-ray"):
        compose(_grey(40, 30), (640, 480), look)
