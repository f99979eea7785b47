"""Real X servers for tests of real windows, found by `-displayfd`; for conftest files to load.

Xvfb, xprop and xwininfo (x11-utils), openbox, xdotool and tkinter are needed; without them the
tests that use this fail.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image, ImageGrab

SIZE = (800, 600)
PATIENCE = 30.0
_COVER = """
import sys, tkinter
root = tkinter.Tk()
root.overrideredirect(True)
root.configure(background="red")
root.geometry("90x60+100+80")
root.attributes("-topmost", True)
root.update()
print("up", flush=True)
sys.stdin.readline()
"""


class XServer:
    """One Xvfb and the clients that a test starts on it."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self._children: list[subprocess.Popen[Any]] = []
        reading, writing = os.pipe()
        screen = f"{size[0]}x{size[1]}x24"
        with os.fdopen(reading) as said:
            self.server = subprocess.Popen(
                ["Xvfb", "-displayfd", str(writing), "-screen", "0", screen, "-nolisten", "tcp",
                 "-noreset"],
                pass_fds=[writing], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            os.close(writing)
            # To the end of the line: who closes the pipe earlier kills the server.
            self.display = f":{said.readline().strip()}"
        assert self.display != ":", "Xvfb did not start"

    def start(self, *words: str, **more: Any) -> subprocess.Popen[Any]:
        environment = {**os.environ, "DISPLAY": self.display}
        child = subprocess.Popen(
            words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, **more,
        )  # fmt: skip
        self._children.append(child)
        return child

    def window_manager(self) -> None:
        self.start("openbox")
        until(lambda: b"window id" in self.ask("xprop", "-root", "_NET_SUPPORTING_WM_CHECK"))

    def ask(self, *words: str) -> bytes:
        environment = {**os.environ, "DISPLAY": self.display}
        done = subprocess.run(
            words, env=environment, capture_output=True, check=False, timeout=PATIENCE
        )
        return done.stdout

    def xdotool(self, *words: str) -> bytes:
        return self.ask("xdotool", *words)

    def window(self) -> str:
        """Number of the screen's window."""

        def found() -> str:
            tree = self.ask("xwininfo", "-root", "-tree").decode()
            match = re.search(r'(0x[0-9a-f]+) "capture-rig"', tree)
            return match[1] if match else ""

        return str(until(found))

    @contextlib.contextmanager
    def cover(self) -> Iterator[None]:
        """Another program's window, which no window manager can hold back."""
        child = self.start(sys.executable, "-c", _COVER)
        assert child.stdout is not None
        assert child.stdout.readline().strip() == b"up"
        until(lambda: self.root().getpixel((110, 90)) == (255, 0, 0))
        yield
        child.kill()
        child.wait()

    def root(self) -> Image.Image:
        """The root window's pixels, by a client of our own."""
        return ImageGrab.grab(xdisplay=self.display).convert("RGB")

    def kill(self) -> None:
        self.server.kill()
        self.server.wait()

    def close(self) -> None:
        for child in self._children:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        self.kill()


def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Poll what another process does by its own clock."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return found
