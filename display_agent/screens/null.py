"""A screen that nobody sees: it keeps the frame, for tests and for the loopback camera."""

from __future__ import annotations

import time
from collections.abc import Callable

from PIL import Image

from display_agent.compose import Composition, Size, notice, surface_sha
from display_agent.screens import Disturbed, Finding, Key, Shown


class NullScreen:
    """Keeps what would be up as a PIL image; `shown` lists the tokens painted so far."""

    def __init__(
        self, size: Size = (1920, 1080), *, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self.on_disturbed: Disturbed | None = None
        self.on_key: Key | None = None
        self.shown: list[bytes] = []
        self._size = size
        self._clock_ns = clock_ns
        self._frame = Image.new("L", size, 0)

    @property
    def size(self) -> Size:
        """Width and height in pixels, as constructed."""
        return self._size

    async def open(self) -> None:
        """Black."""
        self._frame = Image.new("L", self._size, 0)

    async def self_check(self) -> tuple[Finding, ...]:
        """One line that says what this screen is."""
        width, height = self._size
        text = f"the null screen of {width}x{height} pixels keeps frames and shows them to nobody"
        return (Finding("window", True, text),)

    async def look(self) -> tuple[Finding, ...]:
        """The same line."""
        return await self.self_check()

    async def show(self, token: bytes, composition: Composition) -> Shown:
        """Keep a copy of the frame.

        Raises:
            ValueError: the composition has another size than the screen.
        """
        if composition.frame.size != self._size:
            raise ValueError(f"a frame of {composition.frame.size} on a screen of {self._size}")
        # A copy, as on a real screen: what the caller does to the original is not seen.
        self._frame = composition.frame.copy()
        self.shown.append(token)
        return Shown(self.surface(), self._clock_ns(), time.monotonic_ns())

    async def blank(self, reason: str) -> None:
        """Black with *reason* drawn on it."""
        self._frame = notice(self._size, reason)

    def surface(self) -> bytes:
        """Hash of the kept frame, computed anew."""
        return surface_sha(self._frame)

    def frame(self) -> Image.Image:
        """The kept frame itself; a later paint replaces it and leaves this one as it is."""
        return self._frame

    async def close(self) -> None:
        """Black again."""
        self._frame = Image.new("L", self._size, 0)

    def disturb(self, why: str, overlay: Image.Image | None = None) -> None:
        """Act like a desktop that gets in the way: *overlay* pops up, the run is told *why*."""
        if overlay is not None:
            disturbed = self._frame.copy()
            disturbed.paste(overlay, (0, 0))
            self._frame = disturbed
        if self.on_disturbed is not None:
            self.on_disturbed(why)

    def press(self, key: str) -> None:
        """Act like somebody at the keyboard."""
        if self.on_key is not None:
            self.on_key(key)
