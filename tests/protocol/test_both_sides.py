"""Both real cores on one wire: the order of things, pauses, aborts, roaming, the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import Code, MessageType
from rig.protocol.datagram import Datagram
from rig.protocol.display import Phase
from rig.protocol.display_ledger import DisplayLedger
from rig.protocol.ledger import PhoneLedger
from rig.simulation.virtual import DISPLAY_ADDR

M = MessageType


def _at(rig: Any, who: str, kind: Any, **fields: object) -> list[float]:
    """When *who* said something of *kind* (a message type or an output class)."""
    times = []
    for e in rig.log:
        same = e.what.type == kind if isinstance(e.what, Datagram) else kind is type(e.what)
        if e.who == who and same and all(getattr(e.what, n) == v for n, v in fields.items()):
            times.append(e.at)
    return times


def _records(rig: Any, who: str) -> list[Any]:
    return rig._read(rig.display_disk if who == "display" else rig.phone_disk)


# -- a run -----------------------------------------------------------------------------------------


def test_a_subset_completes_with_one_photo_of_each_index(rig):
    rig.finish()
    rig.audit_all()
    assert rig.audit.shutters == 4
    assert rig.quarantine == []
    assert [e.index for e in rig.said(act.Committed, "display")] == [1, 2, 3, 4]
    assert [e.index for e in rig.said(act.Committed, "phone")] == [1, 2, 3, 4]
    assert [e.count for e in rig.said(act.Completed)] == [4, 4]


def test_every_promise_comes_after_its_record(rig):
    """INTENT < ACCEPTED < shutter; STORED < CAPTURED < DONE < ACK <= next Paint; all durable."""
    durable: dict[tuple[str, object, object], float] = {}

    def note(who: str, o: act.AppendJournal) -> None:
        for r in o.records:
            durable[str(r["k"]), r.get("i"), r.get("a")] = rig.now

    rig.on_durable = note
    rig.finish()
    for i in range(1, 5):
        step = {"index": i, "attempt": 1}
        painted = _at(rig, "display", act.Paint, index=i)[0]
        asked = _at(rig, "display", M.CAPTURE, **step)[0]
        accepted = _at(rig, "phone", M.ACCEPTED, **step)[0]
        shutter = _at(rig, "phone", act.TriggerCamera)[i - 1]
        captured = _at(rig, "phone", M.CAPTURED, **step)[0]
        assert painted < asked < durable["INTENT", i, 1] <= accepted <= shutter
        assert shutter < durable["STORED", i, 1] <= captured < durable["DONE", i, 1]
        if i < 4:
            assert durable["DONE", i, 1] <= _at(rig, "display", act.Paint, index=i + 1)[0]
            assert durable["DONE", i, 1] < durable["COMMIT", i, 1]


def test_a_clean_network_needs_few_datagrams(observed):
    """CAPTURE, ACCEPTED, CAPTURED, ACK: four a photo, six with the handshake spread out."""
    rig = observed(40)
    rig.boot()
    rig.finish()
    assert rig.audit.datagrams / 40 <= 6


def test_both_journals_fold_to_the_live_ledgers(rig):
    """Replaying what is on the two disks gives what the two cores believe."""
    rig.schedule(0.7, lambda: rig.tell("display", lambda n: rig.display.display_disturbed("x", n)))
    rig.finish()
    phone, display = (
        PhoneLedger(_records(rig, "phone")),
        DisplayLedger(rig.subset, _records(rig, "display")),
    )
    assert phone.runs == rig.phone.ledger.runs
    assert phone.latch is None
    assert (display.done, display.chain) == (rig.display.ledger.done, rig.display.ledger.chain)
    assert display.complete


def test_the_chain_is_equal_at_the_end(rig):
    rig.finish()
    run = rig.phone.ledger.current
    assert run.chain == rig.display.ledger.chain
    assert {e.chain for e in rig.said(act.Completed)} == {run.chain}


# -- duplicates and losses -------------------------------------------------------------------------


def test_every_datagram_twice_never_exposes_twice(observed):
    rig = observed(4, duplicate=1.0, reorder=0.5)
    rig.boot()
    rig.finish()
    rig.audit_all()
    assert rig.audit.shutters == 4


@pytest.mark.parametrize(
    "kind",
    [M.KNOCK, M.HELLO, M.READY, M.ARM, M.ARMED, M.CAPTURE, M.ACCEPTED, M.CAPTURED, M.ACK, M.FINISH,
     M.FINISHED],
)  # fmt: skip
def test_losing_the_first_three_of_any_message_only_delays(rig, kind: MessageType):
    """Loss can only delay; nothing is shot twice for it."""
    left = [3]

    def lose(who: str, d: Datagram) -> bool:
        if d.type != kind or not left[0]:
            return False
        left[0] -= 1
        return True

    rig.lose = lose
    rig.finish()
    rig.audit_all()
    assert rig.audit.shutters == 4


# -- disturbances and pauses -----------------------------------------------------------------------


def test_a_disturbed_photo_is_superseded_and_put_aside(rig):
    """Display disturbed: repaint i, a+1; the phone voids and quarantines."""
    rig.until(rig.asking)
    rig.tell("display", lambda now: rig.display.display_disturbed("moved", now))
    rig.finish()
    rig.audit_all()
    assert rig.audit.shutters == 5
    assert [n.split("_")[3:5] for n in rig.quarantine] == [["i0000002", "a001"]]
    assert rig.said(act.Retake) == [act.Retake(2, 1, "moved")]


@pytest.mark.parametrize(
    ("health", "code"),
    [
        ((1000, 80, False, 30.0), Code.DISK_LOW),
        ((1 << 40, 3, False, 30.0), Code.BATTERY_LOW),
        ((1 << 40, 80, False, 60.0), Code.THERMAL),
    ],
)
def test_a_phone_in_need_pauses_until_a_person_resumes(rig, health, code: Code):
    rig.until(lambda: rig.display.ledger.next_index == 2)
    rig.tell("phone", lambda now: rig.phone.environment(*health, now))
    rig.until(lambda: rig.display.paused is not None)
    assert rig.display.paused.code == code
    shutters = rig.audit.shutters
    rig.run_until(lambda: False, limit=60.0)
    assert rig.audit.shutters == shutters
    rig.tell("phone", lambda now: rig.phone.environment(1 << 40, 90, True, 30.0, now))
    rig.finish()
    rig.audit_all()


def test_a_pause_of_the_operator_comes_after_this_image(rig):
    rig.until(rig.asking)
    rig.operator("pause")
    rig.until(lambda: rig.display.paused is not None)
    assert rig.display.ledger.next_index == 3
    rig.run_until(lambda: False, limit=200.0)
    assert rig.display.ledger.next_index == 3
    assert rig.display.paused.code == Code.OPERATOR_PAUSE
    rig.finish()
    rig.audit_all()
    assert rig.audit.shutters == 4


@pytest.mark.parametrize("moment", [1, 2])
def test_a_dead_link_pauses_after_two_minutes_and_resume_goes_on(rig, moment: int):
    """PeerLost after 5 s, Paused(LINK_LOST) after 120 s, one exposure all the same."""
    rig.until(rig.asking)
    if moment == 2:
        rig.until(lambda: rig.audit.shutters == 2)
    rig.lose = lambda who, d: True
    began = rig.now
    rig.until(lambda: rig.display.paused is not None, limit=130.0)
    assert rig.display.paused.code == Code.LINK_LOST
    assert 119.0 < rig.now - began < 123.0
    lost = [e.at for e in rig.log if isinstance(e.what, act.PeerLost)]
    assert 4.0 < lost[0] - began < 7.0
    assert rig.on_screen == 2
    rig.lose = lambda who, d: False
    rig.finish()
    rig.audit_all()
    assert len(rig.said(act.PeerBack)) >= 1


def test_a_phone_that_moves_to_another_address_is_followed(rig):
    """Address is not identity: the run goes on with whatever source speaks the key."""
    for n, at in enumerate((0.9, 1.6), 1):
        rig.schedule(at, lambda n=n: setattr(rig, "phone_addr", (f"phone{n}", 50000 + n)))
    rig.finish()
    rig.audit_all()
    assert rig.audit.shutters == 4
    assert rig.display._connection.addr == ("phone2", 50002)


def test_a_phone_that_moves_while_nothing_is_said_knocks(rig):
    """D's CAPTURE goes nowhere; the KNOCK from the new address brings it back."""
    rig.until(lambda: rig.display.ledger.next_index == 2)
    rig.operator("pause")
    rig.run_until(lambda: False, limit=5.0)
    rig.phone_addr = ("elsewhere", 1)
    rig.finish(limit=60.0)
    rig.audit_all()
    assert rig.display._connection.addr == ("elsewhere", 1)


