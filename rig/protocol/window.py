"""Packet numbers, replay window and round-trip time: small mechanisms of one connection."""

from __future__ import annotations

from rig.protocol.codes import REPLAY_WINDOW, Timers


class ReplayWindow:
    """Accepts every packet number once, and none older than 64 below the highest (RFC 6479)."""

    def __init__(self) -> None:
        self._highest = 0
        self._seen = 0  # bit n: highest - n was seen

    @property
    def highest(self) -> int:
        """The highest packet number accepted so far."""
        return self._highest

    def accept(self, pn: int) -> bool:
        """Whether *pn* is new; remembers it."""
        if pn > self._highest:
            step = min(pn - self._highest, REPLAY_WINDOW)
            self._seen = ((self._seen << step) | 1) & ((1 << REPLAY_WINDOW) - 1)
            self._highest = pn
            return True
        age = self._highest - pn
        if age >= REPLAY_WINDOW or self._seen >> age & 1 or pn == 0:
            return False
        self._seen |= 1 << age
        return True


class RoundTrip:
    """Retransmission time-out by RFC 6298, from unambiguous acknowledgements. Seconds."""

    _REMEMBERED = 64

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._sent: dict[int, float] = {}
        self._variance = 0.0
        self.smoothed: float | None = None

    def sent(self, pn: int, now: float) -> None:
        """Packet *pn* left at *now*."""
        self._sent[pn] = now
        if len(self._sent) > self._REMEMBERED:
            del self._sent[next(iter(self._sent))]

    def answered(self, ack_pn: int, now: float) -> None:
        """A reply that names *ack_pn* came at *now*."""
        left = self._sent.pop(ack_pn, None)
        if left is None:
            return
        sample = max(0.0, now - left)
        if self.smoothed is None:
            self.smoothed, self._variance = sample, sample / 2
            return
        self._variance += (abs(self.smoothed - sample) - self._variance) / 4
        self.smoothed += (sample - self.smoothed) / 8

    def timeout(self, losses: int, jitter: float) -> float:
        """Seconds to wait after *losses* time-outs; *jitter* in [0, 1) adds up to half."""
        base = self._timers.rto_init
        if self.smoothed is not None:
            base = self.smoothed + 4 * self._variance
        base = min(max(base, self._timers.rto_min), self._timers.rto_max)
        return min(base * 2.0 ** min(losses, 16), self._timers.rto_max) * (1 + jitter / 2)
