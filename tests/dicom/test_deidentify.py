"""What leaves: 25 elements, marks, new UIDs, and not a byte of anything else."""

from __future__ import annotations

import logging
import re

import numpy as np
import pytest
from pydicom import uid
from pydicom.encaps import encapsulate
from pydicom.tag import Tag
from pydicom.uid import UID

from rig.dicom.decoding import decode
from rig.dicom.deidentify import MARKS, WHITELIST, deidentify
from rig.dicom.pseudonyms import Pseudonyms
from rig.dicom.reading import origin, read
from rig.dicom.rendering import render

NAMES = Pseudonyms(b"k" * 32)


def cleaned(data, **options):
    dataset = read(data)
    return deidentify(dataset, decode(dataset), origin(dataset), NAMES, **options)


def test_the_whitelist_is_vindrs_table_4():
    """Tag by tag as in `de-identification/tags.csv` of vinbigdata-medical/vindr-cxr."""
    published = {
        0x00100040, 0x00101010, 0x00101020, 0x00101030, 0x00280002, 0x00280004, 0x00280008,
        0x00280010, 0x00280011, 0x00280030, 0x00280034, 0x00280100, 0x00280101, 0x00280102,
        0x00280103, 0x00280106, 0x00280107, 0x00281050, 0x00281051, 0x00281052, 0x00281053,
        0x00282110, 0x00282112, 0x00282114, 0x7FE00010,
    }  # fmt: skip
    assert len(WHITELIST) == 25
    assert {int(Tag(one)) for one in WHITELIST} == published


def test_no_canary_survives_wherever_it_was(kit, caplog, capfd):
    """One in every element of the dictionary, in private, nested, overlay, icon, preamble, meta."""
    stored = kit.ramp().copy()
    stored[:] = (stored & 0x0FFF) | 0x5000  # unused bits
    # The bits above the twelve spell nothing, but a run of whole words could.
    stored.reshape(-1)[:3] = np.frombuffer(kit.canary, "<u2")
    data = kit.poisoned(stored, BitsStored=12, PatientID="CANARY")
    assert data.count(kit.canary) > 4000
    with caplog.at_level(logging.DEBUG):
        clean = cleaned(data)
    assert kit.canary not in clean
    assert b"NARY" not in clean
    assert b"NESTED" not in clean
    assert clean[:128] == b"\0" * 128
    told = capfd.readouterr()
    assert "CANARY" not in caplog.text + told.out + told.err
    found = read(clean)
    assert {one.keyword for one in found} <= {*WHITELIST, *MARKS}
    assert (decode(found) == (stored & 0x0FFF)).all()


def test_what_is_kept_is_kept_only_if_it_is_what_it_should_be(kit):
    """Names in the very elements of the whitelist."""
    dataset = read(kit.file(kit.dataset(kit.ramp(), BitsStored=12)))
    for keyword in WHITELIST:
        if keyword in dataset and keyword != "WindowCenter":
            continue
        tag = UIDLESS[keyword]
        dataset[tag] = kit.raw_element(tag, "LO", kit.canary)
    clean = cleaned(kit.file(dataset))
    assert kit.canary not in clean
    assert "PatientSex" not in read(clean)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("LossyImageCompressionMethod", b"CANARY"),
        ("LossyImageCompressionMethod", b"ISO_10918_1\\CANARY"),
        ("LossyImageCompressionRatio", b"10\\555123"),  # a telephone number
        ("PatientWeight", b"5551234"),
        ("PatientSize", b"1964.0322"),
        ("PixelSpacing", b"0.1\\555123"),
        ("WindowCenter", b"19640322"),
        ("RescaleIntercept", b"19640322"),
    ],
)
def test_one_implausible_value_takes_its_element_with_it(kit, keyword, value):
    dataset = read(kit.file(kit.dataset(kit.ramp(), LossyImageCompression="01", WindowWidth=500)))
    tag = UIDLESS[keyword]
    dataset[tag] = kit.raw_element(tag, "DS", value + b" " * (len(value) % 2))
    clean = cleaned(kit.file(dataset))
    assert value not in clean
    found = read(clean)
    assert found.LossyImageCompression == "01"
    if keyword != "WindowCenter":
        assert keyword not in found
        return
    # Nothing of it is left: both are measured, since the picture shows the percentiles.
    low, high = np.percentile(kit.ramp(), (1, 99))
    assert found.WindowCenter == pytest.approx((low + high) / 2 + 0.5)
    assert found.WindowWidth == pytest.approx(high - low + 1)


