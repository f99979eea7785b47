"""BYE: a graceful stop is known at once, and decides nothing."""

from __future__ import annotations

from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import MessageType
from rig.protocol.datagram import Datagram, peek
from rig.protocol.display import Phase

M = MessageType


def _farewell(bench: Any) -> None:
    bench.tell(Datagram(M.BYE))
    bench.advance(0.0)


@pytest.mark.parametrize("who", ["phone", "display"])
def test_a_core_that_stops_says_so_to_its_peer(armed_phone, armed_display, who: str):
    bench = armed_phone if who == "phone" else armed_display
    bench.take()
    bench.feed(bench.core.bye(bench.now))
    assert [d.type for d in bench.messages()] == [M.BYE]


@pytest.mark.parametrize("who", ["phone", "display"])
def test_without_a_connection_there_is_nobody_to_tell(phone, display, who: str):
    bench = phone if who == "phone" else display
    bench.take()
    bench.feed(bench.core.bye(bench.now))
    assert bench.take() == []


def test_bye_does_not_wait_for_the_journal(armed_phone):
    """It promises nothing that rests on a record; the shell closes right after it."""
    armed_phone.hold = True
    armed_phone.capture(1)
    armed_phone.take()
    armed_phone.feed(armed_phone.core.bye(0.0))
    assert [d.type for d in armed_phone.messages()] == [M.BYE]


# -- the phone hears it ----------------------------------------------------------------------------


def test_the_phone_shows_the_link_closed_at_once_and_knocks(armed_phone):
    before = list(armed_phone.journal)
    armed_phone.take()
    _farewell(armed_phone)
    assert armed_phone.said_of(act.PeerLost) == [act.PeerLost(0.0)]
    assert armed_phone.core.link_age_since is None
    assert [d.type for d in armed_phone.messages()] == [M.KNOCK]
    armed_phone.advance(3.5)
    assert len(armed_phone.messages(M.KNOCK)) == 4
    assert armed_phone.journal == before


def test_a_photo_in_doubt_stays_in_doubt(armed_phone):
    """BYE is never a decision; what comes late on the closed connection is nothing either."""
    sha = armed_phone.expose(1)
    _farewell(armed_phone)
    armed_phone.decide(1)
    armed_phone.capture(2)
    assert armed_phone.core.ledger.current.doubtful.sha256 == sha
    armed_phone.take()
    armed_phone.advance(5.0)
    assert armed_phone.messages(M.CAPTURED) == []
    armed_phone.hello()
    assert armed_phone.ready["in_doubt_sha"] == sha.hex()
    armed_phone.arm("commit")
    armed_phone.expose(2)


def test_an_exposure_under_way_goes_on(armed_phone):
    armed_phone.capture(1)
    _farewell(armed_phone)
    ticket = armed_phone.said_of(act.TriggerCamera)[0].ticket
    armed_phone.feed(armed_phone.core.camera_result(ticket, armed_phone.photo(), 0.0))
    armed_phone.feed(armed_phone.core.photo_stored(ticket, None, 0.0))
    assert armed_phone.kinds()[-1] == "STORED"


def test_an_aborted_phone_stays_aborted(armed_phone):
    armed_phone.capture(3)
    latch = armed_phone.core.ledger.latch
    _farewell(armed_phone)
    assert armed_phone.core.ledger.latch == latch
    assert armed_phone.core.link_age_since is None


def test_bye_of_a_candidate_disturbs_no_live_run(armed_phone):
    live = armed_phone.conn
    armed_phone.hello()
    _farewell(armed_phone)
    armed_phone.conn = live
    armed_phone.take()
    armed_phone.capture(1)
    assert len(armed_phone.messages(M.ACCEPTED)) == 1


def test_bye_that_is_overtaken_by_a_new_arm_closes_nothing(armed_phone):
    """Said by the old life of the display; the new one is armed before the timer comes."""
    armed_phone.tell(Datagram(M.BYE))
    armed_phone.hello()
    armed_phone.arm()
    armed_phone.take()
    armed_phone.advance(0.0)
    assert armed_phone.said_of(act.PeerLost) == []
    armed_phone.capture(1)
    assert len(armed_phone.said_of(act.TriggerCamera)) == 1


# -- the display hears it --------------------------------------------------------------------------


def test_the_display_shows_the_link_closed_at_once_and_the_image_stays(armed_display):
    armed_display.paint()
    before = list(armed_display.journal)
    armed_display.take()
    _farewell(armed_display)
    assert armed_display.said_of(act.PeerLost) == [act.PeerLost(0.0)]
    armed_display.advance(20.0)
    assert armed_display.messages() == []
    assert armed_display.said_of(act.Blank) == []
    assert len(armed_display.said_of(act.PeerLost)) == 1
    assert armed_display.journal == before


def test_the_next_life_of_the_phone_is_armed_and_the_run_goes_on(armed_display):
    armed_display.paint()
    _farewell(armed_display)
    armed_display.boot = b"new-boot"
    armed_display.connect()
    assert armed_display.said_of(act.Painting)[-1] == act.Painting(1, 2)
    armed_display.shoot()
    assert armed_display.core.ledger.next_index == 2


def test_a_photo_that_is_being_decided_when_bye_comes_is_decided(armed_display):
    """The decision rests on the screen; it reaches the phone by the next ARM."""
    armed_display.paint()
    armed_display.captured()
    _farewell(armed_display)
    armed_display.check()
    assert armed_display.core.ledger.next_index == 2
    assert armed_display.kinds()[-1] == "DONE"


def test_a_captured_that_comes_after_bye_waits_for_the_next_connection(armed_display):
    """Its STORED is told again in READY: nothing is decided on a closed connection."""
    armed_display.paint()
    asked = armed_display.asked()
    _farewell(armed_display)
    armed_display.reply(M.CAPTURED, asked)
    assert armed_display.core.phase is Phase.CAPTURE
    assert armed_display.said_of(act.PeerBack) == []


def test_after_bye_a_long_silence_still_pauses(armed_display):
    _farewell(armed_display)
    armed_display.advance(130.0)
    assert armed_display.core.paused is not None


# -- both ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["phone", "display"])
@pytest.mark.parametrize("at", [0.3, 0.62, 0.9, 1.3])
def test_a_graceful_restart_at_any_moment_loses_nothing(observed: Any, who: str, at: float):
    rig = observed(4, seed=3, loss=0.1)
    rig.boot()

    def stop() -> None:
        core = rig.phone if who == "phone" else rig.display
        rig.tell(who, core.bye)
        rig.crash_and_boot(who)

    rig.schedule(at, stop)
    rig.finish()
    rig.audit_all()


@pytest.mark.parametrize("who", ["phone", "display"])
def test_a_replayed_bye_of_an_earlier_connection_closes_nothing(observed: Any, who: str):
    """And one that is reflected to the side that said it."""
    rig = observed(4)
    rig.boot()
    rig.until(lambda: rig.display.ledger.next_index == 2)
    rig.tell(who, (rig.phone if who == "phone" else rig.display).bye)
    bye = next(data for _, data in rig.recorded if peek(data)[0] == M.BYE)
    rig.crash_and_boot(who)
    rig.until(lambda: rig.display is not None and rig.display.ledger.next_index == 3)
    said = len(rig.log)
    rig.tell("phone", lambda now: rig.phone.datagram_received(bye, ("evil", 1), now))
    rig.tell("display", lambda now: rig.display.datagram_received(bye, ("evil", 1), now))
    rig.finish()
    rig.audit_all()
    assert not [e for e in rig.log[said:] if isinstance(e.what, act.PeerLost)]
