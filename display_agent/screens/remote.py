"""A screen whose window lives elsewhere: in a process of ours, or in a browser.

The window answers requests one by one and speaks up by itself when it was disturbed. When it is
gone the next `show` says so once, so that the run pauses; the one after opens it again.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import structlog
from PIL import Image

from display_agent.compose import Composition, Size, notice
from display_agent.screens import Disturbed, Finding, Key, Shown
from display_agent.screens.process import WindowProcess
from display_agent.screens.window import WindowOptions
from rig.errors import UserError

Json = dict[str, Any]
Answer = concurrent.futures.Future[Json]

SHOW_WITHIN = 10.0
SURFACE_WITHIN = 3.0
"""Seconds for the answer to `show` and to the read-backs, which the event loop waits for."""
CHECK_WITHIN = 30.0
NO_SURFACE = hashlib.sha256(b"no surface could be read back").digest()
"""What `surface` gives when nobody answers: the hash of no picture."""
_NO_ANSWER = (UserError, TimeoutError, concurrent.futures.CancelledError)
_log = structlog.get_logger()


class RemoteScreen(ABC):
    """What process and browser have in common; see `Screen` for the methods."""

    def __init__(self) -> None:
        self.on_disturbed: Disturbed | None = None
        self.on_key: Key | None = None
        self._size: Size | None = None
        self._gone: str | None = None

    # -- what a kind of window does ----------------------------------------------------------------

    @abstractmethod
    async def _reopen(self) -> Size:
        """Open the window, again after it was gone; returns its size. Raises UserError."""

    @abstractmethod
    def _ask(self, do: str, image: Image.Image | None = None, **words: Any) -> Answer:
        """Send a request; the answer comes from another thread. Raises UserError when gone."""

    @abstractmethod
    def _picture(self, answer: Json) -> Image.Image:
        """The picture that the answer to `frame` brought."""

    async def _settle(self, image: Image.Image) -> int:
        """Wait as long as the window needs after the flip of *image*; milliseconds."""
        return 0

    # -- the screen --------------------------------------------------------------------------------

    @property
    def size(self) -> Size:
        """Width and height in device pixels."""
        if self._size is None:
            raise UserError("the screen is not open")
        return self._size

    async def open(self) -> None:
        """Take the monitor.

        Raises:
            UserError: there is none to take; says what to do.
        """
        self._size = await self._reopen()

    async def self_check(self) -> tuple[Finding, ...]:
        """Ask the window what it finds."""
        answer = await self._answer(self._ask("check"), CHECK_WITHIN)
        return tuple(Finding(str(n), bool(ok), str(text)) for n, ok, text in answer["findings"])

    async def look(self) -> tuple[Finding, ...]:
        """Ask the window what it finds without painting; one that is gone is opened again."""
        if self._gone is not None:
            await self._come_back()
        answer = await self._answer(self._ask("look"), CHECK_WITHIN)
        return tuple(Finding(str(n), bool(ok), str(text)) for n, ok, text in answer["findings"])

    async def show(self, token: bytes, composition: Composition) -> Shown:
        """Paint and read back.

        Raises:
            UserError: the window is gone, or does not show what was painted.
            ValueError: the composition has another size than the screen.
        """
        if composition.frame.size != self.size:
            raise ValueError(f"a frame of {composition.frame.size} on a screen of {self.size}")
        if self._gone is not None:
            await self._come_back()
        image = composition.frame
        answer = await self._answer(self._ask("show", image), SHOW_WITHIN)
        waited = await self._settle(image)
        sha = bytes.fromhex(answer["sha"])
        return Shown(sha, answer["flip_ns"], answer["flip_monotonic_ns"], waited)

    async def blank(self, reason: str) -> None:
        """Black with *reason*; a window that is gone cannot and need not be blanked."""
        if self._gone is not None:
            return
        try:
            answer = self._ask("show", notice(self.size, reason), strict=False)
            await self._answer(answer, SHOW_WITHIN)
        except UserError as error:
            _log.warning("the screen could not be blanked", why=str(error))

    def surface(self) -> bytes:
        """Hash of what is up, read back now; `NO_SURFACE` when the window does not answer."""
        try:
            return bytes.fromhex(self._ask("surface").result(SURFACE_WITHIN)["sha"])
        except _NO_ANSWER as error:
            _log.warning("the screen could not be read back", why=str(error))
            return NO_SURFACE

    def frame(self) -> Image.Image:
        """What is up, read back now; a black notice when the window does not answer."""
        try:
            return self._picture(self._ask("frame").result(SURFACE_WITHIN))
        except _NO_ANSWER as error:
            return notice(self.size, str(error) or "the window does not answer")

    # -- gone and back -----------------------------------------------------------------------------

    async def _come_back(self) -> None:
        gone, self._gone = self._gone, None
        try:
            size = await self._reopen()
        except UserError:
            self._gone = gone
            raise
        if size != self.size:
            has, had = (f"{w}x{h}" for w, h in (size, self.size))
            self._gone = gone
            raise UserError(
                f"the screen came back with {has} pixels and had {had}; set its mode back and "
                "resume, or start the display agent again"
            )

    def _lost(self, why: str) -> None:
        """The window is gone; called on the loop."""
        if self._gone is None:
            self._gone = why
            self._disturbed(why)

    def _disturbed(self, why: str) -> None:
        if self.on_disturbed is not None:
            self.on_disturbed(why)

    def _on_loop(self, work: Callable[[str], None]) -> Callable[[str], None]:
        """*work*, to be called from any thread; nothing happens once the loop is closed."""
        loop = asyncio.get_running_loop()

        def tell(text: str) -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(work, text)

        return tell

    def _key(self, key: str) -> None:
        if self.on_key is not None:
            self.on_key(key)

    async def _answer(self, answer: Answer, within: float) -> Json:
        try:
            async with asyncio.timeout(within):
                return await asyncio.wrap_future(answer)
        except TimeoutError:
            self._hung()
            raise UserError(
                f"the window did not answer in {within:g} s; look at the monitor, then resume"
            ) from None

    def _hung(self) -> None:
        """The window takes no notice any more."""
        _log.error("the window does not answer")


class ProcessScreen(RemoteScreen):
    """A window in a process of its own; see `window_process` for why."""

    def __init__(self, kind: str, options: WindowOptions) -> None:
        super().__init__()
        self._kind = kind
        self._options = options
        self._process: WindowProcess | None = None
        self._told_gone = False
        self._failed = False

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            self._gone = "the screen is closed"
            await asyncio.to_thread(process.close)

    async def _reopen(self) -> Size:
        await self._discard()
        process = WindowProcess(
            self._kind,
            self._options,
            told=self._on_loop(self._disturbed),
            ended=self._on_loop(lambda why: self._ended(process, why)),
            pressed=self._on_loop(self._key),
        )
        try:
            size = await asyncio.to_thread(process.open)
        except BaseException:
            await asyncio.to_thread(process.close)
            raise
        self._process = process
        return size

    async def look(self) -> tuple[Finding, ...]:
        """As `RemoteScreen.look`; a window that did not show an x-ray is opened again first."""
        if self._failed and self._gone is None:
            self._gone = "the window did not show the x-ray"
        found = await super().look()
        self._failed = self._told_gone = False
        return found

    async def show(self, token: bytes, composition: Composition) -> Shown:
        """As `RemoteScreen.show`; the first one after the window was lost says so, and pauses."""
        if self._gone is not None and not self._told_gone:
            self._told_gone = True
            raise UserError(f"{self._gone}; resume, and it is opened again")
        if self._failed and self._gone is None:
            self._gone = "the window did not show the x-ray"
        try:
            shown = await super().show(token, composition)
        except UserError as error:
            # Minimised, resized, left on a monitor that is gone: the next try takes a new window.
            self._failed = self._told_gone = True
            if self._process is not None and self._process.over:
                raise UserError(f"{error}; resume, and it is opened again") from error
            raise
        self._failed = self._told_gone = False
        return shown

    def _ask(self, do: str, image: Image.Image | None = None, **words: Any) -> Answer:
        if self._process is None:
            raise UserError(self._gone or "the screen is not open")
        answer: Answer = self._process.ask(do, image, **words)
        return answer

    def _picture(self, answer: Json) -> Image.Image:
        if self._process is None:
            raise UserError("the screen is closed")
        return self._process.picture(str(answer["mode"]))

    def _hung(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _ended(self, process: WindowProcess, why: str) -> None:
        if process is self._process:
            self._lost(why)

    async def _discard(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await asyncio.to_thread(process.close)
