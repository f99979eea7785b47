"""The IP Webcam camera against a server that answers as the app does."""

from __future__ import annotations

import threading
import time

import pytest

from phone_agent.cameras import CameraFault
from phone_agent.cameras.ipwebcam import IpWebcamCamera, parse_wanted
from phone_agent.jpeg import JpegInfo, inspect


def fault_of(camera, target, deadline_s=20.0):
    with pytest.raises(CameraFault) as caught:
        camera.shoot(target, deadline_s)
    assert not target.exists()
    return caught.value


def test_photo_is_taken_with_focus_in_full_size(ipwebcam, tmp_path):
    """Without a query: focus before every photo, and never the preview's frame."""
    target = tmp_path / "p"
    IpWebcamCamera(ipwebcam.url + "/").shoot(target, 20.0)
    assert target.read_bytes() == ipwebcam.photo
    assert inspect(target) == JpegInfo(640, 480)
    assert ipwebcam.asked == ["/status.json?show_avail=1", "/photoaf.jpg"]


def test_settings_are_set_read_back_and_compared(ipwebcam, tmp_path):
    """What is right already is left alone; what is wrong is set and looked at again."""
    ipwebcam.settings["photo_size"] = "1920x1080"
    camera = IpWebcamCamera(ipwebcam.url + "?focus=off&photo_size=640x480&quality=49.0&ffc=off")
    camera.shoot(tmp_path / "a", 20.0)
    assert ipwebcam.asked == [
        "/status.json?show_avail=1", "/settings/photo_size?set=640x480",
        "/status.json?show_avail=1", "/photo.jpg",
    ]  # fmt: skip
    ipwebcam.asked.clear()
    ipwebcam.photo += b"trailer"
    camera.shoot(tmp_path / "b", 20.0)
    assert ipwebcam.asked == ["/status.json?show_avail=1", "/photo.jpg"]


def test_settings_that_an_app_lost_are_set_again(ipwebcam, tmp_path):
    """A restarted app has its own settings; the next photo notices."""
    camera = IpWebcamCamera(ipwebcam.url + "?focus=once&focusmode=macro")
    camera.shoot(tmp_path / "a", 20.0)
    camera.shoot(tmp_path / "b", 20.0)
    assert ipwebcam.asked.count("/focus") == 1
    ipwebcam.settings["focusmode"] = "auto"
    camera.shoot(tmp_path / "c", 20.0)
    assert ipwebcam.settings["focusmode"] == "macro"
    assert ipwebcam.asked.count("/focus") == 2


def test_setting_that_takes_a_moment_is_waited_for(ipwebcam, tmp_path):
    """The app answers Ok before it has done it."""
    ipwebcam.lag = 2
    IpWebcamCamera(ipwebcam.url + "?focusmode=macro").shoot(tmp_path / "p", 20.0)
    assert ipwebcam.settings["focusmode"] == "macro"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("focusmode=macro", "does not take the setting focusmode=macro, it stays at auto"),
        ("focusmode=infinity", "cannot do focusmode=infinity; it can: auto, macro, continuous-pic"),
        ("iso=50", "has no setting iso; it has: photo_size"),
    ],
)
def test_setting_that_cannot_be_is_a_sentence(ipwebcam, tmp_path, query, says):
    """Answered Ok and not done, not offered, not known: no photo is taken."""
    ipwebcam.sticky.add("focusmode")
    fault = fault_of(IpWebcamCamera(f"{ipwebcam.url}?{query}"), tmp_path / "p")
    assert fault.code_name == "CAMERA_ERROR"
    assert says in fault.sentence
    assert "/photoaf.jpg" not in ipwebcam.asked


def test_wrong_size_is_no_photo(ipwebcam, tmp_path):
    """A frame of the video instead of the photo is refused, asked for or not."""
    ipwebcam.settings["photo_size"] = "4000x3000"
    for query in ("", "?photo_size=4000x3000"):
        fault = fault_of(IpWebcamCamera(ipwebcam.url + query), tmp_path / "p")
        assert fault.code_name == "CAMERA_ERROR"
        assert "640x480 although photo_size is 4000x3000" in fault.sentence


def test_turned_photo_has_the_right_size(ipwebcam, tmp_path):
    """photo_rotation swaps width and height."""
    ipwebcam.settings["photo_size"] = "480x640"
    ipwebcam.available.pop("photo_size")
    IpWebcamCamera(ipwebcam.url).shoot(tmp_path / "p", 20.0)
    assert (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("fault", "code", "says"),
    [
        ("empty", "CAMERA_EMPTY", "0 bytes"),
        ("html", "CAMERA_BAD_JPEG", "begins with 3c68746d"),
        ("cut", "CAMERA_BAD_JPEG", "not a whole JPEG"),
        ("drop", "CAMERA_ERROR", "before its answer was complete"),
        ("busy", "CAMERA_ERROR", "answers 503 to /photoaf.jpg"),
    ],
)
def test_bad_answers(ipwebcam, tmp_path, fault, code, says):
    """Every one has its code and says what to look at."""
    ipwebcam.fault = fault
    found = fault_of(IpWebcamCamera(ipwebcam.url), tmp_path / "p")
    assert found.code_name == code
    assert says in found.sentence


