"""An X server of the benchmark's own, and a client that looks at single pixels of its root."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bench.programs import BenchError

_ALL_PLANES = 0xFFFFFFFF
_Z_PIXMAP = 2


@contextmanager
def x_server(size: tuple[int, int]) -> Iterator[str]:
    """Xvfb of *size* with a window manager; its DISPLAY, set in this process's environment too.

    Raises:
        BenchError: Xvfb or openbox is missing.
    """
    reading, writing = os.pipe()
    before = os.environ.get("DISPLAY")
    started: list[subprocess.Popen[bytes]] = []
    with os.fdopen(reading) as said:
        words = ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{size[0]}x{size[1]}x24",
                 "-nolisten", "tcp", "-noreset"]  # fmt: skip
        try:
            started.append(_start(words, pass_fds=[writing]))
        finally:
            os.close(writing)
        try:
            display = f":{said.readline().strip()}"
            os.environ["DISPLAY"] = display
            started.append(_start(["openbox"]))
            yield display
        finally:
            for child in reversed(started):
                child.kill()
                child.wait()
            if before is None:
                os.environ.pop("DISPLAY", None)
            else:
                os.environ["DISPLAY"] = before


def _start(words: Sequence[str], **more: Any) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            **more,
        )  # fmt: skip
    except OSError as error:
        raise BenchError(f"{words[0]} cannot be started: {error.strerror}") from error


class Root:
    """Single pixels of the root window of `DISPLAY`; about 0.05 ms each."""

    def __init__(self) -> None:
        self._x: Any = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
        self._x.XOpenDisplay.restype = ctypes.c_void_p
        self._x.XDefaultRootWindow.restype = ctypes.c_ulong
        self._x.XGetImage.restype = ctypes.c_void_p
        self._x.XGetPixel.restype = ctypes.c_ulong
        display = self._x.XOpenDisplay(None)
        if not display:
            raise BenchError("the X server does not answer")
        self._display = ctypes.c_void_p(display)
        self._root = ctypes.c_ulong(self._x.XDefaultRootWindow(self._display))

    def pixel(self, x: int, y: int) -> tuple[int, int, int]:
        """Red, green, blue."""
        image = ctypes.c_void_p(
            self._x.XGetImage(
                self._display, self._root, x, y, 1, 1, ctypes.c_ulong(_ALL_PLANES), _Z_PIXMAP
            )
        )
        value = int(self._x.XGetPixel(image, 0, 0))
        self._x.XDestroyImage(image)
        return value >> 16 & 255, value >> 8 & 255, value & 255

    def close(self) -> None:
        """End the connection."""
        self._x.XCloseDisplay(self._display)
