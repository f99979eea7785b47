import io

import numpy as np
import pytest
from PIL import Image

from rig.synthesis.image import decode, encode_jpeg, encode_png
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


def test_sixteen_bits_are_refused_not_clipped(xray):
    deep = Image.fromarray(xray.astype(np.uint16) * 257)
    with pytest.raises(SynthesisError, match="more than 8 bits"):
        decode(saved(deep))


@pytest.mark.parametrize(("data", "reason"), [(b"", "empty"), (b"no image at all", "known format")])
def test_what_is_no_image_is_said(data, reason):
    with pytest.raises(SynthesisError, match=reason):
        decode(data)


def test_a_cut_off_file_is_broken(xray):
    data = encode_jpeg(xray)
    with pytest.raises(SynthesisError, match="broken"):
        decode(data[: len(data) // 2])
