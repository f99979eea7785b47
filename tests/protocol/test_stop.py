"""Pause at once and stop, both real cores on one wire: nothing decided is lost or shot twice."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.audit import audit_display
from rig.protocol.codes import Code, MessageType
from rig.protocol.datagram import Datagram
from rig.protocol.display import Phase
from rig.protocol.metadata import encode_part, parse_part


def _records(rig: Any) -> list[Any]:
    return rig._read(rig.display_disk)


def _ended(rig: Any) -> bool:
    return rig.display.phase is Phase.COMPLETE


def test_pause_at_once_gives_up_the_exposure_and_resuming_takes_it_again(rig):
    """The retake is announced, then the pause holds; the photo of the new attempt is the one."""
    rig.until(rig.asking)
    before = rig.display.ledger.next_index
    rig.operator("pause_now")
    assert rig.display.paused.code == Code.OPERATOR_PAUSE
    assert rig.display.phase is Phase.HOLD
    assert [e.index for e in rig.said(act.Retake)] == [before]
    shutters = rig.audit.shutters
    rig.run_until(lambda: False, limit=60.0)
    assert rig.display.ledger.next_index == before
    assert rig.audit.shutters - shutters <= 1  # at most the one that was on its way already
    rig.finish()
    rig.audit_all()
    done = {d.index: d.attempt for d in rig.display.ledger.done}
    assert (len(done), done[before]) == (4, 2)


def test_pause_at_once_between_captures_is_a_plain_pause(rig):
    """Nothing is in flight: nothing is given up."""
    rig.until(lambda: rig.display.phase is Phase.SETTLE)
    rig.operator("pause_now")
    assert rig.display.paused is not None
    assert rig.said(act.Retake) == []
    rig.finish()
    rig.audit_all()


def test_a_stop_keeps_what_is_in_flight_and_ends_on_both_sides(rig):
    """Count and chain agree; the phone closes its books with what it has."""
    rig.until(lambda: rig.display.ledger.next_index == 2)
    rig.until(rig.asking)
    rig.operator("stop")
    rig.until(lambda: _ended(rig))
    told = rig.said(act.Completed)
    assert [(e.count, e.stopped) for e in told] == [(2, True), (2, True)]
    assert len({e.chain for e in told}) == 1
    assert rig.phone.ledger.current.finished
    assert len(rig.said(act.Stopping, "display")) == 1
    assert not audit_display(_records(rig)).findings


@pytest.mark.parametrize("command", ["pause", "pause_now"])
def test_a_stop_while_paused_needs_no_resume(rig, command):
    """What was given up is void on the phone too: it is not in the books."""
    rig.until(lambda: rig.display.ledger.next_index == 2)
    rig.until(rig.asking)
    rig.operator(command)
    rig.until(lambda: rig.display.paused is not None)
    rig.run_until(lambda: False, limit=5.0)
    decided = len(rig.display.ledger.done)
    rig.operator("stop")
    rig.until(lambda: _ended(rig))
    run = rig.phone.ledger.current
    assert (run.committed, run.finished, run.doubtful) == (decided, True, None)
    assert len(rig.display.ledger.done) == decided


def test_a_stop_before_the_first_photo_ends_with_none(rig):
    """The phone is told all the same."""
    rig.until(lambda: rig.display.phase is Phase.PAINT)
    rig.operator("stop")
    rig.until(lambda: _ended(rig))
    assert [(e.count, e.stopped) for e in rig.said(act.Completed)] == [(0, True), (0, True)]


def test_a_stop_survives_the_death_of_the_display(rig):
    """It is durable before it is confirmed: the next life ends instead of shooting on."""
    rig.until(lambda: rig.display.ledger.next_index == 2)
    rig.until(rig.asking)
    rig.operator("stop")
    rig.until(lambda: rig.said(act.Stopping))
    rig.crash_and_boot("display")
    rig.until(lambda: rig.display is not None and _ended(rig), limit=300.0)
    assert len(rig.display.ledger.done) in (1, 2)
    assert rig.phone.ledger.current.committed == len(rig.display.ledger.done)


def test_a_phone_that_was_finished_early_exposes_nothing_more(rig):
    """A display from an older copy that asks for the next index is refused on both sides."""
    rig.until(lambda: rig.display.ledger.next_index == 2)
    rig.operator("stop")
    rig.until(lambda: _ended(rig))
    shutters = rig.audit.shutters
    older = [r for r in _records(rig) if r["k"] not in ("STOP", "COMPLETE")]
    rig.crash_and_boot("display")
    rig.display_disk.clear()
    rig.display_disk.write(older)
    rig.until(lambda: rig.display is not None and rig.display.phase is Phase.ABORTED, limit=300.0)
    assert rig.audit.shutters == shutters


def _finish(bench: Any, index: int) -> None:
    bench.tell(Datagram(MessageType.FINISH, subset=1, index=index, chain=bench.chain[:8]))


def _sealed_capture(bench: Any, index: int) -> bytes:
    """CAPTURE as the display sent it; the network keeps it back."""
    bench.raw = lambda data, addr=None: None
    data: bytes = bench.capture(index)
    del bench.raw
    return data


def test_a_capture_that_was_given_up_and_overtaken_by_finish_changes_nothing(armed_phone):
    """Paused at once, then stopped, and the network swaps the two: nothing contradicts."""
    armed_phone.expose(1)
    armed_phone.decide(1)
    late = _sealed_capture(armed_phone, 2)
    _finish(armed_phone, 1)
    records = list(armed_phone.journal)
    armed_phone.raw(late)
    assert armed_phone.messages(MessageType.FAILED)[-1].code == Code.STALE
    assert armed_phone.core.ledger.latch is None
    assert armed_phone.journal == records
    assert len(armed_phone.said_of(act.TriggerCamera)) == 1
    assert armed_phone.core.ledger.current.finished


def test_a_capture_that_was_sent_after_finish_contradicts_it(armed_phone):
    """Only what FINISH overtook is excused."""
    _finish(armed_phone, 0)
    armed_phone.capture(1)
    assert armed_phone.core.ledger.latch.code == Code.INDEX_MISMATCH
    assert armed_phone.said_of(act.TriggerCamera) == []


def test_a_capture_on_a_later_connection_contradicts_the_finish_of_an_earlier_one(armed_phone):
    """Packet numbers begin anew: a low one excuses nothing there."""
    for _ in range(5):
        _finish(armed_phone, 0)
    armed_phone.hello()
    armed_phone.arm()
    armed_phone.capture(1)
    assert armed_phone.core.ledger.latch.code == Code.INDEX_MISMATCH
    assert armed_phone.said_of(act.TriggerCamera) == []


@pytest.mark.parametrize("code", [Code.OK, Code.META_TOO_BIG])
def test_a_stop_before_the_metadata_are_there_asks_for_no_photo(display_bench, large_subset, code):
    """The x-ray is up, CAPTURE waits for META_ACK; one that refuses has paused the run."""
    bench = display_bench(subset=large_subset()).start().connect()
    bench.paint()
    part = bench.messages(MessageType.META_PART)[-1]
    whole = parse_part(part.payload)
    ack = Datagram(
        MessageType.META_ACK,
        ack_pn=part.pn,
        code=code,
        payload=encode_part(replace(whole, offset=whole.total, data=b"")),
    )
    if code:
        bench.tell(ack)
        assert bench.core.paused.code == code
    assert bench.core.phase is Phase.CAPTURE
    bench.take()
    bench.feed(bench.core.operator("stop", bench.now))
    bench.tell(ack)
    bench.advance(3.0)
    assert bench.core.phase is Phase.FINISH
    assert {d.index for d in bench.messages(MessageType.FINISH)} == {0}
    assert bench.messages(MessageType.CAPTURE, MessageType.META_PART) == []


@pytest.mark.parametrize("seed", range(24))
def test_pauses_at_once_stops_and_crashes_in_a_bad_network_break_nothing(observed, seed):
    """Whenever they come: every decided photo is right, and both books end equal."""
    rng = random.Random(seed)
    rig = observed(6, seed=seed, loss=0.15, duplicate=0.1, reorder=0.15, camera=0.1)
    rig.boot()

    def order(command: str) -> None:
        if rig.display is not None and rig.display.phase not in (Phase.COMPLETE, Phase.ABORTED):
            rig.operator(command)

    for _ in range(4):
        rig.schedule(rng.uniform(0.2, 8.0), lambda: order("pause_now"))
    for who in rng.sample(["display", "phone", "display"], 2):
        rig.schedule(rng.uniform(0.2, 8.0), lambda who=who: crash(rig, who))
    if seed % 2:
        rig.schedule(rng.uniform(1.0, 6.0), lambda: order("stop"))
    end = rig.now + 900.0
    while not _books_closed(rig):
        assert rig.now < end, "it never ended"
        rig.step()
        if rig.display is not None and rig.display.paused is not None:
            rig.operator("resume")
    assert rig.display.ledger.latch is None
    run = rig.phone.ledger.current
    done = [(d.index, d.attempt, d.sha256) for d in rig.display.ledger.done]
    assert done == [(s.index, s.attempt, s.sha256) for s in run.committed_shots()]
    assert run.chain == rig.display.ledger.chain
    assert not audit_display(_records(rig)).findings
    if len(done) == 6:
        rig.audit_all()


def crash(rig: Any, who: str) -> None:
    """Only what lives can die."""
    if (rig.display if who == "display" else rig.phone) is not None:
        rig.crash_and_boot(who)


def _books_closed(rig: Any) -> bool:
    alive = rig.display is not None and rig.phone is not None
    return alive and _ended(rig) and rig.phone.ledger.current.finished
