"""The Termux camera against scripts that behave as Termux:API does."""

from __future__ import annotations

import threading

import pytest

from phone_agent.cameras import CameraFault
from phone_agent.cameras.termux import TermuxCamera
from phone_agent.jpeg import JpegInfo, inspect


@pytest.fixture
def staging(tmp_path):
    folder = tmp_path / "staging"
    folder.mkdir()
    return folder


def fault_of(camera, target, deadline_s=20.0):
    with pytest.raises(CameraFault) as caught:
        camera.shoot(target, deadline_s)
    assert not target.exists()
    return caught.value


def test_photo_arrives_whole_under_the_wanted_name(termux, staging):
    """The file is there, nothing else is, and the script got a name of its own."""
    target = staging / "1.1.ab.part"
    TermuxCamera().shoot(target, 20.0)
    assert inspect(target) == JpegInfo(640, 480)
    assert [path.name for path in staging.iterdir()] == [target.name]
    call = termux.lines("calls")[0].split()
    assert call[:3] == ["CameraPhoto", "--es", "file"]
    assert call[3].startswith(f"{staging.resolve()}/1.1.ab.part.")


def test_camera_id_is_passed_on(termux, staging):
    """`termux:1` is the front camera on most phones."""
    TermuxCamera("1").shoot(staging / "p", 20.0)
    assert termux.lines("calls")[0].startswith("CameraPhoto --es camera 1 --es file ")


@pytest.mark.parametrize("ident", ["", "-h", "1 2", "$(x)", "../0", "\u0661", "x" * 17])
def test_camera_id_cannot_be_an_option_or_words(ident):
    """The script uses it unquoted."""
    with pytest.raises(ValueError, match="termux-camera-info"):
        TermuxCamera(ident)


@pytest.mark.parametrize(
    ("mode", "code", "says"),
    [
        ("empty", "CAMERA_EMPTY", "0 bytes instead of a photo"),
        ("small", "CAMERA_EMPTY", "4 bytes instead of a photo"),
        ("cut", "CAMERA_BAD_JPEG", "not a whole JPEG"),
        ("full", "CAMERA_ERROR", "could not write the photo"),
        ("folder", "CAMERA_ERROR", "failed: The photo directory is not writable"),
        ("denied", "CAMERA_PERMISSION", "Permissions, Camera"),
        ("usage", "CAMERA_ERROR", "cannot connect to the app"),
    ],
)
def test_every_way_to_fail_has_its_code_and_sentence(termux, staging, mode, code, says):
    """Status 0 and an empty stdout are no photo; what the app does print is understood."""
    termux.mode(mode)
    fault = fault_of(TermuxCamera(), staging / "p")
    assert fault.code_name == code
    assert says in fault.sentence
    assert list(staging.iterdir()) == []


@pytest.mark.parametrize("mode", ["empty", "cut"])
def test_unexplained_failures_say_the_remedy(termux, staging, mode):
    """The person at the phone reads what to do already the first time."""
    termux.mode(mode)
    sentence = fault_of(TermuxCamera(), staging / "p").sentence
    assert "open Termux, switch the screen on, unlock the phone" in sentence


def test_hang_is_ended_at_the_deadline_with_all_its_processes(
    termux, staging, is_alive, wait_until
):
    """SIGTERM is ignored by script and grandchild; both are gone when the fault is raised."""
    termux.mode("hang")
    fault = fault_of(TermuxCamera(), staging / "p", 3.0)
    assert fault.code_name == "CAMERA_TIMEOUT"
    assert "within 3 s" in fault.sentence
    assert len(termux.pids()) == 2
    assert wait_until(lambda: not any(map(is_alive, termux.pids())), 5)
    termux.mode("photo")
    TermuxCamera().shoot(staging / "q", 20.0)


def test_endless_words_are_a_timeout(termux, staging):
    """Output does not fill the memory and does not keep the child alive."""
    termux.mode("flood")
    assert fault_of(TermuxCamera(), staging / "p", 0.5).code_name == "CAMERA_TIMEOUT"


@pytest.mark.parametrize("second", ["empty", "hang", "cut"])
def test_two_failures_in_a_row_are_the_background(termux, staging, second):
    """Once may be chance; twice is a phone in its sleep, and the person reads what to do."""
    camera = TermuxCamera()
    termux.mode("empty")
    assert fault_of(camera, staging / "a").code_name == "CAMERA_EMPTY"
    termux.mode(second)
    fault = fault_of(camera, staging / "b", 1.0)
    assert fault.code_name == "CAMERA_BACKGROUND"
    assert "open Termux, switch the screen on, unlock the phone" in fault.sentence
    assert "2 photos in a row" in fault.sentence
    termux.mode("photo")
    camera.shoot(staging / "c", 20.0)
    termux.mode("empty")
    assert fault_of(camera, staging / "d").code_name == "CAMERA_EMPTY"


def test_explained_failures_are_not_blamed_on_the_background(termux, staging):
    """A full storage stays a full storage."""
    camera = TermuxCamera()
    for mode, code in [
        ("empty", "CAMERA_EMPTY"), ("full", "CAMERA_ERROR"), ("full", "CAMERA_ERROR"),
        ("empty", "CAMERA_EMPTY"),
    ]:  # fmt: skip
        termux.mode(mode)
        assert fault_of(camera, staging / "p").code_name == code


