"""What gets in the way of a real window: the run is told, and nothing wrong is confirmed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from display_agent.compose import surface_sha
from display_agent.screens.open import ScreenOptions, open_screen
from display_agent.screens.remote import NO_SURFACE
from rig.errors import UserError

KINDS = ("pygame", "tk")
NOWHERE = ":64999"
"""Where no X server is: the number of one that was killed may be another test's by now."""


async def until(condition: Callable[[], Any]) -> Any:
    async with asyncio.timeout(30):
        while not (found := condition()):
            await asyncio.sleep(0.02)
    return found


def heard(told: list[str], words: str) -> Callable[[], bool]:
    return lambda: any(words in sentence for sentence in told)


async def looked(screen: Any) -> Any:
    """What a look, which paints nothing, says of the x-ray that is up."""
    (found,) = (one for one in await screen.look() if one.name == "shown")
    return found


@pytest.fixture(params=KINDS)
async def shown(request: Any, own_x: Any, opened: Any, tools: dict[str, Any]) -> Any:
    """A screen with image 1 up, what disturbs it, its X server."""
    screen = open_screen(request.param, ScreenOptions())
    told = await opened(screen)
    await screen.show(b"token001", tools["composition_of"](1))
    await asyncio.sleep(0.3)  # the window manager's last events
    told.clear()
    return screen, told, own_x


async def test_another_window_over_the_xray_is_told_and_read_back(
    shown: Any, tools: dict[str, Any]
) -> None:
    """Told at once; the surface is another; painting under it is no confirmation."""
    screen, told, x = shown
    with x.cover():
        await until(heard(told, "another window covers the x-ray"))
        assert screen.surface() != surface_sha(tools["frame_of"](1))
        with pytest.raises(UserError, match=r"does not show the x-ray: .*then resume"):
            await screen.show(b"token002", tools["composition_of"](2))
        assert "does not show what was put up" in (await looked(screen)).text
    again = await screen.show(b"token003", tools["composition_of"](2))
    assert again.surface_sha == surface_sha(tools["frame_of"](2)) == screen.surface()
    assert (await looked(screen)).ok
    assert screen.surface() == again.surface_sha


async def test_a_minimised_window_is_told_and_can_come_back(
    shown: Any, tools: dict[str, Any]
) -> None:
    """Nothing is confirmed while it is down; restored, the next x-ray is shown."""
    screen, told, x = shown
    window = x.window()
    x.xdotool("windowminimize", window)
    await until(heard(told, "minimised"))
    with pytest.raises(UserError, match=r"the window is minimised; bring .*then resume"):
        await screen.show(b"token002", tools["composition_of"](2))
    x.xdotool("windowmap", window)
    x.xdotool("windowactivate", window)
    async with asyncio.timeout(30):
        while True:
            try:
                again = await screen.show(b"token003", tools["composition_of"](2))
                break
            except UserError:
                await asyncio.sleep(0.1)
    assert again.surface_sha == surface_sha(tools["frame_of"](2))
    assert x.root().tobytes() == tools["frame_of"](2).convert("RGB").tobytes()


async def test_a_window_that_stays_minimised_is_replaced_at_the_next_paint(
    shown: Any, tools: dict[str, Any]
) -> None:
    """Resume is enough: nobody has to find the window again."""
    screen, told, x = shown
    x.xdotool("windowminimize", x.window())
    await until(heard(told, "minimised"))
    with pytest.raises(UserError, match="the window is minimised"):
        await screen.show(b"token002", tools["composition_of"](2))
    await screen.blank("PAUSED")
    again = await screen.show(b"token003", tools["composition_of"](2))
    assert again.surface_sha == surface_sha(tools["frame_of"](2))
    assert x.root().tobytes() == tools["frame_of"](2).convert("RGB").tobytes()


async def test_a_window_that_lost_the_focus_is_told(shown: Any) -> None:
    """Another program came to the front: it may have shown something."""
    screen, told, x = shown
    x.xdotool("windowfocus", "--sync", x.window())
    await asyncio.sleep(0.1)
    told.clear()
    root = x.ask("xwininfo", "-root").decode().split("Window id: ")[1].split()[0]
    x.xdotool("windowfocus", root)
    await until(heard(told, "lost the keyboard focus"))
    assert screen.size == x.size


