"""The battery: as Linux shows it under /sys, else as the Termux:API app tells it.

On many phones /sys/class/power_supply is closed to apps. `termux-battery-status` is a child process
that may hang, so it is asked at most once a minute (in 10 s while photos are refused), never while
the camera is at work.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phone_agent.tools import ToolError, Tools

POWER_SUPPLY = Path("/sys/class/power_supply")
COMMAND = "termux-battery-status"
EVERY_S = 60.0
"""Seconds between two questions to the Termux:API app."""
AWAITED_S = 10.0
"""The same while the session is paused for the battery and somebody waits for it."""
FORGOTTEN_S = 900.0
"""An answer older than this says nothing about the battery any more."""


@dataclass(frozen=True, slots=True)
class Battery:
    """`percent` 0..100; `charging` also when full on the mains; `temp_c` in °C or None."""

    percent: int
    charging: bool
    temp_c: float | None


class BatteryWatch:
    """The battery as last seen. `latest` from any thread; `look` may block 5 s, from one.

    Args:
        tools: runs `termux-battery-status`.
        root: where Linux shows batteries.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        tools: Tools,
        root: Path = POWER_SUPPLY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tools = tools
        self._root = root
        self._clock = clock
        self._lock = threading.Lock()
        self._latest: tuple[float, Battery] | None = None
        self._asked: float | None = None
        self.trouble = ""
        """Why the last question had no answer, or empty."""

    @property
    def latest(self) -> Battery | None:
        """The battery, None when nothing is known or what is known is older than 15 minutes."""
        with self._lock:
            if self._latest is None or self._clock() - self._latest[0] > FORGOTTEN_S:
                return None
            return self._latest[1]

    def look(self, *, awaited: bool = False) -> Battery | None:
        """Look again: free of charge under /sys, else at most once a minute, *awaited* in 10 s."""
        found = read_battery(self._root)
        if (
            found is None
            and self._due(AWAITED_S if awaited else EVERY_S)
            and self._tools.has(COMMAND)
        ):
            try:
                found = parse_status(self._tools.run(COMMAND))
                self.trouble = ""
            except ToolError as error:
                self.trouble = str(error)
                if error.gave_way:
                    self._asked = None
            except ValueError as error:
                self.trouble = str(error)
        if found is not None:
            with self._lock:
                self._latest = self._clock(), found
        return self.latest

    def _due(self, every_s: float) -> bool:
        now = self._clock()
        if self._asked is not None and now - self._asked < every_s:
            return False
        self._asked = now
        return True


def parse_status(text: str) -> Battery:
    """What `termux-battery-status` printed (BatteryStatusAPI.java of termux-api).

    Raises:
        ValueError: it is no such answer; the sentence says what is wrong.
    """
    try:
        said: Any = json.loads(text)
        percent, temperature = said["percentage"], said.get("temperature")
        status, plugged = str(said.get("status")), str(said.get("plugged"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError(f"{COMMAND} gave no battery status; is Termux:API installed?") from None
    if not _is_number(percent) or not 0 <= percent <= 100:
        raise ValueError(f"{COMMAND} says the battery is at {str(percent)[:20]} percent")
    on_mains = status in {"CHARGING", "FULL"} or (
        status == "NOT_CHARGING" and plugged.startswith("PLUGGED")
    )
    warm = float(temperature) if _is_number(temperature) and -60 < temperature < 150 else None
    return Battery(int(percent), on_mains, warm)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


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
