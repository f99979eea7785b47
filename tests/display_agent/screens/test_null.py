"""The screen that nobody sees."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from display_agent.compose import compose, surface_sha
from display_agent.screens import Screen
from display_agent.screens.null import NullScreen


@pytest.fixture
def composition():
    ramp = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
    return compose(Image.fromarray(ramp), (64, 48))


@pytest.fixture
async def screen():
    made: Screen = NullScreen((64, 48), clock_ns=lambda: 1234)
    await made.open()
    return made


async def test_showing_confirms_with_the_hash_read_back_and_the_time(screen, composition):
    """What is confirmed is what is up."""
    shown = await screen.show(b"token001", composition)
    assert shown.flip_ns == 1234
    assert shown.surface_sha == screen.surface() == surface_sha(composition.frame)
    assert screen.shown == [b"token001"]


async def test_the_read_back_sees_what_covers_the_xray(screen, composition):
    """A window that pops up changes the surface, and the run is told."""
    told: list[str] = []
    screen.on_disturbed = told.append
    shown = await screen.show(b"token001", composition)
    screen.disturb("a window came up", Image.new("L", (5, 5), 255))
    assert told == ["a window came up"]
    assert screen.surface() != shown.surface_sha


async def test_the_frame_on_the_screen_is_a_copy(screen, composition):
    """Altering the composition afterwards changes nothing that is up."""
    shown = await screen.show(b"token001", composition)
    composition.frame.putpixel((0, 0), 255)
    assert screen.surface() == shown.surface_sha


async def test_blanking_shows_the_reason_on_black(screen, composition):
    """Nothing of the x-ray remains."""
    await screen.show(b"token001", composition)
    await screen.blank("ABORT: index mismatch")
    pixels = np.asarray(screen.frame())
    assert 0 < (pixels > 0).mean() < 0.5
    before = screen.surface()
    await screen.blank("another reason")
    assert screen.surface() != before


async def test_a_frame_of_another_size_is_a_mistake_of_ours(composition):
    """The screen changes nothing then."""
    screen = NullScreen((10, 10))
    before = screen.surface()
    with pytest.raises(ValueError, match="on a screen of"):
        await screen.show(b"token001", composition)
    assert screen.surface() == before


async def test_open_and_close_leave_black(screen, composition):
    """Closing twice is fine."""
    await screen.show(b"token001", composition)
    await screen.close()
    await screen.close()
    assert not np.asarray(screen.frame()).any()