async def test_a_closed_window_pauses_the_run_and_the_next_paint_opens_it(
    shown: Any, tools: dict[str, Any]
) -> None:
    """By the window manager's key, as its button would (WM_DELETE_WINDOW)."""
    screen, told, x = shown
    window = x.window()
    async with asyncio.timeout(30):
        while not heard(told, "the window was closed")():
            x.xdotool("windowfocus", window)
            x.xdotool("key", "alt+F4")
            await asyncio.sleep(0.3)
    assert screen.surface() == NO_SURFACE
    await screen.blank("PAUSED")  # nothing to blank, and no traceback
    with pytest.raises(UserError, match="the window was closed; resume, and it is opened again"):
        await screen.show(b"token002", tools["composition_of"](2))
    again = await screen.show(b"token003", tools["composition_of"](2))
    assert again.surface_sha == surface_sha(tools["frame_of"](2)) == screen.surface()


async def test_a_display_server_that_dies_ends_no_agent_and_hangs_nothing(
    shown: Any, make_x: Any, tools: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cable is out: told, paused, and the run goes on when there is a monitor again."""
    screen, told, x = shown
    x.kill()
    monkeypatch.setenv("DISPLAY", NOWHERE)
    await until(heard(told, "the window is gone"))
    async with asyncio.timeout(30):
        assert screen.surface() == NO_SURFACE
        assert screen.frame().size == screen.size
        await screen.blank("PAUSED")
        with pytest.raises(UserError, match="resume, and it is opened again"):
            await screen.show(b"token002", tools["composition_of"](2))
        with pytest.raises(UserError, match="no monitor can be used"):
            await screen.show(b"token002", tools["composition_of"](2))
    monkeypatch.setenv("DISPLAY", make_x().display)
    again = await screen.show(b"token003", tools["composition_of"](2))
    assert again.surface_sha == surface_sha(tools["frame_of"](2))


async def test_a_monitor_that_cannot_be_read_any_more_is_no_proof(shown: Any) -> None:
    """The window's own bytes outlive the monitor: they are never taken in its place."""
    screen, _, x = shown
    os.kill(x.server.pid, signal.SIGSTOP)  # the toolkit has not noticed yet
    try:
        asked = asyncio.create_task(asyncio.to_thread(screen.surface))
        await asyncio.sleep(0.2)
    finally:
        x.kill()
    assert await asked == NO_SURFACE


async def test_a_monitor_that_comes_back_with_another_mode_is_refused(
    shown: Any, make_x: Any, tools: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything was composed for the old pixels."""
    screen, told, x = shown
    x.kill()
    await until(heard(told, "the window is gone"))
    monkeypatch.setenv("DISPLAY", make_x((640, 480)).display)
    with pytest.raises(UserError, match="opened again"):
        await screen.show(b"token002", tools["composition_of"](2))
    with pytest.raises(UserError, match=r"came back with 640x480 pixels and had 800x600"):
        await screen.show(b"token002", tools["composition_of"](2))


async def test_a_killed_window_process_is_told_and_started_again(
    shown: Any, tools: dict[str, Any]
) -> None:
    """A toolkit that crashes takes its process, not the run."""
    screen, told, _ = shown
    os.kill(screen._process._child.pid, signal.SIGSEGV)
    await until(heard(told, "its process ended with status -11"))
    with pytest.raises(UserError, match="opened again"):
        await screen.show(b"token002", tools["composition_of"](2))
    again = await screen.show(b"token003", tools["composition_of"](2))
    assert again.surface_sha == surface_sha(tools["frame_of"](2))


async def test_a_window_that_hangs_is_given_up(
    shown: Any, tools: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process answers nothing: a sentence in time, its end, and a new one."""
    monkeypatch.setattr("display_agent.screens.remote.SHOW_WITHIN", 0.5)
    screen, told, _ = shown
    os.kill(screen._process._child.pid, signal.SIGSTOP)
    with pytest.raises(UserError, match=r"did not answer in 0\.5 s"):
        await screen.show(b"token002", tools["composition_of"](2))
    await until(heard(told, "the window is gone"))
    monkeypatch.setattr("display_agent.screens.remote.SHOW_WITHIN", 10.0)
    again = await screen.show(b"token003", tools["composition_of"](2))
    assert again.surface_sha == surface_sha(tools["frame_of"](2))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_resized_window_is_told_and_confirms_nothing(
    kind: str, x: Any, opened: Any, tools: dict[str, Any]
) -> None:
    """No window manager holds its size here."""
    screen = open_screen(kind, ScreenOptions(windowed=(320, 240)))
    told = await opened(screen)
    await screen.show(b"token001", tools["composition_of"](1, (320, 240)))
    told.clear()
    x.xdotool("windowsize", x.window(), "300", "200")
    await until(heard(told, "resized"))
    with pytest.raises(UserError, match=r"300x200 pixels instead of 320x240"):
        await screen.show(b"token002", tools["composition_of"](2, (320, 240)))
    again = await screen.show(b"token003", tools["composition_of"](2, (320, 240)))
    assert again.surface_sha == surface_sha(tools["frame_of"](2, (320, 240)))
