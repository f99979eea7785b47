"""The display's way to an armed phone."""

from __future__ import annotations

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import Code, Flag, MessageType
from rig.protocol.datagram import Datagram, canonical, parse_payload
from rig.protocol.display import Phase

M = MessageType


def _doubt(index: int, attempt: int = 1, sha: bytes = b"s" * 32, token: bytes = bytes(8)):
    """What READY says of a photo in doubt."""
    return {
        "in_doubt_index": index, "in_doubt_attempt": attempt, "in_doubt_sha": sha.hex(),
        "in_doubt_token": token.hex(), "in_doubt_size": 10, "in_doubt_w": 4, "in_doubt_h": 3,
        "in_doubt_t0": "1", "in_doubt_t1": "2",
    }  # fmt: skip


def _arm(bench) -> dict[str, object]:
    """Payload of the newest ARM."""
    return parse_payload(bench.messages(M.ARM)[-1].payload)


# -- HELLO -----------------------------------------------------------------------------------------


def test_the_run_is_durable_before_anything_is_sent(display_bench):
    bench = display_bench()
    bench.hold = True
    bench.start()
    bench.knock()
    assert bench.messages() == []
    bench.durable()
    assert bench.kinds() == ["RUN"]
    assert [d.type for d in bench.messages()] == [M.HELLO]


def test_a_display_that_knows_no_phone_waits_for_its_knock(display):
    display.advance(30.0)
    assert display.messages() == []
    display.knock()
    hello = display.messages(M.HELLO)[0]
    body = parse_payload(hello.payload)
    assert body["campaign_id"] == display.subset.campaign.hex()
    assert body["manifest"] == display.subset.manifest.hex()
    assert (body["vmin"], body["vmax"]) == (1, 1)
    assert hello.subset == 1


def test_a_display_that_knows_the_phone_s_address_greets_it(display_bench):
    bench = display_bench(peer=("phone", 7)).start()
    assert [d.type for d in bench.messages()] == [M.HELLO]


def test_hello_is_repeated_ever_more_slowly_with_the_same_nonce(display):
    display.knock()
    display.advance(10.0)
    hellos = display.messages(M.HELLO)
    assert 4 <= len(hellos) <= 9
    assert len({parse_payload(h.payload)["nonce_d"] for h in hellos}) == 1
    assert [h.pn for h in hellos] == sorted({h.pn for h in hellos})


def test_every_handshake_has_a_fresh_nonce(armed_display):
    first = armed_display.nonce_d
    armed_display.boot = b"new-boot"
    armed_display.knock()
    assert armed_display.nonce_d != first


def test_knocks_do_not_make_hello_faster_than_its_timer(display):
    display.knock()
    for _ in range(20):
        display.knock()
    assert len(display.messages(M.HELLO)) == 1
    display.now += 0.3
    display.knock()
    assert len(display.messages(M.HELLO)) == 2


@pytest.mark.parametrize("payload", [b"", b"{}", canonical({"boot_id": "00"})])
def test_a_knock_that_makes_no_sense_is_dropped(display, payload: bytes):
    display.tell_boot(Datagram(M.KNOCK, payload=payload))
    assert display.messages() == []


# -- the decision table (5.4), k = number of decided photos ----------------------------------------


def test_nothing_in_doubt_and_equal_counts_resumes(display):
    """in_doubt none & committed == k -> resume."""
    display.knock()
    display.ready()
    arm = display.messages(M.ARM)[0]
    body = _arm(display)
    assert body["resolution"] == "none"
    assert (body["view_committed"], body["view_sha"]) == (0, None)
    assert (body["first"], body["last"], body["env_id"]) == (1, 4, "e01-dark")
    assert (arm.index, arm.flags) == (1, Flag.NONE)
    assert arm.chain == display.subset.chain_start()[:8]


def test_the_last_decision_in_doubt_is_committed(armed_display):
    """in_doubt == DONE[k] & committed == k-1 -> commit."""
    armed_display.shoot()
    done = armed_display.core.ledger.done[-1]
    after = armed_display.restart()
    after.knock()
    after.ready(committed=0, **_doubt(1, 1, done.sha256))
    assert _arm(after)["resolution"] == "commit"
    assert after.messages(M.ARM)[0].index == 2
    assert after.messages(M.ARM)[0].chain == after.core.ledger.chain[:8]


def test_a_photo_that_another_life_asked_for_is_void(armed_display):
    """in_doubt.i == k+1 & committed == k: not painted and held by this process -> void."""
    paint = armed_display.paint()
    after = armed_display.restart()
    after.knock()
    after.ready(**_doubt(1, 1, token=paint.token))
    assert _arm(after)["resolution"] == "void"
    assert after.said_of(act.CheckSurface) == []


def _phone_restarts(bench, **said: object) -> None:
    bench.boot = b"new-boot"
    bench.knock()
    bench.ready(**said)


def test_a_photo_that_this_life_painted_and_held_is_committed(armed_display):
    """Token in RAM, surface unchanged when read back -> DONE, durable before ARM(commit)."""
    paint = armed_display.paint()
    armed_display.take()
    _phone_restarts(armed_display, **_doubt(1, 1, token=paint.token))
    assert armed_display.messages(M.ARM) == []
    armed_display.hold = True
    armed_display.check()
    assert [r["k"] for r in armed_display.pending.records] == ["DONE"]
    assert armed_display.messages(M.ARM) == []
    armed_display.durable()
    armed_display.hold = False
    assert _arm(armed_display)["resolution"] == "commit"
    assert armed_display.messages(M.ARM)[0].index == 2
    armed_display.armed()
    assert armed_display.said_of(act.Paint)[-1].index == 2
    assert armed_display.said_of(act.Committed)[0].index == 1


