"""Someone on the same Wi-Fi without the key: replays, reflections, forgeries, garbage."""

from __future__ import annotations

import itertools
import random
from collections import deque
from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import MessageType
from rig.protocol.datagram import HEADER, peek

M = MessageType
EVIL = ("evil", 666)


def _freeze(x: Any) -> Any:
    """All that a core knows, as a value that can be compared."""
    if isinstance(x, dict):
        return tuple((_freeze(k), _freeze(v)) for k, v in x.items())
    if isinstance(x, (list, tuple, deque)):
        return tuple(_freeze(v) for v in x)
    if isinstance(x, (set, frozenset)):
        return frozenset(_freeze(v) for v in x)
    if hasattr(x, "__dict__") and not callable(x) and not isinstance(x, type):
        return (type(x).__name__, _freeze(vars(x)))
    return None if callable(x) else x


def _armed_in_a_second_life(observed: Any, **faults: float) -> tuple[Any, list[tuple[str, bytes]]]:
    """A run whose two agents both died once; all that an attacker heard until now."""
    rig = observed(4, **faults)
    rig.boot()
    assert rig.run_until(lambda: rig.display.ledger.next_index == 3, limit=60.0)
    rig.crash_and_boot("display", 0.3)
    rig.crash_and_boot("phone", 0.1)
    assert rig.run_until(lambda: rig.display is not None and rig.display._armed, limit=60.0)
    return rig, list(rig.recorded)


def _finish_undisturbed(rig: Any, shutters: int, arms: int) -> None:
    """The rest of the run is as if nobody had been there."""
    said = len(rig.log)
    rig.finish(60.0)
    rig.audit_all()
    new = [e.what for e in rig.log[said:]]
    assert not [e for e in new if isinstance(e, (act.Aborted, act.Retake, act.Paused))]
    assert rig.audit.shutters == shutters
    records = rig._read(rig.phone_disk)
    assert [r["k"] for r in records].count("ARM") == arms


@pytest.mark.parametrize("source", ["attacker", "spoofed"])
@pytest.mark.parametrize("to", ["display", "phone"])
def test_no_recorded_datagram_ever_disturbs_a_live_run(observed: Any, source: str, to: str):
    """Old KNOCK, HELLO, READY, ARM, CAPTURE, ABORT..., of earlier lives and of this one.

    Each is sent to the side it was meant for and, reflected, to the one that sent it.
    """
    rig, heard = _armed_in_a_second_life(observed)
    assert {peek(data)[0] for _, data in heard} >= {
        M.KNOCK, M.HELLO, M.READY, M.ARM, M.ARMED, M.CAPTURE, M.ACCEPTED, M.CAPTURED, M.ACK,
    }  # fmt: skip
    clean, _ = _armed_in_a_second_life(observed)
    clean.finish()
    arms = [r["k"] for r in clean._read(clean.phone_disk)].count("ARM")
    for n, (_, data) in enumerate(heard):
        core = rig.display if to == "display" else rig.phone
        addr = EVIL if source == "attacker" else rig.phone_addr
        rig.schedule(
            0.02 * n,
            lambda c=core, d=data, a=addr: rig._run(to, c.datagram_received(d, a, rig.now)),
        )
    _finish_undisturbed(rig, clean.audit.shutters, arms)


def test_an_abort_of_an_earlier_connection_aborts_nothing(observed: Any):
    """Directional keys per connection: it is dead by its tag."""
    rig = observed(4)
    rig.boot()
    assert rig.run_until(lambda: rig.display.ledger.next_index == 2, limit=60.0)
    rig.tell("display", lambda now: rig.display.operator("abort", now))
    rig.run_until(lambda: False, limit=2.0)
    aborts = [data for _, data in rig.recorded if peek(data)[0] == M.ABORT]
    assert aborts
    abort_id = rig.display.ledger.latch.abort_id
    rig.tell("display", lambda now: rig.display.operator("rearm", now, abort_id))
    assert rig.run_until(lambda: rig.display.ledger.latch is None, limit=10.0)
    for data in aborts:
        rig.tell("display", lambda now, d=data: rig.display.datagram_received(d, EVIL, now))
        rig.tell("phone", lambda now, d=data: rig.phone.datagram_received(d, EVIL, now))
    rig.finish()
    rig.audit_all()
    assert len(rig.said(act.Aborted, "display")) == 1


def _forged(rng: random.Random, heard: list[tuple[str, bytes]]) -> bytes:
    """Garbage, or a real datagram that was cut, stretched, flipped, spliced or re-addressed."""
    data = bytearray(rng.choice(heard)[1])
    kind = rng.randrange(7)
    if kind == 0:
        return rng.randbytes(rng.randrange(0, 1300))
    if kind == 1:
        return b"XC\x01" + bytes([rng.randrange(0, 0x15)]) + rng.randbytes(rng.randrange(60, 400))
    if kind == 2:
        return bytes(data[: rng.randrange(len(data))])
    if kind == 3:
        return bytes(data + rng.randbytes(rng.randrange(1, 9)))
    if kind == 4:
        other = rng.choice(heard)[1]
        spliced = bytes(data[: HEADER.size]) + other[HEADER.size :]
        if spliced not in (bytes(data), other):
            return spliced
    if kind == 5:
        at = rng.randrange(12, 58)
        data[at : at + 4] = rng.randbytes(len(data[at : at + 4]))
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


