"""The phone's camera: failures, lateness, names, and a phone in need."""

from __future__ import annotations

import pytest

from rig.protocol import actions as act
from rig.protocol.codes import FREE_MIN, Code, MessageType
from rig.protocol.datagram import canonical
from rig.protocol.ledger import PhoneLedger, ShotState

M = MessageType


def _ticket(bench) -> act.Ticket:
    return bench.said_of(act.TriggerCamera)[-1].ticket


def _shot(bench, result: act.Photo | act.CameraFailure | None = None) -> act.Ticket:
    """The camera call that is under way ends with *result*."""
    ticket = _ticket(bench)
    bench.feed(bench.core.camera_result(ticket, result or bench.photo(), bench.now))
    return ticket


# -- the camera ------------------------------------------------------------------------------------


def test_a_camera_failure_is_no_abort(armed_phone):
    """FAIL(i,a) durable, then FAILED(code); the number is spent, the next one works."""
    armed_phone.capture(1)
    armed_phone.take()
    armed_phone.hold = True
    _failed = act.CameraFailure(Code.CAMERA_ERROR, "no camera")
    ticket = act.Ticket(1, 1, 1, armed_phone.core.boot_id)
    armed_phone.feed(armed_phone.core.camera_result(ticket, _failed, 0.0))
    assert armed_phone.messages() == []
    armed_phone.durable()
    armed_phone.hold = False
    assert armed_phone.messages(M.FAILED)[0].code == Code.CAMERA_ERROR
    assert armed_phone.said_of(act.ExposureFailed)[0].why == "no camera"
    armed_phone.expose(1, 2)
    assert armed_phone.core.ledger.current.in_doubt == (1, 2)


def test_a_camera_that_takes_too_long_fails_the_exposure_and_stays_busy(armed_phone):
    """T_camera: kill, FAIL; a new CAPTURE waits until the call has really ended."""
    armed_phone.capture(1)
    ticket = _ticket(armed_phone)
    armed_phone.take()
    armed_phone.advance(7.9)
    assert armed_phone.said_of(act.KillCamera) == []
    armed_phone.advance(0.2)
    assert armed_phone.said_of(act.KillCamera) == [act.KillCamera(ticket)]
    assert armed_phone.messages(M.FAILED)[0].code == Code.CAMERA_TIMEOUT
    records = len(armed_phone.journal)
    armed_phone.capture(1, 2)
    assert armed_phone.messages(M.ACCEPTED)[-1].code == Code.WAIT_CAMERA
    assert len(armed_phone.journal) == records
    armed_phone.feed(
        armed_phone.core.camera_result(ticket, act.CameraFailure(16, "killed"), armed_phone.now)
    )
    armed_phone.expose(1, 2)
    assert armed_phone.core.ledger.current.in_doubt == (1, 2)


def test_a_photo_that_comes_after_its_time_is_put_aside(armed_phone):
    """A result whose ticket is not the open INTENT is quarantined."""
    armed_phone.capture(1)
    armed_phone.advance(8.1)
    ticket = _shot(armed_phone)
    staging = f"1.1.{ticket.boot.hex()}.part"
    assert armed_phone.said_of(act.Quarantine) == [act.Quarantine(staging)]
    assert armed_phone.said_of(act.StorePhoto) == []
    assert armed_phone.core.ledger.current.shots[1, 1].state is ShotState.FAILED


@pytest.mark.parametrize(
    "stranger",
    [act.Ticket(1, 1, 1, b"another."), act.Ticket(1, 1, 2, b""), act.Ticket(2, 1, 1, b"")],
)
def test_a_result_of_another_ticket_changes_nothing(armed_phone, stranger: act.Ticket):
    armed_phone.capture(1)
    before = list(armed_phone.journal)
    armed_phone.take()
    armed_phone.feed(armed_phone.core.camera_result(stranger, armed_phone.photo(), 0.0))
    armed_phone.feed(armed_phone.core.photo_stored(stranger, None, 0.0))
    assert armed_phone.take() == []
    assert armed_phone.journal == before


def test_a_photo_that_cannot_be_stored_fails_the_exposure(armed_phone):
    armed_phone.capture(1)
    ticket = _shot(armed_phone)
    failure = act.CameraFailure(Code.FS_ERROR, "no space left on device")
    armed_phone.feed(armed_phone.core.photo_stored(ticket, failure, 0.0))
    assert armed_phone.messages(M.FAILED)[0].code == Code.FS_ERROR
    assert armed_phone.core.ledger.current.shots[1, 1].state is ShotState.FAILED


def test_a_photo_whose_name_exists_already_aborts(armed_phone):
    """Never overwrite: existing target = ABORT STORE_LOST."""
    armed_phone.capture(1)
    ticket = _shot(armed_phone)
    lost = act.CameraFailure(Code.STORE_LOST, "the name exists already")
    armed_phone.feed(armed_phone.core.photo_stored(ticket, lost, 0.0))
    assert armed_phone.core.ledger.latch.code == Code.STORE_LOST
    assert armed_phone.kinds()[-2:] == ["VOID", "ABORT"]


@pytest.mark.parametrize("meta", [{"key": "k"}, {"env": "e"}, {"env": "", "key": "k"}])
def test_metadata_that_makes_no_name_fails_the_exposure(armed_phone, meta: dict[str, str]):
    armed_phone.capture(1, meta=canonical(meta))
    _shot(armed_phone)
    assert armed_phone.messages(M.FAILED)[0].code == Code.FS_ERROR


# -- health ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("health", "code"),
    [
        ((FREE_MIN - 1, 80, False, 30.0), Code.DISK_LOW),
        ((1 << 40, 14, False, 30.0), Code.BATTERY_LOW),
        ((1 << 40, 80, False, 45.1), Code.THERMAL),
    ],
)
def test_a_phone_in_need_refuses_to_expose(armed_phone, health, code: Code):
    """FAILED(DISK_LOW ...), durable and repeatable, no shutter; later the next attempt works."""
    armed_phone.feed(armed_phone.core.environment(*health, 0.0))
    armed_phone.capture(1)
    armed_phone.capture(1)
    assert [d.code for d in armed_phone.messages(M.FAILED)] == [code, code]
    assert armed_phone.said_of(act.TriggerCamera) == []
    assert armed_phone.kinds()[-1] == "FAIL"
    assert PhoneLedger(armed_phone.journal).current.last_attempt == 1
    armed_phone.feed(armed_phone.core.environment(1 << 40, 80, False, 30.0, 0.0))
    armed_phone.expose(1, 2)


@pytest.mark.parametrize(
    "health",
    [
        (FREE_MIN, 15, False, 45.0),
        (FREE_MIN, 1, True, None),
        (FREE_MIN, None, False, None),
    ],
)
def test_a_phone_at_its_limits_still_exposes(armed_phone, health):
    """Charging excuses an empty battery; what cannot be measured is no reason."""
    armed_phone.feed(armed_phone.core.environment(*health, 0.0))
    armed_phone.expose(1)


def test_eight_photos_must_fit(armed_phone):
    """free < max(256 MiB, 8 x the size of a photo)."""
    armed_phone.capture(1)
    size = FREE_MIN // 4
    ticket = _ticket(armed_phone)
    armed_phone.feed(armed_phone.core.camera_result(ticket, armed_phone.photo(size=size), 0.0))
    armed_phone.feed(armed_phone.core.photo_stored(ticket, None, 0.0))
    armed_phone.feed(armed_phone.core.environment(8 * size - 1, 80, False, 30.0, 0.0))
    armed_phone.capture(1, 2)
    assert armed_phone.messages(M.FAILED)[0].code == Code.DISK_LOW
