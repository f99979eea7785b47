"""What a toolkit must offer to hold a full-screen window; it lives in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from display_agent.compose import Size
from display_agent.screens import Finding


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """What the command line asks of a window.

    Attributes:
        monitor: which one, counted from 0 as `--list-monitors` shows them.
        windowed: pixels of a window for trying out, or None for the whole monitor.
    """

    monitor: int = 0
    windowed: Size | None = None


class Window(Protocol):
    """One window on one monitor. Called from one thread only."""

    def monitors(self) -> list[str]:
        """What can be chosen, by number, in words; raises UserError when there is none."""
        ...

    def open(self, options: WindowOptions) -> None:
        """Take the monitor; raises UserError when there is none, with what to do."""
        ...

    @property
    def size(self) -> Size:
        """Width and height of the window in device pixels."""
        ...

    @property
    def place(self) -> tuple[int, int]:
        """Left and top of the window on the desktop, in device pixels."""
        ...

    @property
    def on_x11(self) -> bool:
        """Whether the root window of an X server shows what this window shows."""
        ...

    def x_window(self) -> int | None:
        """Its number at the X server, for watching it."""
        ...

    def paint(self, image: Image.Image) -> None:
        """Put *image* (L or RGB, of the window's size) up; returns after the flip."""
        ...

    def buffer(self) -> Image.Image:
        """What the window itself holds (RGB), read back."""
        ...

    def pump(self) -> list[str]:
        """Handle the events that are due; a sentence for each that disturbs what is shown."""
        ...

    def pressed(self) -> list[str]:
        """Lower-case names of the keys pressed since the last call, as `Key` says."""
        ...

    def trouble(self) -> str | None:
        """Why nobody can see it as it should be now (minimised, hidden), or None."""
        ...

    def findings(self) -> list[Finding]:
        """What only the toolkit knows: window and monitor, scaling, refresh, blanking."""
        ...

    def close(self) -> None:
        """Give the monitor back."""
        ...


class Closed(Exception):
    """Somebody closed the window; raised by `pump`."""


def window_finding(size: Size, monitor: Size, options: WindowOptions) -> Finding:
    """Whether the window covers its monitor pixel by pixel."""
    has, wants = f"{size[0]}x{size[1]}", f"{monitor[0]}x{monitor[1]}"
    if options.windowed is not None:
        return Finding("window", True, f"a window of {has} for trying out; not for real photos")
    if size == monitor:
        return Finding("window", True, f"the window has all {has} pixels of the monitor")
    text = f"the window has {has} pixels and the monitor {wants}: panels or scaling are in the way"
    return Finding("window", False, text)


def refresh_finding(hertz: float | None) -> Finding:
    """The refresh rate, as far as it is known."""
    if not hertz:
        text = "the monitor does not tell its refresh rate (a virtual one has none)"
        return Finding("refresh", True, text)
    frame = 1000 / hertz
    text = f"{hertz:.4g} Hz: one frame lasts {frame:.1f} ms; settle at least {2 * frame:.0f} ms"
    if hertz < 23:
        return Finding("refresh", False, text + "; this rate is too low, choose another mode")
    return Finding("refresh", True, text)
