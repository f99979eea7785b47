"""The checks at start: each says how things are, and what to do when they are not well."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import replace

import pytest

from phone_agent.battery import BatteryWatch
from phone_agent.cameras import CameraFault
from phone_agent.checks import (
    Subject,
    check_battery,
    check_clock,
    check_http,
    check_processes,
    check_python,
    check_storage,
    check_udp,
    check_wake_lock,
    run_checks,
    take_test_shot,
)
from phone_agent.controller import Controller, Hello
from phone_agent.store import PhotoStore
from phone_agent.tools import Tools, WakeLock
from phone_agent.udp_check import answers_udp
from rig.protocol.codes import MessageType
from rig.protocol.datagram import Datagram, decode, encode, parse_payload
from rig.protocol.keys import Pairing, boot_key

PSK = bytes(range(32))
ANDROID = {"TERMUX_VERSION": "0.118"}
HELLO = Hello("s1", "0.1", (("10.0.0.2", 47911),), 0.0)


class Camera:
    """A camera that does what `plan` says: bytes, or a fault."""

    name = "termux"

    def __init__(self, plan):
        self.plan = plan
        self.targets = []

    def shoot(self, target, deadline_s):
        self.targets.append(target)
        if isinstance(self.plan, Exception):
            target.write_bytes(b"")
            raise self.plan
        target.write_bytes(self.plan)

    def probe(self):
        return {}

    def cancel(self):
        pass


@pytest.fixture
def store(tmp_path):
    with PhotoStore(tmp_path / "rig") as opened:
        yield opened


@pytest.fixture
def android(programs, tmp_path):
    """Termux's programs as they behave when all is well."""
    status = {"percentage": 80, "status": "CHARGING", "plugged": "PLUGGED_USB", "temperature": 30.0}
    programs("termux-wake-lock", "exit 0")
    programs("termux-wake-unlock", "exit 0")
    programs("termux-battery-status", f"echo '{json.dumps(status)}'")
    programs("getprop", "echo 34")
    import os

    return Tools(timeout_s=2.0, environ={**ANDROID, "PATH": os.environ["PATH"]})


def watch(tools, tmp_path):
    return BatteryWatch(tools, tmp_path / "closed")


def test_python_of_the_phone_is_new_enough():
    """And an old one says what to do."""
    assert check_python((3, 10, 0)).ok
    old = check_python((3, 9, 18))
    assert (old.ok, "pkg upgrade python" in old.text) == (False, True)


def test_test_shot_is_measured_and_deleted(store, jpeg):
    """Size and pixels; nothing of it stays."""
    camera = Camera(jpeg(64, 48))
    shot = take_test_shot(camera, store)
    assert shot.finding.ok
    assert "64 x 48" in shot.finding.text
    assert shot.size == len(camera.plan)
    assert list(store.staging.iterdir()) == []
    assert camera.targets[0].parent == store.staging


@pytest.mark.parametrize("code", ["CAMERA_EMPTY", "CAMERA_BACKGROUND", "CAMERA_TIMEOUT"])
def test_camera_that_gives_nothing_names_the_foreground(store, code):
    """0 bytes mean that Termux is not in front; the scratch file is gone."""
    shot = take_test_shot(Camera(CameraFault(code, "It left 0 bytes.")), store)
    assert not shot.finding.ok
    assert not shot.foreground.ok
    assert "unlocked" in shot.foreground.text
    assert list(store.staging.iterdir()) == []


def test_missing_permission_is_not_the_foreground(store):
    """The camera's own sentence says which permission."""
    shot = take_test_shot(Camera(CameraFault("CAMERA_PERMISSION", "Allow the camera.")), store)
    assert (shot.finding.ok, shot.foreground.ok) == (False, True)
    assert "Allow the camera." in shot.finding.text


def test_zero_bytes_without_a_fault_are_no_photo(store):
    """A camera that believes it was well."""
    shot = take_test_shot(Camera(b""), store)
    assert (shot.finding.ok, shot.foreground.ok, shot.size) == (False, False, 0)


def test_wake_lock_is_taken(android):
    """And kept: it is let go at the end."""
    wake = WakeLock(android)
    assert check_wake_lock(wake, android).ok
    assert wake.held


def test_wake_lock_that_hangs_is_said(android, programs):
    """The phone may fall asleep between two photos."""
    programs("termux-wake-lock", "sleep 300")
    tools = Tools(timeout_s=0.3, environ=android._environ)
    found = check_wake_lock(WakeLock(tools), tools)
    assert not found.ok
    assert "ACQUIRE WAKELOCK" in found.text


@pytest.mark.parametrize(
    ("status", "ok", "words"),
    [
        ({"percentage": 80, "status": "CHARGING", "temperature": 30.0}, True, "Unrestricted"),
        ({"percentage": 14, "status": "DISCHARGING"}, False, "plug it in"),
        ({"percentage": 14, "status": "CHARGING"}, True, "14 %, charging"),
        ({"percentage": 90, "status": "FULL", "temperature": 45.5}, False, "cool down"),
        ({"error": "no permission"}, False, "cannot be read"),
    ],
)
def test_battery(android, programs, tmp_path, status, ok, words):
    """The limits are those at which the protocol pauses."""
    programs("termux-battery-status", f"echo '{json.dumps(status)}'")
    found = check_battery(watch(android, tmp_path), android)
    assert found.ok is ok
    assert words in found.text


