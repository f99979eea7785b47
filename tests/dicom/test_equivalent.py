"""A de-identified file looks like its picture, as far as a window can say it; else it is told."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_windowing
from pydicom.sequence import Sequence

from rig.dicom.decoding import decode
from rig.dicom.deidentify import WHITELIST, deidentify
from rig.dicom.doubts import Decision
from rig.dicom.equivalent import kept_window, nearest, remark
from rig.dicom.pseudonyms import Pseudonyms
from rig.dicom.reading import origin, read
from rig.dicom.rendering import grey_of, render

NAMES = Pseudonyms(b"k" * 32)


def lut(count, first, bits, data):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [count, first, bits])
    item.add_new("LUTData", "US", data)
    return Sequence([item])


def both(kit, stored=None, **elements):
    """A file, and what is released of it."""
    pixels = kit.ramp() if stored is None else stored
    before = read(kit.file(kit.dataset(pixels, **{"BitsStored": 12, **elements})))
    after = read(deidentify(before, decode(before), origin(before), NAMES))
    return before, after


def off(before, after):
    """Grey levels that the released file is off its picture at most."""
    shown = [render(one, decode(one)).astype(int) for one in (before, after)]
    return np.abs(shown[0] - shown[1]).max()


def told(dataset):
    stored = decode(dataset)
    return remark(kept_window(dataset, stored, grey_of(dataset, stored)))


BENT = [int(4095 * (n / 4095) ** 2) for n in range(4096)]


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    "elements",
    [
        {"WindowCenter": 1000, "WindowWidth": 500},
        {"WindowCenter": 1000, "WindowWidth": 500, "VOILUTFunction": "LINEAR_EXACT"},
        {"WindowCenter": 1000.3, "WindowWidth": 0.7, "VOILUTFunction": "LINEAR_EXACT"},
        {"WindowCenter": [0, 1500], "WindowWidth": [0, 800]},  # the first is none
        {"WindowCenter": [9e5, 1500], "WindowWidth": [2, 800]},  # the first shows one grey
        {"WindowCenter": 1500, "WindowWidth": [800, 400]},
        {},
        {"PixelPaddingValue": 0},
        {"RescaleSlope": -0.5, "RescaleIntercept": 2000, "WindowCenter": 900, "WindowWidth": 700},
        {"RescaleSlope": 2, "WindowCenter": 2000, "WindowWidth": 3000},
        {"RescaleSlope": 0, "RescaleIntercept": 7, "WindowCenter": 2000, "WindowWidth": 3000},
        {"RescaleIntercept": 700, "WindowCenter": 2000, "WindowWidth": 3000},
    ],
    ids=str,
)
def test_what_a_window_can_say_looks_the_same_and_needs_no_word(kit, elements, photometric):
    before, after = both(kit, PhotometricInterpretation=photometric, **elements)
    assert off(before, after) == 0
    assert told(before) == ()
    assert "VOILUTFunction" not in after


def test_linear_exact_by_hand(kit):
    """C.11.2.1.3.2 and C.11.2.1.2: half a value further, and one wider."""
    _, after = both(kit, WindowCenter=1000, WindowWidth=500, VOILUTFunction="LINEAR_EXACT")
    assert (after.WindowCenter, after.WindowWidth) == (1000.5, 501)


def test_all_windows_of_a_header_are_kept_when_its_first_counts(kit):
    _, after = both(kit, WindowCenter=[1000, 2000], WindowWidth=[500, 3000])
    assert (list(after.WindowCenter), list(after.WindowWidth)) == ([1000, 2000], [500, 3000])


@pytest.mark.parametrize(
    ("elements", "word", "most"),
    [
        ({"WindowCenter": 2000, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"}, "SIGMOID", 24),
        ({"VOILUTSequence": lut(4096, 0, 12, BENT)}, "VOI LUT", 60),
        (
            {
                "ModalityLUTSequence": lut(4096, 0, 12, BENT),
                "WindowCenter": 2000,
                "WindowWidth": 4096,
            },
            "modality LUT and a window",
            60,
        ),
    ],
    ids=["sigmoid", "VOI LUT", "modality LUT"],
)
def test_what_no_window_can_say_is_told_with_how_far_it_is_off(kit, elements, word, most):
    """Nearer than the window of the header, taken for LINEAR as a viewer would."""
    before, after = both(kit, **elements)
    (doubt,) = told(before)
    assert (doubt.rule, doubt.decision) == ("window", Decision.ACCEPT)
    assert word in doubt.sentence
    assert 1 < off(before, after) == round(doubt.score) <= most
    assert {one.keyword for one in after} & {"VOILUTFunction", "VOILUTSequence"} == set()
    if "WindowCenter" in elements:
        naive = read(kit.file(kit.dataset(kit.ramp(), BitsStored=12, **{
            name: elements[name] for name in ("WindowCenter", "WindowWidth")})))  # fmt: skip
        assert mean_off(before, after) < mean_off(before, naive)


def mean_off(one, other):
    shown = [render(each, decode(each)).astype(int) for each in (one, other)]
    return np.square(shown[0] - shown[1]).mean()


def test_a_table_that_is_a_ramp_is_said_by_a_window_within_a_grey_level(kit):
    table = [min(4095, max(0, 2 * (n - 700))) for n in range(4096)]
    before, after = both(kit, VOILUTSequence=lut(4096, 0, 12, table))
    assert off(before, after) <= 1
    assert told(before) == ()


def test_a_table_that_falls_has_no_window_and_that_is_told(kit):
    before, after = both(kit, VOILUTSequence=lut(4096, 0, 12, BENT[::-1]), WindowCenter=9,
                         WindowWidth=900)  # fmt: skip
    assert "WindowCenter" not in after
    assert "WindowWidth" not in after
    (doubt,) = told(before)
    assert "it has no window" in doubt.sentence


def test_the_nearest_window_of_a_window_is_itself():
    values = np.arange(0, 4096, dtype=float)
    wanted = np.clip((values - 1000) / 500, 0, 1)
    centre, width = nearest(values, wanted, np.ones(4096))
    assert centre == pytest.approx(1250.5, abs=2)
    assert width == pytest.approx(501, abs=4)


def test_one_value_has_no_nearest_window():
    assert nearest(np.array([3.0]), np.array([0.2]), np.array([9])) is None


@pytest.mark.parametrize(("function", "most"), [("LINEAR_EXACT", 1), ("SIGMOID", 24), (None, 1)])
def test_another_reader_shows_the_released_file_as_the_picture(kit, function, most):
    """pydicom's own windowing, which knows nothing of ours."""
    window = {} if function is None else {"WindowCenter": 1900, "WindowWidth": 900}
    before, after = both(kit, VOILUTFunction=function, **window)
    seen = apply_windowing(after.pixel_array, after) / 4095 * 255
    assert np.abs(seen - render(before, decode(before)).astype(float)).max() <= most


def test_nothing_is_added_to_the_whitelist():
    assert len(WHITELIST) == 25
    assert not {"VOILUTFunction", "VOILUTSequence", "ModalityLUTSequence"} & set(WHITELIST)