UIDLESS = {
    "PatientSex": 0x00100040,
    "PatientAge": 0x00101010,
    "PatientSize": 0x00101020,
    "PatientWeight": 0x00101030,
    "LossyImageCompression": 0x00282110,
    "LossyImageCompressionRatio": 0x00282112,
    "LossyImageCompressionMethod": 0x00282114,
    "NumberOfFrames": 0x00280008,
    "PixelSpacing": 0x00280030,
    "PixelAspectRatio": 0x00280034,
    "SmallestImagePixelValue": 0x00280106,
    "LargestImagePixelValue": 0x00280107,
    "WindowCenter": 0x00281050,
    "WindowWidth": 0x00281051,
    "RescaleIntercept": 0x00281052,
    "RescaleSlope": 0x00281053,
}


def test_comments_in_a_compressed_stream_do_not_come_along(kit):
    stored = kit.ramp(8)
    stream = kit.jpeg(stored)
    comment = b"\xff\xfe" + (2 + 6).to_bytes(2, "big") + kit.canary
    dataset = kit.with_stream(kit.dataset(stored), stream[:2] + comment + stream[2:])
    data = kit.file(dataset, uid.JPEGBaseline8Bit)
    assert kit.canary in data
    assert kit.canary not in cleaned(data)


def test_bytes_behind_the_pixels_do_not_come_along(kit):
    dataset = kit.dataset(kit.ramp(), BitsStored=12)
    dataset["PixelData"].value += kit.canary
    assert kit.canary not in cleaned(kit.file(dataset))


def test_good_values_of_the_whitelist_come_through(kit):
    values = {
        "PatientSex": "F",
        "PatientAge": "057Y",
        "PatientSize": 1.62,
        "PatientWeight": 58.5,
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": [10, 2.5],
        "LossyImageCompressionMethod": ["ISO_15444_1", "ISO_10918_1"],
        "NumberOfFrames": 1,
        "PixelSpacing": [0.139, 0.139],
        "PixelAspectRatio": [1, 1],
        "SmallestImagePixelValue": 3,
        "LargestImagePixelValue": 9,
        "WindowCenter": [2048, 1000.5],
        "WindowWidth": [4096, 500],
        "RescaleIntercept": -1024,
        "RescaleSlope": 1.5,
        "BitsStored": 12,
    }
    found = read(cleaned(kit.file(kit.dataset(kit.ramp(), **values))))
    for keyword, value in values.items():
        if "ImagePixelValue" not in keyword:
            assert found[keyword].value == value, keyword
    # Those two are measured anew.
    stored = kit.ramp()
    assert found.SmallestImagePixelValue == stored.min()
    assert found.LargestImagePixelValue == stored.max()
    assert set(WHITELIST) <= {one.keyword for one in found}


def test_uids_are_new_valid_and_consistent(kit):
    def one(sop, series="1.2.3.4.9", study="1.2.3.4"):
        data = kit.dataset(
            kit.ramp(), SOPInstanceUID=sop, SeriesInstanceUID=series, StudyInstanceUID=study
        )
        return read(cleaned(kit.file(data)))

    first, again, other, apart = (
        one("1.2.3.1"),
        one("1.2.3.1"),
        one("1.2.3.2"),
        one("1.9", "1.8", "1.7"),
    )
    for found in (first, other, apart):
        for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
            new = UID(found[keyword].value)
            assert new.is_valid
            assert new.startswith("2.25.")
            assert len(new) <= 64
        assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID
        assert found.file_meta.MediaStorageSOPClassUID == found.SOPClassUID
        assert found.SOPClassUID == uid.DigitalXRayImageStorageForPresentation
    assert first.SOPInstanceUID == again.SOPInstanceUID != other.SOPInstanceUID
    assert first.StudyInstanceUID == other.StudyInstanceUID != apart.StudyInstanceUID
    assert first.SeriesInstanceUID == other.SeriesInstanceUID != apart.SeriesInstanceUID
    assert b"1.2.3.4" not in cleaned(kit.file(kit.dataset(kit.ramp())))


def test_the_same_uid_gets_another_name_at_another_site():
    assert NAMES.new_uid("1.2.3") != Pseudonyms(b"j" * 32).new_uid("1.2.3")


