"""The white of a session's screen: who makes it, and how that is known.

A level of `colour_temperature` in kelvin is made by exactly one of

* `elsewhere`: the plan says that a person or a device sets the monitor; pixels stay untinted;
* `ddc`: the monitor was set over DDC/CI and confirmed it; pixels stay untinted;
* `gains`: per-channel gains on the pixels, whenever neither of the others holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import structlog

from display_agent.look import FACTOR, Look, kelvin_of
from display_agent.monitor_white import MonitorWhite, Reached
from rig.planning.plan import PlanItem, SubsetPlan

PATIENCE = 8.0
"""Seconds; a screen that has not confirmed a paint after 10 s counts as lost."""
GAINS, DDC, ELSEWHERE = "gains", "ddc", "elsewhere"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class White:
    """What became of the level that a plan wants.

    Attributes:
        requested: the level, e.g. `5000K`.
        by: `gains`, `ddc` or `elsewhere`.
        confirmed: True: read back from the monitor, or the pixels carry it and the monitor is as it
            was. None: nobody here knows; a person or device answers for it, or the monitor's
            setting is in doubt.
        readback: what the monitor said, if it was asked and answered.
        text: a sentence for people.
        at_ns: Unix time.
    """

    requested: str
    by: str
    confirmed: bool | None
    readback: str | None
    text: str
    at_ns: int

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


class Listener(Protocol):
    """What hears of the white: a session."""

    def white_told(self, body: dict[str, Any]) -> None:
        """Something about it is worth an event."""

    def white_changed(self, why: str) -> None:
        """It changed under what is on the screen."""


class Composer(Protocol):
    """What composes with a look; `prefetch.Prefetch`."""

    look: Look

    def prepare(self, item: PlanItem) -> None:
        """Begin composing *item*."""


class WhiteKeeper:
    """Sees to the white of one session, and to `prefetch.look` with it. On one event loop.

    Args:
        plan: level and who sets it.
        look: the session's look; its argument says whether pixels must stay untinted.
        prefetch: composes with the look.
        monitor: set over DDC/CI, if that is wanted.
        clock_ns: wall clock.

    Raises:
        UserError: the level means nothing, or a temperature that cannot be shown.
    """

    def __init__(
        self,
        plan: SubsetPlan,
        look: Callable[[bool], Look],
        prefetch: Composer,
        monitor: MonitorWhite | None = None,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._level = plan.environment.levels.get(FACTOR, "")
        self._kelvin = kelvin_of(self._level)
        self._by_whom = plan.set_by.get(FACTOR) if self._kelvin is not None else None
        self._look = look
        self._first = plan.items[:2]
        self._prefetch = prefetch
        self._monitor = monitor
        self._clock_ns = clock_ns
        self._session: Listener | None = None
        self._work: asyncio.Task[None] | None = None
        self._doubtful = True
        self.white: White | None = None
        look(self._by_whom is not None)  # what cannot be shown is refused before anything is done

    @property
    def by_ddc(self) -> bool:
        """Whether the monitor itself is looked at."""
        return self._monitor is not None and self._kelvin is not None and self._by_whom is None

    def begin(self, session: Listener) -> None:
        """The plan was loaded: see to its white, and compose its first x-rays."""
        self._session = session
        self._prefetch.look = self._look(self._by_whom is not None)
        if self._monitor is not None:
            self._look_at_it()
            return
        self._without_monitor()
        self._warm()

    def doubt(self) -> None:
        """The monitor may have changed: it is asked before the next x-ray is shown."""
        self._doubtful = True

    async def ready(self) -> None:
        """Wait until the white is seen to, for `PATIENCE` at most; every painting asks.

        What comes later than that changes the look, and spoils what is on the screen.
        """
        if self._monitor is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                for _ in range(2):  # a doubt may come while the monitor is looked at
                    if self._work is None and self._doubtful:
                        self._look_at_it()
                    if self._work is not None:
                        await asyncio.shield(self._work)

    async def release(self) -> None:
        """Give the monitor back, for the session is over, aborted or closed; may be repeated."""
        if self._monitor is None:
            return
        if self._work is not None:
            await asyncio.shield(self._work)
        self._doubtful = True
        said = await self._monitor.give_back()
        if said is not None:
            self.white = None
            self._tell(
                {"by": DDC, "given_back": True, "text": f"the monitor was given back: {said}"}
            )

    # -- looking -----------------------------------------------------------------------------------

    def _look_at_it(self) -> None:
        self._doubtful = False
        self._work = asyncio.get_running_loop().create_task(self._see_to_it(), name="white")

    async def _see_to_it(self) -> None:
        first = self.white is None
        try:
            if self._monitor is not None and self._kelvin is not None and self._by_whom is None:
                self._take(await self._monitor.reach(self._kelvin))
            elif first and self._monitor is not None:
                if (said := await self._monitor.give_back()) is not None:  # of a run before
                    _log.info("the monitor was given back", how=said)
                self._without_monitor()
        finally:
            self._work = None
        if first:
            self._warm()

    def _take(self, reached: Reached) -> None:
        level, now = self._level, self._clock_ns()
        if reached.confirmed:
            text = f"colour temperature {level}: the monitor was set by DDC/CI and says "
            text += f"{reached.readback}"
            white = White(level, DDC, True, reached.readback, text, now)
        elif reached.stands:
            text = f"colour temperature {level} is in doubt: {reached.why}; pixels stay untinted"
            white = White(level, DDC, None, reached.readback, text, now)
        else:
            doubt = "" if reached.confirmed is False else " What the monitor is at is in doubt."
            text = f"colour temperature {level}: pixels are tinted, because {reached.why}.{doubt}"
            sure = True if reached.confirmed is False else None
            white = White(level, GAINS, sure, reached.readback, text, now)
        self._put(white, set_anew=reached.set_anew)

    def _without_monitor(self) -> None:
        level, now = self._level, self._clock_ns()
        if self._kelvin is None:
            return
        if self._by_whom is None:
            text = f"colour temperature {level}: pixels are tinted"
            self.white = White(level, GAINS, True, None, text, now)  # `painted` says it
            return
        text = f"colour temperature {level} is set by {self._by_whom}: pixels stay untinted"
        self._put(White(level, ELSEWHERE, None, None, text, now))

    def _put(self, white: White, *, set_anew: bool = False) -> None:
        before, self.white = self.white, white
        self._prefetch.look = self._look(white.by != GAINS)
        if before is not None and replace(before, at_ns=white.at_ns) == white and not set_anew:
            return
        wanted = white.by == DDC and white.confirmed if self.by_ddc else True
        (_log.info if wanted else _log.warning)(white.text)
        self._tell(white.as_json())
        if before is not None and self._session is not None:
            self._session.white_changed(
                f"the monitor's white was not as it should be: {white.text}"
            )

    def _tell(self, body: dict[str, Any]) -> None:
        if self._session is not None:
            self._session.white_told(body)

    def _warm(self) -> None:
        for item in self._first:
            self._prefetch.prepare(item)
