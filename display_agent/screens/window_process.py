"""The process that holds a window: `python -m display_agent.screens.window_process KIND`.

A window is apart from the agent because toolkits end their process when the display server goes
away (Xlib calls `exit`), block it while they wait for a flip, or crash; none of that may end a
capture. Requests are JSON lines on standard input, answers and disturbances JSON lines on standard
output; pixels go through a file in memory that both map. It ends with its standard input.
"""

from __future__ import annotations

import argparse
import json
import mmap
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from display_agent.compose import surface_sha
from display_agent.screens import Finding, blanking, x11
from display_agent.screens.pixels import as_composed, checkerboard, difference
from display_agent.screens.window import Closed, Window, WindowOptions
from rig.errors import UserError

PUMP_EVERY = 0.01
"""Seconds between two looks at the toolkit's events."""
SETTLED, SETTLE_WITHIN = 0.25, 5.0
"""A new window is ready when nothing happened to it for the first, or after the second."""
SLEEP_EVERY = 0.5
"""Seconds between two looks at whether the monitor sleeps."""
ASLEEP = "the monitor went to sleep; wake it, and keep it awake (see docs/display.md)"
SEEN_WITHIN = 2.0
"""Seconds after a flip within which a desktop must have drawn it."""

Json = dict[str, Any]


class Painter:
    """Paints what is asked for, reads it back, and tells of everything that gets in between."""

    def __init__(
        self, window: Window, options: WindowOptions, tell: Callable[[Json], None]
    ) -> None:
        self._window = window
        self._tell = tell
        self._wanted = Image.new("L", (1, 1))
        self._shared: mmap.mmap | None = None
        self._server: x11.XServer | None = None
        self._from_root = False
        self._slept, self._look_at = False, 0.0
        window.open(options)
        self._settle()
        self.size = window.size
        """As the agent composes for it; the window must keep it."""
        self._wanted = Image.new("L", self.size, 0)
        self._watch()
        self._pixels()  # learns whether the root window tells anything

    def _settle(self) -> None:
        """Let the window manager have its way with the new window."""
        end = time.monotonic() + SETTLE_WITHIN
        quiet = time.monotonic() + SETTLED
        while time.monotonic() < end:
            if self._window.pump():
                quiet = time.monotonic() + SETTLED
            if time.monotonic() > quiet and self._covers():
                return
            time.sleep(PUMP_EVERY)

    def _covers(self) -> bool:
        return all(found.ok for found in self._window.findings() if found.name == "window")

    def _watch(self) -> None:
        if not self._window.on_x11:
            return
        try:
            self._server = x11.XServer()
        except OSError:
            return
        if (number := self._window.x_window()) is not None:
            self._server.watch(number)

    def pump(self) -> None:
        """Handle events; raises Closed."""
        for why in dict.fromkeys(self._window.pump()):
            self._tell({"disturbed": why})
        for key in self._window.pressed():
            self._tell({"key": key})
        if self._server is not None and self._server.covered():
            self._tell({"disturbed": "another window covers the x-ray, wholly or in part"})
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + SLEEP_EVERY
            before, self._slept = self._slept, self._sleeps()
            if self._slept and not before:
                self._tell({"disturbed": ASLEEP})

    def _sleeps(self) -> bool:
        return self._server is not None and self._server.asleep()

    def answer(self, request: Json) -> Json:
        """Do what is asked; raises UserError."""
        work = {
            "attach": self._attach, "show": self._show, "surface": self._surface,
            "frame": self._frame, "check": self._check, "look": self._look,
        }[str(request["do"])]  # fmt: skip
        return work(request)

    def _attach(self, request: Json) -> Json:
        with Path(request["path"]).open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 0)
        return {}

    def _show(self, request: Json) -> Json:
        width, height = self.size
        mode = str(request["mode"])
        length = width * height * (1 if mode == "L" else 3)
        self._wanted = Image.frombytes(mode, (width, height), self._memory()[:length])
        answer = self._put_up()
        wrong = answer.pop("wrong")
        if wrong is not None and request.get("strict", True):
            raise UserError(
                f"the monitor does not show the x-ray: {wrong}; bring "
                "the window back to the front in its full size, then resume"
            )
        return answer

    def _put_up(self) -> Json:
        """Paint what is wanted, and look until it can be seen or `SEEN_WITHIN` is over."""
        self._window.paint(self._wanted)
        flip_ns, flip_monotonic_ns = time.time_ns(), time.monotonic_ns()
        end = time.monotonic() + SEEN_WITHIN
        while True:
            seen = self._seen()
            wrong = self._trouble() or difference(self._wanted, seen)
            if wrong is None or time.monotonic() > end:
                break
            self.pump()
            time.sleep(PUMP_EVERY)
        sha = surface_sha(seen).hex()
        return {
            "sha": sha, "flip_ns": flip_ns, "flip_monotonic_ns": flip_monotonic_ns, "wrong": wrong,
        }  # fmt: skip

    def _trouble(self) -> str | None:
        if self._sleeps():
            return ASLEEP
        trouble, now = self._window.trouble(), self._window.size
        if trouble is None and now != self.size:
            has, wants = (f"{width}x{height}" for width, height in (now, self.size))
            return f"the window has {has} pixels instead of {wants}"
        return trouble

    def _seen(self) -> Image.Image:
        """What is on the monitor at the window's place; where that is not told, its own bytes."""
        if not self._from_root:
            return as_composed(self._window.buffer(), self._wanted.mode)
        seen = x11.grab(*self._window.place, *self.size)
        if seen is None:
            # Its own bytes prove nothing now: they outlive the monitor.
            raise UserError("the monitor's pixels cannot be read: its display server went away")
        return as_composed(seen, self._wanted.mode)

    def _surface(self, request: Json) -> Json:
        return {"sha": surface_sha(self._seen()).hex()}

    def _frame(self, request: Json) -> Json:
        seen = self._seen()
        data = seen.tobytes()
        self._memory()[: len(data)] = data
        return {"mode": seen.mode}

    def _memory(self) -> mmap.mmap:
        if self._shared is None:
            raise UserError("the window has no memory to share yet")
        return self._shared

    # -- the check at the start --------------------------------------------------------------------

    def _check(self, request: Json) -> Json:
        findings = [*self._window.findings(), *self._pixels(), *blanking.hints()]
        if self._server is not None:
            findings.append(_compositor(self._server.composited()))
        return {"findings": [[f.name, f.ok, f.text] for f in findings]}

    def _look(self, request: Json) -> Json:
        """As `_check` without painting: what was put up last must be what is to be seen."""
        wrong = self._trouble() or difference(self._wanted, self._seen())
        text = f"the monitor does not show what was put up: {wrong}" if wrong else (
            "the window is in front, and what was put up last is to be seen"
        )  # fmt: skip
        findings = [*self._window.findings(), Finding("shown", wrong is None, text)]
        return {"findings": [[f.name, f.ok, f.text] for f in (*findings, *blanking.hints())]}

    def _pixels(self) -> list[Finding]:
        """A pattern of single pixels must come back unchanged; then the old picture again."""
        before, self._wanted = self._wanted, checkerboard(self.size)
        own = "the window's own bytes"
        findings = []
        self._from_root = self._window.on_x11 and x11.grab(0, 0, *self.size) is not None
        wrong = self._put_up()["wrong"]
        where = "the monitor's (root window)" if self._from_root else own
        if wrong is not None and self._from_root:
            # Within Wayland, and where the server refuses, the root window tells nothing.
            seen = x11.grab(*self._window.place, *self.size)
            if seen is None or seen.getbbox() is None:
                self._from_root, where = False, own
                wrong = self._put_up()["wrong"]
        if wrong is None:
            text = f"a pattern of single pixels reads back unchanged from {where}"
            findings.append(Finding("pixels", True, text))
        else:
            text = f"a pattern of single pixels does not read back from {where}: {wrong}"
            findings.append(Finding("pixels", False, text))
        self._wanted = before
        self._put_up()
        return findings