def test_storage_counts_photos():
    """What must stay free is not counted as room."""
    assert check_storage(10**10, 4_000_000).ok
    few = check_storage(10**9, 4_000_000)
    assert not few.ok
    assert "room for 182 photos of 4.0 MB" in few.text
    assert "room for 0 photos" in check_storage(0, 4_000_000).text


@pytest.mark.parametrize(
    ("level", "words"),
    [("30", "does not kill"), ("31", "docs/phone.md"), ("33", "settings put global"),
     ("34", "Disable child process restrictions"), ("", "docs/phone.md")],
)  # fmt: skip
def test_process_killer_of_this_android(android, programs, level, words):
    """Each version switches it off in another place."""
    programs("getprop", f"echo {level}")
    assert words in check_processes(android).text


@pytest.mark.parametrize(("skew", "ok"), [(0.0, True), (-2.0, True), (2.1, False), (-86400, False)])
def test_clock(skew, ok):
    """Two seconds are allowed."""
    found = check_clock(skew)
    assert found.ok is ok
    assert ok or "automatic" in found.text


def test_udp_silence_is_judged_by_http():
    """Client isolation is named only when HTTP works and the display is there."""
    pairing = Pairing(PSK, (("10.0.0.2", 47911),))
    assert check_udp(pairing, True, None).ok
    isolated = check_udp(pairing, False, HELLO)
    assert not isolated.ok
    assert "client isolation" in isolated.text
    assert "UDP port 47911" in isolated.text
    assert "normal" in isolated.text  # this controller does not tell of sessions
    opened = check_udp(pairing, False, replace(HELLO, session=True))
    assert not opened.ok
    assert "normal" not in opened.text
    assert check_udp(pairing, False, replace(HELLO, session=False)).ok
    nobody = check_udp(pairing, False, Hello("s1", "0.1", (), 0.0))
    assert "connect the display agent of s1" in nobody.text
    assert "client isolation" not in nobody.text + check_udp(pairing, False, None).text


class Display(threading.Thread):
    """Answers KNOCK by HELLO under its key, after ignoring the first ones."""

    def __init__(self, key, ignore=0):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.key, self.ignore, self.knocks = key, ignore, []
        self.start()

    def run(self):
        while True:
            data, address = self.socket.recvfrom(2000)
            if data == b"end":
                self.socket.close()
                return
            self.knocks.append(decode(data, boot_key(PSK)))
            if len(self.knocks) > self.ignore:
                self.socket.sendto(b"noise", address)
                self.socket.sendto(encode(Datagram(MessageType.HELLO, pn=1), self.key), address)

    def end(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"end", self.socket.getsockname())
        self.join(10)


@pytest.fixture
def display():
    running = []

    def start(*args):
        running.append(Display(*args))
        return running[-1]

    yield start
    for each in running:
        each.end()


def test_display_that_answers_is_found(display):
    """Also behind a first address that is dead, and after a lost KNOCK."""
    other = display(boot_key(PSK), 1)
    port = other.socket.getsockname()[1]
    pairing = Pairing(PSK, (("nowhere.invalid", 1), ("127.0.0.1", port)))
    assert answers_udp(pairing, tries=3, every_s=0.3)
    assert len(other.knocks) == 2
    assert {knock.type for knock in other.knocks} == {MessageType.KNOCK}
    assert parse_payload(other.knocks[0].payload)["aborted"] is False


def test_strangers_do_not_count(display):
    """Whoever lacks the key may answer what they like."""
    other = display(boot_key(bytes(32)))
    pairing = Pairing(PSK, (("127.0.0.1", other.socket.getsockname()[1]),))
    assert not answers_udp(pairing, tries=2, every_s=0.1)
    assert len(other.knocks) == 2


def test_http_says_who_is_there(http_server):
    """Station and version; the token is sent."""

    def answer(http):
        good = http.headers["Authorization"] == "Bearer tok"
        said = {"station": "s1", "controller_version": "9", "udp": [], "time_ns": 0}
        body = json.dumps(said if good else {"detail": "no"}).encode()
        http.send_response(200 if good else 401)
        http.send_header("Content-Length", str(len(body)))
        http.end_headers()
        http.wfile.write(body)

    url = http_server(answer).url
    found, hello = check_http(Controller(url, "tok"))
    assert (found.ok, hello.station) == (True, "s1")
    found, hello = check_http(Controller(url, "old"))
    assert (found.ok, hello) == (False, None)
    assert "pair it again" in found.text


def test_all_checks_in_order(android, store, jpeg, tmp_path):
    """One finding each, with a name of its own; without a pairing the network is left out."""
    subject = Subject(
        Camera(jpeg()), store, None, None, android, watch(android, tmp_path), WakeLock(android)
    )
    found = list(run_checks(subject))
    assert [each.name for each in found] == [
        "python", "wake_lock", "battery", "camera", "foreground", "storage", "processes",
    ]  # fmt: skip
    assert all("\n" not in each.text and each.text for each in found)
    assert [each.name for each in run_checks(subject, shot=False)] == [
        "python", "wake_lock", "battery", "storage", "processes",
    ]  # fmt: skip
