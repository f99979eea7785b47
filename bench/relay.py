"""A relay between phone and display: counts datagrams, and spoils the way between if asked."""

from __future__ import annotations

import heapq
import random
import select
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from rig.protocol.codes import MessageType
from rig.protocol.datagram import BadDatagram, peek

Side = Literal["display", "phone"]


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to a datagram on its way; shares are probabilities, times are seconds.

    The fates of the n-th datagram of a direction follow from *seed*; when it comes does not.

    Attributes:
        loss: share that is dropped.
        duplicate: share that arrives twice; the copy has a delay of its own.
        reorder: share that is held for *hold*, so that later ones overtake it.
        delay: everything else takes up to so long, evenly spread.
    """

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    hold: float = 0.02
    delay: float = 0.0
    seed: int = 0

    def fates(self, rng: random.Random) -> list[float]:
        """Delays of the copies of one datagram; none when it is lost."""
        # Always as many numbers, so that one datagram's fate does not shift the next one's.
        lost, doubled, *rest = (rng.random() for _ in range(6))
        delays = [
            self.hold if held < self.reorder else late * self.delay
            for held, late in (rest[:2], rest[2:])
        ]
        if lost < self.loss:
            return []
        return delays if doubled < self.duplicate else delays[:1]


FAIR = Weather()


class Relay:
    """Forwards both ways between one phone and *display*; leaving the block ends it.

    Attributes:
        address: where the phone is to send.
        counts: datagrams that either side sent, by the name of their type.
        fates: of these how many were "lost", "doubled" and "held".
        heard: all of them with the side they were meant for, when *keep*; in order.
        silent: while it is set nothing gets through, as without a network.
    """

    def __init__(
        self, display: tuple[str, int], weather: Weather = FAIR, *, keep: bool = False
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.fates: Counter[str] = Counter()
        self.heard: list[tuple[Side, bytes]] = []
        self.silent = False
        self._keep = keep
        self._display = display
        self._weather = weather
        self._rngs: dict[Side, random.Random] = {
            "display": random.Random(f"{weather.seed} to the display"),
            "phone": random.Random(f"{weather.seed} to the phone"),
        }
        self._later: list[tuple[float, int, Side, bytes]] = []
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind(("127.0.0.1", 0))
        # A pending ICMP error makes a socket readable, and sending may take it away meanwhile.
        self._front.setblocking(False)
        self._back = self._connect()
        self.address: tuple[str, int] = self._front.getsockname()
        self.phone: tuple[str, int] | None = None
        self._orders, self._order = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._order.close()
        self._thread.join()
        for each in (self._front, self._back, self._orders):
            each.close()

    def move(self) -> None:
        """From now on the display sees the phone at another address; the old one is dead."""
        self._order.send(b"move")

    def inject(self, to: Side, data: bytes) -> None:
        """Send *data* from the very address that the other side has."""
        try:
            if to == "display":
                self._back.send(data)
            elif self.phone is not None:
                self._front.sendto(data, self.phone)
        except OSError:
            return  # that side has left, or the socket has just moved

    def _connect(self) -> socket.socket:
        back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        back.connect(self._display)
        back.setblocking(False)
        return back

    def _run(self) -> None:
        while True:
            wait = max(0.0, self._later[0][0] - time.monotonic()) if self._later else None
            ready, _, _ = select.select([self._front, self._back, self._orders], [], [], wait)
            while self._later and self._later[0][0] <= time.monotonic():
                _, _, to, data = heapq.heappop(self._later)
                self.inject(to, data)
            if self._orders in ready:
                if not self._orders.recv(16):
                    return
                self._back.close()
                self._back = self._connect()
                continue
            for source in ready:
                self._take(source)

    def _take(self, source: socket.socket) -> None:
        try:
            data, addr = source.recvfrom(2048)
        except OSError:
            return  # one side has left; the other will notice by itself
        to: Side = "phone"
        if source is self._front:
            self.phone, to = addr, "display"
        try:
            self.counts[MessageType(peek(data)[0]).name] += 1
        except BadDatagram:
            self.counts["unknown"] += 1
        if self._keep:
            self.heard.append((to, data))
        if self.silent:
            self.fates["swallowed"] += 1
            return
        delays = self._weather.fates(self._rngs[to])
        self.fates["lost"] += not delays
        self.fates["doubled"] += len(delays) > 1
        for delay in delays:
            if delay:
                self.fates["held"] += delay == self._weather.hold
                due = time.monotonic() + delay
                heapq.heappush(self._later, (due, sum(self.counts.values()), to, data))
            else:
                self.inject(to, data)
