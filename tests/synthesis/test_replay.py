import json

import pytest

from rig.synthesis.image import decode
from rig.synthesis.recipes import Recipe, Step
from rig.synthesis.replay import read_script, replay
from rig.synthesis.runner import synthesize

RECIPE = Recipe(
    "all",
    (
        Step("glare_matte", 2),
        Step("moire", 2, {"gap": 3}),
        Step("rotation"),
        Step("barrel"),
        Step("sensor_noise", 2),
        Step("glare_glossy"),
        Step("translation"),
    ),
    100,
)


@pytest.fixture
def made(items, tmp_path):
    out = tmp_path / "made"
    assert not synthesize(items, RECIPE, seed=5, out_dir=out, quality=88, colour="rgb").failed
    return out


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.jpg")}


def test_a_manifest_makes_the_same_files_and_the_same_manifest(made, tmp_path):
    script = read_script(made / "manifest.jsonl")
    summary = replay(script, out_dir=tmp_path / "again")
    assert (summary.made, summary.failed, summary.differs) == (6, (), ())
    assert contents(tmp_path / "again") == contents(made)
    assert (tmp_path / "again/manifest.jsonl").read_bytes() == (
        made / "manifest.jsonl"
    ).read_bytes()


def test_one_row_is_enough_and_a_second_time_is_skipped(made, tmp_path):
    line = (made / "manifest.jsonl").read_text().splitlines()[3]
    (tmp_path / "one.jsonl").write_text(line)
    script = read_script(tmp_path / "one.jsonl")
    assert replay(script, out_dir=tmp_path / "one").made == 1
    ((name, data),) = contents(tmp_path / "one").items()
    assert contents(made)[name] == data
    assert replay(script, out_dir=tmp_path / "one").skipped == 1


def test_a_manifest_by_hand(items, tmp_path):
    """Of what another program writes only the essential is needed; sources may be relative."""
    row = {
        "key": "x",
        "source": items[0].source.name,
        "output": "train/a.jpg",
        "steps": [{"transform": "brightness_up", "params": {"factor": 0}}],
    }
    path = tmp_path / "hand.jsonl"
    path.write_text(json.dumps(row) + "\n\n")
    script = read_script(path, items[0].source.parent)
    assert replay(script, out_dir=tmp_path / "out").made == 1
    assert decode((tmp_path / "out/train/a.jpg").read_bytes()).max() == 0


def test_bad_lines_are_named_and_the_others_made(made, tmp_path):
    lines = (made / "manifest.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    rows[0]["steps"][1]["params"]["gap"] = "wide"
    rows[1]["steps"][0]["transform"] = "sepia"
    rows[2]["quality"] = 200
    del rows[3]["steps"]
    text = "\n".join([*map(json.dumps, rows), '{"torn": ', "[]"])
    (tmp_path / "edited.jsonl").write_text(text)
    script = read_script(tmp_path / "edited.jsonl")
    assert [(bad.line, bad.reason[:30]) for bad in script.bad] == [
        (1, "Step 2: gap of moire is 'wide'"),
        (2, "Step 1: There is no transform "),
        (3, "quality is 200; it has to be a"),
        (4, "steps is missing or no list."),
        (7, "The line is not JSON: Expectin"),
        (8, "The line is not a JSON object."),
    ]
    assert len(script.items) == 2


def test_edited_parameters_are_made_but_said_to_differ(made, tmp_path):
    rows = [json.loads(line) for line in (made / "manifest.jsonl").read_text().splitlines()]
    rows[0]["steps"][0]["params"]["x"] += 10
    (tmp_path / "edited.jsonl").write_text("\n".join(map(json.dumps, rows)))
    summary = replay(read_script(tmp_path / "edited.jsonl"), out_dir=tmp_path / "out")
    assert (summary.made, summary.differs) == (6, (rows[0]["key"],))


def test_a_changed_source_is_a_failed_row(made, items, tmp_path):
    items[2].source.write_bytes(items[1].source.read_bytes())
    summary = replay(read_script(made / "manifest.jsonl"), out_dir=tmp_path / "out")
    assert summary.made == 5
    assert "The source has changed" in summary.failed[0].reason


def test_failed_rows_are_counted_not_made(items, tmp_path):
    items[0].source.write_bytes(b"")
    synthesize(items, RECIPE, seed=5, out_dir=tmp_path / "out")
    script = read_script(tmp_path / "out/manifest.jsonl")
    assert (len(script.items), script.bad, script.failed_before) == (5, (), 1)


def test_outputs_of_a_strangers_manifest_stay_in_the_folder(made, tmp_path):
    row = json.loads((made / "manifest.jsonl").read_text().splitlines()[0])
    (tmp_path / "evil.jsonl").write_text(json.dumps(row | {"output": "../evil.jpg"}))
    summary = replay(read_script(tmp_path / "evil.jsonl"), out_dir=tmp_path / "deep" / "out")
    assert "leaves the output folder" in summary.failed[0].reason
    assert not list((tmp_path / "deep").glob("*.jpg"))
