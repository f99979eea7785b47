"""The progress in a corner: never on the x-ray, never on a tag."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from display_agent.compose import MarkerLabel, compose
from display_agent.look import Look
from display_agent.progress import lowered, strip, with_progress

TEXT = "set 2, 150 of 150"


def _made(xray, screen, *, marker, height=None):
    size = (screen[0], height or screen[1])
    return compose(Image.new("L", xray, 200), size, Look(marker=marker), label=MarkerLabel(1))


@pytest.mark.parametrize("screen", [(1920, 1080), (1080, 1920), (1280, 1024), (1366, 768)])
@pytest.mark.parametrize("xray", [(320, 390), (390, 320), (512, 512), (1600, 900), (900, 1600)])
@pytest.mark.parametrize("marker", [False, True])
def test_the_text_is_there_and_xray_and_tags_are_untouched(screen, xray, marker):
    """In a free corner, or in a strip for which the x-ray makes room."""
    made = _made(xray, screen, marker=marker)
    written = with_progress(made, TEXT)
    if written is None:
        made = lowered(_made(xray, screen, marker=marker, height=screen[1] - strip(screen)), screen)
        assert made.shrunk < 1
        written = with_progress(made, TEXT)
    assert written is not None
    assert written.frame.size == screen
    before, after = np.asarray(made.frame), np.asarray(written.frame)
    changed = before != after
    assert changed.sum() > 100
    for x, y, wide, high in (made.rect, *made.tags):
        assert not changed[y : y + high, x : x + wide].any()


def test_the_composition_itself_is_not_written_on():
    """It is kept for the next time."""
    made = _made((500, 500), (1920, 1080), marker=False)
    before = made.frame.tobytes()
    with_progress(made, TEXT)
    assert made.frame.tobytes() == before


def test_a_frame_that_is_full_has_no_corner():
    """The caller makes room then."""
    assert with_progress(_made((1600, 900), (1600, 900), marker=False), TEXT) is None


def test_a_tinted_frame_is_written_on_as_well():
    """RGB."""
    tinted = compose(Image.new("L", (9, 9), 5), (1920, 1080), Look(gains=(1.0, 0.9, 0.8)))
    assert with_progress(tinted, TEXT) is not None
