"""Wrong tries to sign in, counted by sender. Lives on the event loop."""

from __future__ import annotations

from collections import deque

from rig.web.pairing_codes import network_of

MOST, WITHIN_NS = 8, 60 * 10**9
"""After so many wrong tries within a minute a sender has to wait."""
SENDERS = 2000


class Tries:
    """The wrong tries of the last minute."""

    def __init__(self) -> None:
        self._wrong: dict[str, deque[int]] = {}

    def wait_s(self, address: str, now_ns: int) -> int | None:
        """Seconds until *address* may try again; None: now."""
        tries = self._fresh(network_of(address), now_ns)
        if len(tries) < MOST:
            return None
        return max(1, -((now_ns - tries[0] - WITHIN_NS) // 10**9))

    def wrong(self, address: str, now_ns: int) -> None:
        """Count one."""
        key = network_of(address)
        tries = self._fresh(key, now_ns)
        tries.append(now_ns)
        self._wrong.pop(key, None)
        if len(self._wrong) >= SENDERS:
            del self._wrong[next(iter(self._wrong))]
        self._wrong[key] = tries

    def _fresh(self, key: str, now_ns: int) -> deque[int]:
        tries = self._wrong.get(key) or deque(maxlen=MOST)
        # Not in the last minute; or "later" than now, because the clock was set back.
        while tries and not 0 <= now_ns - tries[0] < WITHIN_NS:
            tries.popleft()
        return tries
