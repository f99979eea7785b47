"""The X server beside the toolkit: root window pixels, visibility, monitors, compositor.

Xlib ends the process when its server goes away, so all of this runs in the window's own process
(see `window_process`) and never in the agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import ctypes.util
import os
import re
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageGrab

from display_agent.screens.pixels import difference

_VISIBILITY_CHANGE_MASK = 1 << 16
_VISIBILITY_NOTIFY = 15
_UNOBSCURED = 0
_MONITOR = re.compile(r"^\s*(\d+): \S+ (\d+)/\d+x(\d+)/\d+\+(-?\d+)\+(-?\d+)\s+(\S+)")
_OUTPUT = re.compile(r"^(\S+) connected")
_MODE = re.compile(r"^\s+(\d+)x(\d+)\S*\s+(.*)$")


@dataclass(frozen=True, slots=True)
class Monitor:
    """One monitor as RandR tells it.

    `width`, `height`, `x`, `y`: pixels of the desktop; `mode`: pixels of the mode that the
    monitor runs, or None; `hertz`: its refresh rate, or None where it is unknown (virtual).
    """

    name: str
    width: int
    height: int
    x: int
    y: int
    mode: tuple[int, int] | None = None
    hertz: float | None = None


class _VisibilityEvent(ctypes.Structure):
    """XVisibilityEvent of <X11/Xlib.h>."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("state", ctypes.c_int),
    )


class _Event(ctypes.Union):
    """XEvent of <X11/Xlib.h>: 24 longs at most."""

    _fields_ = (("type", ctypes.c_int), ("visibility", _VisibilityEvent),
                ("pad", ctypes.c_long * 24))  # fmt: skip


class XServer:
    """A connection of our own to the X server of `DISPLAY`.

    Raises:
        OSError: there is no libX11 or no server.
    """

    def __init__(self) -> None:
        name = ctypes.util.find_library("X11") or "libX11.so.6"
        self._x: Any = ctypes.CDLL(name)
        self._x.XOpenDisplay.restype = ctypes.c_void_p
        self._x.XGetSelectionOwner.restype = ctypes.c_ulong
        self._x.XInternAtom.restype = ctypes.c_ulong
        display = self._x.XOpenDisplay(None)
        if not display:
            raise OSError("no X server answers")
        self._display = ctypes.c_void_p(display)
        self._dpms: Any = None
        with contextlib.suppress(OSError):
            extension: Any = ctypes.CDLL(ctypes.util.find_library("Xext") or "libXext.so.6")
            base, errors = ctypes.c_int(), ctypes.c_int()
            if extension.DPMSQueryExtension(
                self._display, ctypes.byref(base), ctypes.byref(errors)
            ):
                self._dpms = extension

    def asleep(self) -> bool:
        """Whether the monitors sleep: standby, suspend or off by DPMS (X extension 1.2).

        False where the server has no DPMS, as a virtual one.
        """
        if self._dpms is None:
            return False
        level, enabled = ctypes.c_ushort(), ctypes.c_ubyte()
        known = self._dpms.DPMSInfo(self._display, ctypes.byref(level), ctypes.byref(enabled))
        return bool(known and enabled.value and level.value)

    def watch(self, window: int) -> None:
        """Ask for the visibility of *window*; any number of programs may.

        The toolkit's window lies in a frame of the window manager at most; the events tell of
        everything that covers it, unless a compositor draws windows apart from each other.
        """
        self._x.XSelectInput(self._display, ctypes.c_ulong(window), _VISIBILITY_CHANGE_MASK)
        self._x.XSync(self._display, 0)

    def covered(self) -> bool | None:
        """Whether the watched window is covered, by the latest event; None without a new one."""
        latest = None
        event = _Event()
        while self._x.XPending(self._display):
            self._x.XNextEvent(self._display, ctypes.byref(event))
            if event.type == _VISIBILITY_NOTIFY:
                latest = event.visibility.state != _UNOBSCURED
        return latest

    def composited(self) -> bool:
        """Whether a compositor runs (owner of _NET_WM_CM_S0, freedesktop.org EWMH)."""
        atom = self._x.XInternAtom(self._display, b"_NET_WM_CM_S0", 0)
        return bool(self._x.XGetSelectionOwner(self._display, ctypes.c_ulong(atom)))


def grab(x: int, y: int, width: int, height: int) -> Image.Image | None:
    """Those pixels of the root window (RGB); None where the server does not give them."""
    try:
        whole = ImageGrab.grab(xdisplay=os.environ.get("DISPLAY", ""))
    except (OSError, ValueError):
        return None
    if whole.mode != "RGB":
        whole = whole.convert("RGB")
    box = (x, y, x + width, y + height)
    return whole if whole.size == (width, height) and (x, y) == (0, 0) else whole.crop(box)


class Root:
    """The root window's pixels at the place of monitor *number*, for a full-screen window there."""

    def __init__(self, number: int) -> None:
        found = monitors()
        self._place = (found[number].x, found[number].y) if number < len(found) else (0, 0)

    def seen(self, wanted: Image.Image) -> Image.Image | None:
        """What is there now, of the size of *wanted*."""
        return grab(*self._place, *wanted.size)

    async def wrong(self, wanted: Image.Image, within: float = 2.0) -> str | None:
        """None as soon as *wanted* is to be seen there; why not after *within* seconds."""
        end = time.monotonic() + within
        while True:
            seen = await asyncio.to_thread(self.seen, wanted)
            wrong = "it cannot be read" if seen is None else difference(wanted, seen)
            if wrong is None or time.monotonic() > end:
                return wrong
            await asyncio.sleep(0.01)


def monitors() -> tuple[Monitor, ...]:
    """The monitors, first the primary's list as RandR numbers it; empty where xrandr is missing."""
    active, modes = _ask("xrandr", "--listactivemonitors"), _ask("xrandr", "--current")
    return parse_monitors(active, modes)


def parse_monitors(active: str, modes: str) -> tuple[Monitor, ...]:
    """`xrandr --listactivemonitors` and `xrandr --current` together."""
    running = _running(modes)
    found = []
    for line in active.splitlines():
        if (match := _MONITOR.match(line)) is not None:
            width, height, x, y = (int(match[at]) for at in (2, 3, 4, 5))
            mode, hertz = running.get(match[6], (None, None))
            found.append(Monitor(match[6], width, height, x, y, mode, hertz))
    return tuple(found)


def _running(modes: str) -> dict[str, tuple[tuple[int, int], float | None]]:
    output = ""
    running: dict[str, tuple[tuple[int, int], float | None]] = {}
    for line in modes.splitlines():
        if (match := _OUTPUT.match(line)) is not None:
            output = match[1]
        elif output and (mode := _MODE.match(line)) is not None:
            for rate in mode[3].split():
                if "*" in rate:
                    hertz = float(re.sub(r"[^0-9.]", "", rate) or 0)
                    running[output] = (int(mode[1]), int(mode[2])), hertz or None
    return running


def _ask(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
