"""Text that was drawn into a picture is found; side markers and tiny pictures are no text."""

from __future__ import annotations

import csv
from functools import cache

import cv2
import numpy as np
import pytest

from rig.dicom.decoding import decode
from rig.dicom.reading import read
from rig.dicom.rendering import render
from rig.dicom.text import find_text, merged
from rig.sample import csv_path, data_dir

BURNED = "made_chest_dx_MONOCHROME2_8bit_jpeg2000_BURNED_IN_FAKE_TEXT.dcm"
STRINGS = [
    (21, 28, 265, 46), (23, 58, 309, 76), (23, 88, 213, 106), (763, 968, 954, 986),
    (761, 998, 894, 1016), (902, 998, 964, 1016),
]  # fmt: skip
"""Where the six strings of `BURNED` are, measured by its saturated pixels."""


def sample(row):
    with csv_path().open(newline="") as handle:
        path = [one["Path"] for one in csv.DictReader(handle)][row]
    picture = cv2.imread(str(data_dir() / path), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return picture


def drawn(picture, text, place, *, grey=255, height=0.9, thick=2):
    result = picture.copy()
    cv2.putText(result, text, place, cv2.FONT_HERSHEY_SIMPLEX, height, grey, thick, cv2.LINE_AA)
    return result


def covered(before, after, boxes):
    """Share of the changed pixels that lie in *boxes*."""
    changed = np.abs(before.astype(int) - after.astype(int)) > 40
    inside = np.zeros(changed.shape, bool)
    for left, top, right, bottom in boxes:
        inside[top:bottom, left:right] = True
    return (changed & inside).sum() / changed.sum()


@cache
def quiet_sample():
    """An x-ray of the sample with no writing on it."""
    return next(one for one in map(sample, range(10)) if not find_text(one))


def test_all_strings_of_a_real_file_with_burned_in_text_are_covered(kit):
    dataset = read(kit.data / BURNED)
    boxes = find_text(render(dataset, decode(dataset)))
    inside = np.zeros((1024, 1024), bool)
    for left, top, right, bottom in boxes:
        inside[top:bottom, left:right] = True
    for left, top, right, bottom in STRINGS:
        assert inside[top:bottom, left:right].mean() > 0.85
    assert len(boxes) <= len(STRINGS)


def test_few_places_of_real_x_rays_are_taken_for_text():
    """Many of them do hold writing, such as PORTABLE.

    Measured on every second one of the 48: one place in 5 of them (rows 0, 20, 22, 24 and 28), none
    in the other 19. (Of all 48: one place in 9.)
    """
    counts = [len(find_text(sample(row))) for row in range(0, 48, 2)]
    assert max(counts) <= 2
    assert sum(counts) <= 8
    assert counts.count(0) >= 18


@pytest.mark.parametrize("text", ["SMITH^JOHN", "12.03.1964", "MRN 0048213", "St. Mary Hospital"])
def test_drawn_text_is_found(text):
    before = quiet_sample()
    after = drawn(before, text, (12, 40))
    assert covered(before, after, find_text(after)) > 0.8


def test_black_text_on_a_bright_place_is_found():
    before = quiet_sample().copy()
    before[20:80, 10:330] = 200
    after = drawn(before, "SMITH^JOHN", (30, 60), grey=0)
    assert covered(before, after, find_text(after)) > 0.8


def test_text_on_its_side_is_found():
    before = quiet_sample()
    after = np.rot90(drawn(np.rot90(before).copy(), "DOE JANE 1964", (14, 40)), -1).copy()
    assert after.shape == before.shape
    assert covered(before, after, find_text(after)) > 0.8


@pytest.mark.parametrize("marker", ["L", "R", "AP"])
def test_a_side_marker_is_no_text(marker):
    picture = quiet_sample()
    assert find_text(drawn(picture, marker, (20, 60), height=1.5, thick=3)) == ()


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (1, 400), (3000, 2), (7, 9)])
def test_tiny_pictures_hold_no_text(shape):
    assert find_text(np.full(shape, 90, np.uint8)) == ()


def test_boxes_lie_inside_the_picture_and_are_not_empty():
    noise = np.random.default_rng(3).integers(0, 255, (90, 400)).astype(np.uint8)
    edge = drawn(np.zeros((60, 260), np.uint8), "SMITH^JOHN 1964", (0, 22))
    for picture in (noise, edge, edge.T.copy()):
        height, width = picture.shape
        boxes = find_text(picture)
        for left, top, right, bottom in boxes:
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
    assert find_text(edge)


def test_boxes_that_overlap_become_one():
    assert merged([(0, 0, 10, 10), (50, 50, 60, 60), (5, 5, 20, 8)]) == [
        (0, 0, 20, 10), (50, 50, 60, 60),
    ]  # fmt: skip


def test_the_same_picture_gives_the_same_boxes():
    picture = drawn(quiet_sample(), "SMITH^JOHN", (12, 40))
    assert find_text(picture) == find_text(picture.copy())
