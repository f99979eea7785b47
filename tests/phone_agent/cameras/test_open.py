"""--camera names a camera, or a sentence says which there are."""

from __future__ import annotations

import pytest

from phone_agent.cameras import FAULTS, CameraFault, clip, deadline_of, quiesce_of
from phone_agent.cameras.adb import AdbCamera
from phone_agent.cameras.gphoto2 import Gphoto2Camera
from phone_agent.cameras.guard import GuardedCamera
from phone_agent.cameras.ipwebcam import IpWebcamCamera
from phone_agent.cameras.loopback import LoopbackCamera
from phone_agent.cameras.open import KINDS, open_camera
from phone_agent.cameras.termux import TermuxCamera
from rig.protocol.codes import Code


@pytest.mark.parametrize(
    ("text", "kind", "deadline"),
    [
        ("termux", TermuxCamera, 16.5),
        ("termux:1", TermuxCamera, 16.5),
        ("ipwebcam:http://u:p@127.0.0.1:8080?photo_size=4000x3000", IpWebcamCamera, 13.5),
        ("adb", AdbCamera, 21.5),
        ("adb:192.168.1.5:5555", AdbCamera, 21.5),
        ("gphoto2", Gphoto2Camera, 16.5),
        ("gphoto2:usb:001,005", Gphoto2Camera, 16.5),
    ],
)
def test_real_cameras_are_guarded(text, kind, deadline):
    """Each with the deadline it wants and, if it cannot name its files, a quiet time."""
    camera = open_camera(text)
    assert isinstance(camera, GuardedCamera)
    assert isinstance(camera.camera, kind)
    assert deadline_of(camera) == deadline
    assert (quiesce_of(camera) > 0) is (kind is not TermuxCamera)


def test_loopback_may_show_the_same_frame_twice():
    """A still screen has no noise."""
    assert isinstance(open_camera("loopback:http://127.0.0.1:8765"), LoopbackCamera)


@pytest.mark.parametrize(
    "text",
    ["", "polaroid", "Termux", "termux:", "termux:-h", "adb:", "adb:-s hush", "gphoto2:hush",
     "gphoto2:", "ipwebcam", "ipwebcam:", "ipwebcam:http://u:hush@h/x", "loopback", "loopback:",
     "http://u:hush@127.0.0.1:8080", "hush hush", "\x1b[31m:hush"],
)  # fmt: skip
def test_what_is_no_camera_is_a_sentence_without_secrets(text):
    """It lists what there is and repeats nothing that could be a password."""
    with pytest.raises(ValueError) as caught:
        open_camera(text)
    said = str(caught.value)
    assert "hush" not in said
    assert "\x1b" not in said
    assert KINDS in said or said.startswith("--camera ")


def test_kinds_names_them_all():
    """The help of the command line lists every one."""
    assert KINDS == "termux[:CAMERA_ID], ipwebcam:URL, loopback:URL, adb[:SERIAL], gphoto2[:PORT]"


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_is_a_code_that_may_be_repeated(name):
    """FAILED carries it, and the display takes the photo again."""
    assert 16 <= Code[CameraFault(name, "It failed.").code_name] < 32


def test_words_of_a_device_are_clipped():
    """One line, no control characters, no end without end."""
    assert clip("a\n b\x1b[0m \u00e4") == "a b?[0m ?"
    assert clip("x" * 500, 10) == "xxxxxxx..."
