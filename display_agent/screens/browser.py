"""A browser as the screen: any computer, tablet or television that can open a page."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import structlog
from PIL import Image

from display_agent.compose import Size, surface_sha
from display_agent.screens import Finding, x11
from display_agent.screens.blanking import Inhibitor, hints
from display_agent.screens.browser_link import BrowserLink
from display_agent.screens.launch import Kiosk
from display_agent.screens.pixels import as_composed, checkerboard
from display_agent.screens.remote import (
    CHECK_WITHIN,
    NO_SURFACE,
    SHOW_WITHIN,
    Answer,
    Json,
    RemoteScreen,
)
from display_agent.screens.window import WindowOptions, refresh_finding, window_finding
from rig.durable import PRIVATE, write_atomic
from rig.errors import UserError

OPEN_WITHIN = 120.0
"""Seconds for somebody to open the page."""
SETTLE_MS = 50
"""Milliseconds after the page's word: measured, every seventh came before the pixels, by two to
three frames at most; two animation frames in the page do not show what the compositor does."""
_log = structlog.get_logger()


class BrowserScreen(RemoteScreen):
    """Serves the kiosk page and paints it.

    Args:
        listen: address of the page.
        command: starts the browser here (empty: any Chromium that is installed), or None when a
            person opens the page.
        options: which monitor, and whether a page that does not fill it is taken.
        token: asked of the browser; made up when empty.
        patience: seconds for the page to be opened.
        url_file: where the page's address goes, mode 0600; without it to the terminal.
    """

    def __init__(
        self,
        listen: tuple[str, int],
        command: str | None,
        options: WindowOptions,
        *,
        token: str = "",
        patience: float = OPEN_WITHIN,
        url_file: Path | None = None,
    ) -> None:
        super().__init__()
        self._options = options
        self._listen = listen
        self._token = token or secrets.token_urlsafe(24)
        self._patience = patience
        self._url_file = url_file
        self._command = command
        self._kiosk: Kiosk | None = None
        self._inhibitor = Inhibitor()
        self._root: x11.Root | None = None
        self._up = Image.new("L", (1, 1))
        self._link: BrowserLink | None = None

    @property
    def url(self) -> str:
        """What to open; holds the token."""
        if self._link is None:
            raise UserError("the screen is not open")
        return self._link.url

    async def open(self) -> None:
        """Serve the page and wait for a browser.

        Raises:
            UserError: the address cannot be had, the browser cannot be started, or nobody came.
        """
        self._link = BrowserLink(
            self._listen, self._token, windowed=self._options.windowed is not None,
            told=self._on_loop(self._disturbed),
            lost=self._on_loop(self._lost),
            pressed=self._on_loop(self._key),
        )  # fmt: skip
        await asyncio.to_thread(self._link.start)
        if self._command is None:
            self._tell_url(self._link.url)
        else:
            self._kiosk = Kiosk(self._command, self._options)
            await asyncio.to_thread(self._kiosk.start, self._link.url)
            self._inhibitor.take()
        await super().open()
        self._up = Image.new("L", self.size, 0)
        await self._calibrate()

    async def self_check(self) -> tuple[Finding, ...]:
        """What the page found, and what can be seen of this machine if it runs here."""
        said = await self._answer(self._ask("check"), CHECK_WITHIN)
        return (
            *_findings(said, self._options, from_root=self._root is not None),
            self._awake(said),
            *hints(),
        )

    async def look(self) -> tuple[Finding, ...]:
        """What the page says of itself, without painting; a page that is gone must be back.

        Raises:
            UserError: it draws no frames: it is hidden, or the monitor sleeps.
        """
        if self._gone is not None:
            await self._come_back()
        said = await self._answer(self._ask("look"), CHECK_WITHIN)
        hidden = bool(said["hidden"])
        text = "the page is hidden; bring it to the front" if hidden else "the page is drawn"
        focus = "the page has the keyboard" if said["focus"] else "another window has the keyboard"
        return (
            _window(said, self._options),
            _scaling(said),
            Finding("shown", not hidden, text),
            Finding("focus", bool(said["focus"]), focus),
            self._awake(said),
            *hints(),
        )

    async def close(self) -> None:
        """End the browser if it was started here, and stop serving."""
        if self._kiosk is not None:
            await asyncio.to_thread(self._kiosk.close)
            self._kiosk = None
        if self._link is not None:
            self._gone = "the screen is closed"
            await asyncio.to_thread(self._link.close)
        self._inhibitor.release()

    async def _reopen(self) -> Size:
        if self._link is None:
            raise UserError("the screen is not open")
        # The first time somebody has to walk to the monitor; later the run says so and pauses.
        patience = self._patience if self._size is None else 0.0
        size = await self._wait(self._link, patience)
        if size is None:
            where = self._link.url.partition("?")[0]
            raise UserError(
                f"no browser shows the page {where}; open it full-screen on the monitor by the "
                "address with the token (--browser-url writes it to a file), then resume"
            )
        return size

    async def _wait(self, link: BrowserLink, patience: float) -> Size | None:
        end = time.monotonic() + patience
        while True:
            size = await asyncio.to_thread(link.wait, max(0.0, min(0.5, end - time.monotonic())))
            if size is not None or time.monotonic() >= end:
                return size
            if self._kiosk is not None and (status := self._kiosk.ended) is not None:
                raise UserError(
                    f"the browser ended at once with status {status}; try its command in a "
                    "terminal (as root Chromium wants --no-sandbox), or open the page yourself"
                )

    def _tell_url(self, url: str) -> None:
        """The address holds the token: to a person's terminal or a private file, never to a log."""
        if self._url_file is not None:
            write_atomic(self._url_file, url.encode() + b"\n", mode=PRIVATE)
            _log.info("open the page whose address is in the file", file=str(self._url_file))
        elif sys.stderr.isatty():
            sys.stderr.write(f"Open this page full-screen on the monitor: {url}\n")
        else:
            _log.warning("nobody can open the page; give --browser-url FILE for its address")

    def _ask(self, do: str, image: Image.Image | None = None, **words: Any) -> Answer:
        if self._link is None:
            raise UserError("the screen is not open")
        answer: Answer = self._link.ask(do, image, **words)
        return answer

    async def _answer(self, answer: Answer, within: float) -> Json:
        said = await super()._answer(answer, within)
        # Its own clock may be wrong; the page's word comes within a round trip of the flip.
        return {**said, "flip_ns": time.time_ns(), "flip_monotonic_ns": time.monotonic_ns()}

    def _picture(self, answer: Json) -> Image.Image:
        mode = "L" if answer["mode"] == "L" else "RGB"
        return Image.frombytes(mode, self.size, bytes(answer["data"]))

    def surface(self) -> bytes:
        """Hash of the monitor's own pixels where they can be read, else of the page's canvas."""
        if self._root is None or self._gone is not None:
            return super().surface()
        seen = self._root.seen(self._up)
        return NO_SURFACE if seen is None else surface_sha(as_composed(seen, self._up.mode))

    async def _settle(self, image: Image.Image) -> int:
        self._up = image
        if self._root is None:
            await asyncio.sleep(SETTLE_MS / 1000)
            return SETTLE_MS
        began = time.monotonic()
        if (wrong := await self._root.wrong(image)) is not None:
            raise UserError(
                f"the monitor does not show the x-ray: {wrong}; bring the browser back to the "
                "front in full screen, then resume"
            )
        return round((time.monotonic() - began) * 1000)

    async def _calibrate(self) -> None:
        """Learn whether the monitor's own pixels can be read: a browser of ours, on X11."""
        if self._kiosk is None or self._options.windowed is not None:
            return
        root, board = x11.Root(self._options.monitor), checkerboard(self.size)
        await self._answer(self._ask("show", board), SHOW_WITHIN)
        if await root.wrong(board) is None:
            self._root = root
        await self._answer(self._ask("show", self._up), SHOW_WITHIN)

    def _awake(self, said: Json) -> Finding:
        if said.get("awake"):
            return Finding("blanking", True, "the page holds a wake lock")
        if self._inhibitor.finding.ok:
            return self._inhibitor.finding
        why = "it has no wake lock" if said.get("secure") else "over plain http it may not"
        text = f"the page cannot keep its monitor awake ({why}): switch the screen saver off there"
        return Finding("blanking", False, text)


def _findings(said: Json, options: WindowOptions, *, from_root: bool) -> list[Finding]:
    same = bool(said["pixels"])
    where = "the monitor's (root window)" if from_root else "the page's canvas"
    pixels = (
        f"a pattern of single pixels reads back unchanged from {where}" if same
        else "a pattern of single pixels does not read back from the canvas"
    )  # fmt: skip
    frame_ms = float(said["frame_ms"])
    return [
        _window(said, options),
        _scaling(said),
        refresh_finding(1000 / frame_ms if frame_ms > 0 else None),
        Finding("pixels", same, pixels),
        Finding("browser", True, str(said.get("agent", ""))[:200]),
    ]


def _window(said: Json, options: WindowOptions) -> Finding:
    width, height = (int(part) for part in said["size"])
    ratio = float(said["ratio"])
    across, down = (round(int(part) * ratio) for part in said["screen"])
    return window_finding((width, height), (across, down), options)


def _scaling(said: Json) -> Finding:
    ratio = float(said["ratio"])
    if ratio == round(ratio):
        return Finding("scaling", True, "the browser shows one canvas pixel as one device pixel")
    text = f"the browser scales by {ratio:g}: set its zoom and the desktop's scale to 100 %"
    return Finding("scaling", False, text)