def _compositor(runs: bool) -> Finding:
    if runs:
        text = "a compositor draws the desktop: frames may come later and effects are possible"
        return Finding("compositor", True, text)
    return Finding("compositor", True, "no compositor lies between the window and the monitor")


def make_window(kind: str) -> Window:
    """The window of *kind*; raises UserError when its toolkit is missing."""
    if kind == "pygame":
        from display_agent.screens.pygame_screen import PygameWindow

        return PygameWindow()
    from display_agent.screens.tk import TkWindow

    return TkWindow()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until standard input ends; the last line tells why it could not begin."""
    parser = argparse.ArgumentParser(prog="window_process")
    parser.add_argument("kind", choices=["pygame", "tk"])
    parser.add_argument("--monitor", type=int, default=0)
    parser.add_argument("--windowed", type=int, nargs=2, default=None)
    parser.add_argument("--list-monitors", action="store_true")
    args = parser.parse_args(argv)
    out = sys.stdout
    sys.stdout = sys.stderr  # a toolkit that greets must not speak between the answers

    def tell(line: Json) -> None:
        out.write(json.dumps(line) + "\n")
        out.flush()

    windowed = tuple(args.windowed) if args.windowed else None
    try:
        window = make_window(args.kind)
        if args.list_monitors:
            tell({"monitors": window.monitors()})
            return 0
        painter = Painter(window, WindowOptions(args.monitor, windowed), tell)
    except UserError as error:
        tell({"failed": str(error)})
        return 2
    tell({"ready": list(painter.size)})
    requests: queue.SimpleQueue[Json | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    try:
        _serve(painter, requests, tell)
    except Closed:
        tell({"closed": "the window was closed"})
    window.close()
    return 0


def _read(requests: queue.SimpleQueue[Json | None]) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    requests.put(None)


def _serve(
    painter: Painter, requests: queue.SimpleQueue[Json | None], tell: Callable[[Json], None]
) -> None:
    while True:
        try:
            request = requests.get(timeout=PUMP_EVERY)
        except queue.Empty:
            painter.pump()
            continue
        if request is None or request["do"] == "close":
            return
        try:
            tell({"id": request["id"], **painter.answer(request)})
        except UserError as error:
            tell({"id": request["id"], "error": str(error)})
        painter.pump()


if __name__ == "__main__":
    sys.exit(main())
