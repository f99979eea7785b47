"""What there is to see of the agent right now: one snapshot for terminal, page and controller."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from phone_agent.findings import Finding

_UNSEEN = frozenset({"photo", "checks", "looked_at"})
"""Fields that `as_json` leaves out or tells otherwise."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The agent at one moment.

    Attributes:
        state: one of starting, checking, knocking, armed, exposing, paused, aborted, finished,
            stopped.
        index: x-ray index of the last photo, None before the first.
        name: its file name.
        result: what became of it: "stored", "retake: CODE" or "paused: CODE".
        count: photos of this subset that are taken, 0..total.
        total: photos the subset has, 0 when no subset is armed.
        battery_pct: percent, None unknown.
        charging: on the mains.
        temp_c: °C of the battery, None unknown.
        free_bytes: bytes left for photos, None unknown.
        link_ms: milliseconds since the display was last heard, None while not connected.
        has_link: whether there is anything that could be heard between two photos; the original
            client of legacy mode is silent then.
        last_error: the last sentence of trouble, "" for none.
        abort: the red banner: code, reason and id; "" for none.
        camera: the camera's name.
        upload: how uploads stand, "" when there is nothing to say.
        checks: what the checks at start found.
        photo: where the last photo lies; never shown, only served.
        looked_at: when battery and room were looked at, by `View`'s clock; None: not yet.
    """

    state: str = "starting"
    index: int | None = None
    name: str = ""
    result: str = ""
    count: int = 0
    total: int = 0
    battery_pct: int | None = None
    charging: bool = False
    temp_c: float | None = None
    free_bytes: int | None = None
    link_ms: int | None = None
    has_link: bool = True
    last_error: str = ""
    abort: str = ""
    camera: str = ""
    upload: str = ""
    checks: tuple[Finding, ...] = ()
    photo: Path | None = None
    looked_at: float | None = None

    def as_json(self) -> dict[str, object]:
        """Plain data for the page; no path of the phone is in it."""
        plain: dict[str, object] = {
            name: getattr(self, name) for name in self.__slots__ if name not in _UNSEEN
        }
        plain["checks"] = [one.as_json() for one in self.checks]
        plain["has_photo"] = self.photo is not None
        return plain

    def for_controller(self, now: float | None = None) -> dict[str, object]:
        """What POST /api/phone/status takes; *now* by `View`'s clock."""
        now = time.monotonic() if now is None else now
        looked = None if self.looked_at is None else max(round((now - self.looked_at) * 1000), 0)
        return {
            "state": self.state, "index": self.index, "name": self.name, "count": self.count,
            "total": self.total, "battery_pct": self.battery_pct, "temp_c": self.temp_c,
            "free_bytes": self.free_bytes, "link_ms": self.link_ms,
            "last_error": (self.abort or self.last_error)[:500], "camera": self.camera,
            "checks": [one.as_json() for one in self.checks],
            "charging": self.charging, "health_age_ms": looked,
        }  # fmt: skip


class View:
    """Holds the snapshot; `update` and `now` from any thread.

    Whoever listens is called in the thread of the update and must be quick.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._snapshot = Snapshot()
        self._listeners: list[Callable[[], None]] = []

    @property
    def now(self) -> Snapshot:
        """The latest snapshot."""
        with self._lock:
            return self._snapshot

    def listen(self, listener: Callable[[], None]) -> None:
        """Call *listener* after each change."""
        self._listeners.append(listener)

    def update(self, **changes: Any) -> None:
        """Change fields of the snapshot by name."""
        if "free_bytes" in changes:
            changes["looked_at"] = self._clock()
        with self._lock:
            before = self._snapshot
            self._snapshot = replace(before, **changes)
            same = before == self._snapshot
        if not same:
            for listener in self._listeners:
                listener()
