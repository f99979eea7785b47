"""The adb camera against a stand-in whose `shell` really runs the words on a folder of its own."""

from __future__ import annotations

import threading

import pytest

from phone_agent.cameras import CameraFault
from phone_agent.cameras.adb import AdbCamera
from phone_agent.jpeg import JpegInfo, inspect


def camera_of(serial=None):
    return AdbCamera(serial, open_s=0.0, poll_s=0.02)


def fault_of(camera, target, deadline_s=30.0):
    with pytest.raises(CameraFault) as caught:
        camera.shoot(target, deadline_s)
    assert list(target.parent.glob(f"{target.name}*")) == []
    return caught.value


def test_new_photo_is_pulled_whole(adb_phone, tmp_path):
    """Camera app, camera key, the one new file, its hash on both sides."""
    camera = camera_of()
    for name in ("a", "b"):
        camera.shoot(tmp_path / name, 30.0)
        assert inspect(tmp_path / name) == JpegInfo(640, 480)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()
    calls = adb_phone.lines("calls")
    opened = "shell am start -W -a android.media.action.STILL_IMAGE_CAMERA"
    assert calls.count(opened) == 1
    assert calls.count("shell input keyevent 27") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "device"]


def test_serial_goes_with_every_call(adb_phone, tmp_path):
    """With several phones the named one is used; without a name they are a sentence."""
    adb_phone.mode("several")
    camera_of("PHONE7").shoot(tmp_path / "a", 30.0)
    fault = fault_of(camera_of(), tmp_path / "b")
    assert "several phones; name one as adb:SERIAL" in fault.sentence


@pytest.mark.parametrize(
    ("mode", "serial", "code", "says"),
    [
        ("none", None, "CAMERA_ERROR", "sees no phone"),
        ("unauthorized", None, "CAMERA_PERMISSION", "does not trust this computer"),
        ("offline", None, "CAMERA_ERROR", "offline"),
        ("photo", "OTHER", "CAMERA_ERROR", "does not see the phone of this serial"),
        ("asleep", None, "CAMERA_BACKGROUND", "screen is off"),
        ("locked", None, "CAMERA_BACKGROUND", "is locked"),
    ],
)
def test_phone_that_cannot_is_a_sentence_in_shot_and_probe(
    adb_phone, tmp_path, mode, serial, code, says
):
    """Before the shutter is pressed."""
    adb_phone.mode(mode)
    camera = camera_of(serial)
    fault = fault_of(camera, tmp_path / "p")
    assert fault.code_name == code
    assert says in fault.sentence
    facts = camera.probe()
    assert facts["ready"] is False
    assert says in str(facts["note"])
    assert adb_phone.lines("keys") == []


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("noapp", "camera app cannot be opened"),
        ("double", "2 photos appeared at once"),
        ("damaged", "not the one on the phone"),
    ],
)
def test_what_is_not_surely_the_photo_is_refused(adb_phone, tmp_path, mode, says):
    """Two new files or other bytes are never taken for the photo."""
    adb_phone.mode(mode)
    fault = fault_of(camera_of(), tmp_path / "p")
    assert fault.code_name == "CAMERA_ERROR"
    assert says in fault.sentence


def test_app_that_does_not_obey_is_a_timeout(adb_phone, tmp_path):
    """And the app is opened anew for the next photo."""
    camera = camera_of()
    adb_phone.mode("deaf")
    assert fault_of(camera, tmp_path / "p", 2.0).code_name == "CAMERA_TIMEOUT"
    adb_phone.mode("photo")
    camera.shoot(tmp_path / "q", 30.0)
    assert sum("am start" in call for call in adb_phone.lines("calls")) == 2


def test_photo_that_is_still_written_is_waited_for(adb_phone, tmp_path):
    """Its hash would not match, or its end is missing: a half photo is never kept."""
    adb_phone.mode("slow")
    camera = AdbCamera(open_s=0.0, poll_s=1.0)
    camera.shoot(tmp_path / "p", 60.0)
    assert (tmp_path / "p").read_bytes() == (adb_phone.state / "photo.jpg").read_bytes()


def test_photo_that_stays_half_is_not_kept(adb_phone, tmp_path):
    """A size that stands still deceives the poll, not the check of the JPEG."""
    adb_phone.mode("half")
    fault = fault_of(camera_of(), tmp_path / "p")
    assert fault.code_name == "CAMERA_BAD_JPEG"


def test_strange_names_on_the_phone_are_no_photos(adb_phone, tmp_path):
    """A name from outside is neither a command nor a path, and Android's own files do not count."""
    names = ["-rf.jpg", "a;b.jpg", "a$(x).jpg", ".pending-1-a.jpg", "x.mp4", "a.jpg.tmp"]
    (adb_phone.state / "names").write_text("\n".join(names) + "\n")
    adb_phone.mode("strange")
    assert fault_of(camera_of(), tmp_path / "p", 2.0).code_name == "CAMERA_TIMEOUT"
    folder = adb_phone.state / "sdcard/DCIM/Camera"
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert not any("pull" in call or "stat" in call for call in adb_phone.lines("calls"))


def test_news_of_the_daemon_are_no_error(adb_phone, tmp_path):
    """The first call starts adb's own server and says so."""
    adb_phone.mode("daemon")
    camera_of().shoot(tmp_path / "p", 30.0)


def test_cancel_ends_the_wait_for_the_photo(adb_phone, tmp_path, wait_until):
    """From another thread, between or in the calls of adb."""
    adb_phone.mode("deaf")
    camera = camera_of()
    thread = threading.Thread(
        target=lambda: wait_until(lambda: adb_phone.lines("keys") != []) and camera.cancel()
    )
    thread.start()
    fault = fault_of(camera, tmp_path / "p", 60.0)
    thread.join(20)
    assert (fault.code_name, "cancelled" in fault.sentence) == ("CAMERA_ERROR", True)


def test_probe_names_the_phone(adb_phone):
    """It is there, awake and unlocked; nothing is pressed."""
    facts = camera_of().probe()
    assert (facts["backend"], facts["id"], facts["ready"]) == ("adb", "PHONE7", True)
    assert adb_phone.lines("keys") == []


def test_missing_adb_says_what_to_install(monkeypatch, tmp_path, no_child_left):
    """On a computer without it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "platform tools" in fault_of(camera_of(), tmp_path / "p").sentence
    assert "platform tools" in str(camera_of().probe()["note"])


@pytest.mark.parametrize("serial", ["-s", "a b", "", "x" * 81, "a;b"])
def test_serial_cannot_be_an_option(serial):
    """It comes from a command line."""
    with pytest.raises(ValueError, match="serial"):
        AdbCamera(serial)


def test_it_cannot_name_its_file_and_must_be_left_alone():
    """The protocol asks for a quiet time of such cameras."""
    assert AdbCamera.quiesce_s > 0
