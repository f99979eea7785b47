"""The actuators of a room at work: one thread for each port, a safe state at the end."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import structlog

from rig.environment.config import ActuatorTable
from rig.environment.driver import Driver
from rig.environment.generic import DryRun, Generic
from rig.environment.grbl import Grbl
from rig.environment.lights import DmxEnttecPro, Lux
from rig.environment.model import Actuator, ActuatorError, Applied
from rig.environment.port import PortLostError, SerialLine
from rig.environment.relays import Kmtronic, Lcus, Numato

DRIVERS: Mapping[str, type[Driver]] = {
    "lcus": Lcus,
    "kmtronic": Kmtronic,
    "numato": Numato,
    "grbl": Grbl,
    "dmx_enttec_pro": DmxEnttecPro,
    "lux": Lux,
    "generic": Generic,
}
T = TypeVar("T")
_log = structlog.get_logger("rig.environment")


class NoLine:
    """In place of a port where none is needed."""

    place = "nowhere"

    def write(self, data: bytes) -> None:
        """Nobody is there."""

    def read_until(self, end: bytes, seconds: float) -> bytes:
        """Nobody answers."""
        return b""

    def read_exactly(self, count: int, seconds: float) -> bytes:
        """Nobody answers."""
        return b""

    def drain(self) -> None:
        """Nothing has arrived."""

    def wait(self, seconds: float) -> None:
        """Nobody works."""


class Room:
    """Opens ports when they are first needed and again after they went away. Belongs to one loop.

    Args:
        tables: actuators by name.
        trace: folder for the byte traces of those that ask for one.
        clock_ns: Unix time.
    """

    def __init__(
        self,
        tables: Mapping[str, ActuatorTable],
        *,
        trace: Path | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._tables = dict(tables)
        self._trace = trace
        self._clock_ns = clock_ns
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._lines: dict[str, SerialLine] = {}
        self._actuators: dict[str, Actuator] = {}

    def validate(self) -> None:
        """Whether each device knows the states that its levels are set to; opens nothing.

        Raises:
            ActuatorError: it does not; the sentence names actuator and state.
        """
        for name, table in self._tables.items():
            if table.driver == "dry_run":
                continue
            try:
                DRIVERS[table.driver](table.settings(name), NoLine(), self._clock_ns)
            except ActuatorError as error:
                raise ActuatorError(f"actuator.{name}: {error}") from error

    @property
    def names(self) -> tuple[str, ...]:
        """The actuators there are."""
        return tuple(self._tables)

    async def apply(self, name: str, level: str) -> Applied:
        """Set *level* by actuator *name*.

        Raises:
            ActuatorError: there is no such actuator, it does not know the level, or it failed.
        """
        return await self._on_thread(name, lambda actuator: actuator.apply(level))

    async def read_lux(self, name: str) -> float:
        """What light sensor *name* sees.

        Raises:
            ActuatorError: no such sensor, or it does not answer.
        """

        def read(actuator: Actuator) -> float:
            if not isinstance(actuator, Lux):
                raise ActuatorError(f"{name} is no light sensor.")
            return actuator.read()

        return await self._on_thread(name, read)

    async def look(self, name: str) -> str:
        """Open the port of *name* and, if it is a light sensor, read it; sets nothing.

        Raises:
            ActuatorError: it cannot be opened, or the sensor does not answer.
        """

        def see(actuator: Actuator) -> str:
            if isinstance(actuator, Lux):
                return f"{actuator.line.place} answers: {actuator.read():g} lux"
            if isinstance(actuator, Driver):
                return f"{actuator.line.place} can be opened"
            return "a dry run: nothing is set"

        return await self._on_thread(name, see)

    async def make_safe(
        self, names: Collection[str] | None = None
    ) -> dict[str, Applied | ActuatorError]:
        """Set every configured safe state (of *names*); one that fails does not stop the others."""
        found: dict[str, Applied | ActuatorError] = {}
        for name, table in self._tables.items():
            if table.safe is None or (names is not None and name not in names):
                continue
            try:
                done = await self._on_thread(name, lambda actuator: actuator.make_safe())
            except ActuatorError as error:
                _log.error("a safe state could not be set", actuator=name, why=str(error))
                found[name] = error
            else:
                if done is not None:
                    found[name] = done
        return found

    async def close(self, *, safe: bool = True) -> None:
        """Safe states, unless they are set already, then give all ports back."""
        if safe:
            await self.make_safe()
        for place, thread in self._threads.items():
            line = self._lines.pop(place, None)
            if line is not None:
                await asyncio.get_running_loop().run_in_executor(thread, line.close)
            await asyncio.to_thread(thread.shutdown)
        self._threads.clear()
        self._actuators.clear()

    async def _on_thread(self, name: str, work: Callable[[Actuator], T]) -> T:
        table = self._tables.get(name)
        if table is None:
            known = ", ".join(self._tables) or "none"
            raise ActuatorError(f"There is no actuator {name!r}; configured are: {known}.")
        place = table.port or name
        thread = self._threads.get(place)
        if thread is None:
            thread = self._threads[place] = ThreadPoolExecutor(1, thread_name_prefix=f"port {name}")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(thread, self._work, name, table, work)

    def _work(self, name: str, table: ActuatorTable, work: Callable[[Actuator], T]) -> T:
        """On the port's thread."""
        try:
            actuator = self._actuators.get(name)
            if actuator is None:
                actuator = self._actuators[name] = self._open(name, table)
            return work(actuator)
        except PortLostError:
            # The next request opens it anew. A device that is merely silent keeps its port: opening
            # it again would reset an Arduino.
            self._forget(table.port)
            raise
        except (ValueError, TypeError, re.error) as error:
            raise ActuatorError(
                f"{name}: a value of its configuration cannot be used: {error}."
            ) from error

    def _open(self, name: str, table: ActuatorTable) -> Actuator:
        if table.driver == "dry_run":
            return DryRun(name, tuple(table.levels), self._clock_ns)
        line = self._lines.get(table.port)
        if line is None:
            trace = self._trace / f"{name}.txt" if table.trace and self._trace else None
            line = self._lines[table.port] = SerialLine(table.port, table.speed, trace=trace)
        return DRIVERS[table.driver](table.settings(name), line, self._clock_ns)

    def _forget(self, port: str) -> None:
        line = self._lines.pop(port, None)
        if line is not None:
            with contextlib.suppress(OSError):
                line.close()
        for name, table in self._tables.items():
            if table.port == port:
                self._actuators.pop(name, None)
