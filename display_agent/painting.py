"""The screen's side of a session: what the protocol's core asks to show, check and blank.

XCAP/1 and legacy mode paint in the same way; only what they tell of it differs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from display_agent.images import ImageProblem
from display_agent.prefetch import Prefetch
from display_agent.screens import Screen
from display_agent.white import WhiteKeeper
from rig.errors import UserError
from rig.planning.plan import SubsetPlan
from rig.protocol import actions as act
from rig.protocol.shell import Shell

_AHEAD = 2
"""X-rays composed while one is being photographed."""
_log = structlog.get_logger()

Painted = Callable[[int, dict[str, Any]], None]
"""Hears the index that is up and the body of its `painted` event, before the core does."""


class PaintingCore(Protocol):
    """What both display cores take back."""

    @property
    def attempt(self) -> int:
        """The attempt under way, from 1; an index marker says it."""

    def painted(self, token: bytes, surface_sha: bytes, now: float) -> list[act.Output]:
        """The x-ray is up."""

    def surface_checked(self, token: bytes, surface_sha: bytes, now: float) -> list[act.Output]:
        """What the surface holds."""

    def display_disturbed(self, why: str, now: float) -> list[act.Output]:
        """Something else changed the screen."""

    def display_failed(self, why: str, now: float) -> list[act.Output]:
        """The x-ray cannot be shown."""


class Painting:
    """Shows the x-rays of *plan* on *screen* for one core, on one event loop."""

    def __init__(
        self,
        plan: SubsetPlan,
        screen: Screen,
        prefetch: Prefetch,
        painted: Painted,
        white: WhiteKeeper | None = None,
    ) -> None:
        self._plan = plan
        self._screen = screen
        self._prefetch = prefetch
        self._painted = painted
        self._white = white
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._wanted: bytes | None = None
        self._served: tuple[Shell, PaintingCore] | None = None

    def serve(self, shell: Shell, core: PaintingCore) -> None:
        """Give every result, and what disturbs the screen, to *core* through *shell*."""
        self._served = shell, core
        self._screen.on_disturbed = self._disturbed

    def perform(self, output: act.Output) -> bool:
        """Begin what *output* asks; False when it is nothing for the screen."""
        if isinstance(output, act.Paint):
            self._wanted = output.token
            self._spawn(self._paint(output), f"paint {output.index}")
        elif isinstance(output, act.CheckSurface):
            self._loop.call_soon(self._check, output.token)
        elif isinstance(output, act.Blank):
            self._wanted = None
            self._spawn(self._blank(output.reason), "blank")
        else:
            return False
        return True

    async def close(self) -> None:
        """Stop painting; the screen stays open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._screen.on_disturbed = None

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _paint(self, paint: act.Paint) -> None:
        shell, core = self._require()
        at = paint.index - self._plan.first
        try:
            if self._white is not None:
                await self._white.ready()
            composition, hit = await self._prefetch.get(self._plan.items[at], attempt=core.attempt)
            async with self._turn:
                if self._wanted != paint.token:
                    return  # something else is to be shown by now
                shown = await self._screen.show(paint.token, composition)
        except (ImageProblem, UserError, OSError) as error:
            _log.error("painting failed", index=paint.index, why=str(error))
            shell.run(core.display_failed(str(error), shell.now))
            return
        body = {
            "prefetch_hit": hit, "rect": list(composition.rect), "flip_ns": shown.flip_ns,
            "flip_monotonic_ns": shown.flip_monotonic_ns, "settle_ms": shown.settle_ms,
            "cursor": None if composition.cursor is None else list(composition.cursor),
            "gains": list(composition.gains), "marker": bool(composition.tags),
            "shrunk": composition.shrunk, "white": self._white_body(),
        }  # fmt: skip
        self._painted(paint.index, body)
        shell.run(core.painted(paint.token, shown.surface_sha, shell.now))
        for ahead in self._plan.items[at + 1 : at + 1 + _AHEAD]:
            self._prefetch.prepare(ahead)

    def _white_body(self) -> dict[str, Any] | None:
        white = None if self._white is None else self._white.white
        return None if white is None else white.as_json()

    async def _blank(self, reason: str) -> None:
        async with self._turn:
            if self._wanted is None:
                await self._screen.blank(reason)

    def _check(self, token: bytes) -> None:
        shell, core = self._require()
        shell.run(core.surface_checked(token, self._screen.surface(), shell.now))

    def spoil(self, why: str) -> None:
        """What is on the screen, or the screen itself, is not what it was."""
        shell, core = self._require()
        shell.run(core.display_disturbed(why, shell.now))

    def _disturbed(self, why: str) -> None:
        if self._white is not None:
            self._white.doubt()
        self.spoil(why)

    def _require(self) -> tuple[Shell, PaintingCore]:
        if self._served is None:
            raise RuntimeError("the session has not been made")
        return self._served
