"""Captures on the display: paint, trigger, decide."""

from __future__ import annotations

import hashlib

import pytest

from rig.protocol import actions as act
from rig.protocol.actions import LocalProtocolError
from rig.protocol.codes import Code, Flag, MessageType
from rig.protocol.datagram import Datagram, canonical
from rig.protocol.display import Phase
from rig.protocol.display_ledger import DisplayLedger

M = MessageType


def _finished(bench, **said: object) -> None:
    ledger = bench.core.ledger
    body = {"count": 4, "chain": ledger.chain.hex(), **said}
    bench.tell(Datagram(M.FINISHED, payload=canonical(body)))


def _operator(bench, command: str) -> None:
    bench.feed(bench.core.operator(command, bench.now))


# -- painting and triggering -----------------------------------------------------------------------


def test_capture_goes_out_only_after_the_paint_is_confirmed_and_has_settled(armed_display):
    """Paint with a new token, wait for the confirmation and T_settle; only then CAPTURE."""
    paint = armed_display.said_of(act.Paint)[0]
    assert paint.index == 1
    armed_display.advance(1.0)
    assert armed_display.messages(M.CAPTURE) == []
    armed_display.feed(armed_display.core.painted(paint.token, b"x" * 32, armed_display.now))
    armed_display.advance(0.14)
    assert armed_display.messages(M.CAPTURE) == []
    armed_display.advance(0.02)
    capture = armed_display.messages(M.CAPTURE)[0]
    meta = armed_display.subset.meta(1)
    assert (capture.index, capture.attempt, capture.token) == (1, 1, paint.token)
    assert capture.chain == armed_display.subset.chain_start()[:8]
    assert capture.digest == hashlib.sha256(meta).digest()[:8]
    assert capture.payload == meta
    assert capture.flags == Flag.NONE


def test_a_confirmation_of_another_painting_is_ignored(armed_display):
    armed_display.feed(armed_display.core.painted(b"another.", b"x" * 32, 0.0))
    armed_display.advance(1.0)
    assert armed_display.messages(M.CAPTURE) == []


def test_every_painting_has_a_token_of_its_own(armed_display):
    for _ in range(4):
        armed_display.shoot()
    tokens = [p.token for p in armed_display.said_of(act.Paint)]
    assert len(set(tokens)) == 4
    assert [d.flags for d in armed_display.messages(M.CAPTURE)][-1] == Flag.LAST


def test_a_screen_that_does_not_confirm_pauses(armed_display):
    """The x-ray cannot be shown: pause with a sentence, nothing is asked of the phone."""
    armed_display.advance(10.1)
    paused = armed_display.said_of(act.Paused)[0]
    assert paused.code == Code.DISPLAY_TROUBLE
    assert "x-ray 1" in paused.why
    armed_display.feed(armed_display.core.operator("resume", armed_display.now))
    assert armed_display.said_of(act.Painting)[-1] == act.Painting(1, 2)


@pytest.mark.parametrize("settling", [False, True])
def test_an_x_ray_that_cannot_be_shown_pauses(armed_display, settling: bool):
    paint = armed_display.said_of(act.Paint)[0]
    if settling:
        armed_display.feed(armed_display.core.painted(paint.token, b"x" * 32, 0.0))
    armed_display.feed(armed_display.core.display_failed("file 1 is unreadable", 0.0))
    armed_display.advance(1.0)
    assert armed_display.said_of(act.Paused)[0].why == "file 1 is unreadable"
    assert armed_display.messages(M.CAPTURE) == []


# -- asking ----------------------------------------------------------------------------------------


def test_capture_is_repeated_by_its_timer_until_it_is_accepted(armed_display):
    """Phase A: loss is detected in one RTO; the content never changes, the number always."""
    armed_display.paint()
    armed_display.advance(3.0)
    asked = armed_display.messages(M.CAPTURE)
    assert len(asked) >= 3
    assert len({(d.index, d.attempt, d.token, d.chain, d.payload) for d in asked}) == 1
    assert len({d.pn for d in asked}) == len(asked)


