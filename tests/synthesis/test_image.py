import io

import numpy as np
import pytest
from PIL import Image

from rig.synthesis import image as image_module
from rig.synthesis.image import decode, encode_jpeg, encode_png, in_colour
from rig.synthesis.transform import SynthesisError


def saved(picture, kind="PNG"):
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def test_grey_stays_one_channel_in_the_file(xray):
    with Image.open(io.BytesIO(encode_jpeg(xray))) as picture:
        assert (picture.mode, picture.size) == ("L", (130, 107))
    assert decode(encode_jpeg(xray)).shape == (107, 130)


def test_colour_stays_colour(colour):
    assert decode(encode_jpeg(colour)).shape == colour.shape


def test_png_loses_nothing(xray, colour):
    for image in (xray, colour):
        assert np.array_equal(decode(encode_png(image)), image)


def test_quality_is_75_unless_asked(xray):
    assert encode_jpeg(xray) == encode_jpeg(xray, 75)
    assert len(encode_jpeg(xray, 95)) > len(encode_jpeg(xray)) > len(encode_jpeg(xray, 30))


@pytest.mark.parametrize(("mode", "dimensions"), [("1", 2), ("LA", 2), ("P", 3), ("RGBA", 3)])
def test_other_modes_become_grey_or_colour(xray, mode, dimensions):
    assert decode(saved(Image.fromarray(xray).convert(mode))).ndim == dimensions


def test_sixteen_bits_become_eight_over_the_whole_range(xray):
    deep = xray.astype(np.uint16) * 257
    for kind in ("PNG", "TIFF"):
        assert np.array_equal(decode(saved(Image.fromarray(deep), kind)), xray)
    assert np.array_equal(decode(saved(Image.fromarray(deep - deep // 500))), xray)


def test_twelve_bits_kept_in_sixteen_are_refused_not_made_black(xray):
    with pytest.raises(SynthesisError, match=r"none above \d+, so it would be almost black"):
        decode(saved(Image.fromarray(xray.astype(np.uint16) * 16)))


def test_more_than_sixteen_bits_are_refused(xray):
    with pytest.raises(SynthesisError, match="more than 16 bits"):
        decode(saved(Image.fromarray(xray.astype(np.int32) * 65536), "TIFF"))


def test_cmyk_is_shown_as_it_is_meant():
    """Four inks: none is white, all black ink is black, and cyan is no red."""
    cmyk = np.zeros((16, 48, 4), np.uint8)
    cmyk[:, 16:32, 3] = 255
    cmyk[:, 32:, 0] = 255
    for kind in ("JPEG", "TIFF"):
        out = decode(saved(Image.fromarray(cmyk, "CMYK"), kind)).astype(int)
        assert out[4:12, 4:12].min() > 250
        assert out[4:12, 20:28].max() < 5
        assert out[8, 40, 0] < 10
        assert out[8, 40, 1:].min() > 245


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_orientation_is_applied(xray, orientation, kind):
    """The matrix of the Exif standard: which side row 0 and column 0 are."""
    turned = {
        1: xray, 2: xray[:, ::-1], 3: xray[::-1, ::-1], 4: xray[::-1], 5: xray.T,
        6: np.rot90(xray, -1), 7: xray[::-1, ::-1].T, 8: np.rot90(xray),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(xray).save(buffer, kind, exif=exif, quality=98)
    out = decode(buffer.getvalue())
    assert out.shape == turned.shape
    assert abs(out.astype(int) - turned).mean() < 1.5


def test_transparency_is_laid_on_black(colour):
    clear = np.dstack([colour, np.zeros(colour.shape[:2], np.uint8)])
    clear[:40, :, 3] = 255
    out = decode(saved(Image.fromarray(clear)))
    assert np.array_equal(out[:40], colour[:40])
    assert out[40:].max() == 0
    grey = Image.fromarray(clear).convert("LA")
    assert decode(saved(grey)).ndim == 2
    assert decode(saved(grey))[40:].max() == 0


def test_jpegs_are_decoded_as_pillow_decodes_them(xray, colour):
    for image in (xray, colour):
        for options in ({}, {"progressive": True}, {"subsampling": 0}):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "JPEG", **options)
            with Image.open(buffer) as picture:
                assert np.array_equal(decode(buffer.getvalue()), np.asarray(picture))


def test_a_bomb_is_refused(monkeypatch, xray):
    data = saved(Image.fromarray(xray))
    monkeypatch.setattr(image_module, "MAX_PIXELS", 130 * 107 - 1)
    with pytest.raises(SynthesisError, match="130x107 px, more than"):
        decode(data)


def test_channels_of_the_output(xray, colour):
    assert in_colour(xray, "rgb").shape == (107, 130, 3)
    assert np.array_equal(in_colour(xray, "rgb")[..., 1], xray)
    luma = colour @ np.array([0.299, 0.587, 0.114])
    assert abs(in_colour(colour, "grey") - luma).max() < 1
    for image in (xray, colour):
        assert in_colour(image, "source") is image


def test_a_file_too_long_for_jpeg_is_refused():
    with pytest.raises(SynthesisError, match="longer than 65500"):
        encode_jpeg(np.zeros((1, 65_501), np.uint8))


@pytest.mark.parametrize(("data", "reason"), [(b"", "empty"), (b"no image at all", "known format")])
def test_what_is_no_image_is_said(data, reason):
    with pytest.raises(SynthesisError, match=reason):
        decode(data)


def test_a_cut_off_file_is_broken(xray):
    data = encode_jpeg(xray)
    with pytest.raises(SynthesisError, match="broken"):
        decode(data[: len(data) // 2])
