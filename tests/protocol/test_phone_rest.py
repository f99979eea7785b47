"""A camera that cannot name its output is left alone after the start and after a time-out."""

from __future__ import annotations

from typing import Any

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import Code, MessageType
from rig.protocol.ledger import ShotState

M = MessageType
REST = 8.0


@pytest.fixture
def resting(phone_bench: Any) -> Any:
    """A phone with such a camera, just started and armed."""
    return phone_bench(quiesce=REST).start().connect()


def _ends(bench: Any, result: act.Photo | act.CameraFailure) -> None:
    """The camera call that was asked for last comes back."""
    ticket = bench.said_of(act.TriggerCamera)[-1].ticket
    bench.feed(bench.core.camera_result(ticket, result, bench.now))


def _waits(bench: Any, seconds: float, attempt: int) -> None:
    """CAPTURE(1, attempt) is answered by WAIT_CAMERA for *seconds* and costs nothing; then not."""
    records, shutters = len(bench.journal), len(bench.said_of(act.TriggerCamera))
    bench.advance(seconds - 0.01)
    bench.capture(1, attempt)
    assert bench.messages(M.ACCEPTED)[-1].code == Code.WAIT_CAMERA
    assert len(bench.journal) == records
    assert len(bench.said_of(act.TriggerCamera)) == shutters
    bench.advance(0.02)
    bench.capture(1, attempt)
    assert bench.messages(M.ACCEPTED)[-1].code == Code.EXPOSING
    assert len(bench.said_of(act.TriggerCamera)) == shutters + 1


def test_after_the_start_it_rests_and_no_attempt_is_burnt(resting):
    """The last life's shutter may still fire."""
    _waits(resting, REST, 1)


def test_a_camera_that_names_its_output_is_ready_at_once(phone_bench):
    bench = phone_bench().start().connect()
    bench.capture(1)
    assert bench.messages(M.ACCEPTED)[-1].code == Code.EXPOSING


def test_it_is_a_photo_like_any_other_afterwards(resting):
    resting.advance(REST)
    resting.expose(1)
    resting.decide(1)
    resting.expose(2)
    assert resting.core.ledger.current.committed == 1


def test_after_a_time_out_it_rests_from_the_end_of_the_call(resting):
    resting.advance(REST)
    resting.capture(1)
    resting.advance(8.1)
    assert resting.messages(M.FAILED)[-1].code == Code.CAMERA_TIMEOUT
    resting.advance(3.0)
    resting.capture(1, 2)
    assert resting.messages(M.ACCEPTED)[-1].code == Code.WAIT_CAMERA
    _ends(resting, act.CameraFailure(Code.CAMERA_ERROR, "killed"))
    _waits(resting, REST, 2)


def test_after_a_time_out_that_the_camera_itself_reports_it_rests_too(resting):
    resting.advance(REST)
    resting.capture(1)
    _ends(resting, act.CameraFailure(Code.CAMERA_TIMEOUT, "no new file in DCIM"))
    assert resting.core.ledger.current.shots[1, 1].state is ShotState.FAILED
    _waits(resting, REST, 2)


def test_after_an_exposure_that_became_void_it_rests(resting):
    """The display was restarted while the camera was at work: armed anew."""
    resting.advance(REST)
    resting.capture(1)
    resting.hello()
    resting.arm()
    _ends(resting, act.CameraFailure(Code.CAMERA_ERROR, "killed"))
    _waits(resting, REST, 2)


@pytest.mark.parametrize("code", [Code.CAMERA_ERROR, Code.CAMERA_EMPTY, Code.CAMERA_BAD_JPEG])
def test_after_a_failure_that_came_in_time_it_need_not_rest(resting, code: Code):
    """The call is over and said so: nothing of it will appear later."""
    resting.advance(REST)
    resting.capture(1)
    _ends(resting, act.CameraFailure(code, "no"))
    resting.capture(1, 2)
    assert resting.messages(M.ACCEPTED)[-1].code == Code.EXPOSING


def test_a_second_answer_of_the_same_call_changes_nothing(resting):
    resting.advance(REST)
    resting.capture(1)
    _ends(resting, resting.photo())
    before = list(resting.journal)
    _ends(resting, resting.photo())
    assert len(resting.said_of(act.StorePhoto)) == 1
    assert resting.journal == before


def test_a_photo_whose_exposure_became_void_while_it_was_written_is_put_aside(resting):
    """DROPPED: the camera is free once the file has its name, and need not rest."""
    resting.advance(REST)
    resting.capture(1)
    ticket = resting.said_of(act.TriggerCamera)[-1].ticket
    _ends(resting, resting.photo())
    final = resting.said_of(act.StorePhoto)[-1].final
    resting.hello()
    resting.arm()
    resting.capture(1, 2)
    assert resting.messages(M.ACCEPTED)[-1].code == Code.WAIT_CAMERA
    resting.feed(resting.core.photo_stored(ticket, None, resting.now))
    assert resting.said_of(act.Quarantine)[-1] == act.Quarantine(final)
    resting.capture(1, 2)
    assert resting.messages(M.ACCEPTED)[-1].code == Code.EXPOSING


@pytest.mark.parametrize("seed", range(8))
def test_a_run_with_such_a_camera_completes_through_faults_and_restarts(observed: Any, seed: int):
    """No shutter opens while the camera rests, on any life of the phone."""
    rig = observed(6, seed=seed, loss=0.1, camera=0.3, quiesce=REST)
    started: list[float] = []
    boot, trigger = rig._booted, rig._trigger

    def booted(who: str) -> None:
        boot(who)
        started.extend([rig.now] if who == "phone" else [])

    def triggered(o: act.TriggerCamera) -> None:
        assert rig.now >= started[-1] + REST
        trigger(o)

    rig._booted, rig._trigger = booted, triggered
    rig.boot()
    for at in (8.5, 17.5):
        rig.schedule(at, lambda: rig.phone is not None and rig.crash_and_boot("phone"))
    rig.finish(3000.0)
    rig.audit_all()
    assert len(started) == 3
