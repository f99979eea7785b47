"""A network that loses, doubles, reorders, delays and damages datagrams, and keeps count."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from rig.protocol.codes import MessageType
from rig.simulation.faults import Faults

_LATE = 0.5
"""Seconds by which a reordered datagram is late at most."""
_NAMES = {int(t): t.name for t in MessageType}


@dataclass
class Traffic:
    """What happened to the datagrams; *octets* without UDP and IP headers."""

    sent: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    corrupted: int = 0
    misdirected: int = 0
    """Sent to an address that the phone no longer has."""
    octets: int = 0
    types: Counter[int] = field(default_factory=Counter)

    def as_json(self) -> dict[str, object]:
        """All counts, by name; types in the order of their numbers."""
        return {
            "sent": self.sent,
            "lost": self.lost,
            "duplicated": self.duplicated,
            "reordered": self.reordered,
            "corrupted": self.corrupted,
            "misdirected": self.misdirected,
            "bytes": self.octets,
            "types": {_NAMES[kind]: self.types[kind] for kind in sorted(self.types)},
        }


class Network:
    """Decides the fate of datagrams with its own generator."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.traffic = Traffic()
        self.silent_until = 0.0
        """Nothing gets through before that time: the phone is between two access points."""

    def count(self, data: bytes) -> None:
        """Note a datagram that leaves."""
        traffic = self.traffic
        traffic.sent += 1
        traffic.octets += len(data)
        traffic.types[data[3]] += 1

    def misdirect(self) -> None:
        """A datagram goes where nobody is."""
        self.traffic.misdirected += 1

    def carry(self, data: bytes, faults: Faults, now: float) -> list[tuple[float, bytes]]:
        """The copies that arrive: seconds on the way and bytes."""
        chance, traffic = self._rng.random, self.traffic
        copies = 1
        if chance() < faults.duplicate:
            copies = 2
            traffic.duplicated += 1
        arriving = []
        for _ in range(copies):
            if chance() < faults.loss or now < self.silent_until:
                traffic.lost += 1
                continue
            delay = faults.delay * (0.5 + chance())
            if chance() < faults.reorder:
                traffic.reordered += 1
                delay += _LATE * chance()
            copy = data
            if faults.corrupt and chance() < faults.corrupt:
                traffic.corrupted += 1
                copy = damage(data, self._rng)
            arriving.append((delay, copy))
        return arriving


def damage(data: bytes, rng: random.Random) -> bytes:
    """*data* with one to three flipped bits, or cut short."""
    if rng.random() < 0.5:
        return data[: rng.randrange(len(data))]
    flipped = bytearray(data)
    for bit in rng.sample(range(8 * len(data)), rng.randint(1, 3)):
        flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)
