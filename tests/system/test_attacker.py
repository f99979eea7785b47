"""Someone on the same Wi-Fi without the key, against the real agents.

They hear everything and send what they like, from sockets of their own or from the very address of
the other side (the relay lends them its own): no photo too many, no index moved, no abort.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from rig.protocol.codes import MessageType
from rig.protocol.datagram import HEADER, Datagram, encode, peek

pytestmark = pytest.mark.system

MakePair = Callable[..., Any]
XRAYS = 8
SETTLE_MS = 120
"""Long enough a run for an attack in its middle."""
ALL = ("KNOCK", "HELLO", "READY", "ARM", "ARMED", "CAPTURE", "ACCEPTED", "CAPTURED", "FINISH")
Told = tuple[str, bytes]
"""Whom a datagram is meant for, and the datagram."""


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    """Sockets of a stranger, each with an address of its own."""
    made = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(64)]
    for each in made:
        each.setblocking(False)
        each.bind(("127.0.0.1", 0))
    yield made
    for each in made:
        each.close()


class Attacker:
    """Sends to either side of *pair*, in turn from strange sockets and from the peer's address.

    Without *spoof* only from strange sockets.
    """

    def __init__(
        self,
        pair: Any,
        sockets: Sequence[socket.socket],
        rate: float = 2000.0,
        *,
        spoof: bool = True,
    ) -> None:
        self._pair, self._sockets, self._pause = pair, sockets, 1 / rate
        self._spoof = spoof
        self.sent = 0

    def send(self, attacks: Sequence[Told], *, seconds: float = 30.0) -> None:
        """All *attacks* once, but no longer than *seconds*, at the rate."""
        end = time.monotonic() + seconds
        due = time.monotonic()
        for to, data in attacks:
            due += self._pause
            wait = due - time.monotonic()
            if wait > 0.002:
                time.sleep(wait)
            if time.monotonic() > end:
                return
            self._one(to, data)

    def _one(self, to: str, data: bytes) -> None:
        relay = self._pair.relay
        self.sent += 1
        if self._spoof and self.sent % 4 == 0:
            relay.inject(to, data)
            return
        addr = self._pair.address if to == "display" else relay.phone
        if addr is None:
            return  # the phone has not spoken yet
        try:
            self._sockets[self.sent % len(self._sockets)].sendto(data, addr)
        except OSError:
            return  # nobody listens there at the moment, or the buffer is full


def other(to: str) -> str:
    return "phone" if to == "display" else "display"


def forgeries(heard: Sequence[Told], rng: random.Random) -> list[Told]:
    """What can be made of heard datagrams without the key; whatever is made goes to both sides."""
    made: list[Told] = []
    key = rng.randbytes(32)
    for to, data in heard:
        kind, conn = peek(data)
        head = HEADER.unpack_from(data)
        flipped = bytearray(data)
        flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        later = bytearray(data)  # a packet number that the replay window would take
        later[12:16] = (head[4] + 1000).to_bytes(4, "big")
        index = bytearray(data)
        index[24:28] = (head[7] + 1).to_bytes(4, "big")
        forged = Datagram(kind, conn, head[4] + 7, index=head[7] + 1, attempt=1, payload=b"{}")
        for bad in (
            bytes(flipped), bytes(later), bytes(index), encode(forged, key),
            data[: rng.randrange(len(data))], data + b"\0", data[:58], data[:74], b"XC", b"",
            rng.randbytes(rng.randrange(1, 1400)),
        ):  # fmt: skip
            made += [(to, bad), (other(to), bad)]
    for kind in MessageType:
        bare = Datagram(int(kind), peek(heard[-1][1])[1], 2**32 - 1, index=1, attempt=2)
        made += [("phone", encode(bare, key)), ("display", encode(bare, key))]
    rng.shuffle(made)
    return made


def undisturbed(pair: Any, before: Sequence[Any] = ()) -> None:
    """The run is what it would have been alone: one exposure each, one connection, no word."""
    assert not pair.events("retake", "paused", "aborted", "rearmed")
    assert {r["a"] for r in pair.records("DONE")} == {1}
    assert [r["i"] for r in pair.records("DONE")] == list(range(1, pair.count + 1))
    assert len(pair.records("ARM")) == 1
    new = pair.phone_records()[len(before) :]
    kinds = [str(r["k"]) for r in new]
    assert {k: kinds.count(k) for k in set(kinds)} == {
        "BOOT": 1, "RUN": 1, "ARM": 1, "FINISH": 1,
        "INTENT": pair.count, "STORED": pair.count, "COMMIT": pair.count,
    }  # fmt: skip
    assert not list((pair.phone_dir / "quarantine").iterdir())


def under_way(pair: Any, captures: int) -> None:
    pair.tools["until"](
        lambda: len(pair.events("committed")) >= captures, f"not {captures} captures"
    )


def test_replays_of_an_earlier_run_and_of_this_one(
    make_pair: MakePair, sockets: list[socket.socket]
) -> None:
    """Same pairing, same phone: old KNOCK, HELLO, READY, ARM, CAPTURE, ... change nothing.

    All of the first run, to the side it was meant for and, reflected, to the side that sent it;
    before the second run connects and in its middle, where its own datagrams are replayed as well.
    """
    first = make_pair(4, name="first")
    heard = first.through(keep=True).heard
    first.start()
    first.complete()
    first.phone.end()
    kinds = {peek(data)[0] for _, data in heard}
    assert kinds >= {MessageType[name] for name in ALL}
    before = first.phone_records()

    second = make_pair(XRAYS, name="second", after=first, subset=2, settle_ms=SETTLE_MS)
    relay = second.through(keep=True)
    attacker = Attacker(second, sockets)
    second.start()
    both = [*heard, *((other(to), data) for to, data in heard)]
    attacker.send(both, seconds=1.0)
    under_way(second, 2)
    attacker.send(both)
    mine = list(relay.heard)
    attacker.send([*mine, *((other(to), data) for to, data in mine)])
    attacker.send(list(reversed(mine)))
    assert len(second.events("committed")) < XRAYS, "the attack came too late to prove anything"
    second.complete()
    assert attacker.sent > 3 * len(heard)
    undisturbed(second, before)


def test_forged_reflected_truncated_and_reordered_datagrams(
    make_pair: MakePair, sockets: list[socket.socket]
) -> None:
    """Anything that can be made of this run's own datagrams without its keys."""
    pair = make_pair(XRAYS, settle_ms=SETTLE_MS)
    relay = pair.through(keep=True)
    pair.start()
    attacker = Attacker(pair, sockets)
    rng = random.Random(5)
    for captures in (1, 3, 5):
        under_way(pair, captures)
        attacker.send(forgeries(list(relay.heard)[-12:], rng), seconds=0.5)
        assert len(pair.events("committed")) < XRAYS, "the attack came too late"
    pair.complete()
    assert attacker.sent > 400
    undisturbed(pair)