# -- cameras ---------------------------------------------------------------------------------------


def test_a_camera_that_always_fails_pauses_and_goes_on_when_it_is_mended(rig):
    rig.faults = replace(rig.faults, camera=1.0)
    rig.until(lambda: rig.display.paused is not None, limit=200.0)
    assert rig.display.paused.code == Code.RETRIES
    assert rig.display.ledger.next_index == 1
    rig.faults = replace(rig.faults, camera=0.0)
    rig.finish()
    rig.audit_all()


def test_a_camera_that_hangs_fires_late_and_its_photo_is_never_used(rig):
    """Killed after 8 s; attempt 2 waits for the camera and burns no number."""
    slow = [True]
    trigger = rig._trigger

    def hang(o: act.TriggerCamera) -> None:
        if slow.pop() if slow else False:
            rig.schedule(20.0, lambda: rig._expose(o))
        else:
            trigger(o)

    rig._trigger = hang
    rig.finish()
    rig.audit_all()
    shots = rig.phone.ledger.current.shots
    assert sorted(k for k in shots if k[0] == 1) == [(1, 1), (1, 2)]
    assert any(d.code == Code.WAIT_CAMERA for d in rig.sent("phone", M.ACCEPTED))


# -- the end ---------------------------------------------------------------------------------------


