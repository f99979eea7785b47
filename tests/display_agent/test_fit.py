"""Boxes on a screen."""

from __future__ import annotations

import pytest

from display_agent.fit import BadImage, fit, overlap


@pytest.mark.parametrize(
    ("inner", "box"),
    [((100, 50), (0, 25, 200, 100)), ((50, 100), (62, 0, 75, 150)), ((400, 300), (0, 0, 200, 150))],
)
def test_the_largest_box_of_that_aspect_in_the_middle(inner, box):
    """On a screen of 200 by 150."""
    assert fit(inner, (200, 150)) == box


@pytest.mark.parametrize("inner", [(0, 5), (5, 0)])
def test_nothing_cannot_be_laid_anywhere(inner):
    """The one declared error."""
    with pytest.raises(BadImage, match="cannot be laid"):
        fit(inner, (200, 150))


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        ((9, 9, 5, 5), True),
        ((10, 0, 5, 5), False),
        ((0, 10, 5, 5), False),
        ((-5, -5, 6, 6), True),
        ((-5, -5, 5, 5), False),
        ((2, 2, 1, 1), True),
    ],
)
def test_boxes_overlap_when_they_share_a_pixel(other, shared):
    """Touching is not sharing; either way round."""
    assert overlap((0, 0, 10, 10), other) is shared
    assert overlap(other, (0, 0, 10, 10)) is shared