def give_up(termux, camera, target, wait_until):
    """A shot that is cancelled while the app still works on it."""
    termux.mode("late")
    timer = threading.Thread(
        target=lambda: wait_until(lambda: termux.lines("app") != []) and camera.cancel()
    )
    timer.start()
    fault_of(camera, target, 60.0)
    timer.join(20)


def test_late_app_never_touches_a_newer_photo(termux, staging, wait_until):
    """The app writes after its call was killed: into a name that is nobody's."""
    camera = TermuxCamera()
    target = staging / "1.1.ab.part"
    give_up(termux, camera, target, wait_until)
    termux.mode("photo")
    camera.shoot(target, 20.0)  # even under the same name
    taken = target.read_bytes()
    (termux.state / "go").touch()
    assert wait_until((termux.state / "gone").exists)
    assert target.read_bytes() == taken
    camera.shoot(staging / "1.2.ab.part", 20.0)
    assert sorted(path.name for path in staging.iterdir()) == ["1.1.ab.part", "1.2.ab.part"]


def test_late_app_cannot_write_into_the_exposure_under_way(termux, staging, wait_until):
    """Its old picture arrives while the next photo is on its way, under the same wanted name."""
    camera = TermuxCamera()
    target = staging / "1.1.ab.part"
    give_up(termux, camera, target, wait_until)
    termux.mode("overtaken")
    camera.shoot(target, 60.0)
    assert (termux.state / "gone").exists()
    old = (termux.state / "photo.jpg").read_bytes()
    assert target.read_bytes().startswith(old)
    assert target.read_bytes() != old  # the newer one, which has its own name behind its end


def test_cancel_ends_the_shot_from_another_thread(termux, staging, wait_until, is_alive):
    """And the next one works; a cancel is not counted as a failure of the camera."""
    camera = TermuxCamera()
    termux.mode("hang")
    timer = threading.Thread(
        target=lambda: wait_until(lambda: len(termux.pids()) == 2) and camera.cancel()
    )
    timer.start()
    fault = fault_of(camera, staging / "p", 60.0)
    timer.join(20)
    assert (fault.code_name, fault.sentence) == ("CAMERA_ERROR", "The shot was cancelled.")
    assert wait_until(lambda: not any(map(is_alive, termux.pids())), 5)
    termux.mode("empty")
    assert fault_of(camera, staging / "p").code_name == "CAMERA_EMPTY"


def test_folder_that_the_script_would_split_is_refused_at_once(termux, tmp_path):
    """termux-camera-photo does not quote its path."""
    folder = tmp_path / "my photos"
    folder.mkdir()
    fault = fault_of(TermuxCamera(), folder / "p")
    assert (fault.code_name, "--dir" in fault.sentence) == ("CAMERA_ERROR", True)
    assert termux.lines("calls") == []


def test_missing_command_says_what_to_install(monkeypatch, tmp_path, no_child_left):
    """Both for the shot and for the probe."""
    monkeypatch.setenv("PATH", str(tmp_path))
    camera = TermuxCamera()
    for sentence in (fault_of(camera, tmp_path / "p").sentence, str(camera.probe()["note"])):
        assert "pkg install termux-api" in sentence
        assert "Termux:API app from the same source" in sentence
    assert camera.probe()["ready"] is False


@pytest.mark.parametrize(
    ("ident", "size"), [(None, (4640, 3480)), ("0", (4640, 3480)), ("1", (2592, 1944))]
)
def test_probe_tells_the_largest_size_without_a_photo(termux, ident, size):
    """The API always takes the largest one."""
    facts = TermuxCamera(ident).probe()
    assert facts == {
        "backend": "termux", "id": ident or "0", "w": size[0], "h": size[1], "ready": True,
        "note": "",
    }  # fmt: skip
    assert termux.lines("calls") == ["CameraInfo none"]


@pytest.mark.parametrize(
    ("info", "says"),
    [
        ('[{"id": "0", "jpeg_output_sizes": [{"width": 9, "height": 9}]}]', "no camera 7"),
        ("[]", "it has: none"),
        ("", "it said: nothing"),
        ("not json \x1b[31m", "it said: not json ?[31m"),
        ('{"error": "Please grant ...: android.permission.CAMERA"}', "Permissions, Camera"),
        ('[{"id": "7"}]', "did not list the cameras"),
    ],
)  # fmt: skip
def test_probe_says_why_the_camera_is_not_ready(termux, info, says):
    """Never an exception, never a terminal's control characters."""
    (termux.state / "info").write_text(info)
    facts = TermuxCamera("7").probe()
    assert facts["ready"] is False
    assert says in facts["note"]


def test_probe_that_hangs_is_ended(termux, monkeypatch):
    """Termux:API without its app does not answer."""
    monkeypatch.setattr("phone_agent.cameras.termux._PROBE_S", 0.3)
    termux.mode("hang")
    facts = TermuxCamera().probe()
    assert (facts["ready"], "no answer within 0.3 s" in str(facts["note"])) == (False, True)


def test_full_storage_is_an_os_error_and_leaves_nothing(termux, staging, monkeypatch):
    """It is the disk's fault, not the camera's."""

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("phone_agent.cameras.termux.sync_file", full)
    with pytest.raises(OSError, match="No space"):
        TermuxCamera().shoot(staging / "p", 20.0)
    assert list(staging.iterdir()) == []


def test_it_asks_for_fifteen_seconds():
    """The deadline of the design for a call that may hang."""
    assert TermuxCamera.deadline_s == 15.0
