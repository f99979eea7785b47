r"""Actuators as a TOML file describes them.

    [actuator.lamp]
    driver = "lcus"              # kmtronic, numato, grbl, dmx_enttec_pro, lux, generic, dry_run
    port = "usb:1A86:7523"       # or /dev/serial/by-id/..., COM3, socket://HOST:PORT
    channel = 1
    levels = { bright = "on", dark = "off" }
    safe = "bright"
    settle_s = 0.5

A factor with `set_by = "lamp"` is set by it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rig.environment.driver import Settings
from rig.environment.model import ActuatorError

DriverName = Literal[
    "lcus", "kmtronic", "numato", "grbl", "dmx_enttec_pro", "lux", "generic", "dry_run"
]
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=32)]
_BAUD = {"grbl": 115200, "dmx_enttec_pro": 57600}
RESERVED = frozenset({"operator", "display"})
"""Set by a person or by the display agent; no actuator can have these names."""


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

    @property
    def speed(self) -> int:
        """Baud rate: as given, or the driver's usual one."""
        return self.baud or _BAUD.get(self.driver, 9600)

    def settings(self, name: str) -> Settings:
        """For the driver."""
        return Settings(
            name, self.levels, self.safe, self.channel, self.settle_s, self.model_extra or {}
        )


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    actuator: dict[_Name, ActuatorTable] = {}


def load_actuators(path: Path) -> dict[str, ActuatorTable]:
    """The actuators of a file.

    Raises:
        ActuatorError: unreadable, not TOML, or a bad key; the sentence names file and key.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise ActuatorError(f"{path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise ActuatorError(f"{path.name} is not valid TOML: {error}.") from error
    return parse_actuators(data, path.name)


def parse_actuators(data: Any, name: str) -> dict[str, ActuatorTable]:
    """The actuators in *data*, which came from *name*.

    Raises:
        ActuatorError: a bad key; the sentence names it.
    """
    try:
        found = _File.model_validate(data).actuator
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ActuatorError(f"{name}: {where}: {first['msg']}.") from error
    for key, table in found.items():
        if key in RESERVED:
            raise ActuatorError(f"{name}: actuator.{key}: {key} is no device; use another name.")
        if table.driver != "dry_run" and not table.port:
            raise ActuatorError(f"{name}: actuator.{key}.port: a {table.driver} needs a port.")
    return dict(found)
