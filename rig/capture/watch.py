"""When a session should pause by itself, as far as the controller can see it. Pure.

What the phone and the display notice themselves (disk, battery, heat, link, screen) they pause for
without being asked; what only shows over many captures is found here, from events and a clock.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rig.store.events import Event

RESUMES: Mapping[str, str] = MappingProxyType(
    {
        "OPERATOR_PAUSE": "Resume when you are ready.",
        "DISK_LOW": "Free some room on the phone, then resume.",
        "BATTERY_LOW": "Plug the phone in, then resume.",
        "THERMAL": "Let the phone cool down, then resume.",
        "LINK_LOST": "Bring the phone back into the network, then resume.",
        "DISPLAY_TROUBLE": "Look at the monitor and its window, then resume.",
        "CAMERA_BACKGROUND": "Unlock the phone, Termux in front, screen on, then resume.",
        "RETRIES": "Look at the phone and its camera, then resume.",
        "META_TOO_BIG": "Shorten the key of that x-ray in the catalog, then make a new session.",
        "LIGHT": "Bring the light back to its level, then resume.",
        "ROOM": "Set the room again: resume does it; confirm what is asked.",
        "STALLED": "Look what the phone and the monitor wait for, then resume.",
        "THROUGHPUT": "Look what slows the phone down (heat, storage, network), then resume.",
        "DRIFT": "Set the phone and the monitor as they were, check the alignment, then resume.",
        "REJECTED": "Look at the rejected photos, set the phone right, shoot them again, resume.",
    }
)
"""Code of a pause -> what a person does before it is resumed."""

_PROGRESS = frozenset({"armed", "resumed", "painted", "committed"})
_STANDSTILL = frozenset({"paused", "aborted", "completed", "stopped", "stopping", "interrupted"})
_KEPT = 200
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """When it is too slow or too bad.

    Attributes:
        stall: no capture for this many median intervals.
        patience_s: and for at least so long, seconds; shorter stops are nobody's business.
        share: the newest captures reach less than this share of the usual rate.
        newest: how many intervals "the newest" are.
        enough: intervals before the usual rate is known.
        rejected: this many photos rejected in a row.
    """

    stall: float = 5.0
    patience_s: float = 30.0
    share: float = 0.3
    newest: int = 5
    enough: int = 20
    rejected: int = 3


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Why a session should pause: a key of `RESUMES` and a sentence."""

    code: str
    why: str


class Watch:
    """Watches one session. Times are nanoseconds; `time_ns` of the station, `now_ns` of here."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._intervals: deque[float] = deque(maxlen=_KEPT)
        self._captured_ns: int | None = None  # by the station's clock, of the last capture
        self._moved_ns: int | None = None  # by the controller's clock; None while it stands
        self._rejected: list[int] = []
        self._drifted: str | None = None

    def hear(self, event: Event) -> None:
        """Take in the next event of the session."""
        if event.kind == "photo_verified":
            self._verdict(event)
        elif event.kind == "drifted":
            self._drifted = f"Photo {event.index}: {event.body.get('why')}"
        elif event.kind in _STANDSTILL:
            self._captured_ns = self._moved_ns = None
        elif event.kind in _PROGRESS:
            self._moved_ns = event.received_ns
            if event.kind == "committed":
                self._capture(event.time_ns)

    def excuse(self, now_ns: int) -> None:
        """The station was out of sight until now: its silence says nothing."""
        if self._moved_ns is not None:
            self._moved_ns = max(self._moved_ns, now_ns)

    def look(self, now_ns: int) -> Suspicion | None:
        """What is wrong now, if anything; each thing is said once."""
        return self._moved() or self._bad() or self._stalled(now_ns) or self._slow()

    # -- what comes in -----------------------------------------------------------------------------

    def _capture(self, time_ns: int) -> None:
        before, self._captured_ns = self._captured_ns, time_ns
        if before is not None and time_ns > before:
            self._intervals.append((time_ns - before) / _NS)

    def _verdict(self, event: Event) -> None:
        if event.body.get("verified"):
            self._rejected.clear()
        elif event.index is not None and event.index not in self._rejected:
            self._rejected.append(event.index)

    # -- what is wrong -----------------------------------------------------------------------------

    def _moved(self) -> Suspicion | None:
        """The corners of the x-ray moved: each photo after it would be worse than it need be."""
        why, self._drifted = self._drifted, None
        return None if why is None else Suspicion("DRIFT", why)

    def _bad(self) -> Suspicion | None:
        if len(self._rejected) < self._limits.rejected:
            return None
        listed = ", ".join(str(index) for index in self._rejected[-5:])
        count = len(self._rejected)
        self._rejected.clear()
        why = f"{count} photos in a row do not show what they should (last: {listed})."
        return Suspicion("REJECTED", why)

    def _stalled(self, now_ns: int) -> Suspicion | None:
        if self._moved_ns is None or len(self._intervals) < self._limits.newest:
            return None
        usual = statistics.median(self._intervals)
        allowed = max(self._limits.patience_s, self._limits.stall * usual)
        silent = (now_ns - self._moved_ns) / _NS
        if silent <= allowed:
            return None
        self._moved_ns = None
        why = f"Nothing was captured for {silent:.0f} s; a capture usually takes {usual:.1f} s."
        return Suspicion("STALLED", why)

    def _slow(self) -> Suspicion | None:
        limits = self._limits
        if self._moved_ns is None or len(self._intervals) < limits.enough + limits.newest:
            return None
        every = list(self._intervals)
        usual = statistics.median(every[: -limits.newest])
        now = statistics.median(every[-limits.newest :])
        if now <= usual / limits.share:
            return None
        # What is usual is learnt anew: who resumes has seen it.
        self._intervals.clear()
        why = f"A capture takes {now:.1f} s by now; {usual:.1f} s were usual."
        return Suspicion("THROUGHPUT", why)
