"""Failures, retakes and pauses on the display."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rig.protocol import actions as act
from rig.protocol.actions import LocalProtocolError
from rig.protocol.codes import Code, MessageType
from rig.protocol.datagram import Datagram, canonical
from rig.protocol.display import Phase

M = MessageType


# -- failures --------------------------------------------------------------------------------------


def test_failed_is_acknowledged_and_taken_again(armed_display):
    armed_display.paint()
    armed_display.reply(M.FAILED, code=Code.CAMERA_EMPTY)
    assert armed_display.said_of(act.Retake) == [act.Retake(1, 1, "CAMERA_EMPTY")]
    assert len(armed_display.messages(M.ACK)) == 1
    assert armed_display.said_of(act.Painting)[-1] == act.Painting(1, 2)


def test_failed_for_another_exposure_is_acknowledged_and_ignored(armed_display):
    """FAILED(STALE) of an older attempt, say."""
    armed_display.paint()
    armed_display.reply(M.FAILED, attempt=7, code=Code.STALE)
    assert len(armed_display.messages(M.ACK)) == 1
    assert armed_display.said_of(act.Retake) == []
    assert armed_display.core.phase is Phase.CAPTURE


def test_three_failed_attempts_pause_and_resume_goes_on(armed_display):
    """max_attempts per index 3, then PAUSED; the fourth follows a person's resume."""
    for _ in range(3):
        armed_display.paint()
        armed_display.reply(M.FAILED, code=Code.CAMERA_ERROR)
    paused = armed_display.said_of(act.Paused)[0]
    assert paused.code == Code.RETRIES
    assert "index 1 failed 3 times" in paused.why
    assert len(armed_display.said_of(act.Painting)) == 3
    armed_display.feed(armed_display.core.operator("resume", armed_display.now))
    assert armed_display.said_of(act.Resumed) == [act.Resumed()]
    assert armed_display.said_of(act.Painting)[-1] == act.Painting(1, 4)
    armed_display.shoot()
    assert armed_display.core.ledger.done[0].attempt == 4


def test_a_camera_in_the_background_is_the_reason_of_the_pause(armed_display):
    """The person has to unlock the phone, not to look for a fault: the code says so."""
    why = canonical({"why": "Please open Termux."})
    for code in (Code.CAMERA_EMPTY, Code.CAMERA_BACKGROUND, Code.CAMERA_BACKGROUND):
        armed_display.paint()
        armed_display.reply(M.FAILED, code=code, payload=why)
    paused = armed_display.said_of(act.Paused)[0]
    assert paused.code == Code.CAMERA_BACKGROUND
    assert paused.why.endswith("CAMERA_BACKGROUND: Please open Termux.")
    armed_display.feed(armed_display.core.operator("resume", armed_display.now))
    armed_display.shoot()
    assert armed_display.core.ledger.done[0].attempt == 4


def test_only_the_last_failure_names_the_pause(armed_display):
    """A camera that was in the background and is not any more is no reason."""
    for code in (Code.CAMERA_BACKGROUND, Code.CAMERA_BACKGROUND, Code.CAMERA_ERROR):
        armed_display.paint()
        armed_display.reply(M.FAILED, code=code)
    assert armed_display.core.paused.code == Code.RETRIES


def test_five_failures_in_a_row_pause(display_bench):
    """max_consecutive_failures 5, whatever the number of attempts that are allowed."""
    bench = display_bench()
    bench.core._timers = replace(bench.core._timers, max_attempts=99)
    bench.start().connect()
    for _ in range(5):
        assert bench.core.paused is None
        bench.paint()
        bench.reply(M.FAILED, code=Code.CAMERA_ERROR)
    assert bench.core.paused.code == Code.RETRIES


@pytest.mark.parametrize(
    "code", [Code.DISK_LOW, Code.BATTERY_LOW, Code.THERMAL, Code.FS_ERROR, Code.META_TOO_BIG]
)
def test_a_phone_in_need_pauses_the_run(armed_display, code: Code):
    armed_display.paint()
    armed_display.reply(M.FAILED, code=code)
    assert armed_display.core.paused.code == code
    assert code.name in armed_display.core.paused.why
    assert len(armed_display.said_of(act.Painting)) == 1
    armed_display.feed(armed_display.core.operator("resume", armed_display.now))
    armed_display.shoot()
    assert armed_display.core.ledger.done[0].attempt == 2


