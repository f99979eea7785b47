"""A drawn cursor, the same every time."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image

from display_agent.cursor import CursorSpec, bitmap, drawn, position

SIZE = (1920, 1080)
RECT = (420, 0, 1080, 1080)


def test_the_centre_is_the_screens_centre():
    """Whatever the x-ray."""
    assert position(CursorSpec("centre"), SIZE, RECT, 5) == (960, 540)


def test_a_moved_cursor_is_where_seed_and_index_put_it():
    """Again on every run and machine; another index or seed, another place."""
    spec = CursorSpec("moved", 7)
    places = [position(spec, SIZE, RECT, index) for index in range(1, 40)]
    assert places == [position(spec, SIZE, RECT, index) for index in range(1, 40)]
    assert len(set(places)) == 39
    assert position(CursorSpec("moved", 8), SIZE, RECT, 1) != places[0]


def test_the_place_is_the_documented_one():
    """Others can work out where a cursor was."""
    digest = hashlib.sha256(b"cursor 7 3").digest()
    wide, high = bitmap(SIZE).size
    x = 420 + int(int.from_bytes(digest[:8], "big") / 2**64 * (1080 - wide + 1))
    y = int(int.from_bytes(digest[8:16], "big") / 2**64 * (1080 - high + 1))
    assert position(CursorSpec("moved", 7), SIZE, RECT, 3) == (x, y)


def test_a_moved_cursor_lies_wholly_on_the_xray_and_all_over_it():
    """Near every edge, beyond none."""
    wide, high = bitmap(SIZE).size
    found = np.array([position(CursorSpec("moved", 1), SIZE, RECT, i) for i in range(2000)])
    low, top = found.min(axis=0), found.max(axis=0)
    assert (low >= (420, 0)).all()
    assert (top <= (1500 - wide, 1080 - high)).all()
    assert (top - low > (1000, 1000)).all()


def test_the_arrow_is_white_with_a_black_outline_and_its_tip_at_the_spot():
    """Seen on black and on white."""
    for ground, seen in ((0, 255), (255, 0)):
        made = drawn(Image.new("L", (100, 100), ground), (30, 40))
        assert made.mode == "RGB"
        pixels = np.asarray(made)[..., 0]
        rows, columns = np.nonzero(pixels == seen)
        assert rows.min() >= 40
        assert columns.min() >= 30
        assert len(rows) > 50
    assert pixels[40, 30] == 0  # the tip


def test_it_grows_with_the_screen_in_whole_steps():
    """No grey rims."""
    small, large = bitmap((1920, 1080)), bitmap((3840, 2160))
    assert large.size == (2 * small.width, 2 * small.height)
    assert set(np.asarray(large)[..., 1].ravel()) == {0, 255}


def test_at_the_edge_it_is_cut_off():
    """As a real one is."""
    made = drawn(Image.new("L", (50, 50), 90), (45, 45))
    assert made.size == (50, 50)
    assert made.getpixel((45, 45)) == (0, 0, 0)


def test_nothing_else_changes():
    """Colours of the frame stay."""
    frame = Image.new("RGB", (60, 60), (9, 8, 7))
    made = drawn(frame, (10, 10))
    wide, high = bitmap((60, 60)).size
    pixels = np.asarray(made).copy()
    pixels[10 : 10 + high, 10 : 10 + wide] = (9, 8, 7)
    assert (pixels == np.asarray(frame)).all()
    assert frame.getpixel((10, 10)) == (9, 8, 7)


@pytest.mark.parametrize("rect", [(0, 0, 3, 3), (5, 5, 1, 1)])
def test_on_an_xray_smaller_than_the_arrow_it_stands_at_its_corner(rect):
    """Nothing to choose from."""
    assert position(CursorSpec("moved", 1), (64, 48), rect, 9) == rect[:2]
