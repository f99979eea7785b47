"""The columns of `captures.parquet` that say how each level of the environment was known.

Beside the planned level (`factor_*`) every factor has, at the time of the photo: who vouched for
it, since when, and what the device read back; and the light that a sensor read last, if any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from rig.store.condition_log import Fact, Held, Known, Light

HOW, SINCE, READBACK = "confirmed_by_", "confirmed_ns_", "readback_"
"""Prefixes of the columns; the factor's name follows."""
LIGHT: tuple[tuple[str, pa.DataType], ...] = (("light_lux", pa.float64()), ("light_ns", pa.int64()))
"""Lux as a sensor read it last before the photo, and when (Unix time, controller's clock)."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What was known while a photo was taken: factor -> level and how, and the light."""

    held: Mapping[str, Held] = field(default_factory=dict)
    light: Light | None = None


UNKNOWN = Conditions()
"""Of a photo whose session is not on record."""


def fields(factors: Sequence[str]) -> list[tuple[str, pa.DataType]]:
    """The columns for *factors*, in their order, then the light."""
    every = [
        (prefix + name, kind)
        for name in factors
        for prefix, kind in ((HOW, pa.string()), (SINCE, pa.int64()), (READBACK, pa.string()))
    ]
    return [*every, *LIGHT]


def columns(known: Conditions) -> dict[str, Any]:
    """The values of one photo."""
    row: dict[str, Any] = {}
    for name, held in known.held.items():
        row[HOW + name] = how(held.fact)
        row[SINCE + name] = held.fact.time_ns or None
        row[READBACK + name] = held.fact.readback
    if known.light is not None:
        row |= {"light_lux": known.light.lux, "light_ns": known.light.time_ns}
    return row


def how(fact: Fact) -> str:
    """Who vouches for the level.

    `operator`, `display` or `readback` (a device, or a sensor that looked) when it was confirmed;
    `assumed` when nobody did, as of a relay that cannot tell; `failed` and `differs` when a device
    said otherwise and the photo was taken all the same.
    """
    if fact.state is Known.CONFIRMED:
        return {"person": "operator", "display": "display"}.get(str(fact.by), "readback")
    if fact.state in {Known.FAILED, Known.DIFFERS}:
        return str(fact.state)
    return "assumed"
