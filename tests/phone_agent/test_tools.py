"""Termux's small programs: one at a time, five seconds, and the camera goes first."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from phone_agent.cameras.child import Child
from phone_agent.tools import ToolError, Tools, WakeLock


@pytest.fixture
def tools(programs):
    """Tools that find the stand-ins of this test."""
    made = Tools(timeout_s=0.5)
    yield made
    made.close()


def test_output_comes_back(tools, programs):
    """What the program prints; its arguments reach it."""
    programs("getprop", 'echo "$1=33"')
    assert tools.has("getprop")
    assert tools.run("getprop", "ro.sdk") == "ro.sdk=33\n"


def test_missing_program_names_the_package(tools):
    """A sentence with the command that mends it."""
    assert not tools.has("termux-nothing")
    with pytest.raises(ToolError, match="pkg install termux-api"):
        tools.run("termux-nothing")


def test_failure_is_told(tools, programs):
    """A status other than 0."""
    programs("termux-x", "exit 3")
    with pytest.raises(ToolError, match="status 3"):
        tools.run("termux-x")


def test_hanging_program_is_killed_with_its_children(tools, programs, tmp_path):
    """The real ones hang for ever, and leave `am` behind."""
    programs("termux-hang", f"sleep 300 & echo $! > {tmp_path}/child; wait")
    began = time.monotonic()
    with pytest.raises(ToolError, match=r"within 0\.5 s") as caught:
        tools.run("termux-hang")
    assert time.monotonic() - began < 10
    assert not caught.value.gave_way
    child = int((tmp_path / "child").read_text())
    while _lives(child):
        assert time.monotonic() - began < 20
        time.sleep(0.01)


def _lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return b"(sleep) Z" not in Path(f"/proc/{pid}/stat").read_bytes()


def test_camera_goes_first(programs, tmp_path):
    """A question under way is ended when the camera wants the turn, and says so."""
    programs("termux-slow", f"touch {tmp_path}/began; sleep 300")
    tools, found = Tools(timeout_s=60), []

    def ask():
        try:
            tools.run("termux-slow")
        except ToolError as error:
            found.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while not (tmp_path / "began").exists():
        time.sleep(0.005)
    camera = Child()
    camera.begin(20)
    assert camera.run(["true"]).code == 0
    thread.join(20)
    assert found[0].gave_way


def test_close_ends_what_runs_and_refuses_the_next(programs, tmp_path):
    """An agent that stops does not wait for the battery."""
    programs("termux-slow", f"touch {tmp_path}/began; sleep 300")
    tools, found = Tools(timeout_s=60), []

    def ask():
        try:
            tools.run("termux-slow")
        except ToolError as error:
            found.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while not (tmp_path / "began").exists():
        time.sleep(0.005)
    tools.close()
    thread.join(20)
    assert found
    with pytest.raises(ToolError, match="the agent stops"):
        tools.run("termux-slow")


def test_wake_lock_is_let_go_even_after_close(tools, programs, tmp_path):
    """The last program of a process; without a lock nothing is called."""
    programs("termux-wake-lock", f"echo lock >> {tmp_path}/calls")
    programs("termux-wake-unlock", f"echo unlock >> {tmp_path}/calls")
    wake = WakeLock(tools)
    wake.release()
    wake.take()
    tools.close()
    wake.release()
    wake.release()
    assert (tmp_path / "calls").read_text() == "lock\nunlock\n"


@pytest.mark.parametrize(
    ("environ", "android"),
    [
        ({"TERMUX_VERSION": "0.118"}, True),
        ({"PREFIX": "/data/data/com.termux/files/usr"}, True),
        ({"PREFIX": "/usr"}, False),
        ({}, False),
    ],
)
def test_termux_is_known_by_its_variables(environ, android):
    """Both are set in every shell of Termux."""
    assert Tools(environ=environ).on_android is android