def test_an_accepted_capture_is_polled_every_second(armed_display):
    """Phase B: D polls by CAPTURE (same a) every 1 s and never gives up."""
    armed_display.paint()
    armed_display.reply(M.ACCEPTED, code=Code.EXPOSING)
    assert armed_display.said_of(act.Accepted) == [act.Accepted(1, 1)]
    armed_display.take()
    for _ in range(5):
        armed_display.advance(1.0)
        armed_display.reply(M.ACCEPTED, armed_display.asked(), code=Code.EXPOSING)
    assert 4 <= len(armed_display.messages(M.CAPTURE)) <= 6
    assert armed_display.said_of(act.Accepted) == []


def test_a_busy_camera_is_asked_again_soon(armed_display):
    """WAIT_CAMERA: the same attempt, a quarter of a second later, never burnt."""
    armed_display.paint()
    for _ in range(4):
        armed_display.reply(M.ACCEPTED, code=Code.WAIT_CAMERA)
        armed_display.advance(0.26)
    asked = armed_display.messages(M.CAPTURE)
    assert len(asked) == 5
    assert {d.attempt for d in asked} == {1}
    assert armed_display.said_of(act.Accepted) == []


def test_a_camera_that_stays_busy_is_a_pause_not_a_lost_link(armed_display):
    """WAIT_CAMERA is an answer: no link is lost, and two minutes of it ask for a person."""
    armed_display.paint()
    for _ in range(485):
        armed_display.reply(M.ACCEPTED, code=Code.WAIT_CAMERA)
        armed_display.advance(0.25)
    assert armed_display.said_of(act.PeerLost) == []
    [paused] = armed_display.said_of(act.Paused)
    assert "restart the phone agent" in paused.why
    armed_display.take()
    armed_display.feed(armed_display.core.operator("resume", armed_display.now))
    assert armed_display.messages(M.CAPTURE)


def test_a_refusal_with_an_abort_code_aborts(armed_display):
    """FAILED with 64 or more, known or not, is no reason to try again (section 8)."""
    armed_display.paint()
    armed_display.reply(M.FAILED, code=99)
    [aborted] = armed_display.said_of(act.Aborted)
    assert aborted.code == 99


def test_ten_seconds_without_accepted_are_a_lost_link(armed_display):
    armed_display.paint()
    for _ in range(9):
        armed_display.advance(1.0)
        armed_display.tell(Datagram(M.PONG))
    assert armed_display.said_of(act.PeerLost) == []
    armed_display.advance(1.1)
    assert armed_display.said_of(act.PeerLost) == [act.PeerLost(10.0)]


@pytest.mark.parametrize(
    "fields", [{"token": b"another."}, {"index": 2}, {"attempt": 2}, {"index": 0}]
)
def test_accepted_for_anything_else_is_ignored(armed_display, fields: dict[str, object]):
    armed_display.paint()
    armed_display.reply(M.ACCEPTED, code=Code.EXPOSING, **fields)
    assert armed_display.said_of(act.Accepted) == []


# -- deciding --------------------------------------------------------------------------------------


def test_the_decision_is_durable_before_the_next_paint_and_before_ack(armed_display):
    """Append DONE(i,a,sha), fdatasync -> ACK -> paint i+1."""
    armed_display.paint()
    armed_display.captured(b"s" * 32)
    captured_pn = armed_display.conn._pn
    armed_display.take()
    armed_display.hold = True
    armed_display.check()
    record = armed_display.pending.records[0]
    assert (record["k"], record["i"], record["a"]) == ("DONE", 1, 1)
    assert record["sha"] == (b"s" * 32).hex()
    assert armed_display.messages() == []
    assert armed_display.said_of(act.Paint) == []
    assert armed_display.said_of(act.Committed) == []
    armed_display.durable()
    assert armed_display.said_of(act.Committed)[0].sha256 == b"s" * 32
    assert [d.ack_pn for d in armed_display.messages(M.ACK)] == [captured_pn]
    assert armed_display.said_of(act.Paint)[0].index == 2


def test_nothing_is_decided_before_the_surface_is_read_back(armed_display):
    armed_display.paint()
    armed_display.captured()
    assert armed_display.core.phase is Phase.CHECK
    armed_display.advance(5.0)
    assert armed_display.core.ledger.done == []
    armed_display.feed(armed_display.core.surface_checked(b"another.", b"x" * 32, 5.0))
    assert armed_display.core.ledger.done == []
    armed_display.check()
    assert len(armed_display.core.ledger.done) == 1
    armed_display.feed(armed_display.core.surface_checked(b"another.", b"x" * 32, 5.0))
    assert len(armed_display.core.ledger.done) == 1