def test_the_phone_goes_on_answering_finish(rig):
    """Dallying: D dies before COMPLETE is durable; the next life asks again."""
    rig.until(lambda: rig.display.phase is Phase.FINISH)
    rig.until(lambda: rig.phone.ledger.current.finished)
    rig.crash_and_boot("display")
    rig.finish()
    rig.audit_all()
    assert rig.audit.shutters == 4
    assert len(rig.sent("phone", M.FINISHED)) >= 1
    assert [r["k"] for r in _records(rig, "phone")].count("FINISH") == 1


def test_a_photo_that_vanished_aborts_with_store_lost(rig):
    """The file of a STORED record is gone when the phone restarts."""
    rig.until(lambda: rig.display.ledger.next_index == 3)
    gone = next(n for n in rig.files if "_i0000001_" in n)
    rig.crash("phone")
    del rig.files[gone]
    rig.boot_phone()
    rig.until(lambda: rig.display.phase is Phase.ABORTED)
    assert rig.display.ledger.latch.code == Code.STORE_LOST
    assert gone in rig.phone.ledger.latch.why


def test_a_display_restored_from_an_older_copy_has_diverged(rig):
    """Its journal knows less than the phone has committed: nothing is shot again."""
    rig.until(lambda: rig.display.ledger.next_index == 2)
    old = bytes(rig.display_disk)
    rig.until(lambda: rig.display.ledger.next_index == 4)
    rig.crash("display")
    rig.display_disk[:] = old
    shutters = rig.audit.shutters
    rig.boot_display()
    rig.until(lambda: rig.display.phase is Phase.ABORTED)
    rig.run_until(lambda: False, limit=30.0)
    assert rig.display.ledger.latch.code == Code.DIVERGED
    assert rig.phone.ledger.latch.abort_id == rig.display.ledger.latch.abort_id
    assert rig.audit.shutters <= shutters + 1


def test_the_display_listens_where_the_phone_knocks(rig):
    rig.finish()
    assert {d.conn_id for d in rig.sent("phone", M.KNOCK)} == {bytes(8)}
    assert DISPLAY_ADDR in rig.phone._cfg.hosts
