"""Weighted boxes fusion of several readers' boxes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rig.catalog.fusion import fuse, fuse_image
from rig.catalog.vindr import read_tables
from rig.catalog.vindr_model import Box, Columns, Labels, VindrTables
from rig.catalog.vindr_names import FINDINGS
from rig.catalog.vindr_rules import broken_rules
from rig.cli import main
from rig.errors import UserError

DATA = Path(__file__).parents[1] / "dicom" / "data" / "vindr" / "annotations_SYNTHETIC_3readers"


def box(reader: str, *edges: float, name: str = "Edema") -> Box:
    left, top, right, bottom = edges
    return Box("i", reader, name, (left, top, right, bottom), "train")


def tables(boxes: list[Box], said: dict[str, set[str]]) -> VindrTables:
    labels = tuple(Labels("i", who, frozenset(what), "train") for who, what in said.items())
    columns = {"train": Columns(FINDINGS, FINDINGS, readers=True)}
    return VindrTables(tuple(boxes), labels, columns, {"train": True})


def test_boxes_of_one_place_become_their_mean() -> None:
    found = fuse_image(
        (
            box("R1", 100, 100, 200, 200),
            box("R2", 110, 100, 210, 200),
            box("R3", 90, 100, 190, 200),
        ),
        3,
        0.4,
        (1000, 1000),
    )
    assert len(found) == 1
    name, edges, share = found[0]
    assert name == "Edema"
    assert edges == pytest.approx((100, 100, 200, 200), abs=1e-3)
    assert share == 1.0


def test_the_share_counts_readers_not_boxes() -> None:
    """Two boxes of one reader in one place are one voice; who drew nothing is counted, too."""
    found = fuse_image((box("R1", 0, 0, 100, 100), box("R1", 2, 0, 102, 100)), 3, 0.4, (500, 500))
    assert [round(share, 4) for *_, share in found] == [0.3333]


def test_findings_and_places_are_kept_apart() -> None:
    found = fuse_image(
        (
            box("R1", 0, 0, 100, 100),
            box("R2", 0, 0, 100, 100, name="ILD"),
            box("R2", 300, 300, 400, 400),
        ),
        2,
        0.4,
        (500, 500),
    )
    assert [(name, round(share, 2)) for name, _, share in found] == [
        ("Edema", 0.5),
        ("Edema", 0.5),
        ("ILD", 0.5),
    ]


def test_the_size_of_the_image_does_not_change_the_result() -> None:
    """Without one, the boxes' own extent scales; overlaps do not depend on it."""
    boxes = (box("R1", 10, 20, 110, 220), box("R2", 14, 26, 118, 210))
    with_size = fuse_image(boxes, 2, 0.4, (3000, 2500))
    without = fuse_image(boxes, 2, 0.4)
    assert with_size[0][1] == pytest.approx(without[0][1], abs=1e-2)


def test_a_box_beyond_its_image_is_refused() -> None:
    with pytest.raises(UserError, match="A box of image i is larger than the image"):
        fuse_image((box("R1", 0, 0, 100, 100),), 1, 0.4, (50, 500))


def test_only_boxes_of_a_majority_are_kept_and_labels_fit_them() -> None:
    both = {"Edema", "ILD", "Other diseases"}
    found = fuse(
        tables(
            [
                box("R1", 0, 0, 100, 100),
                box("R2", 5, 0, 105, 100),
                box("R1", 0, 0, 50, 50, name="ILD"),
                box("R2", 200, 200, 300, 300, name="ILD"),
                Box("i", "R3", "No finding", None, "train"),
            ],
            {"R1": both, "R2": both, "R3": {"No finding"}},
        )
    )
    assert [(b.finding, b.reader) for b in found.tables.boxes] == [("Edema", "")]
    assert found.tables.labels[0].positive == {"Edema", "Other diseases"}
    assert (found.boxes_in, found.dropped, found.scattered) == (4, 2, (("i", "ILD"),))
    assert found.shares == (pytest.approx(2 / 3, abs=1e-5),)
    assert list(broken_rules(found.tables)) == []


def test_no_finding_is_said_only_when_most_readers_said_it() -> None:
    """One saw this, one that, one nothing: undecided, not healthy."""
    split = fuse(
        tables(
            [box("R1", 0, 0, 9, 9), box("R2", 0, 0, 9, 9, name="ILD")],
            {"R1": {"Edema", "COPD"}, "R2": {"ILD", "Pneumonia"}, "R3": {"No finding"}},
        )
    )
    assert (split.tables.boxes, split.undecided) == ((), ("i",))
    assert split.tables.labels[0].positive == frozenset()
    most = fuse(tables([], {"R1": {"No finding"}, "R2": {"No finding"}, "R3": {"COPD"}}))
    assert [one.finding for one in most.tables.boxes] == ["No finding"]
    assert most.undecided == ()


def test_the_command_writes_tables_that_read_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["readers", "fuse", str(DATA), "--out", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    fused = read_tables(tmp_path)
    assert set(fused.splits) == set(read_tables(DATA).splits)
    assert all(not one.reader for one in (*fused.boxes, *fused.labels))
    assert sum(b.edges is not None for b in fused.boxes) == told["boxes"] > 0
    assert told["boxes"] + told["dropped"] <= told["boxes_in"]
    assert main(["readers", "fuse", str(DATA), "--out", str(DATA)]) == 2


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ensemble_boxes", None)
    with pytest.raises(UserError, match=r"ensemble-boxes.*capture-rig\[readers\]"):
        fuse_image((box("R1", 0, 0, 1, 1),), 1, 0.4)