def test_the_marks_of_the_standard(kit):
    found = read(cleaned(kit.file(kit.dataset(kit.ramp()))))
    assert found.PatientIdentityRemoved == "YES"
    assert found.LongitudinalTemporalInformationModified == "REMOVED"
    assert len(found.DeidentificationMethod) <= 64
    codes = [one.CodeValue for one in found.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113108"]
    assert "BurnedInAnnotation" not in found
    seen = read(cleaned(kit.file(kit.dataset(kit.ramp())), pixels_reviewed=True))
    codes = [one.CodeValue for one in seen.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113101", "113108"]
    assert seen.BurnedInAnnotation == "NO"


def test_the_file_meta_information_is_rebuilt(kit):
    data = kit.poisoned(kit.ramp())
    assert read(data).file_meta.SourceApplicationEntityTitle == "CANARY"
    meta = read(cleaned(data)).file_meta
    assert {one.keyword for one in meta} == {
        "FileMetaInformationGroupLength", "FileMetaInformationVersion", "MediaStorageSOPClassUID",
        "MediaStorageSOPInstanceUID", "TransferSyntaxUID", "ImplementationClassUID",
        "ImplementationVersionName",
    }  # fmt: skip
    assert meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian


@pytest.mark.parametrize("written", ["099Y", "090Y", "104Y", "999M", "102"])
def test_great_ages_are_capped(kit, written):
    dataset = read(kit.file(kit.dataset(kit.ramp())))
    dataset[0x00101010] = kit.raw_element(0x00101010, "AS", written.encode())
    found = read(cleaned(kit.file(dataset)))
    assert found.PatientAge == ("999M" if written == "999M" else "090Y")  # 83 years


def test_an_age_is_worked_out_before_the_dates_go(kit):
    data = kit.file(kit.dataset(kit.ramp(), PatientBirthDate="19640322", StudyDate="20210321"))
    clean = cleaned(data)
    assert read(clean).PatientAge == "056Y"
    assert b"19640322" not in clean
    assert b"20210321" not in clean


@pytest.mark.parametrize(
    "name",
    [
        "made_chest_dx_MONOCHROME1_12bit_jpeglossless_FAKE_PHI.dcm",
        "made_chest_dx_MONOCHROME2_8bit_jpeg2000_BURNED_IN_FAKE_TEXT.dcm",
        "chest_cr_pa_MONOCHROME1_15bit_jpeg2000.dcm",
        "vindr/train/d8183eadbf3e1ef844c5665799baa1ca.dicom",
    ],
)
def test_real_files_look_the_same_afterwards_and_say_nothing(kit, name):
    before = read(kit.data / name)
    clean = cleaned(kit.data / name)
    after = read(clean)
    assert (render(after, decode(after)) == render(before, decode(before))).all()
    assert not re.search(rb"FAKE|TESTPATIENT|Nowhere|555-0100|19990101", clean)
    assert {one.keyword for one in after} <= {*WHITELIST, *MARKS}


def test_a_shape_that_is_not_kept_is_told_by_the_photometric_interpretation(kit):
    before = kit.dataset(
        kit.ramp(), PresentationLUTShape="INVERSE", WindowCenter=2048, WindowWidth=4096
    )
    data = kit.file(before)
    after = read(cleaned(data))
    assert after.PhotometricInterpretation == "MONOCHROME1"
    assert (render(after, decode(after)) == render(read(data), decode(read(data)))).all()


def test_eight_bits_of_an_odd_number_of_pixels_are_padded(kit):
    stored = np.arange(15, dtype=np.uint8).reshape(3, 5)
    after = read(cleaned(kit.file(kit.dataset(stored))))
    assert len(after.PixelData) == 16
    assert (decode(after) == stored).all()


def test_a_frame_in_several_fragments_is_no_hiding_place(kit):
    stored = kit.ramp(8)
    stream = kit.jpeg(stored)
    dataset = kit.with_stream(kit.dataset(stored), stream)
    half = len(stream) // 4 * 2
    # Behind the end of the stream, in the last fragment, where decoders do not look.
    dataset["PixelData"].value = encapsulate(
        [stream[:half] + stream[half:] + kit.canary], fragments_per_frame=2, has_bot=False
    )
    assert kit.canary not in cleaned(kit.file(dataset, uid.JPEGBaseline8Bit))
