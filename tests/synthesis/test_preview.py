import numpy as np

from rig.synthesis.preview import preview
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
