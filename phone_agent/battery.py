"""The battery as Linux shows it under /sys; on many phones that is closed to apps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

POWER_SUPPLY = Path("/sys/class/power_supply")


@dataclass(frozen=True, slots=True)
class Battery:
    """`percent` 0..100; `charging` also when full on the mains; `temp_c` in °C or None."""

    percent: int
    charging: bool
    temp_c: float | None


def read_battery(root: Path = POWER_SUPPLY) -> Battery | None:
    """The first system battery below `root`, or None when there is none or it may not be read."""
    try:
        supplies = sorted(root.iterdir())
    except OSError:
        return None
    for supply in supplies:
        found = _read(supply)
        if found is not None:
            return found
    return None


def _read(supply: Path) -> Battery | None:
    # Scope "Device" is the battery of a mouse or pen, not of the phone.
    if _text(supply / "type") != "Battery" or _text(supply / "scope") == "Device":
        return None
    percent = _number(supply / "capacity")
    if percent is None or not 0 <= percent <= 100:
        return None
    tenths = _number(supply / "temp")
    return Battery(
        percent=percent,
        charging=_text(supply / "status") in {"Charging", "Full", "Not charging"},
        temp_c=None if tenths is None else tenths / 10,
    )


def _text(path: Path) -> str | None:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError):
        return None


def _number(path: Path) -> int | None:
    try:
        return int(_text(path) or "")
    except ValueError:
        return None
