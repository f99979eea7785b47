"""The card of the alignment shot."""

from __future__ import annotations

import numpy as np
import pytest

from display_agent.testcard import PATCHES, alignment_card, patch_boxes
from rig.errors import UserError
from rig.intake.card import card_tags
from rig.intake.marker import find_tags
from rig.intake.marker_ids import CARD_IDS
from rig.simulation.optics import shoot, transform

SCREENS = [(1920, 1080), (1080, 1920), (1280, 1024), (640, 480), (3840, 2160)]


@pytest.mark.parametrize("size", SCREENS)
def test_four_corner_tags_are_found_where_the_layout_says(size):
    """Clockwise from top left, to a pixel."""
    card = alignment_card(size)
    assert card.frame.size == size
    assert card.frame.mode == "L"
    found = {tag.id: tag.corners for tag in find_tags(np.asarray(card.frame), max(size))}
    assert set(found) == set(CARD_IDS)
    for number, (x, y, side, _) in card_tags(size).items():
        rim = side // 10
        inner = [(x + rim, y + rim), (x + side - rim, y + side - rim)]
        assert np.abs(found[number][[0, 2]] - inner).max() <= 1
    first, second, third, fourth = (found[number].mean(axis=0) for number in CARD_IDS)
    assert first[0] < second[0]
    assert third[1] > second[1]
    assert fourth[0] < third[0]


@pytest.mark.parametrize("preset", ["typical", "hard"])
def test_a_simulated_photo_gives_the_pose(preset):
    """Corners of the tags against the truth, to 3 pixels of 2.4 million."""
    card = alignment_card((1920, 1080))
    for seed in range(3):
        shot = shoot(card.frame, preset, np.random.default_rng(seed))  # type: ignore[arg-type]
        found = {tag.id: tag.corners for tag in find_tags(np.asarray(shot.photo))}
        assert set(found) == set(CARD_IDS)
        for number, (x, y, side, _) in card_tags((1920, 1080)).items():
            rim = side // 10
            corner = np.array([[x + rim, y + rim]], np.float64)
            assert np.abs(found[number][0] - transform(shot.homography, corner)[0]).max() < 3


@pytest.mark.parametrize("size", SCREENS)
def test_the_patches_have_their_grey_levels_and_touch_nothing(size):
    """Even areas that a camera's exposure can be read from."""
    card = alignment_card(size)
    pixels = np.asarray(card.frame)
    for level, (x, y, wide, high) in zip(PATCHES, patch_boxes(size), strict=True):
        assert (pixels[y : y + high, x : x + wide] == level).all()
        assert x >= 0
        assert x + wide <= size[0]


def test_the_card_looks_different_upside_down_and_mirrored():
    """The words and the arrow are above."""
    pixels = np.asarray(alignment_card((1920, 1080)).frame).astype(int)
    top, bottom = pixels[: 1080 // 5, 600:1300], pixels[-1080 // 5 :, 600:1300]
    assert (top == 176).sum() > 2000
    assert (bottom == 176).sum() == 0


def test_on_a_narrow_screen_the_words_become_smaller():
    """They stay off the tags and on the screen."""
    row = np.asarray(alignment_card((200, 900)).frame)[130:170]
    _, columns = np.nonzero(row > 100)
    assert len(columns) > 20
    assert columns.min() >= 40
    assert columns.max() < 160


def test_a_screen_too_small_is_refused():
    """No camera could read such tags."""
    with pytest.raises(UserError, match="too small"):
        alignment_card((90, 60))
