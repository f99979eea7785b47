"""The places of the test card's tags."""

from __future__ import annotations

import pytest

from rig.errors import UserError
from rig.intake.card import CELLS, card_tags
from rig.intake.marker_ids import CARD_IDS


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (1366, 768), (100, 100)])
def test_four_tags_stand_in_the_corners_a_module_from_the_edge(size):
    """Clockwise from top left, whole modules, none on another."""
    boxes = card_tags(size)
    assert tuple(boxes) == CARD_IDS
    sides = {box[2] for box in boxes.values()} | {box[3] for box in boxes.values()}
    assert len(sides) == 1
    side = sides.pop()
    module = side // CELLS
    assert side % CELLS == 0
    far = (size[0] - side - module, size[1] - side - module)
    assert [box[:2] for box in boxes.values()] == [
        (module, module), (far[0], module), far, (module, far[1]),
    ]  # fmt: skip
    assert min(far) >= module + side


def test_a_small_screen_is_refused_with_what_it_needs():
    """100 pixels."""
    with pytest.raises(UserError, match="100 pixels"):
        card_tags((1920, 99))