@pytest.mark.parametrize("when", ["settling", "asking", "checking", "surface"])
def test_a_disturbed_screen_makes_a_retake(armed_display, when: str):
    """Continuity broken anywhere from confirmation to decision -> repaint i, a+1 (supersede)."""
    paint = armed_display.said_of(act.Paint)[0]
    armed_display.feed(armed_display.core.painted(paint.token, b"x" * 32, 0.0))
    disturb = lambda: armed_display.feed(  # noqa: E731 - three places, one disturbance
        armed_display.core.display_disturbed("window moved", armed_display.now)
    )
    if when == "settling":
        disturb()
    armed_display.advance(0.2)
    if when == "asking":
        disturb()
    armed_display.captured()
    if when == "checking":
        disturb()
    armed_display.check(b"y" * 32 if when == "surface" else b"x" * 32)
    retake = armed_display.said_of(act.Retake)[0]
    assert (retake.index, retake.attempt) == (1, 1)
    assert retake.why == (
        "the screen changed while the photo was taken" if when == "surface" else "window moved"
    )
    assert armed_display.core.ledger.done == []
    assert len(armed_display.messages(M.ACK)) == 1
    assert armed_display.said_of(act.Painting)[-1] == act.Painting(1, 2)


def test_a_disturbance_before_the_confirmation_does_no_harm(armed_display):
    """Continuity is asked for since the confirmation."""
    armed_display.feed(armed_display.core.display_disturbed("window moved", 0.0))
    armed_display.shoot()
    assert len(armed_display.core.ledger.done) == 1


def test_a_disturbance_without_an_exposure_changes_nothing(display):
    display.feed(display.core.display_disturbed("window moved", 0.0))
    display.feed(display.core.display_failed("no screen", 0.0))
    assert display.said_of(act.Paused) == []


@pytest.mark.parametrize("how", ["late", "failed"])
def test_a_surface_that_cannot_be_read_back_makes_a_retake_and_pauses(armed_display, how: str):
    armed_display.paint()
    armed_display.captured()
    if how == "late":
        armed_display.advance(10.1)
    else:
        armed_display.feed(armed_display.core.display_failed("no screen", armed_display.now))
    assert len(armed_display.said_of(act.Retake)) == 1
    assert armed_display.core.paused.code == Code.DISPLAY_TROUBLE
    assert armed_display.core.ledger.done == []


def test_captured_for_another_painting_aborts(armed_display):
    armed_display.paint()
    armed_display.captured(token=b"another.")
    assert armed_display.core.ledger.latch.code == Code.TOKEN_MISMATCH


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sha256": "00" * 32, "size": 1, "w": 1, "h": 1, "t_trigger": "1"},
        {"sha256": "00" * 32, "w": 1, "h": 1, "t_trigger": "1", "t_done": "2"},
        {"sha256": "00" * 32, "size": -1, "w": 1, "h": 1, "t_trigger": "1", "t_done": "2"},
        {"sha256": "00" * 32, "size": 1, "w": 1, "h": 1, "t_trigger": "x", "t_done": "2"},
        {"sha256": "00" * 32, "size": 1, "w": 1, "h": 1, "t_trigger": 1, "t_done": 2},
        {"sha256": "11" * 32, "size": 1, "w": 1, "h": 1, "t_trigger": "1", "t_done": "2"},
        {"sha256": "00", "size": 1, "w": 1, "h": 1, "t_trigger": "1", "t_done": "2"},
    ],
)
def test_captured_that_makes_no_sense_aborts_and_decides_nothing(armed_display, body):
    """Fields missing or out of range, or a digest that does not fit: nothing raises."""
    armed_display.paint()
    armed_display.reply(M.CAPTURED, digest=bytes(8), payload=canonical(body))
    if armed_display.said_of(act.CheckSurface):
        armed_display.check()
    assert armed_display.core.ledger.latch.code == Code.PROTOCOL
    assert armed_display.core.ledger.done == []


