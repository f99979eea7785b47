"""One dataset, or one reason."""

from __future__ import annotations

import io
import logging
import traceback
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid

from rig.dicom.decoding import decode
from rig.dicom.reading import check, origin, read
from rig.dicom.refusal import Reason, Refused

_FIXTURES = [HealthCheck.function_scoped_fixture]


def take(data):
    """Everything there is to a file."""
    dataset = read(data)
    check(dataset)
    origin(dataset)
    return decode(dataset)


def reason_of(data):
    with pytest.raises(Refused) as refused:
        take(data)
    return refused.value.reason


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"Rows": 0}, Reason.ZERO_SIZE),
        ({"Columns": 0}, Reason.ZERO_SIZE),
        ({"Rows": None}, Reason.ZERO_SIZE),
        ({"NumberOfFrames": 2}, Reason.MULTI_FRAME),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, Reason.COLOUR),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, Reason.COLOUR),
        ({"PhotometricInterpretation": "YBR_FULL_422", "SamplesPerPixel": 3}, Reason.COLOUR),
        ({"PhotometricInterpretation": None}, Reason.DAMAGED),
        ({"BitsAllocated": 32, "BitsStored": 32}, Reason.DEPTH),
        ({"BitsAllocated": 1, "BitsStored": 1}, Reason.DEPTH),
        ({"BitsStored": 17}, Reason.DEPTH),
        ({"BitsAllocated": None, "BitsStored": None}, Reason.DEPTH),
        ({"Rows": 60000, "Columns": 60000}, Reason.TOO_LARGE),
        ({"Rows": 49}, Reason.TRUNCATED),
    ],
)
def test_what_is_no_single_monochrome_image_is_refused(kit, elements, reason):
    assert reason_of(kit.file(kit.dataset(kit.ramp(), **elements))) is reason


@pytest.mark.parametrize(
    "keyword", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]
)
def test_a_missing_uid_is_told(kit, keyword):
    data = kit.file(kit.dataset(kit.ramp(), **{keyword: None}))
    assert reason_of(data) is Reason.MISSING_UID


def test_a_uid_that_is_none_is_told(kit):
    dataset = kit.dataset(kit.ramp())
    dataset[0x00080018] = kit.raw_element(0x00080018, "UI", b"CANARY")
    assert reason_of(kit.file(dataset)) is Reason.BAD_UID


def test_a_file_stripped_as_vindrs_are_is_known_by_its_file_meta_information(kit):
    stripped = dict.fromkeys(
        ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID")
    )
    found = origin(read(kit.file(kit.dataset(kit.ramp(), **stripped))))
    assert (found.sop, found.study, found.patient) == ("1.2.9", "", "")
    assert found.sop_class == uid.DigitalXRayImageStorageForPresentation


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.TRUNCATED),
        (b"image_id,rad_id\n1,2\n" * 20, Reason.NOT_DICOM),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 200, Reason.NOT_DICOM),
        (b"\0" * 128 + b"DICM", Reason.NOT_DICOM),
        (b"\0" * 4000, Reason.NOT_DICOM),
    ],
)
def test_what_is_no_dicom_is_told(data, reason):
    assert reason_of(data) is reason


def test_a_file_without_preamble_and_meta_is_read(kit):
    dataset = kit.dataset(kit.ramp(), BitsStored=12)
    whole = kit.file(dataset)
    length = int.from_bytes(whole[140:144], "little")
    assert (decode(read(whole[144 + length :])) == kit.ramp()).all()


def test_no_pixels_is_told(kit):
    dataset = kit.dataset(kit.ramp())
    del dataset.PixelData
    assert reason_of(kit.file(dataset)) is Reason.NO_PIXELS


@settings(max_examples=60, deadline=None, suppress_health_check=_FIXTURES)
@given(st.floats(0, 1))
@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_cut_anywhere_is_refused(kit, compressed, share):
    dataset = kit.dataset(kit.ramp(), BitsStored=12)
    syntax = uid.ExplicitVRLittleEndian
    if compressed:
        syntax = uid.JPEG2000Lossless
        dataset.compress(syntax, generate_instance_uid=False)
    whole = kit.file(dataset, syntax)
    # The last item of a compressed image is an empty delimiter of eight bytes.
    assert reason_of(whole[: int(share * (len(whole) - 9))])


@settings(max_examples=120, deadline=None, suppress_health_check=_FIXTURES)
@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=12))
def test_damaged_bytes_give_an_image_or_a_refusal(kit, damage):
    """Parse it or raise the one declared error."""
    data = bytearray(kit.file(kit.dataset(kit.ramp(), BitsStored=12)))
    for place, byte in damage:
        data[place % len(data)] = byte
    with suppress(Refused):
        assert take(bytes(data)).ndim == 2


@pytest.mark.parametrize("cut", [300, 60_000])
def test_a_refusal_carries_nothing_of_the_header(kit, caplog, capfd, cut):
    data = kit.poisoned(kit.ramp(), PatientID="CANARY")
    bad = data[:132] + data[132:cut] + b"\xff" * 7 + data[cut + 3 : cut + 900]
    with caplog.at_level(logging.DEBUG), pytest.raises(Refused) as refused:
        take(bad)
    error = refused.value
    told = "".join(traceback.format_exception(error)).replace(__file__, "")
    shown = capfd.readouterr()
    assert "CANARY" not in told + repr(error.args) + caplog.text + shown.out + shown.err
    assert error.__cause__ is None
    assert error.__context__ is None


def test_a_dicomdir_is_no_image(kit):
    assert reason_of(kit.dicomdir(("A", "ONE"))) is Reason.DIRECTORY


def test_a_path_that_cannot_be_read_is_refused(tmp_path):
    assert reason_of(tmp_path / "absent") is Reason.UNREADABLE


def test_sixteen_bit_words_in_implicit_syntax(kit):
    stored = np.array([[1, 2], [40_000, 65_535]], np.uint16)
    data = kit.file(kit.dataset(stored), uid.ImplicitVRLittleEndian)
    assert (decode(read(io.BytesIO(data).getvalue())) == stored).all()
