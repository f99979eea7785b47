"""The gphoto2 camera against a command that says what gphoto2 says."""

from __future__ import annotations

import threading

import pytest

from phone_agent.cameras import CameraFault
from phone_agent.cameras.gphoto2 import Gphoto2Camera
from phone_agent.jpeg import JpegInfo, inspect


def fault_of(camera, target, deadline_s=20.0):
    with pytest.raises(CameraFault) as caught:
        camera.shoot(target, deadline_s)
    assert list(target.parent.glob(f"{target.name}*")) == []
    return caught.value


def test_photo_is_downloaded_under_a_fresh_name(gphoto2, tmp_path):
    """Also into a folder whose name has a percent sign, which gphoto2 would take for a format."""
    folder = tmp_path / "100%d"
    folder.mkdir()
    Gphoto2Camera("usb:001,005").shoot(folder / "p", 20.0)
    assert inspect(folder / "p") == JpegInfo(640, 480)
    assert [path.name for path in folder.iterdir()] == ["p"]
    call = gphoto2.lines("calls")[0]
    assert call.startswith("--port usb:001,005 --capture-image-and-download --filename ")
    assert call.endswith(" --force-overwrite")


@pytest.mark.parametrize(
    ("mode", "code", "says"),
    [
        ("none", "CAMERA_ERROR", "finds no camera"),
        ("claimed", "CAMERA_ERROR", "Another program has the camera"),
        ("phone", "CAMERA_ERROR", "cannot be released by cable"),
        ("denied", "CAMERA_PERMISSION", "denies access"),
        ("blurred", "CAMERA_ERROR", "manual focus"),
        ("strange", "CAMERA_ERROR", "gphoto2 failed: Something new."),
        ("nothing", "CAMERA_EMPTY", "without a photo"),
        ("raw", "CAMERA_BAD_JPEG", "without RAW"),
    ],
)
def test_every_way_to_fail_has_its_code_and_sentence(gphoto2, tmp_path, mode, code, says):
    """Its own lines are mapped; an unknown one is passed on."""
    gphoto2.mode(mode)
    fault = fault_of(Gphoto2Camera(), tmp_path / "p")
    assert fault.code_name == code
    assert says in fault.sentence


def test_hang_meets_the_deadline(gphoto2, tmp_path, is_alive, wait_until):
    """And leaves no process."""
    gphoto2.mode("hang")
    assert fault_of(Gphoto2Camera(), tmp_path / "p", 2.0).code_name == "CAMERA_TIMEOUT"
    assert len(gphoto2.pids()) == 1
    assert wait_until(lambda: not is_alive(gphoto2.pids()[0]), 5)


def test_cancel_ends_the_shot_from_another_thread(gphoto2, tmp_path, wait_until):
    """And the next one works."""
    gphoto2.mode("hang")
    camera = Gphoto2Camera()
    thread = threading.Thread(
        target=lambda: wait_until(lambda: gphoto2.pids() != []) and camera.cancel()
    )
    thread.start()
    fault = fault_of(camera, tmp_path / "p", 60.0)
    thread.join(20)
    assert (fault.code_name, "cancelled" in fault.sentence) == ("CAMERA_ERROR", True)
    gphoto2.mode("photo")
    camera.shoot(tmp_path / "q", 20.0)


@pytest.mark.parametrize(
    ("mode", "port", "ready", "says"),
    [
        ("photo", None, True, ""),
        ("photo", "usb:001,005", True, ""),
        ("photo", "usb:001,009", False, "finds no camera"),
        ("none", None, False, "finds no camera"),
        ("two", None, False, "name one as gphoto2:PORT (usb:001,005, usb:001,006)"),
        ("two", "usb:001,006", True, ""),
    ],
)
def test_probe_finds_the_camera(gphoto2, mode, port, ready, says):
    """Without releasing it."""
    gphoto2.mode(mode)
    facts = Gphoto2Camera(port).probe()
    assert facts["ready"] is ready
    assert says in str(facts["note"])
    if ready:
        model = "Nikon DSC D90" if port == "usb:001,006" else "Canon EOS 100D"
        assert facts["id"] == f"{model} {port or 'usb:001,005'}"
    assert "capture" not in " ".join(gphoto2.lines("calls"))


def test_missing_command_says_what_to_install(monkeypatch, tmp_path, no_child_left):
    """On a computer without it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "package gphoto2" in fault_of(Gphoto2Camera(), tmp_path / "p").sentence
    assert "package gphoto2" in str(Gphoto2Camera().probe()["note"])


@pytest.mark.parametrize("port", ["", "--help", "usb", "usb:a b", "usb:$(x)"])
def test_port_cannot_be_an_option(port):
    """It comes from a command line."""
    with pytest.raises(ValueError, match="port"):
        Gphoto2Camera(port)