def test_a_digest_in_upper_case_is_the_same_digest(armed_display):
    armed_display.paint()
    body = {
        "sha256": "AB" * 32, "size": 1, "w": 1, "h": 1, "t_trigger": "1", "t_done": "2",
    }  # fmt: skip
    armed_display.reply(M.CAPTURED, digest=b"\xab" * 8, payload=canonical(body))
    armed_display.check()
    assert armed_display.core.ledger.done[0].sha256 == b"\xab" * 32


def test_a_repeated_captured_is_acknowledged_and_decides_nothing(armed_display):
    """The ACK was lost: acknowledge again, also when x-ray 2 is up already."""
    armed_display.paint()
    asked = armed_display.asked()
    armed_display.captured(b"s" * 32)
    armed_display.check()
    records = len(armed_display.journal)
    armed_display.take()
    armed_display.reply(M.CAPTURED, asked, digest=b"s" * 8)
    assert len(armed_display.messages(M.ACK)) == 1
    assert len(armed_display.journal) == records


@pytest.mark.parametrize("index", [0, 2, 9])
def test_captured_of_an_index_that_is_not_decided_is_not_acknowledged(armed_display, index: int):
    armed_display.paint()
    asked = armed_display.asked()
    armed_display.take()
    armed_display.reply(M.CAPTURED, asked, index=index)
    assert armed_display.messages(M.ACK) == []


# -- the end ---------------------------------------------------------------------------------------


def _all(bench) -> None:
    for _ in range(4):
        bench.shoot()


def test_after_the_last_photo_the_phone_is_asked_to_finish(armed_display):
    """FINISH with the chain after the last, repeated until FINISHED; COMPLETE durable first."""
    _all(armed_display)
    armed_display.advance(2.0)
    finish = armed_display.messages(M.FINISH)
    assert len(finish) >= 2
    assert finish[0].index == 4
    assert finish[0].chain == armed_display.core.ledger.chain[:8]
    armed_display.hold = True
    armed_display.take()
    _finished(armed_display)
    assert [r["k"] for r in armed_display.pending.records] == ["COMPLETE"]
    assert armed_display.said_of(act.Completed) == []
    armed_display.durable()
    assert armed_display.said_of(act.Completed) == [
        act.Completed(4, armed_display.core.ledger.chain)
    ]
    assert armed_display.core.phase is Phase.COMPLETE
    armed_display.advance(1000.0)
    assert armed_display.messages() == []


@pytest.mark.parametrize("said", [{"count": 3}, {"chain": "00" * 32}])
def test_complete_is_reported_only_on_equal_count_and_chain(armed_display, said):
    _all(armed_display)
    _finished(armed_display, **said)
    assert armed_display.core.ledger.latch.code == Code.DIVERGED
    assert armed_display.said_of(act.Completed) == []


def test_finished_out_of_turn_is_ignored(armed_display):
    armed_display.take()
    _finished(armed_display)
    assert armed_display.take() == []


def test_a_complete_subset_stays_complete(armed_display):
    """After a restart it says so, asks nothing, and no command changes it."""
    _all(armed_display)
    _finished(armed_display)
    after = armed_display.restart()
    assert after.said_of(act.Completed)[0].count == 4
    after.knock()
    after.advance(100.0)
    assert after.messages() == []
    for command in ("pause", "resume", "abort"):
        with pytest.raises(LocalProtocolError, match="complete"):
            _operator(after, command)


def test_an_abort_after_the_end_is_acknowledged_and_ignored(armed_display):
    _all(armed_display)
    _finished(armed_display)
    armed_display.take()
    armed_display.tell(Datagram(M.ABORT, code=72, digest=b"too-late"))
    assert len(armed_display.messages(M.ABORT_ACK)) == 1
    assert armed_display.core.ledger.latch is None


def test_the_journal_folds_to_the_live_ledger(armed_display):
    """There is one place where state changes: replaying the records gives the same."""
    armed_display.shoot()
    armed_display.paint()
    armed_display.reply(M.FAILED, code=16)
    armed_display.shoot()
    _operator(armed_display, "abort")
    live, replayed = armed_display.core.ledger, DisplayLedger(armed_display.subset)
    for record in armed_display.journal:
        replayed.apply(record)
    assert (replayed.done, replayed.chain, replayed.latch) == (live.done, live.chain, live.latch)
    assert replayed.chain_before_last == live.chain_before_last
