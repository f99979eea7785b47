"""How the environment wants the screen to look, apart from the x-ray itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from display_agent.colour import NEUTRAL, Gains, gains_of
from display_agent.cursor import CursorSpec
from rig.errors import UserError

FACTOR = "colour_temperature"
"""The factor whose levels in kelvin are the white of the screen."""
_KELVIN = re.compile(r"(\d+)\s*k", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Look:
    """What is done to every frame.

    Attributes:
        marker: the index marker stands in the margin.
        cursor: a drawn cursor, or none.
        gains: of the encoded red, green and blue, 0..1.
    """

    marker: bool = False
    cursor: CursorSpec | None = None
    gains: Gains = NEUTRAL


PLAIN = Look()
"""The x-ray on black and nothing else."""


def look_of(
    levels: Mapping[str, str], *, seed: int, marker: bool = False, monitor_set: bool = False
) -> Look:
    """What the factor levels of an environment ask of the display.

    `cursor`: hidden, centre or moved; absent is hidden. `colour_temperature`: kelvin such as
    `5000K`; absent, or a level in words (`warm`, `native`), which a person sets at the monitor,
    changes no pixel.

    Args:
        levels: factor -> level; factors that the display does not set are passed over.
        seed: of the moved cursor, one for the campaign, e.g. `int(plan.campaign_id, 16)`.
        marker: whether the index marker is asked for.
        monitor_set: the monitor itself is at the colour temperature (by DDC/CI and confirmed, or
            set by a person or device), so the pixels must not be tinted once more.

    Raises:
        UserError: a level that means nothing here, or a temperature that cannot be shown.
    """
    cursor = _cursor(levels.get("cursor", "hidden"), seed)
    gains = NEUTRAL if monitor_set else _gains(levels.get(FACTOR, ""))
    return Look(marker, cursor, gains)


def _cursor(level: str, seed: int) -> CursorSpec | None:
    match level.strip().lower():
        case "hidden":
            return None
        case "centre" | "center":
            return CursorSpec("centre", seed)
        case "moved":
            return CursorSpec("moved", seed)
    raise UserError(
        f"the level {level!r} of the factor cursor is unknown; "
        "use hidden, centre or moved in the environments file"
    )


def kelvin_of(level: str) -> int | None:
    """The temperature of a level; None for words (`warm`, `native`), which a person sets.

    Raises:
        UserError: it begins as a number and is no temperature.
    """
    level = level.strip()
    if not level[:1].isdecimal():
        return None
    kelvin = _KELVIN.fullmatch(level)
    if kelvin is None:
        raise UserError(
            f"the level {level!r} of the factor colour_temperature is no temperature; "
            "write kelvin, such as 5000K, in the environments file"
        )
    return int(kelvin[1])


def _gains(level: str) -> Gains:
    kelvin = kelvin_of(level)
    return NEUTRAL if kelvin is None else gains_of(kelvin)
