"""Windows on a real X server: what its root window holds is what was composed."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from PIL import Image, ImageChops

from display_agent.compose import compose, decode, surface_sha
from display_agent.screens import KeyScreen
from display_agent.screens.checks import take
from display_agent.screens.open import ScreenOptions, open_screen
from rig.catalog.chexpert import import_csv
from rig.errors import UserError
from rig.sample import csv_path, data_dir

KINDS = ("pygame", "tk")
COUNT = 100


def differs(one: Image.Image, other: Image.Image) -> bool:
    return ImageChops.difference(one.convert("RGB"), other.convert("RGB")).getbbox() is not None


@pytest.mark.parametrize("kind", KINDS)
async def test_the_root_window_equals_the_composed_frame_for_each_of_100_images(
    kind: str, x: Any, opened: Any, tools: dict[str, Any]
) -> None:
    """X-rays, and grey and coloured noise in turn; compared when `show` returns, not later."""
    screen = open_screen(kind, ScreenOptions())
    told = await opened(screen)
    files = [xray.file for xray in import_csv(csv_path(), data_dir()).xrays]
    assert screen.size == x.size
    for index in range(1, COUNT + 1):
        composition = tools["composition_of"](index)
        if index % 4 == 0:
            picture = decode(files[index // 4 % len(files)].read_bytes())
            composition = compose(picture, screen.size)
        shown = await screen.show(index.to_bytes(8, "big"), composition)
        root = x.root()
        assert not differs(root, composition.frame), f"image {index} is not what the monitor shows"
        assert shown.surface_sha == surface_sha(composition.frame)
    assert screen.surface() == surface_sha(composition.frame)
    assert not differs(screen.frame(), composition.frame)
    assert told == []


@pytest.mark.parametrize("kind", KINDS)
async def test_the_flip_is_told_by_both_clocks(
    kind: str, x: Any, opened: Any, tools: dict[str, Any]
) -> None:
    """Between the call and its return."""
    screen = open_screen(kind, ScreenOptions())
    await opened(screen)
    before = time.time_ns(), time.monotonic_ns()
    shown = await screen.show(b"token001", tools["composition_of"](1))
    after = time.time_ns(), time.monotonic_ns()
    assert before[0] <= shown.flip_ns <= after[0]
    assert before[1] <= shown.flip_monotonic_ns <= after[1]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_good_screen_passes_its_own_check_and_is_black_afterwards(
    kind: str, x: Any, opened: Any
) -> None:
    """Window, scaling, refresh, pixels, pointer, blanking; the pattern does not stay."""
    screen = open_screen(kind, ScreenOptions())
    await opened(screen)
    findings = {finding.name: finding for finding in await screen.self_check()}
    assert {"window", "scaling", "refresh", "pixels", "cursor", "blanking"} <= findings.keys()
    assert [f for f in findings.values() if not f.ok] == []
    assert "root window" in findings["pixels"].text
    assert x.root().getbbox() is None


@pytest.mark.parametrize("kind", KINDS)
async def test_blanking_shows_the_reason_on_black(
    kind: str, x: Any, opened: Any, tools: dict[str, Any]
) -> None:
    """On the root window, nothing of the x-ray is left."""
    screen = open_screen(kind, ScreenOptions())
    await opened(screen)
    await screen.show(b"token001", tools["composition_of"](2))
    await screen.blank("PAUSED: the phone is away")
    corner = x.root().crop((0, 0, 800, 100))
    assert corner.getbbox() is None
    assert x.root().getbbox() is not None
    assert not differs(x.root(), screen.frame())


@pytest.mark.parametrize("kind", KINDS)
async def test_keys_are_told_by_name_and_disturb_nothing(
    kind: str, own_x: Any, opened: Any, tools: dict[str, Any]
) -> None:
    """Manual mode goes on by them."""
    screen = open_screen(kind, ScreenOptions())
    told = await opened(screen)
    assert isinstance(screen, KeyScreen)
    keys: list[str] = []
    screen.on_key = keys.append
    await screen.show(b"token001", tools["composition_of"](1))
    own_x.xdotool("windowfocus", "--sync", own_x.window())
    told.clear()
    own_x.xdotool("key", "space", "Left", "Return", "q")
    await _until(lambda: len(keys) >= 4)
    assert keys == ["space", "left", "return", "q"]
    assert told == []


async def _until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_frame_of_another_size_is_refused(
    kind: str, x: Any, opened: Any, tools: dict[str, Any]
) -> None:
    """A composition for another monitor must not be cut or stretched."""
    screen = open_screen(kind, ScreenOptions())
    await opened(screen)
    with pytest.raises(ValueError, match="on a screen of"):
        await screen.show(b"token001", tools["composition_of"](1, (640, 480)))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_window_for_trying_out_has_the_pixels_asked_for(
    kind: str, own_x: Any, opened: Any, tools: dict[str, Any]
) -> None:
    """--windowed: placed by the window manager, its pixels still read back."""
    screen = open_screen(kind, ScreenOptions(windowed=(320, 240)))
    await opened(screen)
    assert screen.size == (320, 240)
    shown = await screen.show(b"token001", tools["composition_of"](1, (320, 240)))
    assert shown.surface_sha == surface_sha(tools["frame_of"](1, (320, 240)))


@pytest.mark.parametrize("kind", KINDS)
async def test_no_monitor_is_one_sentence_that_says_what_to_do(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a traceback nor a window that nobody sees."""
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    screen = open_screen(kind, ScreenOptions())
    with pytest.raises(UserError, match=r"no monitor can be used; .*--screen browser"):
        await take(screen)
    await screen.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_monitor_that_is_not_there_is_refused(kind: str, x: Any) -> None:
    """Not silently the first one instead."""
    screen = open_screen(kind, ScreenOptions(monitor=3))
    with pytest.raises(UserError, match="there is no monitor 3 here"):
        await screen.open()
    await screen.close()