@pytest.fixture
def flood(sockets: list[socket.socket]) -> Iterator[Callable[..., Attacker]]:
    """Starts a flood from strange sockets and from the peer's address; bounded in every way."""
    going: list[threading.Thread] = []
    ended = threading.Event()

    def start(
        pair: Any, drops: Callable[[], Sequence[Told]], seconds: float, *, spoof: bool = True
    ) -> Attacker:
        attacker = Attacker(pair, sockets, rate=4000.0, spoof=spoof)

        def pour() -> None:
            end = time.monotonic() + seconds
            while time.monotonic() < end and attacker.sent < 40_000 and not ended.is_set():
                attacker.send(drops(), seconds=end - time.monotonic())

        going.append(threading.Thread(target=pour, daemon=True))
        going[-1].start()
        return attacker

    yield start
    ended.set()
    for thread in going:
        thread.join(30)


def test_a_flood_does_not_stop_a_run(make_pair: MakePair, flood: Callable[..., Attacker]) -> None:
    """Thousands a second of garbage, near misses and replays, from the handshake to the end."""
    pair = make_pair(XRAYS, settle_ms=SETTLE_MS)
    relay = pair.through(keep=True)
    rng = random.Random(6)
    pair.start()
    pair.tools["until"](lambda: relay.phone is not None and relay.heard, "the phone did not knock")

    def drops() -> list[Told]:
        heard = list(relay.heard)[-8:]
        garbage = [(to, os.urandom(rng.randrange(60, 1200))) for to in ("phone", "display")]
        return [*forgeries(heard, rng)[:60], *heard, *garbage]

    attacker = flood(pair, drops, seconds=20.0)
    pair.complete()
    assert attacker.sent > 1000, "that was no flood"
    undisturbed(pair)


def test_replayed_knocks_and_hellos_only_delay_a_connection(
    make_pair: MakePair, flood: Callable[..., Attacker]
) -> None:
    """Authentic under the pairing's key, they may cost time for as long as they come; no more."""
    first = make_pair(2, name="first")
    heard = first.through(keep=True).heard
    first.start()
    first.complete()
    first.phone.end()
    before = first.phone_records()
    old = [(to, d) for to, d in heard if peek(d)[0] in (MessageType.KNOCK, MessageType.HELLO)]

    second = make_pair(3, name="second", after=first, subset=2)
    second.through()
    attacker = flood(second, lambda: old * 50, seconds=4.0)
    second.start()
    second.complete()
    assert attacker.sent > 1000, "that was no flood"
    undisturbed(second, before)


def test_a_flood_of_replayed_knocks_from_ever_other_addresses_keeps_no_phone_away(
    make_pair: MakePair, flood: Callable[..., Attacker]
) -> None:
    """Old KNOCKs, and the newest as soon as it was heard: connected while the flood goes on."""
    first = make_pair(2, name="first")
    heard = first.through(keep=True).heard
    first.start()
    first.complete()
    first.phone.end()
    before = first.phone_records()
    old = [(to, d) for to, d in heard if peek(d)[0] == MessageType.KNOCK]
    assert old

    second = make_pair(3, name="second", after=first, subset=2)
    relay = second.through(keep=True)

    def drops() -> list[Told]:
        newest = [(to, d) for to, d in relay.heard if peek(d)[0] == MessageType.KNOCK][-1:]
        return [*old, *newest] * 20

    attacker = flood(second, drops, seconds=60.0, spoof=False)
    second.start()
    under_way(second, 1)
    assert 1000 < attacker.sent < 40_000, "that was no flood, or it was over"
    second.complete()
    undisturbed(second, before)
