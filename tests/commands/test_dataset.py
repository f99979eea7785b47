"""`rig dataset stats` and `rig dataset check`."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from rig.catalog.model import Xray
from rig.cli import main
from rig.dataset.build import build


@pytest.fixture
def root(tmp_path):
    """A dataset of twins only."""
    out = io.BytesIO()
    Image.effect_noise((40, 30), 60).save(out, "JPEG")
    file = tmp_path / "xray.jpg"
    file.write_bytes(out.getvalue())
    key = "patient00001/study1/view1_frontal"
    row = ("p", "Male", "50", "Frontal", "PA", "1.0", *[""] * 13)
    xray = Xray(1, key, "p", file, "0" * 64, 40, 30, "train", row)
    made = build(
        tmp_path / "out", name="One", version="2", xrays=[xray], photos=[], synthetic=["digital"]
    )
    return made.path


def test_stats_prints_tables_or_json(root, capsys):
    """In words for a person, one object for a program."""
    assert main(["dataset", "stats", str(root)]) == 0
    assert "No Finding" in capsys.readouterr().out
    assert main(["dataset", "stats", str(root.parent), "--json", "--blanks"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["observations"]["train"]["No Finding"]["positive"] == 1
    assert told["observations"]["train"]["Edema"]["blank"] == 1
    assert told["patient_overlap"] == 0
    assert told["sets"]["train"]["synthetic/digital"]["images"] == 1


def test_check_exits_with_1_and_lists_problems(root, capsys):
    """0 when all is well."""
    assert main(["dataset", "check", str(root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []
    (root / "train/extra.jpg").write_bytes(b"x")
    assert main(["dataset", "check", str(root), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["well"] is False
    assert len(told["problems"]) == 1
    assert main(["dataset", "check", str(root)]) == 1
    assert "1 problems" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["stats", "check"])
def test_no_dataset_exits_with_2(verb, tmp_path, capsys):
    """One sentence."""
    assert main(["dataset", verb, str(tmp_path)]) == 2
    assert "no dataset" in capsys.readouterr().err
