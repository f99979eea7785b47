"""The fallback without any package: a tkinter window, in a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from PIL import Image

from display_agent.compose import Size
from display_agent.screens import Finding, x11
from display_agent.screens.blanking import Inhibitor
from display_agent.screens.remote import ProcessScreen
from display_agent.screens.window import Closed, WindowOptions, refresh_finding, window_finding
from rig.errors import UserError

MISSING = (
    "this Python has no tkinter; on Debian or Ubuntu: apt install python3-tk, or choose "
    "--screen pygame or --screen browser"
)
_NO_MONITOR = (
    "no monitor can be used; start this in the desktop session of the monitor (DISPLAY must name "
    "it), or choose --screen browser, or --screen null for a run that nobody sees"
)
_WITHDRAWN = frozenset({"iconic", "withdrawn"})
_VISIBLE = "VisibilityUnobscured"


class TkScreen(ProcessScreen):
    """A monitor painted by tkinter; see `ProcessScreen`."""

    def __init__(self, options: WindowOptions) -> None:
        super().__init__("tk", options)


class TkWindow:
    """The window itself; lives in `window_process`."""

    def __init__(self) -> None:
        try:
            import tkinter

            from PIL import ImageTk
        except ImportError as error:
            raise UserError(MISSING) from error
        self._tk: Any = tkinter
        self._image_tk = ImageTk
        self._root: Any = None
        self._photo: Any = None
        self._item = 0
        self._had: Size = (1, 1)
        self._monitor = x11.Monitor("", 1, 1, 0, 0)
        self._options = WindowOptions()
        self._told: list[str] = []
        self._pressed: list[str] = []
        self._closed = False
        self._at = (0, 0)
        self._inhibitor = Inhibitor()

    def open(self, options: WindowOptions) -> None:
        """Take monitor number `options.monitor`.

        Raises:
            UserError: no monitor, or not that one.
        """
        tk, self._options = self._tk, options
        root = self._begin()
        self._monitor = self._choose(options.monitor)
        width, height = options.windowed or (self._monitor.width, self._monitor.height)
        root.title("capture-rig")
        root.geometry(f"{width}x{height}+{self._monitor.x}+{self._monitor.y}")
        root.configure(background="black", cursor="none", borderwidth=0)
        if options.windowed is None:
            root.attributes("-fullscreen", True)
        canvas = tk.Canvas(root, background="black", highlightthickness=0, borderwidth=0)
        canvas.pack(fill="both", expand=True)
        self._canvas = canvas
        root.protocol("WM_DELETE_WINDOW", self._close_asked)
        root.update()
        self._item = canvas.create_image(0, 0, anchor="nw")
        self._inhibitor.take()
        self._bind()

    def monitors(self) -> list[str]:
        """As RandR counts them, where there is X."""
        root = self._begin()
        whole = x11.Monitor("screen", root.winfo_screenwidth(), root.winfo_screenheight(), 0, 0)
        found = (x11.monitors() if self.on_x11 else ()) or (whole,)
        return [f"{i}: {m.width}x{m.height} at {m.x},{m.y} {m.name}" for i, m in enumerate(found)]

    def _begin(self) -> Any:
        _windows_pixels()
        try:
            self._root = self._tk.Tk(className="capture-rig")
        except self._tk.TclError as error:
            raise UserError(f"{_NO_MONITOR} (Tk says: {error})") from error
        return self._root

    @property
    def size(self) -> Size:
        """Of the window."""
        return self._root.winfo_width(), self._root.winfo_height()

    @property
    def place(self) -> tuple[int, int]:
        """On the desktop."""
        return self._root.winfo_rootx(), self._root.winfo_rooty()

    @property
    def on_x11(self) -> bool:
        """By Tk's windowing system, unless it is an X server within Wayland."""
        within = os.environ.get("XDG_SESSION_TYPE") == "wayland"
        return self._root.tk.call("tk", "windowingsystem") == "x11" and not within

    def x_window(self) -> int | None:
        """None: Tk tells of visibility itself."""
        return None

    def paint(self, image: Image.Image) -> None:
        """Swap the canvas's picture; returns when the server has drawn it."""
        try:
            photo = self._image_tk.PhotoImage(image, master=self._root)
            self._canvas.itemconfigure(self._item, image=photo)
            self._photo = photo
            self._root.update()
            # An answered question: the server has done everything that was asked before it.
            self._root.winfo_pointerxy()
        except self._tk.TclError as error:
            raise UserError(f"Tk cannot paint the window ({error})") from error

    def buffer(self) -> Image.Image:
        """What Tk's picture holds."""
        if self._photo is None:
            return Image.new("RGB", self.size, 0)
        return self._image_tk.getimage(self._photo).convert("RGB")

    def pump(self) -> list[str]:
        """Sentences of what got in the way."""
        try:
            self._root.update()
        except self._tk.TclError as error:
            raise Closed from error
        if self._closed:
            raise Closed
        told, self._told = self._told, []
        return told

    def pressed(self) -> list[str]:
        """As X names them."""
        pressed, self._pressed = self._pressed, []
        return [key.lower() for key in pressed]

    def trouble(self) -> str | None:
        """By the window's state."""
        try:
            if self._root.state() in _WITHDRAWN:
                return "the window is minimised"
        except self._tk.TclError as error:
            raise Closed from error
        return None

    def findings(self) -> list[Finding]:
        """As Tk and RandR know them."""
        monitor = (self._monitor.width, self._monitor.height)
        return [
            window_finding(self.size, monitor, self._options),
            refresh_finding(self._monitor.hertz),
            self._inhibitor.finding,
            Finding("cursor", True, "the pointer is hidden over the window"),
            self._scaling(),
        ]

    def close(self) -> None:
        """Leave Tk."""
        self._inhibitor.release()
        try:
            self._root.destroy()
        except self._tk.TclError:
            return  # closed by somebody else

    def _choose(self, number: int) -> x11.Monitor:
        found = x11.monitors() if self.on_x11 else ()
        if not found and number == 0:
            root = self._root
            return x11.Monitor("", root.winfo_screenwidth(), root.winfo_screenheight(), 0, 0)
        if not 0 <= number < len(found):
            have = f"{len(found)} monitors, counted from 0" if found else "monitor 0 only"
            raise UserError(f"there is no monitor {number} here, Tk knows {have}")
        return found[number]

    def _scaling(self) -> Finding:
        mode, desktop = self._monitor.mode, (self._monitor.width, self._monitor.height)
        if mode is not None and mode not in {desktop, desktop[::-1]}:
            text = f"the desktop of {desktop} is scaled to the mode {mode}: use xrandr --scale 1x1"
            return Finding("scaling", False, text)
        return Finding("scaling", True, "one pixel of the window is one pixel of the desktop")

    def _bind(self) -> None:
        root = self._root
        self._at, self._had = self.place, self.size
        says: dict[str, Callable[[Any], str | None]] = {
            "<Unmap>": lambda _: "the window is minimised or hidden",
            "<FocusOut>": lambda _: "the window lost the keyboard focus to another window",
            "<Expose>": lambda _: "the window had to be repainted: something had covered it",
            "<Configure>": self._configured,
            "<Visibility>": lambda event: (
                None if str(event.state) == _VISIBLE
                else "another window covers the x-ray, wholly or in part"
            ),
        }  # fmt: skip
        root.bind("<Key>", lambda event: self._pressed.append(str(event.keysym)))
        for sequence, sentence in says.items():
            # The canvas is what is drawn on; the root hears of the window as a whole.
            target = self._canvas if sequence in {"<Expose>", "<Visibility>"} else root
            target.bind(sequence, lambda event, say=sentence: self._tell(say(event)))

    def _configured(self, event: Any) -> str | None:
        if event.widget is not self._root:
            return None
        before, self._had = self._had, (event.width, event.height)
        if self._had != before:
            return f"the window was resized to {event.width}x{event.height} pixels"
        if self.place != self._at:
            self._at = self.place
            return "the window was moved"
        return None

    def _tell(self, sentence: str | None) -> None:
        if sentence is not None:
            self._told.append(sentence)

    def _close_asked(self) -> None:
        self._closed = True


def _windows_pixels() -> None:
    """Without this, Windows scales the window of a program that does not say it knows pixels."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.shcore.SetProcessDpiAwareness(2)
