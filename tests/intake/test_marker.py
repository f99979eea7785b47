"""Tags in a picture: found where they are, read when all of them agree."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rig.intake.card import card_tags
from rig.intake.marker import decode_marker, find_tags
from rig.intake.marker_ids import CARD_IDS, Marker, encode_ids

FAMILY = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)


def _sheet(ids, module=6):
    """Tags in two rows of four, 12 modules apart, and where their black squares begin."""
    pitch = 12 * module
    sheet = np.zeros((2 * pitch, 4 * pitch), np.uint8)
    places = {}
    for at, number in enumerate(ids):
        y, x = (at // 4) * pitch + module, (at % 4) * pitch + module
        sheet[y : y + 10 * module, x : x + 10 * module] = 176
        tag = cv2.aruco.generateImageMarker(FAMILY, number, 8 * module)
        inner = slice(y + module, y + 9 * module), slice(x + module, x + 9 * module)
        sheet[inner] = np.minimum(tag, 176)
        places.setdefault(number, (x + module, y + module))
    return sheet, places


def test_tags_are_found_at_their_corners_in_pixel_edge_coordinates():
    """To half a pixel, clockwise from the tag's own top left."""
    sheet, places = _sheet(encode_ids(1234, 3), module=8)
    tags = find_tags(sheet)
    assert {tag.id for tag in tags} == set(places)
    for tag in tags:
        x, y = places[tag.id]
        expected = np.array([(x, y), (x + 64, y), (x + 64, y + 64), (x, y + 64)])
        assert np.abs(tag.corners - expected).max() < 0.6


def test_corners_are_those_of_the_full_photo_when_it_was_scaled_down():
    """Looked for at a third, told in the photo's own pixels."""
    sheet, places = _sheet(encode_ids(1234, 3), module=24)
    for tag in find_tags(sheet, sheet.shape[1] // 3):
        assert np.abs(tag.corners[0] - places[tag.id]).max() < 2.5


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_marker_is_read_any_way_up_in_grey_and_colour(turns):
    """A phone held on its side makes no difference."""
    sheet, _ = _sheet(encode_ids(70_000, 5))
    turned = np.ascontiguousarray(np.rot90(sheet, turns))
    assert decode_marker(turned) == Marker(70_000, 5)
    assert decode_marker(np.dstack([turned] * 3)) == Marker(70_000, 5)


def test_a_mirrored_marker_is_not_read():
    """A photo of a mirror is no photo of the screen."""
    sheet, _ = _sheet(encode_ids(70_000, 5))
    assert decode_marker(np.ascontiguousarray(sheet[:, ::-1])) is None


def test_a_frame_that_is_switched_in_part_is_not_read():
    """The upper row says the new x-ray, the lower one the old."""
    new, old = _sheet(encode_ids(8, 1))[0], _sheet(encode_ids(7, 1))[0]
    torn = new.copy()
    torn[len(torn) // 2 :] = old[len(old) // 2 :]
    assert len(find_tags(torn)) == 8
    assert decode_marker(torn) is None


def test_one_covered_tag_does_no_harm_and_two_do():
    """A thumb."""
    sheet, _ = _sheet(encode_ids(7, 1))
    sheet[:72, :72] = 120
    assert decode_marker(sheet) == Marker(7, 1)
    sheet[:72, 72:144] = 120
    assert decode_marker(sheet) is None


def test_small_tags_in_a_large_photo_are_looked_for_again_in_full():
    """Scaled down to the usual side they are not to be read."""
    small, _ = _sheet(encode_ids(7, 1), module=5)
    photo = np.full((3000, 6000), 60, np.uint8)
    photo[1000 : 1000 + len(small), 2000 : 2000 + small.shape[1]] = small
    big, _ = _sheet([CARD_IDS[0]], module=30)
    photo[: len(big), :400] = big[:, :400]
    assert len(find_tags(photo)) < 7
    assert decode_marker(photo) == Marker(7, 1)


def test_a_photo_without_tags_says_nothing():
    """Not even noise."""
    noise = np.random.default_rng(1).integers(0, 256, (400, 600), dtype=np.uint8)
    assert decode_marker(noise) is None
    assert find_tags(np.zeros((50, 50), np.uint8)) == []


def test_the_test_cards_tags_are_no_marker():
    """And their layout fits the screen."""
    boxes = card_tags((1920, 1080))
    assert tuple(boxes) == CARD_IDS
    card = np.zeros((1080, 1920), np.uint8)
    for number, (x, y, side, _) in boxes.items():
        card[y : y + side, x : x + side] = 176
        module = side // 10
        tag = cv2.aruco.generateImageMarker(FAMILY, number, 8 * module)
        card[y + module : y + 9 * module, x + module : x + 9 * module] = np.minimum(tag, 176)
    assert {tag.id for tag in find_tags(card)} == set(CARD_IDS)
    assert decode_marker(card) is None


def test_only_eight_bit_pictures_are_looked_at():
    """Anything else is a mistake of the caller."""
    with pytest.raises(ValueError, match="8-bit"):
        decode_marker(np.zeros((10, 10), np.float32))  # type: ignore[arg-type]
