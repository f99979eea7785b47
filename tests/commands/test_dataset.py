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


def test_a_check_looks_at_tables_only_when_asked(root, capsys):
    """Pictures may be elsewhere."""
    (root / "train/synthetic/digital/patient00001/study1/view1_frontal.jpg").unlink()
    assert main(["dataset", "check", str(root), "--tables"]) == 0
    assert main(["dataset", "check", str(root), "--no-optical", "--json"]) == 1
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {one["kind"] for one in told["findings"]} == {"missing"}
    assert told["findings"][0]["file"] in {"train.csv", "manifest.jsonl"}
    assert told["count"] == 2


def test_the_command_offers_what_there_is():
    """Said twice, so that `--help` need not import Arrow."""
    from rig.commands import dataset as command
    from rig.dataset import boxes, export

    assert command.FORMS == export.FORMS
    assert command.VISIBLE == boxes.VISIBLE


def test_exports_say_where_they_are(root, capsys):
    """One folder each, or a file in the dataset."""
    for form, name in (("hf", "One-v2-hf"), ("webdataset", "One-v2-webdataset")):
        assert main(["dataset", "export", str(root), "--to", form, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told == {
            "export": str(root.with_name(name)), "form": form, "images": 1, "boxes": 0,
        }  # fmt: skip
    assert main(["dataset", "export", str(root), "--to", "croissant"]) == 0
    assert f"{root}/croissant.json: 1 images" in capsys.readouterr().out
    assert main(["dataset", "export", str(root), "--to", "coco"]) == 2
    assert "has no boxes" in capsys.readouterr().err


def test_stats_draw_and_read_image_labels(root, tmp_path, capsys):
    """Pictures are named; VinDr's labels are put to the vote."""
    labels = tmp_path / "image_labels_train.csv"
    labels.write_text("image_id,rad_id,Edema\na,R1,1\na,R2,1\nb,R1,0\n")
    words = ["dataset", "stats", str(root), "--plots", str(tmp_path / "plots")]
    assert main([*words, "--image-labels", str(labels)]) == 0
    said = capsys.readouterr().out
    assert "Image labels, 2 x-rays" in said
    assert f"drawn: {tmp_path}/plots/findings.svg" in said
    assert (tmp_path / "plots/labels.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--sources", "/nowhere"], "does not exist"),
        (["--workers", "0"], "at least 1"),
    ],
)
def test_a_check_that_cannot_begin_exits_with_2(root, words, told, capsys):
    """One sentence."""
    assert main(["dataset", "check", str(root), *words]) == 2
    assert told in capsys.readouterr().err
