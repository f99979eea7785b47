"""Read-backs compared with compositions."""

from __future__ import annotations

import numpy as np
from PIL import Image

from display_agent.compose import surface_sha
from display_agent.screens.pixels import as_composed, checkerboard, difference


def test_a_grey_composition_read_back_in_colour_has_its_own_hash():
    """Screens give back three channels."""
    grey = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    assert surface_sha(as_composed(grey.convert("RGB"), "L")) == surface_sha(grey)


def test_one_tinted_pixel_is_no_grey_picture_any_more():
    """Night light, or a pointer: another hash."""
    grey = Image.new("L", (4, 3), 100)
    seen = grey.convert("RGB")
    seen.putpixel((1, 1), (100, 100, 99))
    assert as_composed(seen, "L").mode == "RGB"
    assert surface_sha(as_composed(seen, "L")) != surface_sha(grey)


def test_a_coloured_composition_stays_coloured_even_where_it_is_grey():
    """Its hash was taken over RGB."""
    frame = Image.new("RGB", (4, 3), (7, 7, 7))
    assert surface_sha(as_composed(frame, "RGB")) == surface_sha(frame)


def test_the_checkerboard_alternates_pixel_by_pixel():
    """Any blur turns it grey."""
    board = np.asarray(checkerboard((5, 4)))
    assert set(np.unique(board)) == {0, 255}
    assert (board[:, 1:] != board[:, :-1]).all()
    assert (board[1:] != board[:-1]).all()


def test_a_difference_is_told_with_its_place():
    """In words for the person at the monitor."""
    one, other = Image.new("L", (20, 10)), Image.new("RGB", (20, 10))
    assert difference(one, other) is None
    other.paste((9, 9, 9), (3, 4, 8, 6))
    assert difference(one, other) == "it differs within 5x2 pixels at 3,4"
    assert difference(one, Image.new("L", (5, 5))) == "it has 5x5 pixels instead of 20x10"
