"""The screen that the command line names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from display_agent.compose import Size
from display_agent.screens import Screen
from display_agent.screens.options import KINDS
from display_agent.screens.window import WindowOptions
from rig.errors import UserError


@dataclass(frozen=True, slots=True)
class ScreenOptions:
    """What else the command line says about the screen.

    Attributes:
        size: pixels of the null screen.
        monitor: which monitor, from 0.
        windowed: pixels of a window for trying out, or None.
        browser_listen: address of the kiosk page.
        browser_command: starts the browser on this machine, or None when a person does; empty
            for whichever Chromium is installed.
        browser_url: file for the page's address, or None.
    """

    size: Size = (1920, 1080)
    monitor: int = 0
    windowed: Size | None = None
    browser_listen: tuple[str, int] = ("127.0.0.1", 0)
    browser_command: str | None = None
    browser_url: Path | None = None


def open_screen(kind: str, options: ScreenOptions) -> Screen:
    """The screen *kind*, not opened yet.

    Raises:
        UserError: there is no such kind.
    """
    window = WindowOptions(options.monitor, options.windowed)
    if kind == "null":
        from display_agent.screens.null import NullScreen

        return NullScreen(options.size)
    if kind == "pygame":
        from display_agent.screens.pygame_screen import PygameScreen

        return PygameScreen(window)
    if kind == "tk":
        from display_agent.screens.tk import TkScreen

        return TkScreen(window)
    if kind == "browser":
        from display_agent.screens.browser import BrowserScreen

        return BrowserScreen(
            options.browser_listen, options.browser_command, window, url_file=options.browser_url
        )
    raise UserError(f"there is no screen {kind!r}; choose one of {', '.join(KINDS)}")
