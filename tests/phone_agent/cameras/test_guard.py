"""No camera hands over the same picture twice, nor the one of the exposure before."""

from __future__ import annotations

import threading

import pytest

from phone_agent.cameras import CameraFault, deadline_of, quiesce_of
from phone_agent.cameras.guard import REMEMBERED, GuardedCamera
from phone_agent.files import sha256_file


class Scripted:
    """Writes the next of its pictures; an exception instead is raised."""

    name = "scripted"

    def __init__(self, *pictures):
        self.pictures = list(pictures)
        self.cancelled = threading.Event()
        self.deadlines = []

    def shoot(self, target, deadline_s):
        self.deadlines.append(deadline_s)
        picture = self.pictures.pop(0)
        if isinstance(picture, Exception):
            raise picture
        if picture is None:
            assert self.cancelled.wait(20)
            raise CameraFault("CAMERA_ERROR", "The shot was cancelled.")
        target.write_bytes(picture)

    def probe(self):
        return {"backend": "scripted", "ready": True}

    def cancel(self):
        self.cancelled.set()


class Nameless(Scripted):
    deadline_s = 20.0
    quiesce_s = 15.0


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_previous_picture_is_a_fault_and_not_kept(tmp_path):
    """The same bytes again are no new exposure; a new picture after that is one."""
    camera = GuardedCamera(Scripted(b"one", b"one", b"two", b"one"))
    camera.shoot(tmp_path / "a", 1.0)
    for name in ("b", "d"):
        with pytest.raises(CameraFault, match="earlier picture") as caught:
            camera.shoot(tmp_path / name, 1.0)
        assert caught.value.code_name == "CAMERA_ERROR"
        assert not (tmp_path / name).exists()
        if name == "b":
            camera.shoot(tmp_path / "c", 1.0)
    assert (tmp_path / "c").read_bytes() == b"two"


def test_picture_of_the_life_before_is_known(tmp_path):
    """After a restart the agent tells which photos there are."""
    (tmp_path / "old").write_bytes(b"one")
    camera = GuardedCamera(Scripted(b"one"))
    camera.remember(sha256_file(tmp_path / "old"))
    with pytest.raises(CameraFault, match="earlier picture"):
        camera.shoot(tmp_path / "a", 1.0)


def test_memory_is_bounded():
    """The oldest are forgotten first."""
    camera = GuardedCamera(Scripted())
    for number in range(REMEMBERED + 5):
        camera.remember(number.to_bytes(4, "big"))
    assert len(camera._seen) == REMEMBERED
    assert (4).to_bytes(4, "big") not in camera._seen


def test_wants_of_the_camera_are_passed_on():
    """The agent asks the guarded camera as it would the bare one."""
    assert (deadline_of(Scripted()), quiesce_of(Scripted())) == (8.0, 0.0)
    camera = GuardedCamera(Nameless())
    assert (deadline_of(camera), quiesce_of(camera), camera.name) == (21.5, 15.0, "scripted")


@pytest.mark.parametrize("why", ["timeout", "cancelled"])
def test_camera_without_names_is_left_alone_after_an_exposure_was_given_up(tmp_path, why):
    """The call returns only when a late photo has had its time."""
    clock = Clock()
    late = CameraFault("CAMERA_TIMEOUT", "Too late.")
    inner = Nameless(late if why == "timeout" else None)
    camera = GuardedCamera(inner, rests=True, clock=clock)
    clock.now += 60
    raised, done = [], threading.Event()

    def run():
        try:
            camera.shoot(tmp_path / "a", 1.0)
        except CameraFault as fault:
            raised.append(fault)
        done.set()

    waiting = threading.Event()
    camera._closed = closed = Pausing(waiting)
    thread = threading.Thread(target=run)
    thread.start()
    if why == "cancelled":
        camera.cancel()
    assert waiting.wait(20)
    assert not done.is_set()
    assert closed.asked == [15.0]
    camera.cancel()  # the protocol's own timer comes in here: it does not shorten the wait
    assert not done.is_set()
    clock.now += 15
    closed.go.set()
    assert done.wait(20)
    thread.join(20)
    assert len(raised) == 1


class Pausing:
    """An event that tells when somebody waits for it, and lets go on command."""

    def __init__(self, waiting):
        self.waiting, self.go, self.asked = waiting, threading.Event(), []

    def wait(self, seconds):
        self.asked.append(seconds)
        self.waiting.set()
        assert self.go.wait(20)
        return False


def test_probe_returns_when_the_quiet_time_of_the_start_is_over():
    """The life before may have pressed the shutter just before it ended."""
    clock = Clock()
    camera = GuardedCamera(Nameless(), rests=True, clock=clock)
    clock.now += 5
    camera._closed = closed = Pausing(threading.Event())
    thread = threading.Thread(target=camera.probe)
    thread.start()
    assert closed.waiting.wait(20)
    assert closed.asked == [10.0]
    clock.now += 10
    closed.go.set()
    thread.join(20)
    assert not thread.is_alive()


def test_other_faults_cost_no_quiet_time(tmp_path):
    """An empty file came in time: nothing is on its way."""
    clock = Clock()
    camera = GuardedCamera(
        Nameless(CameraFault("CAMERA_EMPTY", "Empty."), b"one"), rests=True, clock=clock
    )
    clock.now += 60
    with pytest.raises(CameraFault, match="Empty"):
        camera.shoot(tmp_path / "a", 1.0)
    camera.shoot(tmp_path / "b", 1.0)


def test_close_ends_every_wait(tmp_path):
    """An agent that leaves does not stay for the camera's quiet time."""
    camera = GuardedCamera(
        Nameless(CameraFault("CAMERA_TIMEOUT", "Too late.")), rests=True, clock=Clock()
    )
    camera.close()
    assert camera.probe()["ready"] is True
    with pytest.raises(CameraFault, match="Too late"):
        camera.shoot(tmp_path / "a", 1.0)


def test_without_rests_the_caller_sees_to_it(tmp_path):
    """XCAP/1's core rests the camera by itself: nothing waits here."""
    late = CameraFault("CAMERA_TIMEOUT", "Too late.")
    camera = GuardedCamera(Nameless(late), clock=Clock())
    assert camera.probe()["ready"] is True
    with pytest.raises(CameraFault, match="Too late"):
        camera.shoot(tmp_path / "a", 1.0)


@pytest.mark.parametrize(("given", "passed"), [(16.5, 15.0), (2.0, 1.0), (0.2, 0.1)])
def test_camera_has_time_left_to_say_what_went_wrong(tmp_path, given, passed):
    """Its own deadline is before the protocol's."""
    inner = Scripted(b"one")
    GuardedCamera(inner).shoot(tmp_path / "a", given)
    assert inner.deadlines == [passed]


def test_disk_errors_pass(tmp_path):
    """An OSError of the file system stays one."""
    with pytest.raises(OSError, match="full"):
        GuardedCamera(Scripted(OSError(28, "full"))).shoot(tmp_path / "a", 1.0)
