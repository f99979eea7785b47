import csv

import numpy as np
import pytest

from rig.synthesis import manifest
from rig.synthesis.box_table import carry_table, read_annotations
from rig.synthesis.boxes import carry
from rig.synthesis.recipes import Recipe, Step, apply_recipe, sample_recipe
from rig.synthesis.runner import synthesize
from rig.synthesis.transform import SynthesisError

SIZE = (240, 200)


def steps_of(*steps, seed=1):
    return sample_recipe(SIZE, Recipe("r", steps), seed=seed, key="k")


@pytest.mark.parametrize(
    "steps",
    [
        (Step("tilt", 3),),
        (Step("rotation", 4),),
        (Step("barrel", 4),),
        (Step("translation", 1, {"inset": 20}), Step("moire", 1)),
        (Step("rotation", 2), Step("barrel", 3), Step("tilt", 2)),
    ],
)
def test_the_box_is_around_what_was_in_it(steps):
    """The pixels of a bright rectangle, found again in the twin, to 1 px."""
    image = np.zeros((200, 240), np.uint8)
    image[50:120, 60:150] = 250
    twin = apply_recipe(image, Recipe("r", steps), seed=1, key="k")
    carried = carry((60, 50, 150, 120), twin.steps, SIZE)
    y, x = np.nonzero(twin.image > 125)
    found = (x.min(), y.min(), x.max() + 1, y.max() + 1)
    assert carried.box == pytest.approx(found, abs=1.1)
    assert carried.visible == pytest.approx(1)


def test_sides_that_bulge_are_followed():
    """The corners of a wide box at the top hide that its middle reaches higher."""
    steps = steps_of(Step("barrel", 4))
    wide = carry((5, 10, 235, 60), steps, SIZE)
    corners = [carry((x, 10, x + 1, 11), steps, SIZE).box[1] for x in (5, 234)]
    middle = carry((119, 10, 120, 11), steps, SIZE).box[1]
    assert wide.box[1] == pytest.approx(middle, abs=0.1)
    assert wide.box[1] < min(corners) - 3


@pytest.mark.parametrize(
    ("box", "cut", "visible"),
    [
        ((50, 50, 100, 100), (30, 70, 80, 120), 1.0),
        ((0, 0, 40, 100), (0, 20, 20, 120), 0.5),
        ((0, 150, 40, 250), (0, 170, 20, 200), 0.15),
        ((0, 0, 20, 50), None, 0.0),
    ],
)
def test_a_box_is_cut_and_its_visible_share_is_that_before_cutting(box, cut, visible):
    steps = steps_of(Step("translation", 1, {"dx": -20, "dy": 20}))
    carried = carry(box, steps, SIZE)
    assert carried.box == (cut and pytest.approx(cut))
    assert carried.visible == pytest.approx(visible)


def test_nothing_moves_nothing():
    carried = carry((1.5, 2, 3, 4), steps_of(Step("blur"), Step("moire")), SIZE)
    assert carried.box == (1.5, 2, 3, 4)


@pytest.fixture
def table(items, tmp_path):
    """Write rows of annotations, carry them, and read what came out."""
    recipe = Recipe("r", (Step("translation", 1, {"dx": -20, "dy": 0}),))
    items[3].source.write_bytes(b"broken")
    synthesize(items, recipe, seed=0, out_dir=tmp_path / "out")
    made = manifest.read(tmp_path / "out" / "manifest.jsonl")

    def carried(owner, rows, least=0.5):
        text = [[owner, "rad_id", "x_min", "y_min", "x_max", "y_max"], *rows]
        path = tmp_path / "boxes.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(text)
        target = tmp_path / "out" / "boxes.csv"
        count = carry_table(read_annotations(path), items, made, least_visible=least, target=target)
        with target.open(newline="") as file:
            return count, list(csv.DictReader(file))

    return carried


def test_every_row_is_there_again_and_says_what_became_of_it(table, items):
    name = f"CheXpert/train/{items[0].key}.jpg"
    rows = [
        [name, "R1", 30, 10, 50, 40],
        [name, "R2", 10, 10, 26, 40],
        [name, "R3", 0, 0, 10, 10],
        [name, "R4", "", "", "", ""],
        [name, "R5", 10, 10, "wide", 40],
        [name, "R6", 10, 10, 5, 40],
        [f"train/{items[3].key}.jpg", "R1", 1, 1, 2, 2],
        ["train/nobody.jpg", "R1", 1, 1, 2, 2],
    ]
    count, out = table("Path", rows)
    assert (count.kept, count.dropped, count.unmatched) == (1, 4, 2)
    assert [(r["rad_id"], r["x_min"], r["visible_fraction"], r["box_status"]) for r in out] == [
        ("R1", "10.000", "1.0000", "kept"),
        ("R2", "", "0.3750", "dropped: visible 0.3750, less than 0.5"),
        ("R3", "", "0.0000", "dropped: outside the image"),
        ("R4", "", "", "no box"),
        ("R5", "", "", "dropped: a side is no number"),
        ("R6", "", "", "dropped: the box spans no area"),
        ("R1", "", "", "dropped: the image was not made"),
        ("R1", "", "", "dropped: no image of this run has that name"),
    ]
    assert out[0]["output"] == f"train/{items[0].key}.jpg"


def test_vindrs_image_id_is_the_name_of_the_file(table, items, tmp_path):
    renamed = items[1].source.rename(items[1].source.with_name("0a1b.jpg"))
    items[1] = type(items[1])("0a1b", renamed, items[1].output)
    count, out = table("image_id", [["0a1b", "R1", 30, 10, 50, 40]])
    assert (count.kept, out[0]["x_max"]) == (1, "30.000")


@pytest.mark.parametrize("header", ["Path,x_min,y_min,x_max", "name,x_min,y_min,x_max,y_max", ""])
def test_a_table_without_its_columns_is_refused(tmp_path, header):
    (tmp_path / "b.csv").write_text(header + "\n")
    with pytest.raises(SynthesisError, match="has no column"):
        read_annotations(tmp_path / "b.csv")


def test_a_row_of_the_wrong_length_is_named(tmp_path):
    (tmp_path / "b.csv").write_text("Path,x_min,y_min,x_max,y_max\na,1,2,3,4\na,1\n")
    with pytest.raises(SynthesisError, match="row 2: 2 cells where the header has 5"):
        read_annotations(tmp_path / "b.csv")