@pytest.mark.parametrize("seed", range(3))
def test_forged_datagrams_at_any_moment_change_nothing_at_all(observed: Any, seed: int):
    """A thousand and more a run: no output, and not one attribute of either core changes."""
    rng = random.Random(seed)
    rig = observed(4, seed=seed, loss=0.1, duplicate=0.1, camera=0.2)
    rig.boot()
    forged = 0
    known = {b""}
    while not rig.completed():
        rig.step()
        known.update(data for _, data in rig.recorded[-4:])
        for who, core in (("display", rig.display), ("phone", rig.phone)):
            if not rig.recorded:
                continue
            for _ in range(8):
                data = _forged(rng, rig.recorded)
                if data in known:
                    continue
                writing, before = core._writing, _freeze(vars(core))
                assert core.datagram_received(data, EVIL, rig.now) == [], who
                assert writing or _freeze(vars(core)) == before, (who, data.hex())
                forged += 1
    rig.audit_all()
    assert forged > 1000


def test_forged_datagrams_that_wait_for_the_journal_change_nothing(observed: Any):
    """They are let in with the rest once the write is durable, and dropped then."""
    rng = random.Random(5)
    rig = observed(4)
    rig.boot()
    writes = []

    def attack(who: str, core: Any) -> None:
        if core is not None and core._writing is not None:
            writes.append(who)
            for _ in range(20):
                assert core.datagram_received(_forged(rng, rig.recorded), EVIL, rig.now) == []

    while not rig.completed():
        rig.step()
        if rig.recorded:
            attack("display", rig.display)
            attack("phone", rig.phone)
    rig.audit_all()
    assert rig.audit.shutters == 4
    assert set(writes) == {"display", "phone"}


class Flood:
    """Replays recorded KNOCKs a thousand times a second, each time from another address.

    They go round in the order in which they were recorded; the newest that the air carries is
    replayed between any two of them, as it would be by somebody who listens and never tires.
    """

    def __init__(self, rig: Any, recorded: list[bytes], rate: float = 1000.0) -> None:
        self._rig, self._pause = rig, 1 / rate
        self._recorded = itertools.cycle(recorded)
        self.sent = 0
        self.going = True
        self._pour()

    def _pour(self) -> None:
        rig = self._rig
        if not self.going:
            return
        newest = [data for who, data in rig.recorded[-20:] if peek(data)[0] == M.KNOCK]
        for data in (next(self._recorded), *newest[-1:]):
            self.sent += 1
            rig._later("display", "datagram_received", data, ("evil", self.sent))()
        rig.schedule(self._pause, self._pour)


def _night_of_knocking(rig: Any, lives: int) -> list[bytes]:
    """The phone agent is started *lives* times before there is a display."""
    for _ in range(lives):
        rig.boot_phone()
        rig.run_until(lambda: False, limit=30.0)
        rig.crash("phone")
    knocks = [data for _, data in rig.recorded if peek(data)[0] == M.KNOCK]
    assert len(knocks) >= 30 * lives
    return knocks


@pytest.mark.parametrize("lives", [1, 5, 30])
@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_a_flood_of_replayed_knocks_delays_a_connection_by_seconds_at_most(
    observed: Any, lives: int, loss: float
):
    """Of hundreds of KNOCKs of earlier lives; and again when the phone restarts in the middle."""
    rig = observed(30, loss=loss)
    flood = Flood(rig, _night_of_knocking(rig, lives))
    rig.run_until(lambda: False, limit=1.0)
    rig.boot()
    began = rig.now
    rig.until(lambda: rig.display._armed, limit=5.0)
    rig.until(lambda: rig.display.ledger.next_index == 3, limit=20.0)
    rig.crash("phone")
    rig.boot_phone()
    arms = len(rig.sent("phone", M.ARMED))
    rig.until(lambda: len(rig.sent("phone", M.ARMED)) > arms, limit=5.0)
    rig.until(lambda: rig.display.ledger.next_index == 6, limit=20.0)
    assert flood.sent > 1000 * (rig.now - began)
    hellos = len(rig.sent("display", M.HELLO))
    assert hellos <= 80 * (rig.now - began) + 20
    flood.going = False
    rig.finish()
    rig.audit_all()


def test_a_raced_copy_from_elsewhere_does_not_take_the_connection_away(observed: Any):
    """A copy that overtakes the original moves the address; the next true one moves it back."""
    rig = observed(6)
    arrive = rig._arrive

    def race(to: str, data: bytes, source: act.Addr) -> None:
        if rig.tap.read(data).pn % 3 == 0:
            rig._later(to, "datagram_received", data, EVIL)()
        arrive(to, data, source)

    rig._arrive = race
    rig.boot()
    rig.finish()
    rig.audit_all()
    assert rig.audit.shutters == 6
