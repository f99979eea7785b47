"""The benchmark of DICOM runs, checks what it decodes and tells what it promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import dicom, dicom_sheet
from bench.__main__ import main

DATA = Path(__file__).parents[1] / "dicom" / "data"


def test_every_step_is_measured_beside_pydicom_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rates of all syntaxes and steps, and of the whole import; nothing is left behind."""
    monkeypatch.setattr(dicom, "SIZE", (300, 280))
    words = ["dicom", "--captures", "2", "--runs", "2", "--dir", str(tmp_path), "--json"]
    assert main(words) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["bench"], result["images"], result["runs"]) == ("dicom", 2, 2)
    assert list(result["images_per_s"]) == ["uncompressed", "RLE", "JPEG-LS", "JPEG 2000"]
    for steps in result["images_per_s"].values():
        assert {"decode", "decode, pydicom alone", "decode and render"} < set(steps)
        for rate in steps.values():
            assert 0 < rate["min"] <= rate["median"] <= rate["max"]
    assert result["import_images_per_s"]["min"] > 0
    assert "x pydicom alone" in dicom.table(result)
    assert list(tmp_path.iterdir()) == []


def test_the_sheet_shows_every_image(tmp_path: Path) -> None:
    """A picture of as many cards as there are files."""
    files = [DATA / "NEGATIVE_mr_slice_16bit_rle.dcm", DATA / "NEGATIVE_ct_slice_16bit_jpegls.dcm"]
    out = tmp_path / "sheet.png"
    assert dicom_sheet.main([*map(str, files), "--out", str(out)]) == 0
    page = dicom_sheet.sheet(files, columns=1)
    assert page.height > 2 * dicom_sheet.PICTURE
    assert out.stat().st_size > 10_000
