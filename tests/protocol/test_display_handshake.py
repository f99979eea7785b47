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
    _phone_restarts(armed_display, aborted_id="ab" * 8, aborted_code=70, aborted_why="file gone")
    latch = armed_display.core.ledger.latch
    assert (latch.abort_id, latch.code, latch.why) == (b"\xab" * 8, 70, "file gone")
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


# -- lives and replays -----------------------------------------------------------------------------


def test_a_phone_that_was_restarted_is_armed_anew_while_the_image_stays(armed_display):
    """KNOCK with an unseen boot_id -> new handshake, same image stays up."""
    armed_display.paint()
    armed_display.take()
    _phone_restarts(armed_display)
    assert armed_display.said_of(act.Blank) == []
    armed_display.armed()
    assert armed_display.said_of(act.Painting) == [act.Painting(1, 2)]


def test_a_knock_of_a_superseded_life_is_ignored(armed_display):
    """READY/KNOCK from a boot_id already seen superseded is ignored."""
    old = armed_display.boot
    _phone_restarts(armed_display)
    armed_display.armed()
    armed_display.take()
    armed_display.knock(old)
    assert armed_display.messages() == []


def test_a_knock_of_the_living_phone_starts_nothing(armed_display):
    armed_display.take()
    armed_display.knock()
    armed_display.knock(addr=("elsewhere", 1))
    assert armed_display.messages() == []


def test_a_replayed_knock_of_an_unknown_life_costs_a_few_datagrams(armed_display):
    """A KNOCK of a life before this display's: HELLO in vain, the run goes on undisturbed."""
    armed_display.knock(b"long-ago", ("attacker", 1))
    armed_display.shoot()
    armed_display.paint()
    assert armed_display.core.ledger.next_index == 2
    for _ in range(40):
        armed_display.advance(1.0)
        armed_display.tell(Datagram(M.PONG))
    hellos = armed_display.messages(M.HELLO)
    assert 1 <= len(hellos) <= 10
    assert armed_display.core.phase is Phase.CAPTURE


def test_ready_of_the_living_phone_ends_the_needless_handshake(armed_display):
    armed_display.knock(b"long-ago")
    armed_display.take()
    armed_display.ready()
    assert armed_display.take() == []
    armed_display.advance(10.0)
    assert armed_display.messages(M.HELLO) == []


def test_an_old_ready_is_ignored(armed_display):
    """Its nonce is not of the handshake under way."""
    data = armed_display.ready()
    armed_display.take()
    armed_display.raw(data)
    _phone_restarts(armed_display)
    armed_display.take()
    armed_display.raw(data)
    assert armed_display.take() == []


@pytest.mark.parametrize("said", [{"nonce_d": "00" * 16}, {"boot_id": "00"}, {"nonce_p": ...}])
def test_a_ready_that_answers_nothing_is_ignored(display, said: dict[str, object]):
    display.knock()
    display.take()
    body = {"nonce_d": display.nonce_d.hex(), "nonce_p": "00" * 16, "boot_id": "00" * 8, **said}
    payload = canonical({k: v for k, v in body.items() if v is not ...})
    display.tell_boot(Datagram(M.READY, subset=1, payload=payload))
    assert display.messages() == []


def test_a_ready_for_another_subset_or_connection_is_ignored(display):
    display.knock()
    display.take()
    body = {"nonce_d": display.nonce_d.hex(), "nonce_p": "00" * 16, "boot_id": "00" * 8}
    display.tell_boot(Datagram(M.READY, subset=2, payload=canonical(body)))
    display.tell_boot(Datagram(M.READY, subset=1, payload=canonical(body)))
    assert display.messages() == []


def test_a_delayed_ready_of_a_life_before_does_not_lock_out_the_living_phone(display):
    """Two lives answered one HELLO, the dead one's READY comes last: a fresh nonce decides."""
    display.knock()
    display.ready()
    assert display.core.phase is Phase.ARM
    living, display.boot = display.boot, b"the-dead"
    display.ready()
    display.boot = living
    display.now += 1.0
    display.knock()
    display.ready()
    display.armed()
    assert display.core.phase is Phase.PAINT


def test_the_later_of_two_lives_that_answered_one_hello_is_armed(display):
    """The same story with the dead one first: its life is over, whatever it sends later."""
    display.knock()
    display.ready()
    dead, display.boot = display.boot, b"the-live"
    display.ready()
    display.ready()
    display.armed()
    assert display.core.phase is Phase.PAINT
    display.take()
    display.knock(dead)
    assert display.take() == []


def test_a_delayed_copy_of_an_older_ready_does_not_go_back_to_its_connection(display):
    """READY numbers its transmissions: the phone has left the older candidate behind."""
    display.knock()
    older = display.ready()
    old = display.conn
    display.ready()
    newer = display.conn
    display.raw(older)
    display.take()
    display.conn = old
    display.armed()
    assert display.core.phase is Phase.ARM
    display.conn = newer
    display.armed()
    assert display.core.phase is Phase.PAINT


def test_armed_is_believed_once_and_only_while_arming(display):
    display.knock()
    display.ready()
    display.armed()
    display.take()
    display.armed()
    assert display.take() == []


def test_the_phone_s_view_that_moved_on_is_decided_again(display):
    """READY instead of ARMED: decide again on the new view, on the same connection."""
    display.knock()
    nonce_p = bytes(16)
    display.ready(nonce_p=nonce_p)
    display.ready(nonce_p=nonce_p, **_doubt(1))
    arms = [parse_payload(d.payload)["resolution"] for d in display.messages(M.ARM)]
    assert arms == ["none", "void"]


# -- liveness --------------------------------------------------------------------------------------


def test_an_idle_connection_is_pinged_every_second(armed_display):
    armed_display.feed(armed_display.core.operator("pause", 0.0))
    armed_display.take()
    armed_display.advance(4.6)
    assert 4 <= len(armed_display.messages(M.PING)) <= 5


def test_five_silent_seconds_are_a_lost_peer_and_a_word_brings_it_back(armed_display):
    armed_display.feed(armed_display.core.operator("pause", 0.0))
    armed_display.advance(4.9)
    assert armed_display.said_of(act.PeerLost) == []
    armed_display.advance(1.1)
    assert [round(e.seconds) for e in armed_display.said_of(act.PeerLost)] == [5]
    armed_display.advance(20.0)
    assert len(armed_display.said_of(act.PeerLost)) == 1
    armed_display.tell(Datagram(M.PONG))
    assert armed_display.said_of(act.PeerBack) == [act.PeerBack()]
    assert armed_display.core.link_age_since == armed_display.now


def test_link_age_and_round_trip_are_known_once_connected(display):
    assert display.core.link_age_since is None
    assert display.core.round_trip is None
    display.connect()
    assert display.core.link_age_since == 0.0
    capture = display.paint() and display.asked()
    display.now += 0.04
    display.reply(M.ACCEPTED, capture, code=Code.EXPOSING)
    assert display.core.round_trip == pytest.approx(0.09)


def test_an_unintelligible_message_aborts(armed_display):
    armed_display.paint()
    armed_display.reply(M.CAPTURED, payload=b"{")
    assert armed_display.core.ledger.latch.code == Code.PROTOCOL