# -- pausing ---------------------------------------------------------------------------------------


def _operator(bench, command: str) -> None:
    bench.feed(bench.core.operator(command, bench.now))


def test_a_pause_takes_effect_after_the_image_under_way(armed_display):
    """Operator pause: after this image; resume paints the next one."""
    armed_display.paint()
    _operator(armed_display, "pause")
    assert armed_display.said_of(act.Paused) == []
    armed_display.captured()
    armed_display.check()
    assert armed_display.said_of(act.Paused)[0].code == Code.OPERATOR_PAUSE
    assert len(armed_display.core.ledger.done) == 1
    assert len(armed_display.said_of(act.Paint)) == 1
    armed_display.take()
    armed_display.advance(30.0)
    assert armed_display.messages(M.CAPTURE) == []
    _operator(armed_display, "resume")
    assert armed_display.said_of(act.Painting) == [act.Painting(2, 1)]


def test_a_pause_before_the_trigger_takes_effect_at_once(armed_display):
    _operator(armed_display, "pause")
    paint = armed_display.said_of(act.Paint)[0]
    armed_display.feed(armed_display.core.painted(paint.token, b"x" * 32, 0.0))
    armed_display.advance(1.0)
    assert armed_display.messages(M.CAPTURE) == []
    _operator(armed_display, "resume")
    armed_display.shoot()
    assert armed_display.core.ledger.done[0].attempt == 2


def test_a_pause_that_is_taken_back_in_time_has_no_effect(armed_display):
    armed_display.paint()
    _operator(armed_display, "pause")
    _operator(armed_display, "resume")
    armed_display.captured()
    armed_display.check()
    assert armed_display.said_of(act.Paused) == []
    assert len(armed_display.said_of(act.Paint)) == 2


def test_a_pause_before_the_phone_is_there_holds_when_it_comes(display):
    _operator(display, "pause")
    display.connect()
    assert display.core.phase is Phase.HOLD
    assert display.said_of(act.Paint) == []
    _operator(display, "resume")
    assert display.said_of(act.Paint)[0].index == 1


def test_resuming_what_is_not_paused_is_refused(armed_display):
    with pytest.raises(LocalProtocolError, match="not paused"):
        _operator(armed_display, "resume")


def test_a_silent_link_pauses_and_the_image_stays(armed_display):
    """T_link 120 s: PAUSED never decides anything; resume = same (i,a) if unresolved."""
    armed_display.paint()
    armed_display.take()
    armed_display.advance(119.0)
    assert armed_display.said_of(act.Paused) == []
    armed_display.advance(2.0)
    assert armed_display.said_of(act.Paused)[0].code == Code.LINK_LOST
    assert armed_display.said_of(act.Blank) == []
    armed_display.take()
    armed_display.advance(60.0)
    assert armed_display.messages(M.CAPTURE) == []
    armed_display.tell(Datagram(M.PONG))
    assert armed_display.said_of(act.PeerBack) == [act.PeerBack()]
    _operator(armed_display, "resume")
    asked = armed_display.messages(M.CAPTURE)[0]
    assert (asked.index, asked.attempt) == (1, 1)
    armed_display.captured()
    armed_display.check()
    assert len(armed_display.core.ledger.done) == 1


def test_while_paused_no_photo_is_decided(armed_display):
    """CAPTURED waits for the resume; the phone goes on repeating it."""
    armed_display.paint()
    asked = armed_display.asked()
    armed_display.advance(121.0)
    armed_display.take()
    body = {"sha256": "00" * 32, "size": 1, "w": 1, "h": 1, "t_trigger": "1", "t_done": "2"}
    answer = {"digest": bytes(8), "payload": canonical(body)}
    armed_display.reply(M.CAPTURED, asked, **answer)
    assert armed_display.messages(M.ACK) == []
    assert armed_display.core.phase is Phase.CAPTURE
    _operator(armed_display, "resume")
    armed_display.reply(M.CAPTURED, asked, **answer)
    assert armed_display.core.phase is Phase.CHECK
