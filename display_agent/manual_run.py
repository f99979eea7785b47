"""Manual mode at work: the screen, the keys, the clock and the book around its state machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog

from display_agent.compose import Composition
from display_agent.images import ImageSource
from display_agent.look import Look
from display_agent.manual import STOP, End, ManualCore, Pause, Show, Step, left_by
from display_agent.manual_book import Book
from display_agent.prefetch import Prefetch
from display_agent.progress import lowered, strip, with_progress
from display_agent.screens import KeyScreen, Screen
from rig.intake.manual import Left, Showing
from rig.intake.marker_ids import encode_ids
from rig.planning.plan import PlanItem

_log = structlog.get_logger()
_STOPPED = "q"
Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """What goes on by itself: seconds for each x-ray, and for the pause after a set; None never."""

    rate: float | None = None
    pause: float | None = None


class ManualRun:
    """Shows *items* in the order given; `run` does it all, `press` may be called meanwhile."""

    def __init__(
        self,
        items: tuple[PlanItem, ...],
        images: ImageSource,
        screen: Screen,
        book: Book,
        *,
        set_size: int,
        look: Look,
        pace: Pace,
        report: Report,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """The screen is open, and given back by the caller.

        Args:
            items: in the order in which they are shown.
            images: their bytes.
            screen: what shows them.
            book: what was shown already, and where it is written.
            set_size: x-rays in a set.
            look: of every frame.
            pace: what goes on by itself.
            report: told every event, JSON values.
            clock_ns: wall clock, nanoseconds since the epoch.
        """
        self._items = items
        self._screen = screen
        self._book = book
        self._look = look
        self._pace = pace
        self._report = report
        self._clock_ns = clock_ns
        size = screen.size
        self._wide = Prefetch(images, size, look)
        self._narrow = Prefetch(images, (size[0], max(1, size[1] - strip(size))), look)
        self._core = ManualCore(len(items), set_size, before=book.last)
        self._keys: asyncio.Queue[str] = asyncio.Queue()
        self._up: tuple[Show, Showing] | None = None

    def press(self, key: str) -> None:
        """A key, by its lower-case name; on the event loop."""
        self._keys.put_nowait(key)

    def stop(self) -> None:
        """Stop as `q` does."""
        self.press(_STOPPED)

    async def run(self) -> bool:
        """Show until the end or a stop; whether all were shown.

        Raises:
            UserError: an x-ray cannot be had or shown, or the book cannot be written. What was
                shown until then is in the book, and the next run goes on there.
        """
        self._screen.on_disturbed = self._disturbed
        if isinstance(self._screen, KeyScreen):
            self._screen.on_key = self.press
        try:
            step = self._core.start()
            while True:
                if isinstance(step, End):
                    self._leave(step)
                    kind = "stopped" if step.stopped else "completed"
                    self._report({"event": kind, "shown": self._book.next_showing - 1})
                    return not step.stopped
                await self._perform(step)
                step = await self._next(step)
        finally:
            self._screen.on_disturbed = None
            if isinstance(self._screen, KeyScreen):
                self._screen.on_key = None
            try:
                self._finish(Left.STOP)
            finally:
                await self._wide.close()
                await self._narrow.close()

    async def _next(self, step: Show | Pause) -> Step:
        """The next step: by a key that means something, or because the time is up."""
        seconds = self._pace.rate if isinstance(step, Show) else self._pace.pause
        try:
            async with asyncio.timeout(seconds):
                while True:
                    following = self._core.key(await self._keys.get())
                    if following is not None:
                        return following
        except TimeoutError:
            return self._core.tick() or End(stopped=True)

    async def _perform(self, step: Show | Pause) -> None:
        if isinstance(step, Pause):
            self._leave(step)
            await self._screen.blank(step.words)
            self._forget_keys()
            self._report({"event": "set_done", "set": step.set, "last": step.last})
            return
        item = self._items[step.position - 1]
        attempt = self._book.attempt(item.index)
        made = await self._composed(item, attempt, step.progress)
        self._leave(step)  # only now: the one before was up meanwhile
        number = self._book.next_showing
        up = await self._screen.show(number.to_bytes(8, "big"), made)
        self._forget_keys()
        marked = encode_ids(item.index, attempt) if made.tags else ()
        showing = Showing(
            showing=number,
            set=step.set,
            position=step.position,
            index=item.index,
            attempt=attempt,
            key=item.key,
            sha256=item.sha256,
            marker=marked,
            from_ns=up.flip_ns,
        )
        self._up = (step, showing)
        self._book.write(showing)
        told = {"place": step.place, "of": step.of, "rect": list(made.rect), "shrunk": made.shrunk}
        self._report({"event": "shown", **_told(showing), **told})
        for ahead in self._items[step.position : step.position + 2]:
            self._wide.prepare(ahead, attempt=self._book.attempt(ahead.index))

    def _forget_keys(self) -> None:
        """Keys pressed before this came up, but to stop: a double press must skip no x-ray."""
        pressed = [self._keys.get_nowait() for _ in range(self._keys.qsize())]
        for key in pressed:
            if key in STOP:
                self.press(key)

    async def _composed(self, item: PlanItem, attempt: int, progress: str) -> Composition:
        made, _ = await self._wide.get(item, attempt=attempt)
        written = with_progress(made, progress)
        if written is None:
            # The x-ray or the marker takes every corner: a strip below is kept free for the text.
            narrow, _ = await self._narrow.get(item, attempt=attempt)
            made = lowered(narrow, self._screen.size)
            written = with_progress(made, progress)
        return written or made  # a screen too small for any text

    def _leave(self, step: Step) -> None:
        if self._up is not None:
            self._finish(left_by(step, self._up[0]))

    def _finish(self, left: Left) -> None:
        """Write until when the x-ray was certainly up: now, before anything else is drawn."""
        if self._up is None:
            return
        (_, showing), self._up = self._up, None
        self._book.write(replace(showing, to_ns=self._clock_ns(), left=left))

    def _disturbed(self, why: str) -> None:
        """Something else was on the screen: photos of this showing are to be looked at."""
        _log.warning("the screen was disturbed", why=why)
        self._report({"event": "disturbed", "why": why})
        if self._up is not None:
            step, showing = self._up
            self._up = (step, replace(showing, disturbed=why))
            self._book.write(self._up[1])


def _told(showing: Showing) -> dict[str, Any]:
    return {
        "showing": showing.showing, "set": showing.set, "position": showing.position,
        "index": showing.index, "attempt": showing.attempt, "marker": list(showing.marker),
        "from_ns": showing.from_ns,
    }  # fmt: skip
