"""Header rules: what is surely no frontal chest film is refused, what may be waits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rig.dicom.decoding import decode
from rig.dicom.header import OTHER, header_of
from rig.dicom.reading import read
from rig.dicom.rendering import render
from rig.dicom.screening import Decision, Screening, screen

BURNED = "made_chest_dx_MONOCHROME2_8bit_jpeg2000_BURNED_IN_FAKE_TEXT.dcm"


def judged(kit, how=None, **elements):
    dataset = kit.dataset(kit.ramp(8), **elements)
    shown = np.random.default_rng(1).integers(0, 255, (300, 360)).astype(np.uint8)
    return screen(header_of(dataset), shown, *([how] if how else []))


def rules(verdict):
    return {one.rule for one in verdict.doubts}


@pytest.mark.parametrize(
    ("name", "rule", "word"),
    [
        ("NEGATIVE_hip_cr_MONOCHROME2_10bit_jpeg_extended.dcm", "body part", "HIP"),
        ("NEGATIVE_lowerleg_cr_MONOCHROME1_10bit_jpeg2000.dcm", "body part", "EXTREMITY"),
        ("NEGATIVE_ct_slice_16bit_jpegls.dcm", "modality", "CT"),
        ("NEGATIVE_mr_slice_16bit_rle.dcm", "modality", "MR"),
    ],
)
def test_real_negatives_are_refused_for_the_right_reason(kit, name, rule, word):
    dataset = read(kit.data / name)
    verdict = screen(header_of(dataset), render(dataset, decode(dataset)))
    assert verdict.decision is Decision.REFUSE
    (doubt,) = [one for one in verdict.doubts if one.rule == rule]
    assert word in doubt.sentence


def test_a_lateral_view_is_refused_unless_wanted(kit):
    assert rules(judged(kit, ViewPosition="LL")) >= {"view"}
    assert judged(kit, ViewPosition="LL").decision is Decision.REFUSE
    assert "view" not in rules(judged(kit, Screening(laterals=True), ViewPosition="LL"))


def test_burned_in_text_by_the_header_waits_for_a_person(kit):
    verdict = judged(kit, BurnedInAnnotation="YES")
    assert "burned-in text" in rules(verdict)
    assert verdict.decision is Decision.REVIEW


def test_no_text_of_a_header_gets_into_a_sentence(kit):
    verdict = judged(
        kit, Modality="SMITH", BodyPartExamined="SMITH JOHN", ViewPosition="SMITH",
        PatientSex="X", BurnedInAnnotation="SMITH", PresentationIntentType="SMITH",
    )  # fmt: skip
    assert {"modality", "body part", "view"} <= rules(verdict)
    assert "SMITH" not in repr(verdict)


def test_a_header_holds_closed_vocabularies_only(kit):
    dataset = kit.dataset(
        kit.ramp(8), Modality="SMITH", BodyPartExamined="chest", ViewPosition="JOHN",
        PatientSex="S", PhotometricInterpretation="MONOCHROME2",
    )  # fmt: skip
    header = header_of(dataset)
    assert (header.modality, header.body_part, header.view) == (OTHER, "CHEST", OTHER)
    assert header.sex == ""


def test_the_modality_is_known_from_the_sop_class_when_it_is_not_told(kit):
    assert header_of(kit.dataset(kit.ramp(8), Modality=None)).modality == "DX"


def test_children_are_refused_unless_wanted(kit):
    assert judged(kit, PatientAge="015Y").decision is Decision.REFUSE
    assert "age" in rules(judged(kit, PatientAge="015Y"))
    assert "age" not in rules(judged(kit, PatientAge="016Y"))
    assert "age" not in rules(judged(kit, Screening(children=True), PatientAge="015Y"))


def test_fewer_than_eight_bits_are_looked_at(kit):
    dataset = kit.dataset(kit.ramp(8))
    header = replace(header_of(dataset), bits_stored=6)
    shown = np.random.default_rng(1).integers(0, 255, (300, 360)).astype(np.uint8)
    assert "bits" in rules(screen(header, shown))


def test_text_in_the_picture_makes_doubt_and_boxes_unless_nobody_searches(kit):
    dataset = read(kit.data / BURNED)
    header = replace(header_of(dataset), burned_in="")
    shown = render(dataset, decode(dataset))
    verdict = screen(header, shown)
    assert verdict.decision is Decision.REVIEW
    (doubt,) = verdict.doubts
    assert doubt.rule == "burned-in text"
    assert doubt.score == len(verdict.boxes) >= 4
    assert screen(header, shown, Screening(text=False)).decision is Decision.ACCEPT


def test_a_refused_picture_is_not_searched_for_text(kit):
    dataset = read(kit.data / BURNED)
    header = replace(header_of(dataset), modality="CT")
    verdict = screen(header, render(dataset, decode(dataset)))
    assert verdict.decision is Decision.REFUSE
    assert verdict.boxes == ()
