"""Agreement of readers, against figures worked out by hand and from the papers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rig.catalog import agreement as ours
from rig.catalog.vindr import read_tables
from rig.catalog.vindr_model import Box, Columns, Labels, VindrTables
from rig.catalog.vindr_names import FINDINGS
from rig.cli import main
from rig.errors import UserError

DATA = Path(__file__).parents[1] / "dicom" / "data" / "vindr" / "annotations_SYNTHETIC_3readers"
COLUMNS = {"train": Columns(FINDINGS, FINDINGS, readers=True)}


def said(rows: dict[str, str]) -> VindrTables:
    """reader -> one character per image: 1 Edema, 0 No finding, blank not read."""
    labels = [
        Labels(f"i{place}", reader, frozenset({"Edema" if c == "1" else "No finding"}), "train")
        for reader, row in rows.items()
        for place, c in enumerate(row)
        if c != " "
    ]
    return VindrTables((), tuple(labels), COLUMNS, {})


def test_cohens_kappa_of_the_textbook_table() -> None:
    """20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: observed 0.70, by chance 0.50, kappa 0.40."""
    a = np.repeat(np.array([1, 1, 0, 0], np.int8), [20, 5, 10, 15])
    b = np.repeat(np.array([1, 0, 1, 0], np.int8), [20, 5, 10, 15])
    assert ours.cohen_kappa(a, b) == pytest.approx(0.4)


def test_cohens_kappa_at_its_ends() -> None:
    yes, no = np.ones(4, np.int8), np.zeros(4, np.int8)
    mixed = np.array([1, 0, 1, 0], np.int8)
    assert ours.cohen_kappa(mixed, mixed) == pytest.approx(1.0)
    assert ours.cohen_kappa(mixed, 1 - mixed) == pytest.approx(-1.0)
    assert ours.cohen_kappa(yes, no) == pytest.approx(0.0)
    assert ours.cohen_kappa(yes, yes) is None
    assert ours.cohen_kappa(no, no) is None


def test_fleiss_kappa_by_hand() -> None:
    """Three readers, four images with 3, 2, 0, 0 yes: P = 10/12, Pe = 74/144, kappa = 46/70."""
    matrix = np.array([[1, 1, 1], [1, 1, 0], [0, 0, 0], [0, 0, 0]], np.int8)
    p = (1 + 1 / 3 + 1 + 1) / 4
    pe = (5 / 12) ** 2 + (7 / 12) ** 2
    assert ours.fleiss_kappa(matrix) == pytest.approx((p - pe) / (1 - pe))
    assert ours.fleiss_kappa(np.zeros((3, 3), np.int8)) is None


def test_krippendorffs_alpha_by_hand_with_missing_opinions() -> None:
    """Coincidences by hand: an image that one reader read does not count."""
    gone = ours.UNKNOWN
    matrix = np.array([[1, 1], [0, 0], [1, 0], [0, 0], [gone, 1]], np.int8)
    # Values in pairs: 3 yes, 5 no of 8; disagreeing pairs 2 of 8.
    observed, expected = 2 / 8, 2 * 3 * 5 / (8 * 7)
    assert ours.krippendorff_alpha(matrix) == pytest.approx(1 - observed / expected)
    assert ours.krippendorff_alpha(np.ones((3, 2), np.int8)) is None


def test_pairs_are_compared_on_what_both_read() -> None:
    found = ours.agreement(said({"R1": "1100 ", "R2": "1010 ", "R3": "    1", "R4": "1   1"}))
    edema = found["Edema"]
    kappas = {pair: (kappa, n) for pair, (kappa, n) in edema.cohen.items()}
    assert kappas["R1", "R2"] == (pytest.approx(0.0), 4)
    assert kappas["R1", "R4"] == (None, 1)
    assert ("R1", "R3") not in kappas
    assert edema.mean_cohen == pytest.approx(0.0)
    assert (edema.images, edema.fleiss_images) == (5, 4)
    assert (edema.positive, edema.opinions) == (7, 11)


def test_a_finding_nobody_gave_has_no_agreement() -> None:
    found = ours.agreement(said({"R1": "10", "R2": "10"}))["ILD"]
    assert (found.mean_cohen, found.fleiss, found.alpha) == (None, None, None)


def test_one_reader_alone_has_nobody_to_agree_with() -> None:
    with pytest.raises(UserError, match="No image has two readers"):
        ours.agreement(said({"R1": "10"}))


def test_boxes_are_matched_one_to_one_from_the_best() -> None:
    """R1 drew two, R2 one over the first, R3 none but read the image."""
    boxes = (
        Box("i", "R1", "Edema", (0, 0, 100, 100), "train"),
        Box("i", "R1", "Edema", (200, 0, 300, 100), "train"),
        Box("i", "R2", "Edema", (0, 0, 100, 80), "train"),
        Box("i", "R3", "No finding", None, "train"),
    )
    found = ours.box_agreement(VindrTables(boxes, (), {}, {}))["Edema"]
    assert (found.pairs, found.matched, found.boxes) == (3, 1, 3 + 2 + 1)
    assert found.f1 == pytest.approx(2 / 6)
    assert found.iou == pytest.approx(0.8)
    strict = ours.box_agreement(VindrTables(boxes, (), {}, {}), iou=0.9)["Edema"]
    assert (strict.matched, strict.iou) == (0, None)


def test_the_command_tells_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["readers", "agree", str(DATA), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["images"] == len(read_tables(DATA).splits)
    assert set(told["findings"]) == set(FINDINGS)
    assert 0 < told["findings"]["No finding"]["alpha"] < 1
    assert main(["readers", "agree", str(DATA)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 28 + 2


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "krippendorff", None)
    with pytest.raises(UserError, match=r"krippendorff.*capture-rig\[readers\]"):
        ours.krippendorff_alpha(np.array([[1, 0]], np.int8))


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (
            ["readers", "check", str(DATA)],
            "numba statsmodels krippendorff ensemble_boxes matplotlib",
        ),
        (
            ["readers", "table", str(DATA)],
            "numba statsmodels krippendorff ensemble_boxes matplotlib",
        ),
        (["readers", "agree", str(DATA)], "numba ensemble_boxes matplotlib"),
        (["pacs", "--help"], "pynetdicom pydicom numpy httpx"),
    ],
)
def test_heavy_packages_are_loaded_only_where_they_are_used(words: list[str], heavy: str) -> None:
    script = (
        "import sys, json\nfrom rig.cli import main\n"
        "try:\n    main(json.loads(sys.argv[1]))\nexcept SystemExit: pass\n"
        "print(json.dumps([n for n in sys.argv[2].split() if n in sys.modules]), file=sys.stderr)"
    )
    command: list[Any] = [sys.executable, "-c", script, json.dumps(words), heavy]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stderr.splitlines()[-1]) == []
