"""Stored values to grey levels, against values worked out by hand from PS3.3."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from rig.dicom.decoding import decode
from rig.dicom.rendering import How, grey_of, render


def shown(kit, stored, bits=8, **elements):
    dataset = kit.dataset(stored, **elements)
    return render(dataset, decode(dataset), bits)


def row(*values, kind=np.uint16):
    return np.array([values], kind)


def lut(count, first, bits, data):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [count, first, bits])
    item.add_new("LUTData", "US", data)
    return Sequence([item])


# Centre 1000, width 500, as in C.11.2.1.2.1: black up to 999.5 - 249.5 = 750, white beyond
# 999.5 + 249.5 = 1249, between ((x - 999.5) / 499 + 0.5) * 255.
@pytest.mark.parametrize(
    ("function", "values", "greys"),
    [
        (
            "LINEAR",
            (0, 750, 875, 1000, 1125, 1249, 1250, 4095),
            (0, 0, 64, 128, 192, 255, 255, 255),
        ),
        (None, (751, 999, 1248), (1, 127, 254)),
        # C.11.2.1.3.2: black up to 750, white beyond 1250, between ((x - 1000) / 500 + 0.5) * 255.
        ("LINEAR_EXACT", (750, 751, 875, 1000, 1125, 1250), (0, 1, 64, 128, 191, 255)),
        # C.11.2.1.3.1: 255 / (1 + exp(-4 (x - 1000) / 500)).
        ("SIGMOID", (500, 875, 1000, 1125, 1500), (5, 69, 128, 186, 250)),
        ("NO SUCH FUNCTION", (875, 1000), (64, 128)),
    ],
)
def test_a_window_is_applied_as_the_standard_says(kit, function, values, greys):
    found = shown(kit, row(*values), WindowCenter=1000, WindowWidth=500, VOILUTFunction=function)
    assert found.dtype == np.uint8
    assert tuple(found[0]) == greys


def test_a_window_counts_in_values_after_rescale(kit):
    # 900 * 2 - 1000 = 800: ((800 - 999.5) / 499 + 0.5) * 255 = 25.55
    found = shown(
        kit, row(0, 900, 1000, 2000), WindowCenter=1000, WindowWidth=500,
        RescaleSlope=2, RescaleIntercept=-1000,
    )  # fmt: skip
    assert tuple(found[0]) == (0, 26, 128, 255)


def test_a_negative_slope_turns_the_picture(kit):
    found = shown(kit, row(0, 1000, 2000), WindowCenter=-999.5, WindowWidth=2001, RescaleSlope=-1)
    assert tuple(found[0]) == (255, 128, 0)


def test_signed_values_keep_their_sign(kit):
    # Centre 0, width 2001: ((x + 0.5) / 2000 + 0.5) * 255.
    found = shown(
        kit, row(-1000, -500, 0, 500, 1000, kind=np.int16), WindowCenter=0, WindowWidth=2001
    )
    assert tuple(found[0]) == (0, 64, 128, 191, 255)


def test_garbage_above_the_stored_bits_is_not_seen(kit):
    clean = shown(kit, row(0, 1000, 4095), BitsStored=12, WindowCenter=2048, WindowWidth=4096)
    dirty = shown(
        kit, row(0xA000, 0xF000 + 1000, 0x5FFF), BitsStored=12, WindowCenter=2048, WindowWidth=4096
    )
    assert tuple(clean[0]) == (0, 62, 255)
    assert (clean == dirty).all()


def test_garbage_below_and_above_a_high_bit_in_the_middle_is_not_seen(kit):
    # Ten bits stored in bits 4 to 13.
    found = shown(
        kit, row(0xC00F, (512 << 4) | 0xC003, (1023 << 4) | 0x8000), BitsStored=10, HighBit=13,
        WindowCenter=512, WindowWidth=1024,
    )  # fmt: skip
    assert tuple(found[0]) == (0, 128, 255)


def test_twelve_signed_bits_in_sixteen_with_a_dirty_top(kit):
    # 0x801 is -2047 in twelve bits, whatever stands above.
    dataset = kit.dataset(row(0x0801, 0x5FFF, 0x0000, 0xA7FF).view(np.int16), BitsStored=12)
    assert tuple(decode(dataset)[0]) == (-2047, -1, 0, 2047)


@pytest.mark.parametrize(
    ("photometric", "shape", "turned"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME1", None, True),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", "INVERSE", True),
    ],
)
def test_what_is_dark_for_large_values_is_turned_once(kit, photometric, shape, turned):
    found = shown(
        kit, row(0, 64, 255, kind=np.uint8), WindowCenter=128, WindowWidth=256,
        PhotometricInterpretation=photometric, PresentationLUTShape=shape,
    )  # fmt: skip
    assert tuple(found[0]) == ((255, 191, 0) if turned else (0, 64, 255))


def test_a_modality_lut_comes_before_the_window_and_beats_rescale(kit):
    found = shown(
        kit, row(0, 100, 101, 102, 103, 900), RescaleSlope=50, WindowCenter=128, WindowWidth=256,
        ModalityLUTSequence=lut(4, 100, 8, [0, 64, 128, 255]),
    )  # fmt: skip
    assert tuple(found[0]) == (0, 0, 64, 128, 255, 255)


def test_a_voi_lut_beats_the_window(kit):
    dataset = kit.dataset(
        row(0, 1, 2, 3), WindowCenter=1000, WindowWidth=500,
        VOILUTSequence=lut(3, 1, 10, [0, 1023, 341]),
    )  # fmt: skip
    grey = grey_of(dataset, decode(dataset))
    assert grey.how is How.VOI_LUT
    # 341 of 1023 is a third of white.
    assert tuple(render(dataset, decode(dataset))[0]) == (0, 0, 255, 85)


def test_a_lut_of_65536_entries_says_zero(kit):
    table = np.arange(65536, dtype=np.uint16)[::-1]
    found = shown(kit, row(0, 65535), VOILUTSequence=lut(0, 0, 16, table.tolist()))
    assert tuple(found[0]) == (255, 0)


def test_a_lut_that_makes_no_sense_is_passed_over(kit):
    found = shown(
        kit, row(750, 1000, 1250), WindowCenter=1000, WindowWidth=500,
        VOILUTSequence=lut(4096, 0, 12, [1, 2, 3]),
    )  # fmt: skip
    assert tuple(found[0]) == (0, 128, 255)


def test_of_several_windows_the_first_counts(kit):
    found = shown(kit, row(750, 1000, 1250), WindowCenter=[1000, 5], WindowWidth=[500, 1])
    assert tuple(found[0]) == (0, 128, 255)


def test_without_a_window_the_percentiles_of_all_pixels_set_the_greys(kit):
    stored = np.random.default_rng(3).integers(100, 3000, (50, 40)).astype(np.uint16)
    low, high = np.percentile(stored, [1, 99])
    wanted = np.floor(np.clip((stored - low) / (high - low), 0, 1) * 255 + 0.5)
    assert (shown(kit, stored) == wanted).all()


def test_padding_does_not_count_among_the_percentiles(kit):
    stored = np.full((10, 100), 2000, np.uint16)
    stored[:5] = np.arange(500).reshape(5, 100) + 1000
    dataset = kit.dataset(stored)
    dataset.add_new("PixelPaddingValue", "US", 2000)
    low, high = np.percentile(stored[:5], [1, 99])
    wanted = np.floor(np.clip((stored - low) / (high - low), 0, 1) * 255 + 0.5)
    assert (render(dataset, decode(dataset)) == wanted).all()


@pytest.mark.parametrize(
    ("centre", "width"),
    [
        ("1000", "0"),
        ("1000", "0.5"),
        ("1000", "-500"),
        ("NaN", "500"),
        ("1000", "inf"),
        ("1e30", "500"),
        ("1000", "1e30"),
        ("30000", "10"),  # all black
        ("SMITH", "JOHN"),
        ("", ""),
        ("1000", None),
    ],
)
def test_an_absurd_window_gives_way_to_the_percentiles(kit, centre, width):
    stored = np.arange(1000, dtype=np.uint16).reshape(20, 50)
    dataset = kit.dataset(stored)
    # Raw, as a file has it: pydicom would refuse to set some of these.
    for tag, value in ((0x00281050, centre), (0x00281051, width)):
        if value is not None:
            dataset[tag] = raw(tag, value)
    stored = decode(dataset)
    assert grey_of(dataset, stored).how is How.PERCENTILES
    assert (render(dataset, stored) == shown(kit, stored)).all()


def raw(tag, value):
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    data = value.encode() + b" " * (len(value) % 2)
    return RawDataElement(Tag(tag), "DS", len(data), data, 0, False, True)


def test_the_next_window_is_used_when_the_first_is_absurd(kit):
    found = shown(kit, row(750, 1000, 1250), WindowCenter=[7, 1000], WindowWidth=[0, 500])
    assert tuple(found[0]) == (0, 128, 255)


def test_a_width_of_one_is_a_threshold(kit):
    found = shown(kit, row(998, 999, 1000, 1001), WindowCenter=1000, WindowWidth=1)
    assert tuple(found[0]) == (0, 0, 255, 255)


@pytest.mark.parametrize("slope", [0, 1e300])
def test_an_absurd_slope_is_passed_over(kit, slope):
    found = shown(kit, row(750, 1000, 1250), WindowCenter=1000, WindowWidth=500, RescaleSlope=slope)
    assert tuple(found[0]) == (0, 128, 255)


def test_an_image_of_one_grey_is_no_error(kit):
    assert shown(kit, np.full((4, 4), 77, np.uint16)).max() == 0


def test_sixteen_bits_have_the_same_greys_finer(kit):
    stored = kit.ramp()
    options = {"BitsStored": 12, "WindowCenter": 2048, "WindowWidth": 4096}
    fine, coarse = shown(kit, stored, 16, **options), shown(kit, stored, **options)
    assert fine.dtype == np.uint16
    assert fine[0, 0] == 0
    assert len(np.unique(fine)) == len(np.unique(stored)) > 256
    # 1000: ((1000 - 2047.5) / 4095 + 0.5) * 65535 = 16003.67
    assert shown(kit, row(1000, 0, 4095), 16, **options)[0, 0] == 16004
    assert np.abs(fine / 257 - coarse).max() <= 0.51


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 15, 16])
def test_a_full_window_spans_black_to_white_at_every_depth(kit, bits):
    top = (1 << bits) - 1
    kind = np.uint8 if bits == 8 else np.uint16
    found = shown(
        kit, row(0, top, kind=kind), BitsStored=bits, WindowCenter=1 << (bits - 1),
        WindowWidth=1 << bits,
    )  # fmt: skip
    assert tuple(found[0]) == (0, 255)
