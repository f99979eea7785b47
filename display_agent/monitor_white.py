"""The white of the monitor itself, set by DDC/CI for a while and given back afterwards.

A call on the bus may hang in the kernel, where nothing ends it: every visit to the monitor runs on
a daemon thread of its own, one at a time, and is waited for until a deadline. A visit that comes
too late sets nothing any more and takes back what it had set.

A monitor that does not answer is never set: nobody could tell afterwards what it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import structlog

from display_agent import ddc
from display_agent.ddc import Applied, Feature, Monitor, Paced, Vcp
from display_agent.monitor_memory import Held, Memory, words
from rig.errors import UserError

DEADLINE = 6.0
"""Seconds; three tries and taking back fit in, and a screen has 10 s to confirm a paint."""
FADE = 1.0
"""Seconds after a confirmed setting: a monitor may fade to its new white."""
_T = TypeVar("_T")
_log = structlog.get_logger()
Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Reached:
    """What became of a wish for a white.

    Attributes:
        confirmed: True: the monitor says that it is so. False: it is not, it is as it was before.
            None: nobody knows what it is at.
        readback: what it said, in words; None when it said nothing.
        why: a clause, unless confirmed.
        stands: unless confirmed: it was so when it answered last, and was not set since.
        set_anew: it had been so and had to be set once more.
    """

    confirmed: bool | None
    readback: str | None = None
    why: str | None = None
    stands: bool = False
    set_anew: bool = False


class MonitorWhite:
    """One monitor's white. Belongs to one event loop; what goes wrong is a result, never raised.

    Args:
        number: of the monitor as `display-agent monitor` counts, from 1; None: there is only one.
        memory: file that outlives a crash, so that what stood there before is not forgotten.
        find: the monitors that may speak DDC/CI; raises UserError.
        sleep: waits the given seconds, in the thread.
        deadline_s: seconds that a visit is waited for.
    """

    def __init__(
        self,
        number: int | None,
        memory: Path | None = None,
        *,
        find: Callable[[], Sequence[Monitor]] = ddc.find_monitors,
        sleep: Sleep = time.sleep,
        deadline_s: float = DEADLINE,
    ) -> None:
        self._number = number
        self._memory = Memory(memory)
        self._find = find
        self._sleep = sleep
        self._deadline_s = deadline_s
        self._one_at_a_time = threading.Lock()
        self._monitor: Monitor | None = None
        self._at: int | None = None  # kelvin that it confirmed last

    async def reach(self, kelvin: int) -> Reached:
        """Set the monitor to *kelvin* unless it is there, read it back and compare."""
        why = f"the monitor gave no answer within {self._deadline_s:g} s"
        late = Reached(None, why=why, stands=self._at == kelvin)
        return await self._visit(lambda gone: self._reach(kelvin, gone), late)

    async def give_back(self) -> str | None:
        """Put back what stood there before; what became of it, in a clause. None: nothing to do."""
        if self._memory.held is None and not self._one_at_a_time.locked():
            return None
        late = f"it gave no answer within {self._deadline_s:g} s: look what it is at"
        return await self._visit(self._give_back, late)

    async def _visit(self, work: Callable[[threading.Event], _T], late: _T) -> _T:
        loop, gone, turn = asyncio.get_running_loop(), threading.Event(), threading.Lock()
        answer: asyncio.Future[_T] = loop.create_future()
        came: list[_T] = []

        def told() -> None:
            if not answer.done():
                answer.set_result(came[0])

        def visit() -> None:
            with self._one_at_a_time:
                if gone.is_set():
                    return
                result = work(gone)
                with turn:
                    in_time = not gone.is_set()
                    came.extend([result] if in_time else [])
                if not in_time:
                    _log.warning("the monitor answered too late", undone=self._give_back(None))
                    return
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(told)

        threading.Thread(target=visit, name="monitor", daemon=True).start()
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.shield(answer)
        except TimeoutError:
            with turn:
                gone.set()
            return came[0] if came else late
        finally:
            gone.set()

    # -- in the thread -----------------------------------------------------------------------------

    def _reach(self, kelvin: int, gone: threading.Event) -> Reached:
        stood = self._at == kelvin
        found = self._at_monitor(lambda vcp: self._set(kelvin, vcp, gone))
        reached = found if isinstance(found, Reached) else Reached(False, why=found)
        if reached.confirmed:
            self._at = kelvin
            return replace(reached, set_anew=stood and reached.set_anew)
        stands = self._at == kelvin
        if reached.confirmed is False and (stands or self._memory.held is not None):
            # Nothing was heard of it, and it is not as it was before this agent came.
            return replace(reached, confirmed=None, stands=stands)
        return reached

    def _give_back(self, gone: threading.Event | None) -> str | None:
        at, self._at = self._at, None
        if not self._memory.holds():
            return None
        done = str(self._at_monitor(lambda vcp: self._undo(vcp, gone)))
        if not self._memory.holds():
            return done
        return f"{done}; it may still be at {at} K: look at it" if at else f"{done}: look at it"

    def _at_monitor(self, work: Callable[[Vcp], Reached | str]) -> Reached | str:
        """What *work* at the open monitor gives, or why it cannot be opened."""
        done: list[Reached | str] = []
        try:
            monitor = self._monitor or _chosen(self._find(), self._number)
            self._monitor = monitor
            with monitor:
                done.append(work(monitor.vcp))
        except UserError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - the drivers of three systems
            self._monitor = None  # looked for again next time
            if not done:
                return f"the monitor cannot be opened ({ddc.reason(error)})"
        return done[0]

    def _set(self, kelvin: int, vcp: Vcp, gone: threading.Event) -> Reached:
        bus = _Waited(vcp, self._sleep, gone)
        before: dict[Feature, int] = {}
        for one in (Feature.COLOUR_PRESET, Feature.COLOUR_REQUEST):
            answer = ddc.get(bus, one.value, self._sleep)
            if answer is not None:
                before[one] = answer[0]
            elif one is Feature.COLOUR_PRESET:
                return Reached(False, why="the monitor tells no colour preset")
        self._memory.compare(before)
        asked = ddc.target(bus, kelvin, self._sleep)
        if isinstance(asked, Applied):
            return self._refused(vcp, asked.why or "there is no such setting", None)
        feature, value = asked
        held = self._memory.held
        if before.get(feature) == value and (held is None or held.feature is feature):
            return Reached(True, words(feature, value))
        if feature not in before:
            return self._refused(vcp, "the monitor tells no colour temperature", None)
        self._memory.hold(Held.of(feature, value, before, held))
        applied = ddc.put(bus, feature, value, self._sleep)
        if not applied.confirmed or gone.is_set():
            said = None if applied.readback is None else words(feature, applied.readback)
            return self._refused(vcp, applied.why or "it answered too late", said)
        self._sleep(FADE)
        return Reached(True, words(feature, value), set_anew=True)

    def _refused(self, vcp: Vcp, why: str, said: str | None) -> Reached:
        """It is not what was wanted: what stood there before is put back."""
        self._at = None
        if self._memory.held is None:
            return Reached(False, said, why)
        left = self._put_back(vcp)
        if left is not None:
            return Reached(None, said, f"{why}; {left}")
        return Reached(False, said, f"{why}; it is as it was before")

    def _undo(self, vcp: Vcp, gone: threading.Event | None) -> str:
        held = self._memory.held
        if held is None:
            return "nothing was set"
        bus = Paced(vcp, self._sleep) if gone is None else _Waited(vcp, self._sleep, gone)
        now = ddc.get(bus, held.feature.value, self._sleep)
        if now is None:
            return "it does not answer"
        if now[0] != held.value:
            self._memory.forget()
            return f"somebody has set it to {words(held.feature, now[0])} meanwhile: it stays so"
        return self._put_back(vcp) or f"it is at {held.told} again, as before"

    def _put_back(self, vcp: Vcp) -> str | None:
        """Put back what is held; a clause when the monitor does not confirm it."""
        held = self._memory.held
        if held is None:
            return None
        bus = Paced(vcp, self._sleep)
        for feature, value in held.before.items():
            done = ddc.put(bus, feature, value, self._sleep)
            if not done.confirmed:
                return f"{held.told}, where it was before, could not be put back ({done.why})"
        self._memory.forget()
        return None


class _Waited(Paced):
    """The bus while somebody waits for the visit; afterwards it refuses."""

    def __init__(self, vcp: Vcp, sleep: Sleep, gone: threading.Event) -> None:
        super().__init__(vcp, sleep)
        self._gone = gone

    def set_vcp_feature(self, code: int, value: int) -> None:
        self._refuse()
        super().set_vcp_feature(code, value)

    def get_vcp_feature(self, code: int) -> tuple[int, int]:
        self._refuse()
        return super().get_vcp_feature(code)

    def _refuse(self) -> None:
        if self._gone.is_set():
            raise TimeoutError("nobody waits for it any more")


def _chosen(found: Sequence[Monitor], number: int | None) -> Monitor:
    """The monitor of *number*; raises UserError when there is none or several to choose from."""
    if number is None and len(found) > 1:
        raise UserError(
            f"there are {len(found)} monitors: say which with --ddc N, as `display-agent monitor` "
            "counts them"
        )
    if number is not None and number > len(found):
        raise UserError(f"there are {len(found)} monitors, none has number {number}")
    return found[(number or 1) - 1]
