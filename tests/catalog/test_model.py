"""An x-ray answers in CheXpert's words."""

from __future__ import annotations

from pathlib import Path

from rig.catalog.model import COLUMNS, OBSERVATIONS, Xray


def test_columns_are_chexperts_nineteen() -> None:
    """Five columns about the image, then the 14 observations."""
    assert len(OBSERVATIONS) == len(set(OBSERVATIONS)) == 14
    assert COLUMNS[:5] == ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA")
    assert COLUMNS[5:] == OBSERVATIONS
    assert (OBSERVATIONS[0], OBSERVATIONS[-1]) == ("No Finding", "Support Devices")


def test_properties_read_key_and_row() -> None:
    """Patient, study and view come from the key; the rest from the row."""
    labels = ["1.0", "", "-1.0", *[""] * 10, "0.0"]
    xray = Xray(
        index=1,
        key="patient00007/study2/view1_frontal",
        path="x/train/patient00007/study2/view1_frontal.jpg",
        file=Path("/x.jpg"),
        sha256="0" * 64,
        width=2,
        height=3,
        split="train",
        row=("x/train/…", "Male", "41", "Frontal", "AP", *labels),
    )
    assert (xray.patient, xray.study, xray.view) == ("patient00007", "study2", "view1_frontal")
    assert (xray.sex, xray.age, xray.frontal_lateral, xray.ap_pa) == ("Male", "41", "Frontal", "AP")
    assert xray.labels["No Finding"] == "1.0"
    assert xray.labels["Cardiomegaly"] == "-1.0"
    assert xray.labels["Support Devices"] == "0.0"
    assert len(xray.labels) == 14
