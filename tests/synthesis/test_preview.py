import numpy as np

from rig.synthesis.preview import contact_sheet, preview
from rig.synthesis.recipes import DIGITAL, SPATIAL, apply_recipe
from rig.synthesis.registry import TRANSFORMS


def test_the_grid_has_a_row_per_transform_and_a_column_per_level(xray):
    sheet = preview(xray, cell=64)
    assert sheet.shape == (len(TRANSFORMS) * (64 + 24) + 6, 4 * 70 + 6)


def test_the_cells_are_the_transforms(xray):
    sheet = preview(xray[:80, :80], names=("identity", "brightness_down"), cell=80)
    cells = [[sheet[r * 104 + 24 :, c * 86 + 6 :][:80, :80] for c in range(4)] for r in range(2)]
    assert all(np.array_equal(cell, xray[:80, :80]) for cell in cells[0])
    means = [cell.mean() for cell in cells[1]]
    assert xray[:80, :80].mean() > means[0] > means[1] > means[2] > means[3]


def test_colour_is_drawn_in_colour(colour):
    assert preview(colour, names=("tilt",), cell=50).shape[2] == 3


def test_a_contact_sheet_shows_images_beside_their_twins(xray, colour):
    sheet = contact_sheet({"a": xray[:60, :60], "b": colour}, [DIGITAL, SPATIAL], seed=3, cell=60)
    assert sheet.shape == (2 * 84 + 6, 3 * 66 + 6, 3)
    twin = apply_recipe(xray[:60, :60], SPATIAL, seed=3, key="a").image
    assert np.array_equal(sheet[24:84, 6:66, 0], xray[:60, :60])
    assert np.array_equal(sheet[24:84, 138:198, 1], twin)
