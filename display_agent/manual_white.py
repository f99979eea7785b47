"""The white of the screen in manual mode: seen to once, before the first x-ray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from display_agent.look import PLAIN, Look
from display_agent.monitor_white import MonitorWhite
from display_agent.white import WhiteKeeper
from rig.planning.plan import PlanItem, SubsetPlan


class ManualWhite:
    """Keeps `look` right; told events go to *report*. See `white.WhiteKeeper` for the arguments."""

    def __init__(
        self,
        plan: SubsetPlan,
        look: Callable[[bool], Look],
        monitor: MonitorWhite | None,
        report: Callable[[dict[str, Any]], None],
    ) -> None:
        self.look = PLAIN
        self._report = report
        self._keeper = WhiteKeeper(plan, look, self, monitor)

    async def ready(self) -> None:
        """See to it, and wait until it is so."""
        self._keeper.begin(self)
        await self._keeper.ready()

    async def release(self) -> None:
        """Give the monitor back."""
        await self._keeper.release()

    def prepare(self, item: PlanItem) -> None:
        """The run composes by itself."""

    def white_told(self, body: dict[str, Any]) -> None:
        """An event."""
        self._report({"event": "white"} | body)

    def white_changed(self, why: str) -> None:
        """Nobody looks at the monitor again in manual mode."""
