"""Authentic nonsense, in every state: a defective peer may stop a run, never crash a core.

The key is right and the fields are anything. What comes of it is silence, an answer or an abort; no
exception, and never a second exposure of one attempt or a journal that cannot be read back.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import Code, MessageType
from rig.protocol.datagram import Datagram, Scalar, canonical
from rig.protocol.display import Phase
from rig.protocol.display_ledger import DisplayLedger
from rig.protocol.ledger import PhoneLedger
from rig.protocol.metadata import Part, encode_part

M = MessageType
ROUNDS = 40
VALUES: list[Scalar] = [
    None,
    True,
    -1,
    0,
    1,
    2,
    4,
    5,
    2**32,
    2**53 - 1,
    "",
    "x",
    "00" * 8,
    "ab" * 32,
]
WORDS = (
    "campaign_id", "first", "last", "manifest", "view_committed", "view_sha", "resolution",
    "env_id", "sha256", "size", "w", "h", "t_trigger", "t_done", "count", "chain", "why",
    "expected", "got",
)  # fmt: skip
PAYLOADS = [b"", b"{}", b"[]", b"{", b"\xff", b"[" * 900, b'{"why":"\\ud800"}', b'{"a":1e999}']


def _nonsense(rng: random.Random, like: list[Datagram]) -> Datagram:
    """A message that was really said, with some of its fields changed; or one made up."""
    d = rng.choice(like) if like and rng.random() < 0.6 else Datagram(rng.choice(list(M)))
    some: dict[str, Callable[[], Any]] = {
        "type": lambda: rng.choice(list(M)),
        "subset": lambda: rng.choice([0, 1, 2, 2**32 - 1]),
        "index": lambda: rng.choice([0, 1, 2, 3, 4, 5, 2**32 - 1]),
        "attempt": lambda: rng.choice([0, 1, 2, 65535]),
        "flags": lambda: rng.randrange(256),
        "code": lambda: rng.choice([0, *map(int, Code), 200, 255]),
        "token": lambda: rng.randbytes(8),
        "chain": lambda: rng.choice([bytes(8), rng.randbytes(8)]),
        "digest": lambda: rng.choice([bytes(8), rng.randbytes(8)]),
        "ack_pn": lambda: rng.randrange(40),
        "payload": lambda: _payload(rng),
    }
    return replace(
        d, **{name: some[name]() for name in rng.sample(sorted(some), rng.randint(1, 4))}
    )


def _payload(rng: random.Random) -> bytes:
    chance = rng.random()
    if chance < 0.3:
        return rng.choice(PAYLOADS)
    if chance < 0.5:
        return encode_part(Part(rng.randbytes(32), rng.choice([0, 5]), rng.choice([5, 70_000])))
    return canonical({w: rng.choice(VALUES) for w in rng.sample(WORDS, rng.randint(1, 9))})


# -- the phone -------------------------------------------------------------------------------------


def _ticket(bench: Any) -> act.Ticket:
    ticket = bench.said_of(act.TriggerCamera)[-1].ticket
    assert isinstance(ticket, act.Ticket)
    return ticket


def _exposing(bench: Any) -> None:
    bench.capture(1)


def _writing(bench: Any) -> None:
    bench.capture(1)
    bench.feed(bench.core.camera_result(_ticket(bench), bench.photo(), bench.now))


def _late(bench: Any) -> None:
    bench.capture(1)
    bench.advance(8.5)


def _stored(bench: Any) -> None:
    bench.expose(1)


def _all_stored(bench: Any) -> None:
    for index in range(1, 5):
        bench.expose(index)
        bench.decide(index)


def _aborted(bench: Any) -> None:
    bench.expose(1)
    bench.capture(9)


STATES = [lambda _: None, _exposing, _writing, _late, _stored, _all_stored, _aborted]
NAMES = ["armed", "exposing", "writing", "late", "stored", "all stored", "aborted"]


@pytest.mark.parametrize("state", STATES, ids=NAMES)
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("anew", [False, True], ids=["connection", "candidate"])
def test_a_phone_stands_it(phone_bench: Any, state: Any, seed: int, anew: bool):
    rng = random.Random(f"{seed}{anew}")
    bench = phone_bench(seed=seed).start().connect()
    state(bench)
    heard: list[Datagram] = []
    real, bench.tell = bench.tell, lambda d, addr=None: heard.append(d) or real(d, addr)
    bench.capture(2, chain=bytes(32))
    for _ in range(ROUNDS):
        latch = bench.core.ledger.latch
        if latch is not None and rng.random() < 0.5:
            bench.hello()
            bench.arm(rng.choice(["commit", "void"]), rearm=latch.abort_id)
            bench.capture(rng.randint(1, 2), rng.randint(1, 9))
        elif anew and rng.random() < 0.3:
            bench.hello()
            if rng.random() < 0.5:
                bench.arm(rng.choice(["none", "commit", "void"]))
            else:
                arms = [d for d in heard if d.type == M.ARM]
                real(_nonsense(rng, arms) if arms else Datagram(M.ARM, payload=_payload(rng)))
        real(_nonsense(rng, heard))
        shutters = bench.said_of(act.TriggerCamera)
        if shutters and rng.random() < 0.3:
            failed = act.CameraFailure(Code.CAMERA_ERROR, "x")
            result = bench.photo() if rng.random() < 0.5 else failed
            bench.feed(bench.core.camera_result(shutters[-1].ticket, result, bench.now))
            bench.feed(bench.core.photo_stored(shutters[-1].ticket, None, bench.now))
        bench.advance(rng.choice([0.0, 0.3, 9.0]))
    exposed = [(o.ticket.index, o.ticket.attempt) for o in bench.said_of(act.TriggerCamera)]
    assert len(exposed) == len(set(exposed))
    PhoneLedger(bench.journal)


@pytest.mark.parametrize("state", STATES, ids=NAMES)
@pytest.mark.parametrize(
    "arm", [{"first": "x"}, {"view_committed": None}, {"manifest": "zz"}, {"last": -1}]
)
def test_an_arm_that_makes_no_sense_in_mid_exposure_aborts_once(
    armed_phone: Any, state: Any, arm: dict[str, Scalar]
):
    """It is understood as a whole before anything is changed: one VOID, one word to the camera."""
    state(armed_phone)
    latched = armed_phone.core.ledger.latch
    armed_phone.hello()
    armed_phone.arm(**arm)
    assert armed_phone.core.ledger.latch.code == (latched.code if latched else Code.PROTOCOL)
    assert armed_phone.kinds().count("ABORT") == 1
    assert armed_phone.kinds().count("VOID") <= 1
    assert len(armed_phone.said_of(act.KillCamera)) <= 1


# -- the display -----------------------------------------------------------------------------------


def _painted(bench: Any) -> None:
    bench.paint()


def _accepted(bench: Any) -> None:
    bench.paint()
    bench.reply(M.ACCEPTED, code=Code.EXPOSING)


def _checking(bench: Any) -> None:
    bench.paint()
    bench.captured()


def _finishing(bench: Any) -> None:
    for _ in range(4):
        bench.shoot()


def _stopped(bench: Any) -> None:
    bench.feed(bench.core.operator("abort", bench.now))


SIDES = [lambda _: None, _painted, _accepted, _checking, _finishing, _stopped]


@pytest.mark.parametrize(
    "state", SIDES, ids=["painting", "asking", "accepted", "checking", "finishing", "aborted"]
)
@pytest.mark.parametrize("seed", range(6))
def test_a_display_stands_it(display_bench: Any, state: Any, seed: int):
    rng = random.Random(seed)
    bench = display_bench(seed=seed).start().connect()
    state(bench)
    heard = [Datagram(kind, subset=1, index=1, attempt=1) for kind in M]
    e = bench.core._exposure
    if e is not None:
        heard += [replace(d, token=e.token, index=e.index, attempt=e.attempt) for d in heard]
    for _ in range(ROUNDS):
        d = _nonsense(rng, heard)
        if rng.random() < 0.2:
            bench.ready(**{w: rng.choice(VALUES) for w in (
                "committed", "last_attempt", "aborted_id", "aborted_code", "in_doubt_index",
                "in_doubt_attempt", "in_doubt_sha", "in_doubt_token", "version",
            ) if rng.random() < 0.5})  # fmt: skip
        bench.tell(d)
        latch = bench.core.ledger.latch
        if latch is not None and rng.random() < 0.5:
            bench.feed(bench.core.operator("rearm", bench.now, latch.abort_id))
            bench.knock()
            bench.ready()
            bench.armed()
        elif bench.core.phase is Phase.PAINT:
            bench.paint()
        bench.advance(rng.choice([0.0, 0.3, 2.0]))
    done = [r["i"] for r in bench.journal if r["k"] == "DONE"]
    assert done == list(range(1, len(done) + 1))
    DisplayLedger(bench.subset, bench.journal)
    assert isinstance(bench.core.phase, Phase)


def test_messages_that_mean_nothing_to_a_display_change_nothing(armed_display):
    armed_display.paint()
    armed_display.take()
    before = list(armed_display.journal)
    for kind in (M.CAPTURE, M.ARM, M.FINISH, M.ACK, M.BYE, M.META_ACK, M.PONG, M.ABORT_ACK):
        armed_display.tell(Datagram(kind))
    assert armed_display.take() == []
    assert armed_display.journal == before
