"""The next x-rays, composed before they are needed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import structlog

from display_agent.compose import BadImage, Composition, MarkerLabel, Size, compose, decode
from display_agent.images import ImageProblem, ImageSource
from display_agent.look import PLAIN, Look
from display_agent.testcard import alignment_card
from rig.errors import UserError
from rig.planning.card import is_card
from rig.planning.plan import PlanItem

_log = structlog.get_logger()
_Key = tuple[str, Size, Look, MarkerLabel | None]


class Prefetch:
    """Up to *capacity* compositions, least recently used first out; made on worker threads.

    Belongs to one event loop. `size` is the screen's and may be set when the screen changes, `look`
    when the environment does: compositions of another size or look are other compositions.
    """

    def __init__(
        self,
        images: ImageSource,
        size: Size,
        look: Look = PLAIN,
        *,
        capacity: int = 4,
        workers: int = 2,
    ) -> None:
        self.size = size
        self.look = look
        self._images = images
        self._capacity = capacity
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="compose")
        self._entries: OrderedDict[_Key, asyncio.Task[Composition]] = OrderedDict()
        self._tasks: set[asyncio.Task[Composition]] = set()  # evicted ones that still unwind, too
        self._waiting: list[_Key] = []
        self._closed = False

    def prepare(self, item: PlanItem, *, attempt: int = 1) -> None:
        """Begin composing *item* unless that is done or under way; returns at once.

        *attempt* is what an index marker says. A failure is logged and forgotten: `get` tries again
        and tells it then.
        """
        self._entry(item, attempt)

    async def get(self, item: PlanItem, *, attempt: int = 1) -> tuple[Composition, bool]:
        """The composition of *item*, and whether it was ready without waiting (a hit).

        Raises:
            ImageProblem: the x-ray cannot be had, decoded or shown, or this prefetch was closed.
        """
        task = self._entry(item, attempt)
        hit = task.done()
        key = self._key(item, attempt)
        self._waiting.append(key)
        try:
            # Shielded: who gives up waiting does not take the composition from the others.
            return await asyncio.shield(task), hit
        except asyncio.CancelledError:
            if self._closed and task.cancelled():
                raise ImageProblem(f"x-ray {item.index}: the display is shutting down") from None
            raise
        finally:
            self._waiting.remove(key)

    async def close(self) -> None:
        """Stop all work; afterwards no task and no thread of this prefetch is left."""
        self._closed = True
        self._entries.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # A decode that has begun cannot be interrupted; wait for it off the loop.
        await asyncio.to_thread(self._workers.shutdown, cancel_futures=True)

    def _key(self, item: PlanItem, attempt: int) -> _Key:
        """What the pixels depend on: a plain frame is the same whatever index it stands for."""
        label = MarkerLabel(item.index, attempt if self.look.marker else 1)
        moved = self.look.cursor is not None and self.look.cursor.place == "moved"
        return item.sha256, self.size, self.look, label if self.look.marker or moved else None

    def _entry(self, item: PlanItem, attempt: int) -> asyncio.Task[Composition]:
        if self._closed:
            raise ImageProblem(f"x-ray {item.index}: the display is shutting down")
        key = self._key(item, attempt)
        task = self._entries.get(key)
        if task is None or _failed(task):
            task = asyncio.create_task(self._make(item, key), name=f"compose {item.index}")
            self._entries[key] = task
            self._tasks.add(task)
            task.add_done_callback(lambda done: self._settle(key, item.index, done))
        self._entries.move_to_end(key)
        self._evict()
        return task

    def _settle(self, key: _Key, index: int, task: asyncio.Task[Composition]) -> None:
        self._tasks.discard(task)
        if not _failed(task):
            return
        if self._entries.get(key) is task:
            del self._entries[key]
        # Asking for the exception above also tells asyncio that it was seen.
        if key not in self._waiting and not task.cancelled():
            _log.warning(f"X-ray {index} could not be prepared ahead: {task.exception()}")

    def _evict(self) -> None:
        for key in list(self._entries)[: -self._capacity]:
            if key not in self._waiting:
                self._entries.pop(key).cancel()

    async def _make(self, item: PlanItem, key: _Key) -> Composition:
        # The test card is drawn here: it fits any screen, and no file holds it.
        data = b"" if is_card(item) else await self._images.fetch(item)
        loop = asyncio.get_running_loop()
        try:
            if is_card(item):
                return await loop.run_in_executor(self._workers, alignment_card, key[1])
            return await loop.run_in_executor(self._workers, _compose, data, *key[1:])
        except BadImage as bad:
            raise ImageProblem(f"x-ray {item.index}: {bad}; mend the file or leave it out") from bad
        except UserError as error:  # already names the x-ray
            raise ImageProblem(str(error)) from error


def _failed(task: asyncio.Task[Composition]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _compose(data: bytes, size: Size, look: Look, label: MarkerLabel | None) -> Composition:
    return compose(decode(data), size, look, label=label)
