"""HELLOs that were heard before: a replay gets no answer and takes no place from a new one."""

from __future__ import annotations

import itertools
from typing import Any

from rig.protocol.codes import MessageType
from rig.protocol.datagram import peek
from rig.protocol.phone_hellos import Hellos

M = MessageType


def test_each_hello_of_a_handshake_counts_once_and_only_forwards():
    hellos = Hellos()
    assert [hellos.hear(b"n", pn) for pn in (3, 3, 2, 4, 1)] == [True, False, False, True, False]
    assert hellos.hear(b"m", 1)


def test_the_memory_is_bounded_and_forgets_what_was_silent_longest():
    hellos = Hellos()
    hellos.hear(b"kept", 1)
    for n in range(5000):
        hellos.hear(b"%d" % n, 7)
        assert hellos.hear(b"kept", n + 2)
    assert len(hellos._newest) == 1024
    assert not hellos.hear(b"4999", 7)
    assert hellos.hear(b"0", 7)


def test_a_replayed_hello_is_not_answered_again(phone: Any):
    data = phone.hello()
    assert len(phone.messages(M.READY)) == 1
    for n in range(50):
        phone.raw(data, ("evil", n))
    assert len(phone.messages(M.READY)) == 1
    assert len(phone.core._candidates) == 1


def test_a_replay_does_not_turn_the_answer_to_itself(phone: Any):
    """The candidate's address stays that of the display."""
    data = phone.hello()
    phone.raw(data, ("evil", 1))
    (candidate,) = phone.core._candidates.values()
    assert candidate.connection.addr == ("peer", 1)


def test_replays_take_nothing_of_the_rate_that_new_ones_have(phone: Any):
    data = phone.hello()
    for n in range(1000):
        phone.raw(data, ("evil", n))
    phone.take()
    for _ in range(10):
        phone.hello()
    assert len(phone.messages(M.READY)) == 10


def test_a_flood_of_recorded_hellos_delays_a_connection_by_seconds_at_most(observed: Any):
    """Hundreds of HELLOs of ten handshakes that came to nothing, a thousand a second."""
    rig = observed(4)
    rig.lose = lambda who, d: d.type == M.READY
    for _ in range(10):
        rig.boot()
        rig.run_until(lambda: False, limit=60.0)
        rig.crash("display")
        rig.crash("phone")
    recorded = [data for _, data in rig.recorded if peek(data)[0] == M.HELLO]
    assert len(recorded) > 300
    rig.lose = lambda who, d: False
    rig.boot_phone()
    attack = itertools.cycle(recorded)
    sent = 0

    def pour() -> None:
        nonlocal sent
        sent += 1
        rig._later("phone", "datagram_received", next(attack), ("evil", sent))()
        if rig.display is None or not rig.completed():
            rig.schedule(0.001, pour)

    pour()
    rig.run_until(lambda: False, limit=0.1)
    rig.boot_display()
    rig.until(lambda: rig.display._armed, limit=5.0)
    rig.finish()
    rig.audit_all()
    assert sent > 1000
