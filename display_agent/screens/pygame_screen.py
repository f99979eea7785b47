"""The default screen: SDL's full-screen window by pygame-ce, in a process of its own."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from PIL import Image

from display_agent.compose import Size
from display_agent.screens import Finding
from display_agent.screens.remote import ProcessScreen
from display_agent.screens.window import Closed, WindowOptions, refresh_finding, window_finding
from rig.errors import UserError

INSTALL = "pygame-ce is missing; install it: python -m pip install 'capture-rig[display]'"
_GREYS = [(level, level, level) for level in range(256)]
_ENVIRONMENT = {
    # The texture path of SDL draws through OpenGL, which costs ten times as much where OpenGL is
    # software; plain shared memory is fast everywhere and shows the bytes as they are.
    "SDL_FRAMEBUFFER_ACCELERATION": "0",
    "SDL_VIDEO_MINIMIZE_ON_FOCUS_LOSS": "0",
    "SDL_WINDOWS_DPI_AWARENESS": "permonitorv2",
    "SDL_AUDIODRIVER": "dummy",
    "PYGAME_HIDE_SUPPORT_PROMPT": "1",
}


class PygameScreen(ProcessScreen):
    """A monitor painted by SDL; see `ProcessScreen`."""

    def __init__(self, options: WindowOptions) -> None:
        super().__init__("pygame", options)


class PygameWindow:
    """The window itself; lives in `window_process`."""

    def __init__(self) -> None:
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        try:
            import pygame
        except ImportError as error:
            raise UserError(INSTALL) from error
        self._pg = pygame
        self._surface: Any = None
        self._options = WindowOptions()
        self._desktops: list[Size] = []
        self._hidden: str | None = None
        self._pressed: list[str] = []
        self._named = {
            pygame.WINDOWFOCUSLOST: "the window lost the keyboard focus to another window",
            pygame.WINDOWMOVED: "the window was moved",
            pygame.WINDOWDISPLAYCHANGED: "the window is on another monitor now",
            pygame.WINDOWICCPROFCHANGED: "the monitor's colour profile changed",
        }

    def open(self, options: WindowOptions) -> None:
        """Take monitor number `options.monitor`.

        Raises:
            UserError: no monitor, or not that one.
        """
        pg, self._options = self._pg, options
        self._begin()
        if not 0 <= options.monitor < len(self._desktops):
            raise UserError(_no_such(options.monitor, len(self._desktops)))
        try:
            size = options.windowed or self._desktops[options.monitor]
            flags = pg.SHOWN if options.windowed else pg.FULLSCREEN
            pg.display.set_caption("capture-rig")
            self._surface = pg.display.set_mode(size, flags, display=options.monitor)
        except pg.error as error:
            raise UserError(f"{_NO_MONITOR} (SDL says: {error})") from error
        pg.mouse.set_visible(False)
        pg.event.set_blocked((pg.MOUSEMOTION, pg.KEYUP, pg.TEXTINPUT))
        self._surface.fill(0)
        pg.display.flip()

    def monitors(self) -> list[str]:
        """As SDL counts them."""
        self._begin()
        return [f"{number}: {_by(size)}" for number, size in enumerate(self._desktops)]

    def _begin(self) -> None:
        pg = self._pg
        try:
            pg.display.init()
            driver = pg.display.get_driver()
            self._desktops = list(pg.display.get_desktop_sizes())
        except pg.error as error:
            raise UserError(f"{_NO_MONITOR} (SDL says: {error})") from error
        if driver in {"dummy", "offscreen", "evdev"} or not self._desktops:
            raise UserError(f"{_NO_MONITOR} (SDL found its driver {driver!r})")

    @property
    def size(self) -> Size:
        """Of the window."""
        width, height = self._pg.display.get_window_size()
        return width, height

    @property
    def place(self) -> tuple[int, int]:
        """On the desktop."""
        x, y = self._pg.display.get_window_position()
        return x, y

    @property
    def on_x11(self) -> bool:
        """By the driver that SDL chose, unless it is an X server within Wayland."""
        within = os.environ.get("XDG_SESSION_TYPE") == "wayland"
        return self._pg.display.get_driver() == "x11" and not within

    def x_window(self) -> int | None:
        """Xlib's Window."""
        number = self._pg.display.get_wm_info().get("window")
        return number if isinstance(number, int) and self.on_x11 else None

    def paint(self, image: Image.Image) -> None:
        """Blit and flip; grey needs no conversion, SDL looks the level up in a palette."""
        if image.mode == "L":
            source = self._pg.image.frombuffer(image.tobytes(), image.size, "P")
            source.set_palette(_GREYS)
        else:
            source = self._pg.image.frombuffer(image.tobytes(), image.size, "RGB")
        try:
            self._surface.blit(source, (0, 0))
            self._pg.display.flip()
        except self._pg.error as error:
            raise UserError(f"SDL cannot paint the window ({error})") from error

    def buffer(self) -> Image.Image:
        """The bytes of the display surface."""
        data = self._pg.image.tobytes(self._surface, "RGB")
        return Image.frombytes("RGB", self._surface.get_size(), data)

    def pump(self) -> list[str]:
        """Sentences of what got in the way."""
        pg, told = self._pg, []
        for event in pg.event.get():
            if event.type in {pg.QUIT, pg.WINDOWCLOSE}:
                raise Closed
            if event.type == pg.KEYDOWN:
                self._pressed.append(pg.key.name(event.key))
            elif event.type in {pg.WINDOWMINIMIZED, pg.WINDOWHIDDEN}:
                minimised = event.type == pg.WINDOWMINIMIZED
                self._hidden = "the window is minimised" if minimised else "the window is hidden"
                told.append(self._hidden)
            elif event.type in {pg.WINDOWRESTORED, pg.WINDOWSHOWN, pg.WINDOWMAXIMIZED}:
                self._hidden = None
            elif event.type == pg.WINDOWEXPOSED:
                # Something lay over it. What SDL holds goes up again; the exposure is spoilt.
                with contextlib.suppress(pg.error):
                    pg.display.flip()
                told.append("the window had to be repainted: something had covered it")
            elif event.type == pg.WINDOWRESIZED:
                told.append(f"the window was resized to {event.x}x{event.y} pixels")
            elif event.type in self._named:
                told.append(self._named[event.type])
        desktops = list(pg.display.get_desktop_sizes())
        if desktops != self._desktops:
            self._desktops = desktops
            told.append("a monitor was unplugged, plugged in or changed its mode")
        return told

    def pressed(self) -> list[str]:
        """As SDL names them."""
        pressed, self._pressed = self._pressed, []
        return [key.lower() for key in pressed if key]

    def trouble(self) -> str | None:
        """By the last events."""
        return self._hidden

    def findings(self) -> list[Finding]:
        """As SDL knows them."""
        pg = self._pg
        chosen = min(self._options.monitor, len(self._desktops) - 1)
        awake = not pg.display.get_allow_screensaver()
        held = "SDL keeps the screen saver and power saving off"
        blanking = Finding("blanking", awake, held if awake else "switch the screen saver off")
        return [
            window_finding(self.size, self._desktops[chosen], self._options),
            refresh_finding(pg.display.get_current_refresh_rate()),
            blanking,
            Finding("cursor", not pg.mouse.get_visible(), "the pointer is hidden"
                    if not pg.mouse.get_visible() else "the pointer can be seen: move it away"),
            self._wayland(),
        ]  # fmt: skip

    def close(self) -> None:
        """Leave SDL."""
        self._pg.display.quit()

    def _wayland(self) -> Finding:
        driver = self._pg.display.get_driver()
        if driver == "wayland":
            text = (
                "SDL draws on Wayland, which scales windows unseen; set SDL_VIDEODRIVER=x11 "
                "and a desktop scale of 100 %"
            )
            return Finding("scaling", False, text)
        if os.environ.get("XDG_SESSION_TYPE") == "wayland":
            text = "an X window within Wayland: set the desktop's scale to 100 %, it cannot be read"
            return Finding("scaling", True, text)
        return Finding("scaling", True, f"SDL's driver {driver} shows one pixel as one pixel")


_NO_MONITOR = (
    "no monitor can be used; start this in the desktop session of the monitor (DISPLAY must name "
    "it), or choose --screen browser, or --screen null for a run that nobody sees"
)


def _no_such(monitor: int, count: int) -> str:
    have = "only monitor 0" if count == 1 else f"monitors 0 to {count - 1}"
    return f"there is no monitor {monitor} here, {have}; see display-agent check --list-monitors"


def _by(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
