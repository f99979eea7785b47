"""The room of a simulated station: real drivers, configuration and checks on simulated lines."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from rig.environment.config import ActuatorTable, Band, RoomFile, parse_room
from rig.environment.model import Actuator, ActuatorError
from rig.environment.room import DRIVERS, Room
from rig.environment.verified import Verified, apply_verified, light_sentence
from rig.simulation.campaign_devices import TROUBLES, DeviceLine, Meter, RelayBoard, Stage

T = TypeVar("T")
FACTORS = {"room_light": "lamp", "tripod": "stage"}
"""Factor -> the actuator that sets it; the others are a person's or the display's."""
_ROOM = {
    "actuator": {
        "lamp": {
            "driver": "kmtronic", "port": "sim://lamp",
            "levels": {"bright": "1:on,2:on", "dim": "1:on,2:off", "dark": "1:off,2:off"},
            "verify": {
                "sensor": "meter", "bands": {"bright": "200-450", "dim": "50-150", "dark": "0-20"},
            },
        },
        "stage": {
            "driver": "grbl", "port": "sim://stage", "seconds": 5,
            "levels": {"centre": "X0", "left": "X-120", "right": "X120"},
        },
        "meter": {"driver": "lux", "port": "sim://meter", "request": "L\\n"},
    }
}  # fmt: skip
OUTSIDE = 2
"""Readings out of the band, one after the other, until it counts."""


def environments_file(folder: Path) -> Path:
    """The CheXphoto paper's factors, some of them set by the room's devices."""
    from rig.planning import factors

    text = (Path(factors.__file__).parent / "paper.toml").read_text(encoding="utf-8")
    for factor, device in FACTORS.items():
        head = f'name = "{factor}"\n'
        if text.count(head) != 1:
            raise ActuatorError(f"The paper's factors have no {factor} that a device could set.")
        text = text.replace(head, f'{head}set_by = "{device}"\n')
    path = folder / "factors.toml"
    path.write_text(text, encoding="utf-8")
    return path


class StationRoom(Room):
    """Works on the caller's thread: a simulation has one time line.

    Attributes:
        file: the configuration, checked as `rig serve --room` checks it.
        troubles: how often a device was made to misbehave, or the light to leave its band.
    """

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self.file: RoomFile = parse_room(_ROOM, "the simulated room")
        super().__init__(self.file.actuators, clock_ns=clock_ns)
        self.validate()
        lamp = RelayBoard("sim://lamp")
        self.meter = Meter("sim://meter", lamp)
        self._devices: dict[str, DeviceLine] = {
            "lamp": lamp, "stage": Stage("sim://stage"), "meter": self.meter,
        }  # fmt: skip
        self._outside = 0
        self._silent = False

    # -- what the controller does ------------------------------------------------------------------

    def set(self, name: str, level: str) -> Verified:
        """Set *level* and look whether it is so; raises ActuatorError."""
        return _at_once(apply_verified(self, self.file, name, level))

    def watch(self, level: str) -> tuple[str, str | None]:
        """Read the light while *level* of the lamp is wanted: what happened, and a sentence.

        One of `in`, `out` (a first time), `pause` (long enough out), `still` (as before), `silent`
        (the meter has just stopped to answer).
        """
        band = self.file.band("lamp", level)
        if band is None:
            return "in", None
        try:
            lux = _at_once(self.read_lux(band.sensor))
        except ActuatorError as error:
            known, self._silent = self._silent, True
            return ("still" if known else "silent"), str(error)
        self._silent = False
        return self._seen(lux, band)

    def _seen(self, lux: float, band: Band) -> tuple[str, str | None]:
        if band.low <= lux <= band.high:
            self._outside = 0
            return "in", None
        self._outside += 1
        word = {1: "out", OUTSIDE: "pause"}.get(self._outside, "still")
        return word, f"{light_sentence(lux, band)}, then resume"

    # -- what goes wrong, and who mends it ---------------------------------------------------------

    def spoil(self, rng: random.Random) -> None:
        """Make a device misbehave, for a few answers or until it is mended."""
        name = rng.choice(tuple(self._devices))
        trouble = rng.choice(TROUBLES if name == "stage" else TROUBLES[:3])
        self._devices[name].spoil(trouble, rng.choice((1, 2, 5, 1000)))

    def shade(self) -> None:
        """The light leaves its band."""
        self.meter.shaded = True

    def mend(self) -> None:
        """A person makes everything work again."""
        self._outside = 0
        for device in self._devices.values():
            device.mend()

    # -- how it runs here --------------------------------------------------------------------------

    async def _on_thread(self, name: str, work: Callable[[Actuator], T]) -> T:
        table = self.file.actuators.get(name)
        if table is None:
            raise ActuatorError(f"There is no actuator {name!r}.")
        return self._work(name, table, work)

    def _open(self, name: str, table: ActuatorTable) -> Actuator:
        return DRIVERS[table.driver](table.settings(name), self._devices[name], self._clock_ns)


def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    coroutine.close()
    raise RuntimeError("the simulated room waited for something")