@pytest.mark.parametrize("how", ["disturbed", "token", "attempt", "surface", "failed", "late"])
def test_a_photo_of_a_screen_that_did_not_hold_still_is_void(armed_display, how: str):
    """Disturbed, another token or attempt, another surface, no answer: void, and a retake."""
    paint = armed_display.paint()
    if how == "disturbed":
        armed_display.feed(armed_display.core.display_disturbed("moved", armed_display.now))
    token = b"another." if how == "token" else paint.token
    _phone_restarts(armed_display, **_doubt(1, 2 if how == "attempt" else 1, token=token))
    if how == "surface":
        armed_display.check(b"y" * 32)
    elif how == "failed":
        armed_display.feed(armed_display.core.display_failed("no screen", armed_display.now))
    elif how == "late":
        armed_display.advance(11.0)
    assert _arm(armed_display)["resolution"] == "void"
    assert armed_display.core.ledger.done == []
    armed_display.armed()
    if how in ("failed", "late"):
        assert armed_display.core.paused.code == Code.DISPLAY_TROUBLE
    else:
        assert armed_display.said_of(act.Painting)[-1].attempt == (3 if how == "attempt" else 2)


@pytest.mark.parametrize(
    ("shots", "said"),
    [
        (0, {"committed": 1}),
        (1, {"committed": 0}),
        (2, {"committed": 0}),
        (1, {"committed": 2}),
        (1, {"committed": 1, **_doubt(1)}),
        (1, {"committed": 1, **_doubt(3)}),
        (1, {"committed": 0, **_doubt(1, sha=b"z" * 32)}),
        (1, {"committed": 0, **_doubt(2)}),
        (2, {"committed": 0, **_doubt(1)}),
        (0, {"committed": 1, **_doubt(1)}),
        (0, {"committed": 0, **_doubt(2)}),
    ],
)
def test_anything_else_has_diverged(armed_display, shots: int, said: dict[str, object]):
    """One of the two was restored from an older copy: ABORT DIVERGED, told to the phone."""
    for _ in range(shots):
        armed_display.shoot()
    _phone_restarts(armed_display, **said)
    assert armed_display.core.ledger.latch.code == Code.DIVERGED
    abort = armed_display.messages(M.ABORT)[0]
    assert abort.code == Code.DIVERGED
    assert armed_display.messages(M.ARM)[-1].pn == 1


def test_the_next_attempt_is_beyond_what_the_phone_has_seen(display):
    """a = 1 + max(own, P's last): never reused."""
    display.knock()
    display.ready(last_attempt=7)
    display.armed()
    assert display.said_of(act.Painting)[0].attempt == 8


def test_an_aborted_phone_aborts_the_display(armed_display):
    """The phone restarted with its latch: the display adopts the id."""
    said = {"aborted_id": "ab" * 8, "aborted_code": 64, "aborted_why": "not the next"}
    _phone_restarts(armed_display, **said, aborted_expected=2, aborted_got=9)
    latch = armed_display.core.ledger.latch
    assert (latch.abort_id, latch.code, latch.why) == (b"\xab" * 8, 64, "not the next")
    assert (latch.expected, latch.got, latch.by) == (2, 9, "phone")
    assert armed_display.core.phase is Phase.ABORTED


def test_a_ready_that_refuses_aborts(display):
    display.knock()
    nonce_p = bytes(16)
    display.ready(nonce_p=nonce_p)
    assert display.core.phase is Phase.ARM
    body = {"nonce_d": display.nonce_d.hex(), "nonce_p": nonce_p.hex()}
    payload = canonical({**body, "boot_id": display.boot.hex()})
    conn = display.conn.conn_id
    display.tell_boot(Datagram(M.READY, conn_id=conn, subset=1, code=76, payload=payload))
    assert display.core.ledger.latch.code == Code.VERSION


@pytest.mark.parametrize(
    "said",
    [
        {"committed": ...},
        {"committed": "x"},
        {"committed": -1},
        {"committed": 2**40},
        {"last_attempt": ...},
        {"last_attempt": 70000},
        {"aborted_id": "zz"},
        {"aborted_id": "00" * 8, "aborted_code": ...},
        {**_doubt(1), "in_doubt_sha": "zz"},
        {**_doubt(1), "in_doubt_attempt": ...},
        {**_doubt(1), "in_doubt_attempt": 70000},
    ],
)
def test_a_ready_that_makes_no_sense_aborts(display, said: dict[str, object]):
    """Authentic and fresh, yet not to be understood: one of the two programs is wrong."""
    display.knock()
    display.ready(**said)
    assert display.core.ledger.latch.code == Code.PROTOCOL
    assert display.messages(M.ARM) == []


@pytest.mark.parametrize("missing", ["size", "w", "h", "t0", "t1", "token"])
def test_a_photo_in_doubt_that_is_half_described_aborts(armed_display, missing: str):
    """Nothing is decided about it, and nothing raises."""
    paint = armed_display.paint()
    said = {**_doubt(1, 1, token=paint.token), f"in_doubt_{missing}": ...}
    _phone_restarts(armed_display, **said)
    if armed_display.said_of(act.CheckSurface):
        armed_display.check()
    assert armed_display.core.ledger.latch.code == Code.PROTOCOL
    assert armed_display.core.ledger.done == []
