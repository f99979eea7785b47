"""`rig doctor` says whether x-rays from hospitals can be read here, and which."""

from __future__ import annotations

import json
from types import SimpleNamespace

from pydicom.pixels.decoders.base import get_decoder

from rig.cli import main
from rig.commands import doctor_dicom
from rig.dicom import decoding


def test_what_is_not_installed_is_told_with_its_remedy_and_not_imported():
    def never():
        raise AssertionError("nothing to ask")

    found = list(doctor_dicom.examine(find=lambda _name: None, readable=never))
    assert [(one.what, one.status) for one in found] == [("DICOM", "ok"), ("PACS", "ok")]
    assert all("not installed" in one.detail for one in found)
    assert found[0].remedy == "pip install 'capture-rig[dicom]'"
    assert "pacs" in found[1].remedy


def test_pydicom_without_the_archives_part_says_so():
    found = list(
        doctor_dicom.examine(
            find=lambda name: name == "pydicom" or None, readable=decoding.readable
        )
    )
    assert [one.what for one in found] == ["DICOM", "DICOM codecs", "PACS"]
    assert "pydicom 3." in found[0].detail
    assert "not installed" in found[2].detail


def test_every_syntax_of_the_importer_is_asked_about_and_can_be_read_with_the_extra():
    told = decoding.readable()
    assert len(told) == len(decoding.NATIVE) + len(decoding.PLUGINS)
    assert all(told.values())
    assert {"ImplicitVR", "JPEGLosslessSV1", "JPEGLSLossless", "HTJ2KLossless"} <= set(told)


def test_a_codec_that_is_missing_is_told_by_what_it_would_read(monkeypatch):
    """Without GDCM: no lossless JPEG, and no twelve bits of the extended one."""

    def without(syntax):
        there = [one for one in get_decoder(syntax).available_plugins if one != "gdcm"]
        return SimpleNamespace(available_plugins=there)

    monkeypatch.setattr(decoding, "get_decoder", without)
    *_, codecs, _pacs = doctor_dicom.examine()
    assert codecs.status == "warn"
    cannot, can = codecs.detail.removeprefix("cannot be read here: ").split("; can: ")
    assert cannot.split(", ") == ["JPEGExtended12Bit", "JPEGLossless", "JPEGLosslessSV1"]
    assert "JPEGBaseline8Bit" in can.split(", ")
    assert "capture-rig[dicom]" in codecs.remedy


def test_the_command_tells_it(tmp_path, capsys):
    main(["doctor", "--home", str(tmp_path), "--json"])
    found = {one["what"]: one for one in json.loads(capsys.readouterr().out)["findings"]}
    assert "JPEG2000" in found["DICOM codecs"]["detail"]
    assert found["PACS"]["detail"] == "installed"