@pytest.mark.parametrize("fault", ["silent", "drip"])
def test_slow_answers_meet_the_deadline(ipwebcam, tmp_path, fault):
    """Silence and bytes that never end cost the deadline, not more."""
    ipwebcam.fault = fault
    start = time.monotonic()
    found = fault_of(IpWebcamCamera(ipwebcam.url), tmp_path / "p", 0.5)
    assert found.code_name == "CAMERA_TIMEOUT"
    assert time.monotonic() - start < 10


def test_setting_that_never_comes_meets_the_deadline(ipwebcam, tmp_path, monkeypatch):
    """Waiting for the app to obey is part of the deadline."""
    monkeypatch.setattr("phone_agent.cameras.ipwebcam._BETWEEN_S", 600.0)
    ipwebcam.sticky.add("focusmode")
    found = fault_of(IpWebcamCamera(ipwebcam.url + "?focusmode=macro"), tmp_path / "p", 0.5)
    assert found.code_name == "CAMERA_TIMEOUT"


def test_cancel_ends_the_shot_and_leaves_the_camera_usable(ipwebcam, tmp_path, wait_until):
    """From another thread; without a shot it does nothing."""
    ipwebcam.fault = "silent"
    camera = IpWebcamCamera(ipwebcam.url)
    camera.cancel()
    thread = threading.Thread(
        target=lambda: wait_until(lambda: "/photoaf.jpg" in ipwebcam.asked) and camera.cancel()
    )
    thread.start()
    found = fault_of(camera, tmp_path / "p", 60.0)
    thread.join(20)
    assert (found.code_name, "cancelled" in found.sentence) == ("CAMERA_ERROR", True)
    ipwebcam.fault = ""
    camera.shoot(tmp_path / "q", 20.0)


def test_user_and_password_are_sent_and_never_told(ipwebcam, tmp_path):
    """They may be percent-encoded; a wrong one is a permission, without its text."""
    ipwebcam.login = ("rig", "p@ss:word")
    address = ipwebcam.url.replace("http://", "http://rig:p%40ss:word@")
    IpWebcamCamera(address).shoot(tmp_path / "p", 20.0)
    for wrong in (ipwebcam.url, ipwebcam.url.replace("http://", "http://rig:hush@")):
        camera = IpWebcamCamera(wrong)
        fault = fault_of(camera, tmp_path / "q")
        assert fault.code_name == "CAMERA_PERMISSION"
        assert "hush" not in fault.sentence + str(camera.probe())


@pytest.mark.parametrize(
    "text",
    ["", "127.0.0.1:8080", "ftp://h", "http://u:hush@h:99999", "http://u:hush@h/path",
     "http://u:hush@h?focus=hush", "http://u:hush@h?photo_size=big", "http://u:hush@h#x",
     "http://u:hush@h?a/b=1", "http://u:hush@h?quality=%0a", "http://u:hush@h?quality",
     "http://[::1"],
)  # fmt: skip
def test_bad_addresses_are_refused_without_their_secrets(text):
    """What a person pasted may hold a password."""
    with pytest.raises(ValueError) as caught:
        IpWebcamCamera(text)
    assert "hush" not in str(caught.value)


def test_address_is_read():
    """Focus is a way to shoot, all else is a setting."""
    wanted = parse_wanted("http://h:8080?focus=once&photo_size=4000x3000&whitebalance=auto")
    assert (wanted.url.place, wanted.focus, wanted.authorization) == ("h:8080", "once", None)
    assert wanted.settings == {"photo_size": "4000x3000", "whitebalance": "auto"}


def test_probe_tells_the_size_or_why_not(ipwebcam):
    """Without taking a photo."""
    camera = IpWebcamCamera(ipwebcam.url)
    facts = camera.probe()
    assert (facts["w"], facts["h"], facts["ready"], facts["note"]) == (640, 480, True, "")
    assert ipwebcam.asked == ["/status.json?show_avail=1"]
    ipwebcam.server.end()
    facts = camera.probe()
    assert facts["ready"] is False
    assert "tap Start server" in str(facts["note"])


def test_something_else_at_the_address(http_server, tmp_path):
    """Another server on the port is named as such."""

    def answer(http):
        http.send_response(200)
        http.send_header("Content-Length", "2")
        http.end_headers()
        http.wfile.write(b"[]")

    fault = fault_of(IpWebcamCamera(http_server(answer).url), tmp_path / "p")
    assert "is not IP Webcam" in fault.sentence
