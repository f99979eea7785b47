import hashlib
import json

import numpy as np
import pytest

from rig.synthesis import manifest
from rig.synthesis.image import decode
from rig.synthesis.recipes import DIGITAL, SPATIAL
from rig.synthesis.registry import TRANSFORMS
from rig.synthesis.runner import synthesize


def lines(out):
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def test_a_row_tells_how_its_image_came_to_be(items, tmp_path):
    out = tmp_path / "out"
    synthesize(items, SPATIAL, seed=11, out_dir=out)
    rows = lines(out)
    assert [row["key"] for row in rows] == sorted(item.key for item in items)
    for row, item in zip(rows, items, strict=True):
        assert row["recipe"] == "spatial"
        assert row["seed"] == 11
        assert row["quality"] == 75
        assert row["source"] == item.source.as_posix()
        assert row["source_sha256"] == hashlib.sha256(item.source.read_bytes()).hexdigest()
        assert row["output"] == item.output.as_posix()
        made = (out / row["output"]).read_bytes()
        assert row["output_sha256"] == hashlib.sha256(made).hexdigest()
        height, width = decode(item.source.read_bytes()).shape[:2]
        assert row["size"] == [width, height]
        assert [(s["transform"], s["level"]) for s in row["steps"]] == [
            ("glare_matte", 1),
            ("moire", 1),
            ("tilt", 1),
        ]
        assert set(row["versions"]) == {
            "rig",
            "synthesis",
            "python",
            "numpy",
            "opencv",
            "pillow",
            "simplejpeg",
        }


def test_the_homography_is_the_tilts(items, tmp_path):
    synthesize(items[:1], SPATIAL, seed=11, out_dir=tmp_path)
    row = lines(tmp_path)[0]
    tilt = TRANSFORMS["tilt"]
    params = tilt.params(tuple(map(tuple, row["steps"][2]["params"]["corners"])))
    assert np.allclose(row["homography"], tilt.homography(params, tuple(row["size"])))


def test_a_recipe_that_moves_nothing_writes_the_identity(items, tmp_path):
    synthesize(items[:1], DIGITAL, seed=11, out_dir=tmp_path)
    assert lines(tmp_path)[0]["homography"] == np.eye(3).tolist()


def test_torn_and_foreign_lines_are_passed_over(tmp_path):
    path = tmp_path / "manifest.jsonl"
    path.write_text('{"output": "a.jpg", "n": 1}\n[]\n"x"\n{"output": "a.jpg", "n": 2}\n{"outp')
    assert manifest.read(path) == {"a.jpg": {"output": "a.jpg", "n": 2}}


def test_no_manifest_has_no_rows(tmp_path):
    assert manifest.read(tmp_path / "manifest.jsonl") == {}


def test_names_of_any_bytes_survive(tmp_path):
    """A file name that is not UTF-8 arrives with surrogates."""
    row = {"key": "k", "output": "a.jpg", "source": "f\udcff\u2028.jpg"}
    manifest.write(tmp_path / "m", [row])
    assert manifest.read(tmp_path / "m") == {"a.jpg": row}


@pytest.mark.parametrize("row", [{}, {"steps": None}, {"steps": [1]}, {"steps": [{}]}])
def test_a_row_without_steps_asks_for_nothing(row):
    assert not manifest.asks_the_same(row, {}, DIGITAL)
