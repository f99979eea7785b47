r"""Actuators as a TOML file describes them.

    [actuator.lamp]
    driver = "lcus"              # kmtronic, numato, grbl, dmx_enttec_pro, lux, generic, dry_run
    port = "usb:1A86:7523"       # or /dev/serial/by-id/..., COM3, socket://HOST:PORT
    channel = 1
    levels = { bright = "on", dark = "off" }
    safe = "bright"
    settle_s = 0.5
    station = "room-1"           # whose it is; left out: every station's
    verify = { sensor = "meter", bands = { bright = "200-450", dark = "0-20" } }

    [watch]
    seconds = 5                  # how often light is read while a session runs

A factor with `set_by = "lamp"` is set by it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rig.environment.driver import Settings
from rig.environment.lights import Lux
from rig.environment.model import ActuatorError

DriverName = Literal[
    "lcus", "kmtronic", "numato", "grbl", "dmx_enttec_pro", "lux", "generic", "dry_run"
]
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=32)]
_BAUD = {"grbl": 115200, "dmx_enttec_pro": 57600}
RESERVED = frozenset({"operator", "display"})
"""Set by a person or by the display agent; no actuator can have these names."""


class Verify(BaseModel):
    """A light sensor that sees what an actuator did: level -> band in lux, `200-450`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sensor: _Name
    bands: dict[str, str] = Field(min_length=1)


class ActuatorTable(BaseModel):
    """One `[actuator.NAME]` table; keys beyond these are options of the driver."""

    model_config = ConfigDict(extra="allow", frozen=True)

    driver: DriverName
    port: str = ""
    baud: int | None = Field(default=None, ge=300, le=4_000_000)
    channel: int = Field(default=1, ge=0, le=32)
    levels: dict[str, str] = {}
    safe: str | None = None
    settle_s: float = Field(default=0.0, ge=0, le=600, allow_inf_nan=False)
    trace: bool = False
    station: str | None = None
    verify: Verify | None = None

    def serves(self, station: str) -> bool:
        """Whether it is one of *station*, or of all."""
        return self.station in {None, station}

    @property
    def speed(self) -> int:
        """Baud rate: as given, or the driver's usual one."""
        return self.baud or _BAUD.get(self.driver, 9600)

    def settings(self, name: str) -> Settings:
        """For the driver."""
        return Settings(
            name, self.levels, self.safe, self.channel, self.settle_s, self.model_extra or {}
        )


@dataclass(frozen=True, slots=True)
class Band:
    """Light that belongs to a level: *sensor* reads *low*..*high* lux."""

    sensor: str
    low: float
    high: float

    @property
    def text(self) -> str:
        """`200-450`."""
        return f"{self.low:g}-{self.high:g}"


@dataclass(frozen=True, slots=True)
class RoomFile:
    """What a file says.

    Attributes:
        actuators: by name.
        watch_s: seconds between two looks at the light while a session runs.
    """

    actuators: Mapping[str, ActuatorTable] = field(default_factory=dict)
    watch_s: float = 5.0

    def band(self, name: str, level: str) -> Band | None:
        """The light that *level* of actuator *name* must give; None where nobody can see it.

        A light sensor that is itself the actuator has its bands as levels.
        """
        table = self.actuators.get(name)
        if table is None:
            return None
        if table.driver == "lux":
            text = table.levels.get(level) if table.levels else level
            return None if text is None else Band(name, *Lux.band(text))
        text = None if table.verify is None else table.verify.bands.get(level)
        return (
            None
            if text is None or table.verify is None
            else Band(table.verify.sensor, *Lux.band(text))
        )


class _Watch(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    seconds: float = Field(default=5.0, ge=0.05, le=3600, allow_inf_nan=False)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    actuator: dict[_Name, ActuatorTable] = {}
    watch: _Watch = _Watch()


def load_room(path: Path) -> RoomFile:
    """The actuators of a file and how they are watched.

    Raises:
        ActuatorError: unreadable, not TOML, or a bad key; the sentence names file and key.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise ActuatorError(f"{path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise ActuatorError(f"{path.name} is not valid TOML: {error}.") from error
    return parse_room(data, path.name)


def load_actuators(path: Path) -> dict[str, ActuatorTable]:
    """The actuators of a file; raises as `load_room`."""
    return dict(load_room(path).actuators)


def parse_actuators(data: Any, name: str) -> dict[str, ActuatorTable]:
    """The actuators in *data*, which came from *name*; raises as `parse_room`."""
    return dict(parse_room(data, name).actuators)


def parse_room(data: Any, name: str) -> RoomFile:
    """The room in *data*, which came from *name*.

    Raises:
        ActuatorError: a bad key; the sentence names it.
    """
    try:
        file = _File.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ActuatorError(f"{name}: {where}: {first['msg']}.") from error
    found = file.actuator
    for key, table in found.items():
        if key in RESERVED:
            raise ActuatorError(f"{name}: actuator.{key}: {key} is no device; use another name.")
        if table.driver != "dry_run" and not table.port:
            raise ActuatorError(f"{name}: actuator.{key}.port: a {table.driver} needs a port.")
        _check_verify(f"{name}: actuator.{key}.verify", table, found)
    return RoomFile(dict(found), file.watch.seconds)


def _check_verify(where: str, table: ActuatorTable, found: Mapping[str, ActuatorTable]) -> None:
    verify = table.verify
    if verify is None:
        return
    sensor = found.get(verify.sensor)
    if sensor is None or sensor.driver != "lux":
        known = ", ".join(key for key, one in found.items() if one.driver == "lux") or "none"
        raise ActuatorError(f"{where}.sensor: {verify.sensor!r} is no light sensor ({known}).")
    if table.driver == "lux":
        raise ActuatorError(f"{where}: a light sensor has its bands as levels.")
    if sensor.station not in {None, table.station}:
        raise ActuatorError(f"{where}.sensor: {verify.sensor} belongs to {sensor.station}.")
    for level, text in verify.bands.items():
        if table.levels and level not in table.levels:
            raise ActuatorError(f"{where}.bands: {level!r} is not one of its levels.")
        try:
            Lux.band(text)
        except ActuatorError as error:
            raise ActuatorError(f"{where}.bands.{level}: {error}") from error
