"""Wakes the live streams when something was written. Lives on the event loop."""

from __future__ import annotations

import asyncio


class Feed:
    """A counter that streams wait on; nothing is queued: they read the log themselves."""

    def __init__(self) -> None:
        self.version = 0
        self.closed = False
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Something was written."""
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def close(self) -> None:
        """Every stream ends."""
        self.closed = True
        self.notify()

    async def wait(self, seen: int, seconds: float) -> None:
        """Return once the version is not *seen* any more, or after *seconds*."""
        if self.version != seen or self.closed:
            return
        changed = self._changed
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await changed.wait()
        except TimeoutError:
            return
